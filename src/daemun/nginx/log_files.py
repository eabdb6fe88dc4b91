"""A log of nginx with its rotated files: `access.log`, and before that `access.log.1`, `access.log.2`, and so on.

Read from the end backwards, or forward from a time, so that the last lines cost the same whatever the log's size. All
files are opened at first: a rotation meanwhile neither repeats a line nor loses one. Blocking.
"""

import collections.abc
import contextlib
import os
import pathlib
import re
import typing

from daemun import regular_files

BLOCK_BYTES = 1 << 18
LONGEST_LINE_BYTES = 1 << 20
"""What is longer is no line of nginx's: its middle is left out."""


class _File(typing.NamedTuple):
    """size: what is read of it."""

    descriptor: int
    size: int


class LogFiles:
    """Of the log at `path`, as it is at this moment. Raises: OSError when there is none, or it cannot be read."""

    def __init__(self, path: pathlib.Path) -> None:
        self._files: list[_File] = []
        with contextlib.ExitStack() as failed:
            failed.callback(self.close)
            self._open(path, is_needed=True)
            for older in _rotated(path):
                self._open(older, is_needed=False)
            failed.pop_all()

    def __enter__(self) -> "LogFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        while self._files:
            os.close(self._files.pop().descriptor)

    def take_newest(self) -> int:
        """A descriptor of the newest file, which stands where the lines that are read here end."""
        newest = self._files[0]
        descriptor = os.dup(newest.descriptor)
        os.lseek(descriptor, newest.size, os.SEEK_SET)
        return descriptor

    def backwards(self) -> collections.abc.Generator[bytes, None, None]:
        """Every line without its end, the newest first."""
        for file in self._files:
            rest = b""
            at = file.size
            while at > 0:
                begin = max(0, at - BLOCK_BYTES)
                first, *whole = (os.pread(file.descriptor, at - begin, begin) + rest).split(b"\n")
                if whole and not whole[-1] and at == file.size:
                    whole.pop()  # behind the last line's end
                yield from reversed(whole)
                rest = first if len(first) <= LONGEST_LINE_BYTES else first[: LONGEST_LINE_BYTES // 2]
                at = begin
            if rest:
                yield rest

    def forward(self, is_before: collections.abc.Callable[[bytes], bool | None]) -> collections.abc.Iterator[bytes]:
        """Lines without their ends, the oldest first, from about where they are no more `is_before`, which tells of a
        line whether it is too old; None: that cannot be known of this one."""
        index, at = self._find(is_before)
        for file in reversed(self._files[: index + 1]):
            yield from _lines(file, at)
            at = 0

    def _find(self, is_before: collections.abc.Callable[[bytes], bool | None]) -> tuple[int, int]:
        """The file, by its index, and the place in it from which lines are to be read."""
        for index, file in enumerate(self._files):
            for begin in range((max(file.size, 1) - 1) // BLOCK_BYTES * BLOCK_BYTES, -1, -BLOCK_BYTES):
                block = os.pread(file.descriptor, BLOCK_BYTES, begin)
                whole = block.split(b"\n")[1 if begin else 0 : -1]
                known = next((found for line in whole if (found := is_before(line)) is not None), None)
                if known:
                    return index, begin
        return len(self._files) - 1, 0

    def _open(self, path: pathlib.Path, *, is_needed: bool) -> None:
        try:
            descriptor = regular_files.open_descriptor(path)
        except OSError:
            if is_needed:
                raise
            return
        found = os.fstat(descriptor)
        known = {(each.st_dev, each.st_ino) for each in (os.fstat(file.descriptor) for file in self._files)}
        if (found.st_dev, found.st_ino) in known:  # it was renamed after it had been opened
            os.close(descriptor)
            return
        size = found.st_size if self._files else _end_of_lines(descriptor, found.st_size)
        self._files.append(_File(descriptor, size))


def _rotated(path: pathlib.Path) -> list[pathlib.Path]:
    """The newest first."""
    numbered = re.compile(re.escape(path.name) + r"\.([1-9][0-9]{0,8})")
    with contextlib.suppress(OSError):
        found = (numbered.fullmatch(name) for name in os.listdir(path.parent))  # noqa: PTH208
        return [path.with_name(name) for _, name in sorted((int(match[1]), match[0]) for match in found if match)]
    return []


def _end_of_lines(descriptor: int, size: int) -> int:
    """Where the last whole line ends: nginx may be writing the next one."""
    at = size
    while at > 0:
        begin = max(0, at - BLOCK_BYTES)
        newline = os.pread(descriptor, at - begin, begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        at = begin
    return 0


def _lines(file: _File, at: int) -> collections.abc.Iterator[bytes]:
    rest = b""
    is_first = at > 0
    while at < file.size:
        read = os.pread(file.descriptor, min(BLOCK_BYTES, file.size - at), at)
        if not read:  # it was emptied
            return
        at += len(read)
        *whole, rest = (rest + read).split(b"\n")
        if is_first and whole:  # a part of a line
            whole, is_first = whole[1:], False
        yield from whole
        rest = rest if len(rest) <= LONGEST_LINE_BYTES else rest[: LONGEST_LINE_BYTES // 2]
    if rest and not is_first:
        yield rest
