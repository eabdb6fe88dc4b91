"""Whether nginx really runs a generation: its workers answer with it, on a unix socket.

A reload has no answer of its own: the master reads the configuration, starts new workers and lets the old ones
finish, or it writes why not into the error log and goes on as before.
"""

import asyncio
import dataclasses
import os
import pathlib
import time
import typing

import psutil

from daemun import regular_files
from daemun.core import layout
from daemun.nginx import error_diagnosis, process

ANSWER_S = 2.0
"""Longest wait for one answer on the socket."""

LEAST_PAUSE_S = 0.005
MOST_PAUSE_S = 0.05
"""Longest time between two looks: the change is to be live soon."""

GLANCE_S = 0.003
"""Between two glances at which children the master has, at a hundredth of the price of a look."""

APPEAR_S = 5.0
"""Longest time without a master: one that just went into the background has not written its pid file yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRefusal:
    """nginx does not run the generation. words: why, as nginx wrote it.

    master_went_on: the master itself refused, so it goes on exactly as before.
    """

    words: str
    master_went_on: bool = False


def timeout_s(sites: int) -> float:
    """How long a reload may take: 30 s and 1 s for every 1000 sites. Pure."""
    return 30.0 + sites / 1000


async def query_generation(paths: layout.Layout) -> int | None:
    """The generation that answers on a confirm socket; None when nothing does."""
    for path in paths.confirm_sockets:
        number = await _query(path)
        if number is not None:
            return number
    return None


async def _query(path: str) -> int | None:
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    body = answer.rpartition(b"\r\n\r\n")[2].strip()
    return int(body) if body.isdigit() else None


class ErrorLogTail:
    """What nginx writes into its error log from now on, through rotations too."""

    def __init__(self, paths: layout.Layout) -> None:
        self._path = pathlib.Path(paths.logs, "error.log")
        self._file = self._open()
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)
        self._text = b""

    def read(self) -> str:
        """All that was written since this object was made. Blocking."""
        if self._file is not None:
            self._text += self._file.read()
        if self._file is None or not self._is_current(self._file):
            self.close()
            self._file = self._open()
            self._text += b"" if self._file is None else self._file.read()
        return self._text.decode(errors="replace")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> typing.BinaryIO | None:
        try:
            return regular_files.open_for_reading(self._path)
        except OSError:
            return None

    def _is_current(self, file: typing.BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except OSError:
            return True  # renamed, and nginx did not open a new one yet


async def wait_until_running(
    paths: layout.Layout, number: int, *, before: frozenset[int], log: ErrorLogTail, within_s: float
) -> GenerationRefusal | None:
    """Wait until the workers answer with a generation and no worker of `before` takes connections any more.

    Returns: None when confirmed; else why not: nginx's words in the error log, or that it did not answer in time.
    """
    started = time.monotonic()
    pause_s, children = LEAST_PAUSE_S, None
    is_signalled = False
    while True:
        # Queried first, because it costs a tenth of a look at the processes; both must be right.
        is_answered = await query_generation(paths) == number
        seen = await asyncio.to_thread(_look, paths)
        left = before & seen.working
        if is_answered and not left:
            return None
        # Once as many new workers are ready, the old ones get the signal to finish, as nginx sends it, too, but 100 ms
        # later ("allow new processes to start", ngx_master_process_cycle): meanwhile they would answer nearly all
        # requests. Once is enough: a worker that this signal does not wake gets nginx's.
        if left and seen.master is not None and not is_signalled and len(seen.working - before) >= len(before):
            await asyncio.to_thread(process.retire, seen.master, left)
            is_signalled = True
        master = None if seen.master is None else seen.master.pid
        refusal = find_refusal(await asyncio.to_thread(log.read), master=master, before=before)
        if refusal is not None:
            return refusal
        waited_s = time.monotonic() - started
        if master is None and waited_s > min(APPEAR_S, within_s):
            return GenerationRefusal(words="nginx ended by itself")
        if waited_s > within_s:
            return GenerationRefusal(words=f"nginx did not answer with generation {number} within {within_s:g} s")
        pause_s = LEAST_PAUSE_S if seen.children != children else min(pause_s * 1.2, MOST_PAUSE_S)
        children = seen.children
        await _pause(pause_s, seen)


def find_refusal(text: str, *, master: int | None, before: frozenset[int]) -> GenerationRefusal | None:
    """The refusal in the lines that nginx wrote since a start or reload; None when there is none yet. Pure."""
    emergencies = [
        line for line in error_diagnosis.parse_lines(text) if line.level == "emerg" and line.pid not in before
    ]
    if all(line.is_retried or line.is_passed_over for line in emergencies):
        return None
    return GenerationRefusal(words=text, master_went_on=all(line.pid == master for line in emergencies))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """working: the workers that take connections. children: of the master, as `process.read_children` has them."""

    master: psutil.Process | None = None
    working: frozenset[int] = frozenset()
    children: str | None = None


def _look(paths: layout.Layout) -> _Seen:
    master = process.find_master(paths)
    if master is None:
        return _Seen()
    children = process.read_children(master.pid)
    working = frozenset(worker.pid for worker in process.list_workers(master) if not worker.draining)
    return _Seen(master=master, working=working, children=children)


async def _pause(longest_s: float, seen: _Seen) -> None:
    """Until the master has other children, which is how a reload begins to show; longest_s at most."""
    end = time.monotonic() + longest_s
    while (left_s := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left_s, GLANCE_S))
        if seen.master is not None and process.read_children(seen.master.pid) != seen.children:
            return
