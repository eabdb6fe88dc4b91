"""Serves an application on a unix socket, as one task of a program that goes on without it."""

import asyncio
import collections.abc
import contextlib
import pathlib
import socket
import typing

from daemun.control import unix_socket
from daemun.errors import EnvironmentProblemError

if typing.TYPE_CHECKING:
    import uvicorn
    from starlette import types

BACKLOG = 4096
"""A burst of requests that wait must not be refused; the kernel may lower it (net.core.somaxconn)."""


async def serve(
    make_app: collections.abc.Callable[[], "types.ASGIApp"], socket_path: pathlib.Path, *, group: int | None = None
) -> None:
    """Serve until cancelled; then answer what is under way for at most `asgi.GRACE_S`, and remove the socket.

    make_app: called in a thread at the first connection, which waits meanwhile; so it may import what is slow.
    group: the number of a group that may connect, too; None: only the owner (and root) may.
    The caller holds the state directory's lock: a socket that is already there is a dead daemon's and is replaced.
    Raises: EnvironmentProblemError when the socket cannot be made.
    """
    with _listen(socket_path, group) as listener:
        await unix_socket.wait_for_connection(listener)
        server = await asyncio.to_thread(_make_server, make_app)
        try:
            await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            # uvicorn expects to be ended by itself, not cancelled: its own end would leave connections open.
            if server.started:
                await server.shutdown(sockets=[listener])
            raise


def _make_server(make_app: collections.abc.Callable[[], "types.ASGIApp"]) -> "uvicorn.Server":
    # Here: slow, and 4 MB that a gate without requests does not need.
    from daemun.web import asgi  # noqa: PLC0415

    return asgi.make_server(make_app(), backlog=BACKLOG)


@contextlib.contextmanager
def _listen(path: pathlib.Path, group: int | None) -> collections.abc.Iterator[socket.socket]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblemError(f'cannot open the socket "{path}": {error.strerror or error}') from error
    with unix_socket.opened(str(path), socket.SOCK_STREAM, group=group, backlog=BACKLOG) as listener:
        yield listener
