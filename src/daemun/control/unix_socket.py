"""A unix socket that listens at a path: for connections, or for what nginx reports there, as syslog's datagrams
(RFC 3164)."""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import socket

from daemun.errors import EnvironmentProblemError


@contextlib.contextmanager
def opened(
    path: str, kind: socket.SocketKind, *, group: int | None, backlog: int | None = None
) -> collections.abc.Iterator[socket.socket]:
    """It does not block, and its file is removed at the end. What is there already is a dead daemon's, and replaced.

    group: its number; beside the owner, and root, it may connect or write; None: it may not. backlog: how many
    connections may wait; None: it takes none.
    Raises: EnvironmentProblemError when it cannot be made.
    """
    place = pathlib.Path(path)
    with socket.socket(socket.AF_UNIX, kind) as listener:
        try:
            place.unlink(missing_ok=True)
            listener.bind(os.fspath(place))
            # No client can connect between bind and listen, so there is no moment at which others could.
            place.chmod(0o600 if group is None else 0o660)
            if group is not None:
                os.chown(place, -1, group)
            if backlog is not None:
                listener.listen(backlog)
        except OSError as error:
            raise EnvironmentProblemError(f'cannot open the socket "{path}": {error.strerror or error}') from error
        listener.setblocking(False)
        try:
            yield listener
        finally:
            place.unlink(missing_ok=True)


async def wait_for_connection(listener: socket.socket) -> None:
    """Until there is a connection, which is left to whoever listens next."""
    loop, is_connected = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listener, is_connected.set)
    try:
        await is_connected.wait()
    finally:
        loop.remove_reader(listener)
