"""One daemon per state directory. The kernel drops the lock when the process ends, however it ends."""

import collections.abc
import contextlib
import errno
import fcntl
import os
import pathlib
import shlex

from daemun import causes, regular_files
from daemun.errors import EnvironmentProblemError, LockHeldError


class HeldLock:
    """The lock of one state directory, while `held_alone` runs.

    Its folder is locked, too: on a full disk there may be no file, and one that is made later must let no second one
    in.
    """

    def __init__(self, lock: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self._lock = lock
        self._stack = stack
        self._folder: int | None = None
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock; again when its file was deleted, which would let a second daemun in.

        Raises: LockHeldError naming the process that holds it; EnvironmentProblemError when neither file nor folder
        can be locked.
        """
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            if not _is_at(self._folder, self._lock.parent):
                self._folder = self._hold(_open_folder(self._lock.parent))
            if not _is_at(self._file, self._lock):
                self._file = self._hold(_open_file(self._lock, or_none=self._folder is not None))
            if self._file is not None:
                # The lock holds without the number in it: on a full disk the next `up` must still adopt nginx.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, 0)
                    os.pwrite(self._file, f"{os.getpid()} {_read_start(os.getpid())}\n".encode(), 0)
        except OSError as error:
            raise EnvironmentProblemError(_explain(self._lock, error)) from error

    def _hold(self, descriptor: int | None) -> int | None:
        if descriptor is not None:
            self._stack.callback(os.close, descriptor)
            _take(descriptor, self._lock)
        return descriptor

    def is_there(self) -> bool:
        """Whether what is locked still lies where the next daemun looks for it."""
        if self._file is not None:
            return _is_at(self._file, self._lock)
        return _is_at(self._folder, self._lock.parent)


@contextlib.contextmanager
def held_alone(lock: pathlib.Path) -> collections.abc.Iterator[HeldLock]:
    """Hold `lock` (made when missing) while the block runs. Raises: as `HeldLock.take`."""
    with contextlib.ExitStack() as stack:
        held = HeldLock(lock, stack)
        held.take()
        yield held


def read_owner(lock: pathlib.Path) -> int | None:
    """The number of the daemun that holds the lock; None: none does, or it is not known which.

    The lock itself is not tried: a daemun that starts at that instant would find it taken. The number of one that ended
    may be another process's by now, which started later.
    """
    try:
        pid, *started = map(int, regular_files.read(lock).split())
        if started:
            return pid if started == [_read_start(pid)] else None
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return None
    # Written by a daemun that did not note its start yet.
    return pid if any(word.rpartition(b"/")[2] == b"daemun" for word in command) else None


def _read_start(pid: int) -> int:
    """Clock ticks between the machine's start and the process's. Source: proc_pid_stat(5), field 22; the second field
    may hold spaces and parentheses. Raises: OSError, IndexError."""
    return int(pathlib.Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])


def _is_at(descriptor: int | None, path: pathlib.Path) -> bool:
    if descriptor is None:
        return False
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _open_folder(folder: pathlib.Path) -> int | None:
    """None: it is another account's, which may not even read it."""
    with contextlib.suppress(PermissionError):
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return None


def _open_file(lock: pathlib.Path, *, or_none: bool) -> int | None:
    """Where it cannot be made, or written, it can be held all the same: as it is, or (None) its folder in its place."""
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        is_refused = error.errno in {errno.EACCES, errno.EPERM}
        with contextlib.suppress(OSError):
            if not is_refused or lock.stat().st_uid == os.geteuid():
                return os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            if or_none and (not is_refused or lock.parent.stat().st_uid == os.geteuid()):
                return None
        raise


def _take(descriptor: int, lock: pathlib.Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = "unknown"
        with contextlib.suppress(OSError, IndexError):
            owner = regular_files.read(lock).decode("ascii", "replace").split()[0]
        state = lock.parent.parent
        stop = shlex.join(["daemun", "stop", "--state", str(state)])
        raise LockHeldError(
            f"cannot start: another daemun (process {owner}) already runs on the state directory "
            f'"{state}"; stop it with `{stop}`, or give this one a directory of its own with --state'
        ) from None


def _explain(lock: pathlib.Path, error: OSError) -> str:
    begin = f'cannot use the state directory "{lock.parent.parent}": '
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{begin}the disk is full; free some space, or name another one with --state"
    advice = "run daemun as a user who may write there, or name another one with --state"
    return f"{begin}{causes.describe(error)}; {advice}"
