"""Copies the lines of the access log to standard output, for `docker logs` and whoever reads it.

nginx writes its file as ever and waits for no reader: a pipe that is full, or a socket, which standard output is under
systemd and which nginx cannot open, is this module's trouble alone. What was written before daemun started is not
copied.
"""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import select
import threading

import asyncinotify
import structlog

from daemun import regular_files
from daemun.core import layout

log: structlog.stdlib.BoundLogger = structlog.get_logger()

EVERY_S = 0.2
"""How often the file is looked at where the kernel does not report changes, and whether there is an end."""
AT_MOST_EVERY_S = 0.005
"""A busy log is read in pieces."""

_CHUNK_BYTES = 1 << 16
_EVENTS = asyncinotify.Mask.MODIFY | asyncinotify.Mask.CREATE | asyncinotify.Mask.MOVE


class AccessLines:
    """Nothing is read while lines are not wanted."""

    def __init__(self, paths: layout.Layout, *, output: int = 1) -> None:
        """output: a file descriptor."""
        self._path = pathlib.Path(paths.logs, "access.log")
        self._output = output
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._switched = threading.Event()
        self._failure: int | None = None

    def switch(self, *, is_on: bool) -> None:
        """Whether lines are copied from now on."""
        if is_on:
            self._wanted.set()
            self._switched.set()
        else:
            self._wanted.clear()

    async def run(self) -> None:
        """Never returns. A thread of its own, which ends with the process: writing may block for as long as the reader
        likes."""
        self._ended.clear()
        self._switched.set()
        threading.Thread(target=self._work, name="access lines", daemon=True).start()
        try:
            await asyncio.Event().wait()
        finally:
            self._ended.set()
            self._switched.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._switched.wait()
            self._switched.clear()
            try:
                while self._wanted.is_set() and not self._ended.is_set():
                    self._copy()
            except BrokenPipeError:  # its reader is gone
                return
            except OSError as error:
                self._report(error)
                self._ended.wait(EVERY_S)
                self._switched.set()

    def _copy(self) -> None:
        follower, notices = Follower(self._path), _watch(self._path.parent)
        try:
            while self._wanted.is_set() and not self._ended.is_set():
                for lines in follower.read():
                    self._write(lines)
                self._wait(notices)
        finally:
            follower.close()
            if notices is not None:
                notices.close()

    def _write(self, lines: bytes) -> None:
        """What cannot be written, to a file on a full disk, is left out. Raises: BrokenPipeError."""
        try:
            while lines and not self._ended.is_set():
                try:
                    lines = lines[os.write(self._output, lines) :]
                except BlockingIOError:  # whoever gave it made it non-blocking
                    _poll(self._output, select.POLLOUT)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._report(error)
        else:
            self._failure = None

    def _report(self, error: OSError) -> None:
        """Once, until lines are copied again."""
        if self._failure != error.errno:
            self._failure = error.errno
            log.warning("cannot copy the access log to standard output", error=str(error))

    def _wait(self, notices: asyncinotify.Inotify | None) -> None:
        if notices is None:
            self._ended.wait(EVERY_S)
            return
        self._ended.wait(AT_MOST_EVERY_S)  # before the notice, so that a line after a quiet time is copied at once
        if _poll(notices.fd, select.POLLIN):
            os.read(notices.fd, _CHUNK_BYTES)


def _poll(descriptor: int, events: int) -> bool:
    """Whether it is ready within EVERY_S. select(2) takes no descriptor above 1023."""
    polled = select.poll()
    polled.register(descriptor, events)
    return bool(polled.poll(EVERY_S * 1000))


def _watch(folder: pathlib.Path) -> asyncinotify.Inotify | None:
    """None: the kernel has none to give, or the folder is not there."""
    with contextlib.suppress(OSError):
        notices = asyncinotify.Inotify()
        notices.add_watch(folder, _EVENTS)
        return notices
    return None


class Follower:
    """Whole lines of a file that grows, and that is renamed when it is too large. Blocking."""

    def __init__(self, path: pathlib.Path, *, at_end: bool = True, descriptor: int | None = None) -> None:
        """descriptor: of that file, to be read on from where it stands; it is closed here."""
        self._path = path
        self._file = descriptor
        self._rest = b""
        if descriptor is None:
            self._open(at_end=at_end)

    def read(self) -> collections.abc.Iterator[bytes]:
        """What was written since the last call: of the file that was renamed first, and then of the new one."""
        yield from self._read_file()
        if self._is_renamed():
            # nginx writes into the renamed file until it opens the new one, and not any more after that.
            yield from self._read_file()
            self.close()
            self._open(at_end=False)
            yield from self._read_file()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, *, at_end: bool) -> None:
        with contextlib.suppress(OSError):
            self._file = regular_files.open_descriptor(self._path)
            os.lseek(self._file, 0, os.SEEK_END if at_end else os.SEEK_SET)
            self._rest = b""

    def _is_renamed(self) -> bool:
        """Whether another file is there now, and nginx has begun to write into it."""
        try:
            there = self._path.stat()
        except OSError:
            return False
        if self._file is None:
            return True
        mine = os.fstat(self._file)
        if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
            return there.st_size > 0
        if mine.st_size < os.lseek(self._file, 0, os.SEEK_CUR):  # it was emptied
            os.lseek(self._file, 0, os.SEEK_SET)
            self._rest = b""
        return False

    def _read_file(self) -> collections.abc.Iterator[bytes]:
        while self._file is not None and (chunk := os.read(self._file, _CHUNK_BYTES)):
            whole, newline, rest = (self._rest + chunk).rpartition(b"\n")
            self._rest = rest
            if newline:
                yield whole + newline
