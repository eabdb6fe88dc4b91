"""Several files that change together, or not at all, whatever ends the process or the machine in between.

    ~commit/list.json   what changes: written when all that it needs lies beside it; from then on it is completed
    ~commit/N           the value of the Nth key

Whoever changes or reads several keys at once waits for each other by a lock of the kernel on the store's folder.
"""

import collections.abc
import contextlib
import errno
import fcntl
import json
import os
import pathlib
import shutil
import typing

from daemun import durable
from daemun.control import stored_values
from daemun.store.file_problems import explained, unknown_when_it_fails

_FOLDER = "~commit"
_ATTEMPTS = 100


class StoredFiles(typing.Protocol):
    """The files of a store."""

    def make_folder(self, key: str) -> pathlib.Path:
        """Of the key's file. Returns: the file."""
        ...

    def remove(self, key: str) -> None: ...


class FileCommits:
    """Changes several files of the store in `root` at once, or none."""

    def __init__(self, root: pathlib.Path, files: StoredFiles) -> None:
        self._root = root
        self._folder = root / _FOLDER
        self._list = self._folder / "list.json"
        self._files = files

    def complete(self) -> None:
        """What an earlier process began. Raises: EnvironmentProblemError."""
        if self._folder.exists():
            with self.alone():
                pass

    @contextlib.contextmanager
    def none_halfway(self) -> collections.abc.Iterator[None]:
        """While the block runs nothing that belongs together is changed, but single keys may be.

        Raises: EnvironmentProblemError: what was begun cannot be completed."""
        if self._list.exists():  # its process was killed
            self.complete()
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def alone(self) -> collections.abc.Iterator[None]:
        """While the block runs nothing else changes. What another process began is completed first.

        Raises: EnvironmentProblemError."""
        with self._locked(fcntl.LOCK_EX):
            if self._folder.exists():
                with explained("complete", self._folder):
                    self._complete()
            yield

    def make(self, changes: collections.abc.Collection[stored_values.KeyChange]) -> None:
        """In `alone`.

        Raises: EnvironmentProblemError: nothing was changed; OutcomeUnknownError: it is completed later."""
        rows = [(change.key, change.value is not None) for change in changes]
        try:
            with explained("write", self._folder):
                self._folder.mkdir(mode=0o700)
                for number, change in enumerate(changes):
                    if change.value is not None:
                        _write(self._folder / str(number), change.value)
                new = self._folder / "new"
                _write(new, json.dumps(rows).encode())
                durable.sync_directory(self._folder)
                new.rename(self._list)
        except BaseException:
            if not self._may_be_listed():
                shutil.rmtree(self._folder, ignore_errors=True)
            raise
        with unknown_when_it_fails("all of it is changed when that is over"):
            with explained("write", self._folder):
                durable.sync_directory(self._folder)
            self._complete()

    def _may_be_listed(self) -> bool:
        try:
            self._list.stat()
        except FileNotFoundError:
            return False
        except OSError:  # what is there is completed then
            return True
        return True

    def _complete(self) -> None:
        """Raises: OSError, EnvironmentProblemError: it is to be completed later, nothing of it is lost."""
        try:
            rows = json.loads(self._list.read_bytes())
        except FileNotFoundError:  # its process ended before it had all that it needs
            rows = []
        for key, is_there in rows:
            if not is_there:
                self._files.remove(key)
        for number, (key, is_there) in enumerate(rows):
            if is_there:
                self._move(self._folder / str(number), key)
        self._list.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _move(self, source: pathlib.Path, key: str) -> None:
        for _ in range(_ATTEMPTS):
            path = self._files.make_folder(key)
            try:
                source.rename(path)
            except FileNotFoundError:
                # It was moved before, or the folder disappeared: where nothing can be locked a delete may prune it.
                if source.exists():
                    continue
            with contextlib.suppress(FileNotFoundError):  # it was deleted again, with its folder
                durable.sync_directory(path.parent)
            return
        raise FileNotFoundError(errno.ENOENT, "its folder disappears again and again", str(source))

    @contextlib.contextmanager
    def _locked(self, how: int) -> collections.abc.Iterator[None]:
        """Where it cannot be locked (a network file system) single keys are whole all the same."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, folder)
                fcntl.flock(folder, how)
            yield


def _write(path: pathlib.Path, value: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
