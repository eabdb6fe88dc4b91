"""The table of sessions with its file: a change is written before it is confirmed."""

import asyncio
import collections.abc
import contextlib
import sys

from daemun.judge import login_session, session_file, session_table

LOOK_S = 5.0
"""How often old sessions end, and what could not be written is tried again."""


class NotSavedError(Exception):
    """The change could not be written and was not made."""


class SavedSessions:
    """The table of sessions with the file it is kept in. table: to be read and changed on the event loop, once `ready`
    is set. is_saved: whether all of it is on the disk, as far as is known."""

    def __init__(self, file: session_file.SessionFile, now: collections.abc.Callable[[], float]) -> None:
        """now: seconds since the epoch."""
        self.table = session_table.SessionTable()
        self.ready = asyncio.Event()
        self.is_saved = True
        self._file = file
        self._now = now
        self._lock = asyncio.Lock()
        self._is_gone: collections.abc.Callable[[login_session.Session], bool] = lambda _: False

    async def run(self) -> None:
        """Never returns."""
        content = await self._file.open()
        if content is not None:
            # What cannot be read lets nobody in.
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                self.table.load(content)
            self.table.drop(self._is_gone)
        self.ready.set()
        while True:
            await asyncio.sleep(LOOK_S)
            if self.table.lifetime_s:
                self.table.end_old(self._now())
            await self.save()

    async def end_gone(self, is_gone: collections.abc.Callable[[login_session.Session], bool]) -> None:
        """End sessions that are over for another reason than their age, those of the file, too, once it is read."""
        self._is_gone = is_gone
        if self.ready.is_set():
            self.table.drop(is_gone)
            await self.save()

    async def commit(
        self,
        alter: collections.abc.Callable[[session_table.SessionTable], object],
        *,
        is_due: collections.abc.Callable[[], bool],
    ) -> bool:
        """Write first, then alter: nothing is altered that is not on the disk. is_due: looked at when nobody else
        commits. alter: the same for a copy and for the table, which may have changed meanwhile. Returns: whether it was
        due. Raises: NotSavedError."""
        async with self._lock:
            if not is_due():
                return False
            draft = self.table.copy()
            alter(draft)
            if not self._file.keeps:
                raise NotSavedError
            try:
                await asyncio.to_thread(lambda: self._file.write(draft.encode()))
            except OSError as error:
                self._note_failure(error)
                raise NotSavedError from None
            self.is_saved = True
            alter(self.table)
            return True

    async def save(self, *, again: bool = False) -> bool:
        """Return when all that changed is written; several wait for one write. A disk that is full ends no session that
        goes on, and is tried again. again: in any case, once there are sessions. Returns: whether all is written."""
        async with self._lock:
            if not (self.table.changed or (again and self.ready.is_set())):
                return self.is_saved
            self.table.changed = False
            try:
                copied = self.table.copy()
                await asyncio.to_thread(lambda: self._file.write(copied.encode()))
            except OSError as error:
                self.table.changed = True
                self._note_failure(error)
            else:
                self.is_saved = True
            return self.is_saved

    def _note_failure(self, error: OSError) -> None:
        if self.is_saved:
            print(f"sessions cannot be written: {error.strerror}", file=sys.stderr)
        self.is_saved = False
