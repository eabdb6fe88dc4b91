"""In the daemon: a socket for the dashboard's visitors, and behind it the process that answers them, while there are
any."""

import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys

import structlog

from daemun import causes, unprivileged
from daemun.control import unix_socket
from daemun.core import layout

log: structlog.stdlib.BoundLogger = structlog.get_logger()

BACKLOG = 256
RETRY_S = 5.0
END_S = 5.0
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "PYTHONHOME", "PYTHONPATH")
"""All that the process gets of the daemon's environment, which may hold secrets."""


class DashboardProcess:
    """account: the number of the process's account, None: it runs as daemun does. group: of nginx's workers, who may
    connect."""

    def __init__(self, paths: layout.Layout, *, group: int | None, account: int | None) -> None:
        self._layout = paths
        self._group = group
        self._account = account

    async def run(self) -> None:
        """Until cancelled; then the process ends, too. Raises: EnvironmentProblemError: the socket cannot be made."""
        path, kind = self._layout.dashboard_socket, socket.SOCK_STREAM
        with unix_socket.opened(path, kind, group=self._group, backlog=BACKLOG) as listener:
            while True:
                await unix_socket.wait_for_connection(listener)
                if not await self._serve(listener):
                    _refuse(listener)
                    await asyncio.sleep(RETRY_S)

    async def _serve(self, listener: socket.socket) -> bool:
        """Whether a process took what came, and ended in order."""
        try:
            process = await asyncio.to_thread(self._start, listener)
        except OSError as error:
            log.error(f"the dashboard cannot be shown: {causes.describe(error)}")  # noqa: TRY400 - no defect
            return False
        try:
            status = await _wait(process)
        finally:
            await asyncio.shield(_end(process))
        if status != 0:
            log.error("the process of the dashboard ended", status=status, log=f"{self._layout.logs}/dashboard.log")
        return status == 0

    def _start(self, listener: socket.socket) -> "subprocess.Popen[bytes]":
        """Raises: OSError."""
        folder = pathlib.Path(self._layout.dashboard_folder)
        prepare_folder(folder, self._account)
        arguments = [sys.executable, "-P", "-m", "daemun.dashboard", "--nginx-fd", str(listener.fileno())]
        if self._account is not None:
            arguments += ["--account", str(self._account)]
        with unprivileged.open_log(pathlib.Path(self._layout.logs, "dashboard.log")) as output:
            return subprocess.Popen(
                arguments,
                pass_fds=(listener.fileno(),),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=folder,
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                start_new_session=True,
            )


def _refuse(listener: socket.socket) -> None:
    """End what waits: nginx answers at once then, and not when it has waited long enough."""
    with contextlib.suppress(OSError):  # BlockingIOError: no more
        while True:
            listener.accept()[0].close()


def prepare_folder(folder: pathlib.Path, account: int | None) -> None:
    """Where the process works and finds the API: its account may pass there, and nowhere else. Raises: OSError."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700 if account is None else 0o710)
    if account is not None:
        os.chown(folder, -1, account)


def choose_account(paths: layout.Layout) -> int | None:
    """Blocking, some 10 ms."""
    return unprivileged.choose(f"{paths.state}/dashboard")


async def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Its status once it has ended."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:  # a kernel without them
        return await asyncio.to_thread(process.wait)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()


async def _end(process: "subprocess.Popen[bytes]") -> None:
    """It answers what it has; by force when it does not."""
    if process.stdin is not None:
        process.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, END_S)
