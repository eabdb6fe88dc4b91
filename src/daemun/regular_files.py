"""Files that are not daemun's alone, opened without waiting for anybody: a pipe (FIFO) in a file's place would hold
whoever opens it until another process writes into it, and with that every other change, and the end of the process."""

import errno
import os
import stat
import typing

_KINDS = (
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)

StrPath = str | os.PathLike[str]


def open_for_reading(path: StrPath) -> typing.BinaryIO:
    """The file, unbuffered. Raises: OSError, also when it is no regular file."""
    return open(path, "rb", buffering=0, opener=open_descriptor)


def read(path: StrPath, most_bytes: int = -1) -> bytes:
    """What the file holds, or the first bytes of it. Raises: OSError, also when it is no regular file."""
    with open(path, "rb", opener=open_descriptor) as file:
        return file.read(most_bytes)


def open_descriptor(path: StrPath, flags: int = os.O_RDONLY) -> int:
    """As `os.open`, and an `opener` for `open`. Raises: OSError, also when it is no regular file."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket; a pipe that nothing reads, when it is opened for writing
            check(path)
        raise
    try:
        _refuse_other(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def check(path: StrPath) -> None:
    """For what is opened by a library. Raises: OSError when it is no regular file, or none is there."""
    _refuse_other(os.stat(path).st_mode, path)  # noqa: PTH116


def _refuse_other(mode: int, path: StrPath) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    words = next((words for is_kind, words in _KINDS if is_kind(mode)), "is no file")
    raise OSError(errno.EINVAL, words, os.fspath(path))
