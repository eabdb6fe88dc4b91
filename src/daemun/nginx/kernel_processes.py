"""What the kernel shows of a process, beyond psutil. Linux; all functions block, for less than a millisecond
each, unless documented otherwise. Source: proc(5).
"""

import collections
import collections.abc
import os
import pathlib
import re
import time

_SOCKET = re.compile(r"socket:\[(\d+)\]\Z")
_ESTABLISHED = "01"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def read_start(pid: int) -> int | None:
    """When a process started, in clock ticks since the machine did; None: there is none, or one that ended already.

    The kernel's own number, which no change of the clock moves: with the process number it is a process's identity.
    """
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # a program's name may hold spaces and parentheses
    return None if fields[0] in "ZX" else int(fields[19])


def is_suspended(pid: int) -> bool:
    """Whether a process was stopped by a signal or a debugger (proc(5), /proc/pid/stat, state)."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in "Tt"


def age_s(started: int) -> float:
    """How long ago `read_start` was."""
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started / _TICKS_PER_S)


def read_shared_memory(pid: int) -> int | None:
    """Bytes of memory, each page shared with others counted in part (PSS); None: this account may not know.

    Milliseconds for a process of hundreds of MB. Raises: ProcessLookupError.
    """
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except PermissionError:
        return None
    except FileNotFoundError:
        if read_start(pid) is None:
            raise ProcessLookupError(pid) from None
        return None  # a kernel older than 4.14
    return _sum_kilobytes(text, ("Pss:", "SwapPss:"))


def read_anonymous_memory(pid: int) -> int:
    """Bytes of memory that no file backs, pages shared with the parent in full. Every account may read it. Raises:
    ProcessLookupError."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    return _sum_kilobytes(text, ("RssAnon:", "VmSwap:"))


def list_sockets(pid: int) -> dict[int, int]:
    """A process's sockets: descriptor -> inode, by descriptor; none when it is gone. Raises: PermissionError."""
    found: dict[int, int] = {}
    folder = f"/proc/{pid}/fd"
    try:
        with os.scandir(folder) as entries:
            numbers = sorted(int(entry.name) for entry in entries)
    except (FileNotFoundError, ProcessLookupError):
        return found
    for number in numbers:
        try:
            match = _SOCKET.match(os.readlink(f"{folder}/{number}"))  # noqa: PTH115 - no path to follow
        except (FileNotFoundError, ProcessLookupError):
            continue  # closed meanwhile
        if match is not None:
            found[number] = int(match[1])
    return found


def list_established(ports: frozenset[int]) -> frozenset[int]:
    """The inodes of all open TCP connections that came in on one of these ports. 10 ms for 5,000 connections."""
    return frozenset(inode for _, inode in _established(ports))


def count_established(ports: frozenset[int]) -> dict[int, int]:
    """How many open TCP connections came in on each of these ports, where there are some; takes as long."""
    return dict(sorted(collections.Counter(port for port, _ in _established(ports)).items()))


def _established(ports: frozenset[int]) -> collections.abc.Iterator[tuple[int, int]]:
    """Port and inode."""
    for name in ("tcp", "tcp6"):
        try:
            lines = pathlib.Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue  # a kernel without IPv6
        for line in lines:
            fields = line.split(maxsplit=10)
            if fields[3] == _ESTABLISHED and (port := int(fields[1].rpartition(":")[2], 16)) in ports:
                yield port, int(fields[9])


def _sum_kilobytes(text: str, names: tuple[str, ...]) -> int:
    rows = (line.split() for line in text.splitlines())
    return sum(int(row[1]) * 1024 for row in rows if row and row[0] in names)
