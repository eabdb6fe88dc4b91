"""uvicorn as one task among others. Slow to import (uvicorn, h11), so only `web.server` does, in a thread."""

import asyncio
import collections.abc
import contextlib

import uvicorn
from starlette import types

GRACE_S = 2
"""How long requests may go on after the end was asked for."""


def make_server(app: types.ASGIApp) -> uvicorn.Server:
    """A server that is ready to serve, on listening sockets."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    config.load()
    return _Server(config)


class _Server(uvicorn.Server):
    """uvicorn without signal handlers, which are the whole daemon's business, and without its clock.

    Ten times a second uvicorn looks whether it is to end and what time it is. It is cancelled here, and nobody reads
    the time, so it does that once: a gate at rest is not to be woken up for nothing.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> collections.abc.Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await asyncio.Event().wait()
