"""A lock of this machine's processes, which ends with the one that holds it."""

import contextlib
import fcntl
import os
import pathlib
import threading
import time
import types

from daemun import errors
from daemun.store.file_problems import explained

FOLDER = "~alone"
_PATIENCE_S = 30.0
"""Longer than what is done under it takes: two requests to a database that does not answer."""
_PAUSE_S = 0.01


class ProcessLock:
    """A context manager for all threads; the thread that holds it may enter again. folder: made when it is missing, and
    locked itself, so that a full disk is no reason to wait.

    Raises: EnvironmentProblemError: another process holds it for too long."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._threads = threading.RLock()
        self._depth = 0
        self._descriptor = -1

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if self._depth == 0:
                self._descriptor = self._lock()
            self._depth += 1
        except BaseException:
            self._threads.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            os.close(self._descriptor)
        self._threads.release()

    def _lock(self) -> int:
        with explained("lock", self._folder):
            with contextlib.suppress(FileExistsError):
                self._folder.mkdir(mode=0o700, parents=True)
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._wait(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _wait(self, descriptor: int) -> None:
        until = time.monotonic() + _PATIENCE_S
        while not _try(descriptor):
            if time.monotonic() >= until:
                raise errors.EnvironmentProblemError(
                    f'cannot lock "{self._folder}": another process of daemun holds it for more than '
                    f"{_PATIENCE_S:.0f} s; find one that hangs with `ps -C daemun`, and end it"
                )
            time.sleep(_PAUSE_S)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
