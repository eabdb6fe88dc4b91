"""A unix socket on which nginx reports something: syslog's datagrams (RFC 3164), of its `access_log` or `error_log`."""

import collections.abc
import contextlib
import os
import pathlib
import socket

from daemun.errors import EnvironmentProblemError


@contextlib.contextmanager
def opened(path: str, *, group: int | None) -> collections.abc.Iterator[socket.socket]:
    """It does not block. group: of nginx's workers, which may write there; None: the same account.

    Raises: EnvironmentProblemError when it cannot be made.
    """
    place = pathlib.Path(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        try:
            place.unlink(missing_ok=True)
            listener.bind(os.fspath(place))
            place.chmod(0o600 if group is None else 0o660)
            if group is not None:
                os.chown(place, -1, group)
        except OSError as error:
            raise EnvironmentProblemError(f'cannot open the socket "{path}": {error.strerror or error}') from error
        listener.setblocking(False)
        try:
            yield listener
        finally:
            place.unlink(missing_ok=True)
