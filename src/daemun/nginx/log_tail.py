"""The lines of a log that a page shows: the last ones, and then those that come, as many as can be read.

Bounded in rows, bytes and time: what comes too fast is left out and counted. Blocking.
"""

import collections.abc
import contextlib
import pathlib
import time
import typing

from daemun.core.logged import error_line, line_filter
from daemun.nginx import access_lines, log_files

MOST_ROWS = 200
LONGEST_LOOK_S = 3.0
"""So long the last lines are looked for; a filter that nothing fits would read all files."""
MOST_AT_ONCE = 20
"""Rows of one look at what came."""
MOST_BYTES = 4 << 20
"""Of one look: what is beyond is not read, only its lines are counted."""
_LOOKED_AT_EVERY = 500


class LogPiece(typing.NamedTuple):
    """lines: the oldest first. skipped: how many others fitted, or were not looked at. is_whole: of the last lines:
    whether the whole log was looked at, or enough of it."""

    lines: tuple[bytes, ...]
    skipped: int = 0
    is_whole: bool = True


def read_last(
    path: pathlib.Path, wanted: line_filter.LineFilter, most: int = MOST_ROWS, *, is_of_errors: bool = False
) -> LogPiece:
    """The last lines that are wanted. is_of_errors: as of `LogTail`. Raises: OSError when there is no log, or it cannot
    be read."""
    last: list[bytes] = []
    until_s = time.monotonic() + LONGEST_LOOK_S
    with log_files.LogFiles(path) as files, contextlib.closing(_backwards(files, is_of_errors)) as lines:
        for number, line in enumerate(lines):
            if wanted.takes(line):
                last.append(line)
            if len(last) == most:
                break
            if number % _LOOKED_AT_EVERY == 0 and time.monotonic() > until_s:
                return LogPiece(tuple(reversed(last)), is_whole=False)
    return LogPiece(tuple(reversed(last)))


def _backwards(files: log_files.LogFiles, is_of_errors: bool) -> collections.abc.Generator[bytes, None, None]:
    every = files.backwards()
    yield from error_line.find_own(every, b"") if is_of_errors else every


class LogTail:
    """What is written from now on. Not thread-safe. is_of_errors: it is nginx's error log, where a record may have
    lines that are not nginx's own."""

    def __init__(self, path: pathlib.Path, wanted: line_filter.LineFilter, *, is_of_errors: bool = False) -> None:
        self._follower = access_lines.Follower(path)
        self._wanted = wanted
        self._own = error_line.OwnLines() if is_of_errors else None

    def read(self) -> LogPiece:
        """What came since the last time; the newest rows of it. Raises: OSError."""
        found: list[bytes] = []
        read_bytes = skipped = 0
        for block in self._follower.read():
            read_bytes += len(block)
            if read_bytes > MOST_BYTES:
                skipped += block.count(b"\n")
                continue
            found += [line for line in block[:-1].split(b"\n") if self._takes(line)]
            if len(found) > MOST_AT_ONCE:
                skipped += len(found) - MOST_AT_ONCE
                del found[:-MOST_AT_ONCE]
        return LogPiece(tuple(found), skipped)

    def close(self) -> None:
        self._follower.close()

    def _takes(self, line: bytes) -> bool:
        is_own = self._own is None or self._own.takes(line)
        return is_own and self._wanted.takes(line)
