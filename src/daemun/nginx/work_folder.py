"""Where nginx works while the state directory cannot be written: a full disk, a read-only file system, lost rights.

nginx cannot start without a place for its pid file, sockets and logs. So they lie in a folder in memory until the next
start, together with its configuration; certificates and the store stay where they are, and are read there. Once the
state directory can be written again, certificates are renewed as ever; the folder is left when nginx is not running.
"""

import collections.abc
import contextlib
import dataclasses
import errno
import hashlib
import os
import pathlib
import shutil
import stat
import tempfile

from daemun import causes, regular_files
from daemun.core import layout
from daemun.errors import EnvironmentProblemError

ROOM_BYTES = 64 * 1024
"""nginx's own files and a small configuration need less."""
_LITTLE_BYTES = 1 << 20
_KEPT_BYTES = 16 * 1024
"""A certificate with its chain and its key needs less."""
_CONTROL = "control.sock"
_FOLDERS = ("/run", "/dev/shm", "/tmp")  # noqa: S108 - what is there is believed only when this account owns it


def find(state: str) -> str | None:
    """The folder in use for a state directory; None: there is none. Blocking, microseconds."""
    return next((path for path in _candidates(state) if _is_ours(path)), None)


def make(state: str) -> layout.Layout:
    """A folder, with the configuration that nginx ran last. Blocking. Raises: EnvironmentProblemError."""
    for path in _candidates(state):
        with contextlib.suppress(OSError):
            if not _is_ours(path):
                os.mkdir(path, 0o711)  # noqa: PTH102
            os.chmod(path, 0o711)  # noqa: PTH101, S103 - nginx's workers pass
            paths = layout.Layout(state, work=path)
            _copy_current(layout.Layout(state), paths)
            return paths
    message = f"cannot start nginx: neither {state} nor {', '.join(_FOLDERS)} can be written; free some space"
    raise EnvironmentProblemError(message)


def remove(path: str) -> None:
    """Only when no nginx works there. Blocking."""
    shutil.rmtree(path, ignore_errors=True)


def find_control_socket(state: str) -> str | None:
    """Of a daemun that can make none in the state directory; None: there is none. Blocking, microseconds."""
    owners = {os.geteuid()}
    with contextlib.suppress(OSError):  # who owns the state directory decides where its daemun listens
        owners.add(os.stat(state).st_uid)  # noqa: PTH116
    folders = (path for path in _control_folders(state) if _owner_of(path) in owners)
    return next((f"{path}/{_CONTROL}" for path in folders if os.path.lexists(f"{path}/{_CONTROL}")), None)


def make_control_socket(state: str) -> str:
    """A place for one, that no other account can write to. Blocking. Raises: EnvironmentProblemError."""
    for path in _control_folders(state):
        with contextlib.suppress(OSError):
            if not _is_ours(path):
                os.mkdir(path, 0o700)  # noqa: PTH102
            return f"{path}/{_CONTROL}"
    raise EnvironmentProblemError(f"neither {state} nor {', '.join(_FOLDERS)} can be written; free some space")


def can_serve(paths: layout.Layout) -> bool:
    """Whether a state directory has been used by this account, so that there is something to serve. Blocking."""
    with contextlib.suppress(OSError):
        return os.stat(paths.store).st_uid == os.geteuid()  # noqa: PTH116
    return False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UnwritableFolder:
    """A folder of the state directory that cannot be written. words: why, and what to do."""

    folder: str
    words: str


def may_be_full(paths: layout.Layout) -> bool:
    """Whether it is worth trying whether the state directory can be written. Blocking, microseconds."""
    folders = (paths.run, paths.nginx, paths.logs, paths.store, paths.live)  # each may be a disk of its own
    return any(_may_be_full(_existing(folder)) for folder in folders)


def find_refusal(paths: layout.Layout) -> UnwritableFolder | None:
    """Why nginx could not work in the state directory; None: it could. Blocking, milliseconds."""
    folders = ((paths.run, ROOM_BYTES), (f"{paths.nginx}/gen", 1), (paths.logs, 1))
    return _find_refusal(paths, folders)


def find_unpersisted(paths: layout.Layout) -> UnwritableFolder | None:
    """Why nothing could be added to the store or to the certificates, which nginx itself does not write; None: it
    could. Blocking, milliseconds."""
    return _find_refusal(paths, ((paths.store, _KEPT_BYTES), (paths.live, _KEPT_BYTES)))


def find_apart(paths: layout.Layout) -> tuple[str, ...]:
    """The folders of the state directory that are a disk of their own. Blocking, microseconds."""
    folders = (paths.run, paths.nginx, paths.logs, paths.store, paths.live)
    return tuple(folder for folder in folders if not is_one_disk(folder, paths.state))


def _may_be_full(folder: str) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return True
    is_full = found.f_bavail * found.f_frsize < _LITTLE_BYTES or (found.f_files > 0 and found.f_favail == 0)
    return is_full or bool(found.f_flag & os.ST_RDONLY)


def _find_refusal(paths: layout.Layout, folders: collections.abc.Iterable[tuple[str, int]]) -> UnwritableFolder | None:
    for folder, size in folders:
        try:
            with tempfile.TemporaryFile(dir=_existing(folder)) as file:
                file.write(bytes(size))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            cure = find_cure(error.errno, paths.state if is_one_disk(folder, paths.state) else folder)
            return UnwritableFolder(
                folder=folder, words=f"{folder} cannot be written: {causes.describe(error)}; {cure}"
            )
    return None


def is_one_disk(folder: str, other: str) -> bool:
    """Whether both are on the same file system, or one is not there. Blocking, microseconds."""
    with contextlib.suppress(OSError):
        return os.stat(folder).st_dev == os.stat(other).st_dev  # noqa: PTH116
    return True


def find_cure(number: int | None, state: str) -> str:
    """What to do about a state directory that cannot be written. number: the system's, of why."""
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return f"free some space on the disk of {state} (`df -h` and `df -i` show it)"
    if number == errno.EROFS:
        return f"let the file system of {state} be written again (`mount -o remount,rw`)"
    return f"correct the owner and the rights of {state}"


def _existing(folder: str) -> str:
    """The folder, or the next one above it that is there: what is missing is made."""
    path = pathlib.Path(folder)
    return str(next((one for one in (path, *path.parents) if one.is_dir()), "/"))


def _candidates(state: str) -> list[str]:
    name = f"daemun-{hashlib.sha256(os.path.realpath(state).encode()).hexdigest()[:12]}"
    own = os.environ.get("XDG_RUNTIME_DIR")
    # The system removes that one when its user has logged out, which a daemun of root outlives.
    folders = (*_FOLDERS, own) if os.geteuid() == 0 else (own, *_FOLDERS)
    return [f"{folder}/{name}" for folder in folders if folder]


def _control_folders(state: str) -> list[str]:
    """Beside those of nginx: it goes on working in the state directory when it was there before."""
    return [f"{path}-control" for path in _candidates(state)]


def _is_ours(path: str) -> bool:
    """Whether no other account can have put anything there."""
    return _owner_of(path) == os.geteuid()


def _owner_of(path: str) -> int | None:
    """The only account that can put anything there; None: it is no folder, or there are others."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_uid if stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022 else None


def _copy_current(before: layout.Layout, paths: layout.Layout) -> None:
    """With the paths that differ. What cannot be read is left out: nginx's configuration is made anew anyway."""
    moved = [(f"{a}/".encode(), f"{b}/".encode()) for a, b in _moved(before, paths)]
    with contextlib.suppress(OSError):
        source = pathlib.Path(before.current).resolve(strict=True)
        # It may hold passwords; `directories.prepare` lets the workers pass later.
        pathlib.Path(paths.nginx).mkdir(mode=0o700, exist_ok=True)
        pathlib.Path(paths.nginx).chmod(0o700)
        target = pathlib.Path(paths.nginx, "gen", source.name)
        for path in sorted(source.rglob("*")):
            if path.is_dir():
                continue
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            content = regular_files.read(path)
            for old, new in moved:
                content = content.replace(old, new)
            copy.write_bytes(content)
        link = pathlib.Path(paths.current)
        link.unlink(missing_ok=True)
        link.symlink_to(f"gen/{source.name}")


def _moved(before: layout.Layout, paths: layout.Layout) -> tuple[tuple[str, str], ...]:
    return ((before.nginx, paths.nginx), (before.run, paths.run), (before.logs, paths.logs))
