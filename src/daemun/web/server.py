"""Serves an application on a unix socket, as one task of a program that goes on without it."""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import socket

import uvicorn
from starlette import types

from daemun.errors import EnvironmentProblemError

BACKLOG = 4096
"""A burst of requests that wait must not be refused; the kernel may lower it (net.core.somaxconn)."""
GRACE_S = 2
"""How long requests may go on after the end was asked for."""


async def serve(app: types.ASGIApp, socket_path: pathlib.Path, *, group: int | None = None) -> None:
    """Serve until cancelled; then answer what is under way for at most GRACE_S, and remove the socket.

    group: the number of a group that may connect, too; None: only the owner (and root) may.
    The caller holds the state directory's lock: a socket that is already there is a dead daemon's and is replaced.
    Raises: EnvironmentProblemError when the socket cannot be made.
    """
    with _listen(socket_path, group) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        try:
            await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            # uvicorn expects to be told, not cancelled: its own end would leave connections open.
            if server.started:
                await server.shutdown(sockets=[listener])
            raise


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: signals are the whole daemon's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> collections.abc.Generator[None, None, None]:
        yield


@contextlib.contextmanager
def _listen(path: pathlib.Path, group: int | None) -> collections.abc.Iterator[socket.socket]:
    """A listening unix socket that only its owner, the group (and root) can open; the file is removed afterwards."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            listener.bind(os.fspath(path))
            # Nobody can connect between bind and listen, so there is no moment at which others could.
            path.chmod(0o600 if group is None else 0o660)
            if group is not None:
                os.chown(path, -1, group)
            listener.listen(BACKLOG)
        except OSError as error:
            raise EnvironmentProblemError(f'cannot open the socket "{path}": {error.strerror or error}') from error
        listener.setblocking(False)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)
