"""Passwords that servers behind the gate refused, as nginx reports them (`core.render.guess_log`): datagrams on a unix
socket, in syslog's form (RFC 3164)."""

import asyncio
import re
import socket
import time

from daemun.control import unix_socket
from daemun.core import layout
from daemun.core.access import guess_limits, server_guesses

_LARGEST_BYTES = 1024
_REPORT = re.compile(rb" daemun: guess (form|[0-9]{1,3}) ([0-9a-f.:]{2,45})\Z")


class GuessReports:
    """Implements `ban_registry.Guesses`."""

    def __init__(self, paths: layout.Layout) -> None:
        self._path = paths.guesses_socket
        self._guesses = server_guesses.ServerGuesses()

    async def fetch_waits(self) -> guess_limits.Waits:
        return self._guesses.find_waits(time.monotonic())

    async def forget(self, network: str) -> None:
        self._guesses.forget(network)

    async def listen(self, group: int | None) -> None:
        """Count until cancelled. group: of nginx's workers, which may write here; None: the same account.

        Raises: EnvironmentProblemError when the socket cannot be made.
        """
        loop = asyncio.get_running_loop()
        with unix_socket.opened(self._path, socket.SOCK_DGRAM, group=group) as listener:
            while True:
                await asyncio.sleep(0)  # what is there is received without a pause for others
                found = _REPORT.search(await loop.sock_recv(listener, _LARGEST_BYTES))
                if found is not None:
                    self._guesses.note(found[2].decode("ascii"), found[1].decode("ascii"), time.monotonic())
