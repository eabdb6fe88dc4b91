"""Keeps what each round applied, while the daemon runs (`control.history_port.History`).

The names of secrets are found again after a start because the last version of the files that could be applied is kept
as it is (`sources.last_good_file`): where its text without secrets is that of an entry, both have the same secrets.
"""

import asyncio
import collections
import collections.abc
import dataclasses
import datetime

import structlog

from daemun.control import history_port, ports
from daemun.errors import DaemunError
from daemun.sources.history import hidden_secrets, history_entry, history_store, secret_masks

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_MOST_WAITING = 50
"""Rounds that were not written yet. Beyond that the oldest are left out."""
_CREDITED_WITHIN = datetime.timedelta(seconds=30)
"""The file's change is noticed before the command that made it requests a round."""
_LONGEST_TEXT = 500
EDIT = "edit of "
START = "start"
ROLLBACKS = ("daemun rollback ", "dashboard: rollback ", "dashboard: draft")
"""How the author begins of what puts the files back by itself when they cannot go live."""


class Recorder:
    """Implements `control.history_port.History`. `run` is one task of the daemon."""

    def __init__(
        self,
        store: ports.Store,
        clock: ports.Clock,
        find_files: collections.abc.Callable[[], history_entry.Files | None],
    ) -> None:
        """find_files: what the last round read; None: it is not known, as they changed meanwhile."""
        self._history = history_store.HistoryStore(store)
        self.clock = clock
        self._find_files = find_files
        self._waiting: collections.deque[tuple[history_port.AppliedRound, history_entry.Files, datetime.datetime]]
        self._waiting = collections.deque(maxlen=_MOST_WAITING)
        self._has_new = asyncio.Event()
        self._last: history_entry.HistoryEntry | None = None
        self._is_loaded = False
        self._is_first = True
        self._starter: history_port.Caller | None = None
        self._next = 1
        self._names: dict[str, str] = {}
        """What stands for each secret of the last files, as it is written there."""
        self._masker = hidden_secrets.Masker()
        self._failure: str | None = None
        self._writing = asyncio.Lock()
        self._held: dict[int, history_entry.Files] = {}
        """What the files of the last two entries held, with their secrets; in memory only."""

    def credit_start(self, caller: history_port.Caller) -> None:
        """Who changed the files before the first round."""
        self._starter = caller

    def note(self, applied: history_port.AppliedRound) -> None:
        files = self._find_files()
        if files is not None:
            self._waiting.append((applied, files, self.clock.now()))
            self._has_new.set()

    async def run(self) -> None:
        """Never returns."""
        while True:
            await self._has_new.wait()
            self._has_new.clear()
            await self.write_noted()

    async def write_noted(self) -> None:
        """When it returns, all that was noted before is written."""
        async with self._writing:
            while self._waiting:
                await asyncio.to_thread(self._add, *self._waiting.popleft())

    def find_held(self, number: int) -> history_entry.Files | None:
        """What the files of an entry held, with their secrets; None: it is not one of the last two of this daemon."""
        return self._held.get(number)

    def _add(self, applied: history_port.AppliedRound, files: history_entry.Files, now: datetime.datetime) -> None:
        try:
            self._load()
            made = self._make(applied, files, now)
            self._is_first = False
            if made is not None:
                self._history.write(made)
                self._last = made
                self._held = {one: held for one, held in self._held.items() if one >= made.number - 1}
                self._held[made.number] = files
                self._next = max(self._next, made.number + 1)
            self._failure = None
        except DaemunError as error:
            # What was applied is live all the same; a full disk is reported by what needs it.
            if self._failure != str(error):
                log.warning("a change is missing in `daemun history`", reason=str(error))
            self._failure = str(error)

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._last = next(iter(self._history.newest()), None)
        self._next = self._history.find_next(self._last)
        if self._last is not None and self._last.files:
            self._names = self._history.find_secrets(self._last.files[0].name, self._masker.mask_all)
        self._is_loaded = True

    def _make(
        self, applied: history_port.AppliedRound, files: history_entry.Files, now: datetime.datetime
    ) -> history_entry.HistoryEntry | None:
        """The entry that is to be written; None: all is there."""
        last, masked = self._last, self._masker.mask_all(files)
        if self._is_first and self._starter is not None and not applied.callers:
            applied = dataclasses.replace(applied, callers=(self._starter,))
        written = [secret.written for one in masked.values() if one is not None for secret in one.secrets]
        new = [one for one in dict.fromkeys(written) if one not in self._names]
        names = {one: self._names[one] for one in written if one in self._names}
        names |= {one: f"{self._next}.{count}" for count, one in enumerate(new, start=1)}
        # What cannot be read may hold those of before.
        self._names = {**self._names, **names} if any(one is None for one in masked.values()) else names
        changes = tuple(applied.changes[: history_entry.MOST_CHANGES])
        entry = history_entry.HistoryEntry(
            number=self._next,
            at=now,
            author=history_entry.Author(what=START),
            state=_judge(applied),
            reason=secret_masks.hide(applied.failure or applied.refused, names)[:_LONGEST_TEXT],
            generation=applied.generation,
            files=tuple(_keep(name, one, names) for name, one in masked.items()),
            routes=applied.routes,
            changes=changes,
            more=len(applied.changes) - len(changes),
        )
        if last is not None and self._is_put_back(entry, last, applied.callers):
            return dataclasses.replace(
                last,
                state=history_entry.EntryState.UNDONE,
                generation=entry.generation,
                files=entry.files,
                routes=entry.routes,
            )
        if last is None or not entry.is_same(last):
            return dataclasses.replace(
                entry, author=_find_author(entry, last, applied.callers, is_first=self._is_first)
            )
        return _amend(last, entry, applied.callers)

    def _is_put_back(
        self,
        entry: history_entry.HistoryEntry,
        last: history_entry.HistoryEntry,
        callers: collections.abc.Sequence[history_port.Caller],
    ) -> bool:
        """Whether the last entry is of a rollback that could not go live, and this one of the files as they were."""
        states = history_entry.EntryState
        if last.state not in {states.FAILED, states.PARTLY} or not last.author.what.startswith(ROLLBACKS):
            return False
        is_its_own = not callers or callers[-1].command == last.author.what
        if not is_its_own or entry.is_same(last) or entry.at - last.at >= _CREDITED_WITHIN:
            return False
        before = next((one for one in self._history.newest() if one.number < last.number), None)
        return before is not None and before.files == entry.files


def _keep(
    name: str, masked: secret_masks.MaskedText | None, names: collections.abc.Mapping[str, str]
) -> history_entry.HistoryFile:
    if masked is None:
        return history_entry.HistoryFile(name=name, text=None)
    secrets = tuple(history_entry.HiddenSecret(name=names[one.written], path=one.path) for one in masked.secrets)
    return history_entry.HistoryFile(name=name, text=masked.text, secrets=secrets)


def _judge(applied: history_port.AppliedRound) -> history_entry.EntryState:
    if applied.failure is not None:
        return history_entry.EntryState.FAILED
    if applied.is_held:
        return history_entry.EntryState.WAITS
    return history_entry.EntryState.LIVE if applied.is_complete else history_entry.EntryState.PARTLY


def _find_author(
    entry: history_entry.HistoryEntry,
    last: history_entry.HistoryEntry | None,
    callers: collections.abc.Sequence[history_port.Caller],
    *,
    is_first: bool,
) -> history_entry.Author:
    if last is None:
        return history_entry.Author(what=START)
    if entry.files == last.files:
        return history_entry.Author(what=history_store.CONTAINERS)
    if callers:
        return _author_of(callers[-1])
    names = {one.name for one in (*entry.files, *last.files) if entry.find_file(one.name) != last.find_file(one.name)}
    while_stopped = " while daemun did not run" if is_first else ""
    return history_entry.Author(what=f"{EDIT}{', '.join(sorted(names))}{while_stopped}"[:_LONGEST_TEXT])


def _author_of(caller: history_port.Caller) -> history_entry.Author:
    return history_entry.Author(what=caller.command, user=caller.user, message=caller.message[:_LONGEST_TEXT])


def _amend(
    last: history_entry.HistoryEntry,
    entry: history_entry.HistoryEntry,
    callers: collections.abc.Sequence[history_port.Caller],
) -> history_entry.HistoryEntry | None:
    """The last entry with what is known of it now; None: nothing more is."""
    author = last.author
    if callers and author.what.startswith(EDIT) and entry.at - last.at < _CREDITED_WITHIN:
        author = _author_of(callers[-1])
    is_undone = last.state is history_entry.EntryState.UNDONE
    found = dataclasses.replace(
        last,
        author=author,
        state=last.state if is_undone else entry.state,
        reason=last.reason if is_undone else entry.reason,
        generation=entry.generation,
    )
    return None if dataclasses.replace(found, generation=last.generation) == last else found
