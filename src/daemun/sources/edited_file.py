"""daemun.yaml while a command edits it: read, replaced as a whole, put back, by one command at a time. Blocking.

Raises: EnvironmentProblemError when the file cannot be read or written.
"""

import collections.abc
import contextlib
import errno
import fcntl
import os
import pathlib
import tempfile
import time

from daemun import durable, regular_files
from daemun.errors import EnvironmentProblemError

LONGEST_EDIT_S = 120.0

StrPath = str | os.PathLike[str]


def restore(path: StrPath, before: bytes | None, *, mode: int = 0o644) -> None:
    """Put back what an edit returned. mode: of a file that is not there any more."""
    if before is not None:
        replace(pathlib.Path(path), before, mode)
        return
    with _explained(pathlib.Path(path)):
        pathlib.Path(path).unlink(missing_ok=True)


def restore_link(path: StrPath, target: str) -> None:
    """Put back a link that an edit deleted."""
    with _explained(pathlib.Path(path)):
        pathlib.Path(path).unlink(missing_ok=True)
        pathlib.Path(path).symlink_to(target)


@contextlib.contextmanager
def alone(path: StrPath, *, longest_s: float = LONGEST_EDIT_S) -> collections.abc.Iterator[None]:
    """Let one command at a time edit the file, from reading it to knowing that it is live, so that two at once neither
    lose each other's site nor take each other's back. Waits for the other. Blocking.

    The folder is locked, not the file, which every edit replaces. Where the file system knows no such locks, none is
    held. Raises: EnvironmentProblemError when another command does not end within longest_s.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # an edit reports what is wrong with the folder
            folder = os.open(pathlib.Path(os.path.realpath(path)).parent, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, folder)
            _wait_for_lock(folder, path, longest_s)
        yield


def _wait_for_lock(folder: int, path: StrPath, longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EnvironmentProblemError(
                    f"cannot edit {path}: another command has been editing it for {longest_s:g} s; "
                    "end that one (`ps aux | grep daemun`), or edit the file by hand"
                ) from None
            time.sleep(0.05)
        else:
            return


def find_version(path: pathlib.Path) -> str:
    """Differs whenever the content might, and when the file was touched; "": there is none."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_dev}-{found.st_ino}-{found.st_size}-{found.st_mtime_ns}-{found.st_ctime_ns}"


def read(path: pathlib.Path) -> bytes | None:
    """None: there is none."""
    with _explained(path):
        try:
            return regular_files.read(path)
        except FileNotFoundError:
            return None


def replace(path: pathlib.Path, content: bytes, mode: int = 0o644) -> None:
    """Replace the file at once and for good; a symbolic link stays and its target is replaced. Mode and owner stay.
    mode: of a new file."""
    target = pathlib.Path(os.path.realpath(path))
    with _explained(path):
        try:
            old = target.stat()
        except FileNotFoundError:
            old = None
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode if old is None else old.st_mode & 0o7777)
                mine = os.fstat(file.fileno())
                if old is not None and (old.st_uid, old.st_gid) != (mine.st_uid, mine.st_gid):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            pathlib.Path(name).replace(target)
        except BaseException:
            pathlib.Path(name).unlink(missing_ok=True)
            raise
        durable.sync_directory(target.parent)


def create(path: pathlib.Path, content: bytes, mode: int) -> None:
    """Write a file where nothing is, for good: a link that is there is not followed. Nothing is left of one that could
    not be written."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with _explained(path):
        descriptor = os.open(path, flags, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        durable.sync_directory(path.parent)


def find_refusal(path: pathlib.Path) -> str | None:
    """Why `replace` would surely fail, with what to do; None: most likely it would not. Nothing is tried."""
    target = pathlib.Path(os.path.realpath(path))
    try:
        with _explained(path):
            owner = _find_owner(target)
            if not os.access(target.parent, os.W_OK | os.X_OK, effective_ids=True):
                is_read_only = bool(os.statvfs(target.parent).f_flag & os.ST_RDONLY)
                number = errno.EROFS if is_read_only else errno.EACCES
                raise OSError(number, os.strerror(number))
            if target.is_mount():
                raise OSError(errno.EBUSY, "it is mounted by itself")
            if owner not in {None, os.geteuid()} and os.geteuid() != 0:
                raise OSError(errno.EPERM, "it belongs to another account")
    except EnvironmentProblemError as error:
        return str(error)
    return None


def _find_owner(target: pathlib.Path) -> int | None:
    """None: there is none yet."""
    try:
        return target.stat().st_uid
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _explained(path: pathlib.Path) -> collections.abc.Iterator[None]:
    """Raises: EnvironmentProblemError for an OSError, with what to do."""
    try:
        yield
    except OSError as error:
        advice = ""
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            advice = "; run the command as the file's owner, with a folder that may be written to"
        elif error.errno == errno.EBUSY:
            advice = "; a file that is mounted by itself cannot be replaced: mount its folder"
        elif error.errno == errno.ENOSPC:
            advice = "; free some space on the disk"
        cause = (error.strerror or str(error)).lower()
        raise EnvironmentProblemError(f"cannot edit {path}: {cause}{advice}") from error
