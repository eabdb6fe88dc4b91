"""The files that nginx tests for, one for each name of a banned network. Blocking."""

import collections.abc
import contextlib
import os
import stat

from daemun.core import layout

_BANNED, _WAITS = 0o640, 0o750
"""nginx tells who waits by the right to execute."""

Names = collections.abc.Mapping[str, bool]
"""A name -> whether its visitors only wait."""


class BanFolder:
    """Writes and deletes the files by which nginx refuses addresses. Not thread-safe."""

    def __init__(self, paths: layout.Layout) -> None:
        self._path = paths.bans
        self._known: dict[str, bool] = {}
        self._mark: tuple[int, int] | None = None
        """The folder as it was left: another one, or one that others wrote to, is read again."""

    def is_as_left(self) -> bool:
        return self._mark is not None and self._mark == self._find_mark()

    def write(self, wanted: Names) -> None:
        """Raises: OSError; then some may be missing."""
        if not self.is_as_left():
            self._known = self._read()
        self._mark = None
        for name in self._known.keys() - wanted.keys():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._at(name))  # noqa: PTH108 - of fifty thousand, in a second
            del self._known[name]
        for name, is_wait in wanted.items():
            if self._known.get(name) is not is_wait:
                self._put(name, _WAITS if is_wait else _BANNED)
                self._known[name] = is_wait
        self._mark = self._find_mark()

    def _put(self, name: str, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            os.close(os.open(self._at(name), flags, mode))
        except FileExistsError:
            os.chmod(self._at(name), mode, follow_symlinks=True)  # noqa: PTH101

    def _read(self) -> dict[str, bool]:
        with os.scandir(self._path) as entries:
            return {one.name: bool(one.stat(follow_symlinks=False).st_mode & stat.S_IXUSR) for one in entries}

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _find_mark(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
