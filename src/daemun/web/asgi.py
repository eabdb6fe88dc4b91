"""uvicorn as one task among others. Slow to import (uvicorn, h11), so only `web.socket_server` does, in a thread."""

import asyncio
import collections.abc
import contextlib
import socket

import uvicorn
from starlette import types
from uvicorn.protocols.http import h11_impl

ACCEPTED_AT_ONCE = 64
"""Connections that asyncio accepts in one turn of the loop. With uvicorn's 2048, a crowd that is refused at once would
take as many descriptors first."""
GRACE_S = 2
"""How long requests may go on after the end was requested."""
MOST_CONNECTIONS, LONGEST_S = 64, 60.0
"""Of a server that is open to others: further connections are closed at once, and each one after this time."""


def make_server(
    app: types.ASGIApp, *, backlog: int, until: asyncio.Event | None = None, is_bounded: bool = False
) -> uvicorn.Server:
    """A server that is ready to serve, on listening sockets. backlog: connections that the kernel keeps for it.

    until: ends it. is_bounded: it is open to others than this machine's programs (`_BoundedConnection`).
    """
    config = uvicorn.Config(
        app,
        http=_BoundedConnection if is_bounded else "h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        backlog=ACCEPTED_AT_ONCE,
    )
    config.load()
    return _Server(config, backlog, until or asyncio.Event())


class _BoundedConnection(h11_impl.H11Protocol):
    """A connection with a time limit for each request and a limit of their number, which uvicorn does not have."""

    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._end = self.loop.call_later(LONGEST_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """uvicorn without signal handlers, which are the whole daemon's business, and without its clock.

    Ten times a second uvicorn looks whether it is to end and what time it is. It is cancelled here, and nothing reads
    the time, so it does that once: a gate at rest is not to be woken up for nothing.
    """

    def __init__(self, config: uvicorn.Config, backlog: int, until: asyncio.Event) -> None:
        super().__init__(config)
        self._backlog = backlog
        self._until = until

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():  # asyncio takes one number for both, its own turns and the kernel's queue
            listener.listen(self._backlog)

    @contextlib.contextmanager
    def capture_signals(self) -> collections.abc.Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._until.wait()
