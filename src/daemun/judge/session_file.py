"""The sessions on the disk, written by a process that can open no file: into two files that it was given open.

They are written by turns and whole, each with a number and a digest of what it holds, so one of them is always whole
(a rename, as elsewhere, needs a folder to write to). An older process of the judge may still write while a newer one
starts, so each waits for the lock first (flock(2)).
"""

import asyncio
import collections.abc
import fcntl
import hashlib
import os
import re
import threading

_HEAD = re.compile(rb"daemun sessions (?P<number>[0-9]{1,18}) (?P<digest>[0-9a-f]{64})\n")
_LONGEST_HEAD = 128
_LARGEST_BYTES = 1 << 28
_LOOK_S = 0.05


class SessionFile:
    """slots: descriptors of two files; none: nothing is kept."""

    def __init__(self, slots: collections.abc.Sequence[int]) -> None:
        self._slots = tuple(slots)
        self._number = 0
        self._writing = threading.Lock()

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return bool(self._slots)

    async def open(self) -> bytes | None:
        """Wait until no other process has it. Returns: what was written last; None: nothing is there."""
        if not self._slots:
            return None
        while not self._lock():  # noqa: ASYNC110 - flock(2) has no event
            await asyncio.sleep(_LOOK_S)
        found = read_last(self._slots)
        if found is None:
            return None
        self._number, content = found
        return content

    def write(self, content: bytes) -> None:
        """Blocking. Raises: OSError; then what was written before is still there."""
        with self._writing:
            if self._slots:
                self._write(content)

    def _write(self, content: bytes) -> None:
        number = self._number + 1
        slot = self._slots[number % len(self._slots)]
        head = f"daemun sessions {number} {hashlib.sha256(content).hexdigest()}\n".encode()
        whole = head + content
        written = 0
        while written < len(whole):
            written += os.pwrite(slot, whole[written:], written)
        os.ftruncate(slot, len(whole))
        os.fsync(slot)
        self._number = number

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._slots[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def read_last(slots: collections.abc.Iterable[int]) -> tuple[int, bytes] | None:
    """The number and the content of the newest one that is whole."""
    return max((whole for slot in slots if (whole := _read(slot)) is not None), default=None)


def _read(slot: int) -> tuple[int, bytes] | None:
    """None: it is not whole."""
    try:
        whole = os.pread(slot, min(os.fstat(slot).st_size, _LARGEST_BYTES), 0)
    except OSError:
        return None
    match = _HEAD.match(whole[:_LONGEST_HEAD])
    if match is None:
        return None
    content = whole[match.end() :]
    is_complete = hashlib.sha256(content).hexdigest().encode() == match["digest"]
    return (int(match["number"]), content) if is_complete else None
