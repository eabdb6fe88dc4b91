"""An ASGI application on a server of its own, in a thread, so that it answers while a test waits."""

import asyncio
import collections.abc
import contextlib
import socket
import threading
import time
import typing

import uvicorn
from starlette import types

from tests.support import until


@contextlib.contextmanager
def serving(app: types.ASGIApp, listener: socket.socket, **more: typing.Any) -> collections.abc.Iterator[None]:
    """more: of uvicorn's configuration. It answers when this begins, and has closed its connections when it ends."""
    usual = {"lifespan": "off", "log_config": None, "access_log": False, "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, **{**usual, **more}))
    thread = threading.Thread(target=asyncio.run, args=(_serve(server, listener),), daemon=True)
    thread.start()

    def has_started() -> bool:
        assert thread.is_alive(), "the server did not start"
        return server.started

    try:
        until.true(has_started)
        yield
    finally:
        server.should_exit = True
        thread.join()


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """uvicorn ends while connections that it cancelled are still closing; they would be garbage of a later test."""
    await server.serve(sockets=[listener])
    deadline = time.monotonic() + 10
    while server.server_state.connections and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
