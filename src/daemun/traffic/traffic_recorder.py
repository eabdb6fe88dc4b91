"""What nginx wrote of requests is added up, and stored every half minute. Blocking: reading a busy second takes some
milliseconds, and a disk may let it wait.

What cannot be stored stays in memory, until it is much; then nothing is read any more, and the files of nginx wait, up
to `WAITING_BYTES`.
"""

import collections.abc
import contextlib
import pathlib
import sqlite3
import time

import structlog

from daemun import sqlite_files
from daemun.control import damage_report
from daemun.core import layout
from daemun.core.traffic import traffic_sums, traffic_totals
from daemun.traffic import traffic_files, traffic_store

log: structlog.stdlib.BoundLogger = structlog.get_logger()

STORED_EVERY_S = 30.0
REOPENED_EVERY_S = 30.0

WAITING_BYTES = 4 * traffic_files.MOST_BYTES
"""Of lines that wait on the disk while nothing can be stored; beyond, the oldest are left out."""

_MOST_ROWS = 50_000
"""Sums that wait to be stored, 30 MB of memory; while there are more, nothing is read."""
_READ_BYTES = 8 << 20
"""At once; 40,000 requests a second are 10 MB in two seconds, so what is left is read without a pause."""
_STORED_BYTES = 64 << 20
"""Of lines that are stored after this much, however soon: they would be read again after a crash."""
_DUTY = 50
"""Storing takes at most this part of the time."""
_STORED_SOON_S = 1.0
"""So long after the last time at least, when somebody wants to know."""


class TrafficRecorder:
    """Not thread-safe. damage: where a store that had to be set aside is reported. find_totals: what gets all that is
    stored, too; None: nothing does."""

    def __init__(
        self,
        paths: layout.Layout,
        damage: damage_report.DamageReport,
        *,
        find_totals: collections.abc.Callable[[], traffic_totals.Totals | None],
    ) -> None:
        self._layout = paths
        self._damage = damage
        self._find_totals = find_totals
        self._store: traffic_store.TrafficStore | None = None
        self._files: traffic_files.TrafficFiles | None = None
        self._backlog: traffic_files.Backlog | None = None
        self._addition = traffic_sums.Addition(paths.run)
        self._unstored_bytes = 0
        self._next_store_s = 0.0
        self._soonest_store_s = 0.0
        self._reopened_s = float("-inf")
        self._failure: str | None = None
        self._is_released = False

    def work(self, *, is_wanted_now: bool = False) -> tuple[bool, bool]:
        """Returns: whether there is more to read now, and whether nginx must open its logs anew."""
        self._is_released = False
        return self._guard(lambda: self._step(is_wanted_now=is_wanted_now), is_bounded=not is_wanted_now)

    def finish(self) -> tuple[bool, bool]:
        """For requests that are counted no more: store what is there, and delete what nginx does not write into any
        more. Returns: whether something is left, and whether nginx must open its logs anew."""
        return self._guard(self._finish, is_left=True)

    def _guard(
        self,
        do: collections.abc.Callable[[], tuple[bool, bool]],
        *,
        is_bounded: bool = True,
        is_left: bool = False,
    ) -> tuple[bool, bool]:
        """is_left: what is returned of something that failed."""
        more, reopens = is_left, False
        try:
            more, reopens = do()
        except sqlite3.Error as error:
            self._note_failure(str(error), is_damaged=sqlite_files.is_damage(error))
        except OSError as error:
            self._note_failure(str(error))
        if is_bounded and self._failure is not None and self._bound():
            reopens = True
        return more, reopens

    def _finish(self) -> tuple[bool, bool]:
        more, reopens = self._step(is_wanted_now=False)
        while more:
            more, reopened = self._step(is_wanted_now=False)
            reopens = reopens or reopened
        files = self._files
        if files is None:
            return False, reopens
        self._save(files)
        is_left = files.is_any()
        if is_left and not self._is_released and files.remove_settled(time.time(), is_current_too=True):
            self._is_released = True  # a site that stays as it was may be counted still: nginx makes the file anew
            self._save(files)
            return True, True
        if not is_left:
            self._close()
        return is_left, reopens

    def _bound(self) -> bool:
        """Keep what waits on the disk within bounds, without the store. Returns: whether nginx must open its logs
        anew."""
        reopens = False
        with contextlib.ExitStack() as stack:
            try:
                files = self._files
                if files is None:
                    files = traffic_files.TrafficFiles(pathlib.Path(self._layout.logs))
                    stack.callback(files.close)
                now_s = time.monotonic()
                if files.is_large() and now_s - self._reopened_s >= REOPENED_EVERY_S:
                    files.rename()
                    self._reopened_s = now_s
                    reopens = True
                left_out = files.leave_out(WAITING_BYTES)
            except OSError as error:
                log.debug("cannot bound the files of requests", reason=str(error))
                return reopens
        if left_out:
            log.warning(
                "requests were left out of the numbers: they waited too long to be stored",
                path=self._layout.logs,
                bytes=left_out,
            )
        return reopens

    def _step(self, *, is_wanted_now: bool) -> tuple[bool, bool]:
        if self._files is None and not pathlib.Path(self._layout.logs).is_dir():
            return False, False  # nginx was never started: there is nothing to count, and nothing wrong
        files = self._open()
        read = 0
        if len(self._addition) < _MOST_ROWS:
            for lines in files.read(_READ_BYTES):
                written_s = None if self._backlog is None else self._backlog.note(lines)
                self._addition.add(lines, time.time() if written_s is None else written_s)
                self._unstored_bytes += len(lines)
                read += len(lines)
        now_s = time.monotonic()
        due_s = self._soonest_store_s if is_wanted_now else self._next_store_s
        if self._unstored_bytes and (now_s >= due_s or (self._is_much() and self._failure is None)):
            self._save(files)
        more = read >= _READ_BYTES
        self._backlog = self._backlog if more else None
        if self._unstored_bytes or is_wanted_now:
            return more, False
        # Removed files are forgotten with the next `_save`, before which no new one is made.
        is_due = files.is_due() and now_s - self._reopened_s >= REOPENED_EVERY_S
        if is_due:
            self._save(files)
            files.rename()
            self._reopened_s = now_s
        else:
            files.remove_settled(time.time())
        return more, is_due

    def _is_much(self) -> bool:
        return len(self._addition) >= _MOST_ROWS or self._unstored_bytes >= _STORED_BYTES

    def _open(self) -> traffic_files.TrafficFiles:
        """Raises: sqlite3.Error, OSError."""
        if self._store is not None and not self._store.is_there():
            self._close()
        if self._store is None:
            path = pathlib.Path(self._layout.traffic_store)
            self._store, reason = traffic_store.open_store(path)
            if reason is not None:
                self._note_damage(path, reason)
        if self._files is None:
            positions, read_at_s = self._store.read_marks()
            totals = self._find_totals()
            if totals is not None and not positions:
                totals.clear()  # the store is a new one, and all there is of the files is read again
            self._files = traffic_files.TrafficFiles(pathlib.Path(self._layout.logs), positions)
            self._backlog = traffic_files.Backlog(self._files.count_unread(), read_at_s, time.time())
        return self._files

    def _save(self, files: traffic_files.TrafficFiles) -> None:
        """Raises: sqlite3.Error."""
        assert self._store is not None
        began_s = time.monotonic()
        self._next_store_s = self._soonest_store_s = began_s + STORED_EVERY_S  # also after a failure
        sums = self._addition.sums()
        self._store.add(sums, files.positions(), time.time())
        ended_s = time.monotonic()
        self._next_store_s = ended_s + max(STORED_EVERY_S, _DUTY * (ended_s - began_s))
        self._soonest_store_s = ended_s + max(_STORED_SOON_S, _DUTY * (ended_s - began_s))
        totals = self._find_totals()
        if totals is not None:
            totals.add(sums)
        self._addition.clear()
        self._unstored_bytes = 0
        if self._failure is not None:
            self._failure = None
            log.info("requests are counted again")
        if self._addition.unreadable:
            log.warning("some lines of the traffic log could not be read", lines=self._addition.unreadable)
            self._addition.unreadable = 0

    def _note_failure(self, reason: str, *, is_damaged: bool = False) -> None:
        """In the log once. A store that is damaged is opened anew, and what was not stored in it is read again."""
        if self._failure != reason:
            self._failure = reason
            log.warning(
                "the numbers of requests cannot be stored now; nothing else is concerned",
                path=self._layout.traffic_store,
                reason=reason,
            )
        if is_damaged or self._store is None:
            self._close()
            if is_damaged:
                self._set_aside(reason)

    def _set_aside(self, reason: str) -> None:
        path = pathlib.Path(self._layout.traffic_store)
        try:
            sqlite_files.set_aside(path)
        except OSError as error:
            log.warning("cannot set aside the numbers of requests", path=str(path), reason=str(error))
        else:
            self._note_damage(path, reason)

    def _note_damage(self, path: pathlib.Path, reason: str) -> None:
        self._damage.note(
            path.name,
            f"the numbers of requests in {path} could not be used: {reason}; the file was set aside as "
            f"{path}.damaged, and counting began anew",
        )

    def _close(self) -> None:
        self._addition = traffic_sums.Addition(self._layout.run)
        self._unstored_bytes = 0
        if self._files is not None:
            self._files.close()
            self._files = None
        if self._store is not None:
            self._store.close()
            self._store = None

    def end(self) -> None:
        """Store what was read; what was not is read at the next start."""
        try:
            if self._store is not None and self._files is not None and self._unstored_bytes:
                self._save(self._files)
        except (sqlite3.Error, OSError) as error:
            log.warning("the numbers of requests cannot be stored now", reason=str(error))
        self._close()
