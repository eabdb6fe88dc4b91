"""Changes that survive a power cut: what rename(2), fsync(2) and syncfs(2) promise, in one place."""

import ctypes
import errno
import os
import pathlib
import secrets

_libc = ctypes.CDLL(None, use_errno=True)
"""Python has neither syncfs nor renameat2 of its own."""
_WORKING_DIRECTORY, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE."""


def sync_directory(directory: pathlib.Path | str) -> None:
    """Make renames, creations and removals in a directory last (fsync(2), NOTES). Raises: OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: pathlib.Path | str) -> None:
    """Make what a file holds last. Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(path: pathlib.Path | str) -> None:
    """Bring all to the disk that was written to the file system of a folder, by whomever: for many new files far less
    waiting than one by one (syncfs(2)). Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def exchange(one: str, other: str) -> None:
    """Let two paths change places at one stroke, whatever they are (renameat2(2)).

    Raises: OSError, also where the file system or the C library cannot do that."""
    rename = getattr(_libc, "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(_WORKING_DIRECTORY, os.fsencode(one), _WORKING_DIRECTORY, os.fsencode(other), _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), one, None, other)


def point_link(
    link: pathlib.Path,
    target: pathlib.PurePath | str,
    *,
    lasting: bool = True,
    drafts: pathlib.Path | str | None = None,
) -> None:
    """Make `link` a symbolic link to `target`, in one step: whoever follows it meanwhile sees the old target or the new
    one. lasting: for good, also after a power cut. drafts: a folder of the same file system in which the new link is
    made first; None: the link's own. A folder in the place of the link is moved there.

    Raises: OSError; then the link is as it was."""
    draft = f"{drafts or link.parent}/.~{link.name}"
    try:
        os.symlink(target, draft)  # noqa: PTH211
    except FileExistsError:
        os.unlink(draft)  # noqa: PTH108
        os.symlink(target, draft)  # noqa: PTH211
    try:
        os.replace(draft, link)  # noqa: PTH105
    except IsADirectoryError:  # a backup was put back with folders in the place of links
        os.rename(link, f"{drafts or link.parent}/.replaced-{link.name}-{secrets.token_hex(4)}")  # noqa: PTH104
        os.replace(draft, link)  # noqa: PTH105
    if lasting:
        sync_directory(link.parent)
