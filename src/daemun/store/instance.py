"""One daemon per state directory. The kernel drops the lock when the process ends, however it ends."""

import collections.abc
import contextlib
import errno
import fcntl
import os
import pathlib
import shlex

from daemun.errors import EnvironmentProblemError, LockHeldError


class Held:
    """The lock of one state directory, while `held_alone` runs."""

    def __init__(self, lock: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self._lock = self._path = lock
        self._stack = stack
        self._descriptor = -1

    def take(self) -> None:
        """Take the lock; again when its file was deleted, which would let a second daemun in.

        Raises: LockHeldError naming the process that holds it; EnvironmentProblemError when the file cannot be made.
        """
        try:
            descriptor, self._path = _open(self._lock)
            self._stack.callback(os.close, descriptor)
            _take(descriptor, self._lock)
            self._descriptor = descriptor
            # The lock holds without the number in it: on a full disk the next `up` must still adopt nginx.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()} {_read_start(os.getpid())}\n".encode(), 0)
        except OSError as error:
            raise EnvironmentProblemError(_explain(self._lock, error)) from error

    def is_there(self) -> bool:
        """Whether the file that is locked still lies where the next daemun looks for it."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False


@contextlib.contextmanager
def held_alone(lock: pathlib.Path) -> collections.abc.Iterator[Held]:
    """Hold `lock` (made when missing) while the block runs. Raises: as `Held.take`."""
    with contextlib.ExitStack() as stack:
        held = Held(lock, stack)
        held.take()
        yield held


def read_owner(lock: pathlib.Path) -> int | None:
    """The number of the daemun that holds the lock; None: none does, or it is not known which.

    The lock itself is not tried: a daemun that starts at that instant would find it taken. The number of one that ended
    may be another process's by now, which started later.
    """
    try:
        pid, *started = map(int, lock.read_bytes().split())
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


def _open(lock: pathlib.Path) -> tuple[int, pathlib.Path]:
    """Where it cannot be made, or written, it can be held all the same: as it is, or its folder in its place."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), lock
    except OSError as error:
        for path in (lock, lock.parent):
            with contextlib.suppress(OSError):
                is_own = path.stat().st_uid == os.geteuid()
                if is_own or error.errno not in {errno.EACCES, errno.EPERM}:
                    return os.open(path, os.O_RDONLY | os.O_CLOEXEC), path
        raise


def _take(descriptor: int, lock: pathlib.Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = "unknown"
        with contextlib.suppress(OSError):  # a folder has no text
            owner = os.pread(descriptor, 64, 0).decode("ascii", "replace").partition(" ")[0].strip() or owner
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
    return f"{begin}{(error.strerror or str(error)).lower()}; {advice}"
