"""The schedule of log rotation."""

import asyncio
import collections.abc
import contextlib

import structlog

from daemun.core.options import logs_option
from daemun.errors import EnvironmentProblemError
from daemun.nginx import nginx_server

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CHECKED_EVERY_S = 30.0


STDOUT_VARIABLE = "DAEMUN_ACCESS_LOG"
"""The image sets it to "stdout", because people look for the lines in `docker logs`."""


def is_on_stdout(policy: logs_option.Logs, environ: collections.abc.Mapping[str, str]) -> bool:
    """Whether the lines of the access log are copied to standard output. Pure."""
    return environ.get(STDOUT_VARIABLE, "").strip() == "stdout" if policy.stdout is None else policy.stdout


class Rotation:
    """policy: until `configure`."""

    def __init__(self, nginx: nginx_server.NginxServer, policy: logs_option.Logs) -> None:
        self._policy = policy
        self._nginx = nginx
        self._requested = asyncio.Event()

    def configure(self, policy: logs_option.Logs) -> None:
        """Rotate by this from now on."""
        self._policy = policy

    def request(self) -> None:
        """Rotate now, as on SIGUSR1."""
        self._requested.set()

    async def run(self) -> None:
        """Rotate what grew too large; on request also open anew what others renamed."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECKED_EVERY_S):
                    await self._requested.wait()
            is_requested = self._requested.is_set()
            self._requested.clear()
            try:
                rotated = await self._nginx.rotate_logs(self._policy)
                if is_requested and not rotated:
                    await self._nginx.reopen_logs()
            except EnvironmentProblemError as error:
                log.warning("the logs are not rotated", reason=str(error))
