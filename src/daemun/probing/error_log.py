"""nginx's error log, as it is written: new lines only, in bounded memory, across rotation and truncation. Lines that a
server may have written are left out (`core.logged.error_line`).

Whoever rotates renames the file and then signals nginx, so workers write into the renamed one for a while: it is read
on.
"""

import contextlib
import os
import typing

from daemun import regular_files
from daemun.core.logged import error_line

MOST_BYTES = 1 << 18
"""Read at once."""
LEFT_OUT_BEYOND = 1 << 22
"""More than this is not caught up with: lines are left out, and the newest are read."""
_FIRST_BYTES = 1 << 16
"""Of what is there at the start."""
_READ_ON = 40
"""So many times a file that was renamed is read once more."""


class NewErrorLines(typing.NamedTuple):
    """left_out: whether some were not read before these."""

    lines: list[str]
    left_out: bool = False


class ErrorLog:
    """Not thread-safe. `read` is quick: some hundred kilobytes at most."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._old: int | None = None
        self._old_reads = 0
        self._seen: tuple[int, int, int, int] | None = None
        self._rest: dict[int, bytes] = {}
        self._own: dict[int, error_line.OwnLines] = {}

    def read(self) -> NewErrorLines:
        """What was written since the last call; at the first, the end of what is there."""
        lines: list[str] = []
        left_out = False
        if self._is_read():
            return NewErrorLines(lines)
        self._follow()
        for descriptor in (self._old, self._file):
            if descriptor is not None:
                found = self._read(descriptor)
                lines += found.lines
                left_out |= found.left_out
        return NewErrorLines(lines, left_out)

    def _is_read(self) -> bool:
        """Whether nothing was written since the last call, which is so nearly always."""
        before, self._seen = self._seen, None
        if self._old is None:
            with contextlib.suppress(OSError):
                there = os.stat(self._path)  # noqa: PTH116
                self._seen = there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns
        return self._file is not None and self._seen is not None and self._seen == before

    def close(self) -> None:
        for descriptor in (self._old, self._file):
            if descriptor is not None:
                self._close(descriptor)
        self._old = self._file = None

    def _close(self, descriptor: int) -> None:
        self._rest.pop(descriptor, None)
        self._own.pop(descriptor, None)
        os.close(descriptor)

    def _follow(self) -> None:
        """Open the file that the path names now, when it is another one."""
        if self._old is not None:
            self._old_reads += 1
            if self._old_reads > _READ_ON:
                self._close(self._old)
                self._old = None
        try:
            self._open()
        except OSError:  # also when it is there and cannot be opened now
            self._seen = None

    def _open(self) -> None:
        """Raises: OSError."""
        there = os.stat(self._path)  # noqa: PTH116
        if self._file is not None:
            known = os.fstat(self._file)
            if (known.st_dev, known.st_ino) == (there.st_dev, there.st_ino):
                return
        is_first = self._file is None and self._old is None
        descriptor = regular_files.open_descriptor(self._path)
        if self._old is not None:
            self._close(self._old)
        self._old, self._old_reads, self._file = self._file, 0, descriptor
        if is_first:
            start = max(0, there.st_size - _FIRST_BYTES)
            os.lseek(descriptor, start, os.SEEK_SET)
            if start:
                self._own[descriptor] = error_line.OwnLines(error_line.LONGEST_BYTES)

    def _read(self, descriptor: int) -> NewErrorLines:
        left_out = False
        try:
            at, size = os.lseek(descriptor, 0, os.SEEK_CUR), os.fstat(descriptor).st_size
            if size < at:  # emptied in place
                os.lseek(descriptor, 0, os.SEEK_SET)
            elif size - at > LEFT_OUT_BEYOND:
                os.lseek(descriptor, size - MOST_BYTES, os.SEEK_SET)
                self._rest.pop(descriptor, None)
                self._own[descriptor] = error_line.OwnLines(error_line.LONGEST_BYTES)
                left_out = True
            read = os.read(descriptor, MOST_BYTES)
        except OSError:
            self._seen = None
            return NewErrorLines([])
        if len(read) == MOST_BYTES:  # there may be more
            self._seen = None
        *whole, rest = (self._rest.get(descriptor, b"") + read).split(b"\n")
        self._rest[descriptor] = rest[-8192:]
        own = self._own.setdefault(descriptor, error_line.OwnLines())
        lines = [line.decode("utf-8", "replace") for line in whole if own.takes(line)]
        if not rest and len(read) < MOST_BYTES:
            # nginx writes each record at once, so the next one begins where the file ends.
            own.left_bytes = 0
        return NewErrorLines(lines, left_out)
