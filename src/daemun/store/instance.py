"""One daemon per state directory. The kernel drops the lock when the process ends, however it ends."""

import collections.abc
import contextlib
import errno
import fcntl
import os
import pathlib

from daemun.errors import EnvironmentProblemError, LockHeldError


@contextlib.contextmanager
def held_alone(lock: pathlib.Path) -> collections.abc.Iterator[None]:
    """Hold `lock` (made when missing) while the block runs.

    Raises: LockHeldError naming the process that holds it; EnvironmentProblemError when the file cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            stack.callback(os.close, descriptor)
            _take(descriptor, lock)
            # The lock holds without the number in it: on a full disk the next `up` must still adopt nginx.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise EnvironmentProblemError(_explain(lock, error)) from error
        yield


def _take(descriptor: int, lock: pathlib.Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise LockHeldError(
            f"cannot start: another daemun (process {owner}) already runs on the state directory "
            f'"{lock.parent.parent}"; stop it with `daemun stop`, or give this one a directory of its own with --state'
        ) from None


def _explain(lock: pathlib.Path, error: OSError) -> str:
    begin = f'cannot use the state directory "{lock.parent.parent}": '
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{begin}the disk is full; free some space, or name another one with --state"
    advice = "run daemun as a user who may write there, or name another one with --state"
    return f"{begin}{(error.strerror or str(error)).lower()}; {advice}"
