"""The files that nginx writes a line into for each request: the one that grows, and those that were renamed, into which
nginx may write a little longer. Blocking.

A file is known again by its inode, how it begins and what was read last; one that was copied, to another machine and
back, by the latter two. What was said of a file that is deleted must be forgotten before nginx makes a new one, which
may get the same inode (`rename`).
"""

import collections.abc
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re

from daemun import regular_files
from daemun.core import layout

NAME = layout.TRAFFIC_LOG
MOST_BYTES = 32 << 20
"""A larger file is renamed."""
SETTLED_S = 60.0
"""nginx has opened the new file long before, also its workers that only end their connections."""

HEAD_BYTES = 256
"""A file is known by so much of its beginning, and of what was read last."""
_DIGEST_BYTES = hashlib.sha256().digest_size

_CHUNK_BYTES = 1 << 20
_MOST_EMPTY = 32
"""Files that may be known to the store: those that were there when it was written last."""
_NUMBER = re.compile(r"\.([1-9][0-9]{0,9})")


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read. head_length: how many bytes of its beginning the digest is of. digest: of these, and
    then that of what was read last; only the first of earlier versions."""

    inode: int
    head_length: int
    digest: bytes
    offset: int


@dataclasses.dataclass(slots=True, kw_only=True)
class _File:
    name: str
    descriptor: int
    inode: int
    offset: int = 0
    head: bytes = b""


class TrafficFiles:
    """Not thread-safe. positions: how far files were read before. name: of the file that grows."""

    def __init__(
        self, folder: pathlib.Path, positions: collections.abc.Iterable[Position] = (), *, name: str = NAME
    ) -> None:
        """Raises: OSError."""
        self._folder = folder
        self._name = name
        self._files: dict[int, _File] = {}
        self._find()
        self._resume(positions)

    def resume(self, positions: collections.abc.Iterable[Position]) -> None:
        """For files that were opened before the positions were read, so that none was removed in between. One without a
        name and without a position was read to its end. Raises: OSError."""
        self._find(is_known=False)
        self._resume(positions)
        for file in self._files.values():
            found = os.fstat(file.descriptor)
            if not file.offset and not found.st_nlink:
                file.offset = found.st_size

    def _resume(self, positions: collections.abc.Iterable[Position]) -> None:
        left = dict(self._files)
        copied: list[Position] = []
        for position in positions:
            file = left.get(position.inode)
            if file is not None and _go_on(file, position):
                del left[position.inode]
            elif len(position.digest) > _DIGEST_BYTES:
                copied.append(position)
        for position in copied:
            found = next((file for file in left.values() if _go_on(file, position)), None)
            if found is not None:
                del left[found.inode]

    def skip(self) -> None:
        """Take all that is there now for read. Raises: OSError."""
        for file in self._files.values():
            file.offset = os.fstat(file.descriptor).st_size

    def count_unread(self) -> int:
        """Bytes."""
        return sum(max(os.fstat(one.descriptor).st_size - one.offset, 0) for one in self._files.values())

    def read(self, most_bytes: int) -> collections.abc.Iterator[bytes]:
        """Whole lines that were not read yet, of older files first. Raises: OSError."""
        self._find()
        left = most_bytes
        for file in self._in_order():
            while left > 0 and (lines := self._read(file)):
                left -= len(lines)
                yield lines

    def positions(self) -> tuple[Position, ...]:
        """How far each file was read."""
        return tuple(
            Position(one.inode, len(one.head), _digest(one.descriptor, one.head, one.offset), one.offset)
            for one in self._in_order()
            if one.offset
        )

    def is_due(self) -> bool:
        """Whether the file is to be renamed: it is large, or nginx did not open a new one after the last time."""
        current = self._current()
        if current is None:
            return bool(self._files)
        return current.offset > MOST_BYTES

    def rename(self) -> None:
        """Make room for a new file, which nginx must open then; the positions must just have been stored. Raises:
        OSError."""
        current = self._current()
        if current is None:
            return
        numbers = [_number(name) for name in os.listdir(self._folder) if self._is_renamed(name)]  # noqa: PTH208
        name = f"{self._name}.{max(numbers, default=0) + 1}"
        os.rename(self._folder / self._name, self._folder / name)  # noqa: PTH104
        current.name = name

    def is_any(self) -> bool:
        return bool(self._files)

    def remove_settled(self, now_s: float, *, is_current_too: bool = False) -> bool:
        """Delete renamed files that were read to their end a while ago; how far they were read must be stored before.
        now_s: since the epoch. is_current_too: the one that grew, when it grows no more. Returns: whether that one was
        deleted. Raises: OSError."""
        is_removed = False
        for file in self._in_order():
            found = os.fstat(file.descriptor)
            is_read = found.st_size == file.offset
            if (
                (file.name == self._name and not is_current_too)
                or not is_read
                or abs(now_s - found.st_mtime) < SETTLED_S
            ):
                continue
            if self._is_there(file):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._folder / file.name)  # noqa: PTH108
                    is_removed = is_removed or file.name == self._name
            self._drop(file)
        return is_removed

    def is_large(self) -> bool:
        """Whether the file that grows is, read or not; or nginx did not open a new one after the last time."""
        self._find()
        current = self._current()
        return bool(self._files) if current is None else os.fstat(current.descriptor).st_size > MOST_BYTES

    def leave_out(self, most_bytes: int) -> int:
        """Empty renamed files, older ones first, until all together have no more. Returns: how many bytes were not
        read. Raises: OSError.

        The oldest stay, empty: what is stored of how far they were read would be taken for a new file's, which may get
        the same inode.
        """
        self._find()
        renamed = [one for one in self._in_order() if one.name != self._name]
        sizes = {inode: os.fstat(one.descriptor).st_size for inode, one in self._files.items()}
        left_out, total = 0, sum(sizes.values())
        for file in renamed:
            size = sizes[file.inode]
            if total <= most_bytes:
                break
            if not size or not self._is_there(file):
                continue
            os.truncate(self._folder / file.name, 0)
            left_out += max(size - file.offset, 0)
            total -= size
            file.offset, file.head = 0, b""
        empty = [one for one in renamed if not os.fstat(one.descriptor).st_size and self._is_there(one)]
        for file in empty[_MOST_EMPTY:]:
            os.unlink(self._folder / file.name)  # noqa: PTH108
            self._drop(file)
        return left_out

    def _is_there(self, file: _File) -> bool:
        """Whether the name is still that file's."""
        try:
            return (self._folder / file.name).stat().st_ino == file.inode
        except FileNotFoundError:
            return False

    def drop_removed(self) -> None:
        """Close files that others deleted and that were read to their end: their space on the disk is free then.
        Raises: OSError."""
        for file in self._in_order():
            found = os.fstat(file.descriptor)
            if not found.st_nlink and found.st_size <= file.offset:
                self._drop(file)

    def close(self) -> None:
        for file in tuple(self._files.values()):
            self._drop(file)

    def _current(self) -> _File | None:
        return next((one for one in self._files.values() if one.name == self._name), None)

    def _in_order(self) -> list[_File]:
        """By their numbers, of which the highest was renamed last; then the one that grows."""
        return sorted(self._files.values(), key=lambda one: (one.name == self._name, _number(one.name)))

    def _drop(self, file: _File) -> None:
        os.close(file.descriptor)
        del self._files[file.inode]

    def _find(self, *, is_known: bool = True) -> None:
        """Which files there are now, and which names they have. Of one that others deleted or renamed elsewhere, what
        is left is read as long as it is open here. is_known: look no further while the file that grows is the same."""
        try:
            there = (self._folder / self._name).stat().st_ino
        except FileNotFoundError:
            there = None
        current = self._current()
        if is_known and self._files and (None if current is None else current.inode) == there:
            return
        for file in self._files.values():
            file.name = f"{self._name}.0" if file.name == self._name else file.name
        for name in os.listdir(self._folder):  # noqa: PTH208
            if name != self._name and not self._is_renamed(name):
                continue
            with contextlib.suppress(OSError):
                self._open(name)

    def _is_renamed(self, name: str) -> bool:
        return is_renamed(name, self._name)

    def _open(self, name: str) -> None:
        descriptor = regular_files.open_descriptor(self._folder / name)
        inode = os.fstat(descriptor).st_ino
        known = self._files.get(inode)
        if known is not None:
            os.close(descriptor)
            known.name = name
            return
        self._files[inode] = _File(name=name, descriptor=descriptor, inode=inode)

    def _read(self, file: _File) -> bytes:
        """The next lines, without one that is not whole yet."""
        chunk = os.pread(file.descriptor, _CHUNK_BYTES, file.offset)
        if not chunk and os.fstat(file.descriptor).st_size < file.offset:  # it was emptied
            file.offset, file.head = 0, b""
            chunk = os.pread(file.descriptor, _CHUNK_BYTES, 0)
        end = chunk.rfind(b"\n") + 1
        if not end:
            # No line is so long; what is there without an end is no line.
            end = len(chunk) if len(chunk) == _CHUNK_BYTES else 0
        lines = chunk[:end]
        if len(file.head) < HEAD_BYTES and lines:
            file.head = os.pread(file.descriptor, min(HEAD_BYTES, file.offset + end), 0)
        file.offset += end
        return lines


def _digest(descriptor: int, head: bytes, offset: int) -> bytes:
    begin = max(offset - HEAD_BYTES, 0)
    return hashlib.sha256(head).digest() + hashlib.sha256(os.pread(descriptor, offset - begin, begin)).digest()


def _go_on(file: _File, position: Position) -> bool:
    """Returns: whether it is the file that was read so far, which is read on from there then."""
    head = os.pread(file.descriptor, position.head_length, 0)
    digest = _digest(file.descriptor, head, position.offset)
    if position.digest not in {digest, digest[:_DIGEST_BYTES]}:
        return False
    file.offset, file.head = position.offset, head
    return True


def are_any(folder: pathlib.Path) -> bool:
    """Whether there are files of lines. False also when that cannot be seen."""
    try:
        return any(name == NAME or is_renamed(name, NAME) for name in os.listdir(folder))  # noqa: PTH208
    except OSError:
        return False


def is_renamed(name: str, of: str) -> bool:
    """Whether that is the name of an earlier file, which was called as the one that grows."""
    return name.startswith(of) and _NUMBER.fullmatch(name, len(of)) is not None


def _number(name: str) -> int:
    """0: of the file that grows."""
    ending = name.rpartition(".")[2]
    return int(ending) if ending.isdigit() else 0


class Backlog:
    """When lines were written that nobody read for a while: evenly in between, as they have no time. Pure.

    unread_bytes: of lines that were there at now_s. since_s: when all before them were read; None: not known.
    """

    def __init__(self, unread_bytes: int, since_s: float | None, now_s: float) -> None:
        self._unread_bytes = unread_bytes
        self._missed_s = 0.0 if since_s is None else max(now_s - since_s, 0.0)
        self._now_s = now_s
        self._read_bytes = 0

    def note(self, lines: bytes) -> float | None:
        """When these were written, which are read next; None: now."""
        self._read_bytes += len(lines)
        if self._read_bytes > self._unread_bytes:
            return None
        return self._now_s - self._missed_s * (1 - self._read_bytes / self._unread_bytes)
