"""A configuration on trial: what changed is undone at a set time, unless a person confirms it until then.

What the files are to hold again is written down when the trial begins, with their secrets, and deleted when it ends; a
daemon that is killed in the middle leaves it to the next one, which goes back before it reads the files.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import json
import pathlib
import time

import structlog

from daemun.control import damaged_keys, gate_port, history_port, ports
from daemun.core import model
from daemun.errors import ConfigError
from daemun.sources import edited_file, yaml_holder
from daemun.sources.history import (
    hidden_secrets,
    history_book,
    history_entry,
    history_recorder,
    past_files,
    secret_masks,
    way_of_file,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEY = "history/trial"
FRESH = datetime.timedelta(minutes=10)
"""A change of the files that came so long before is on trial; else what comes from then on."""
SHORTEST_S, LONGEST_S = 5.0, 86400.0
_RETRY_S = 15.0
_NO_SITES = b"sites: {}\n"
_LONGEST_LOCK_S = 1.0
"""How long it waits for what edits the files; then it is tried again. Whatever needs the trial meanwhile waits, too."""
_FOLLOWS = "a configuration that was on trial stays as it is; delete the file"

Apply = collections.abc.Callable[[history_port.Caller], collections.abc.Awaitable[gate_port.ApplyReport]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial(history_port.TrialReport):
    """files: what they are to hold again, by their names. written: what the caller wrote since, by their names; those
    of them that `files` has not are new. None: it is not known, and all files go back to what `files` has."""

    files: dict[str, bytes]
    written: dict[str, bytes] | None = None


class TrialKeeper:
    """Implements `control.history_port.Trials`, and `History` with the trial among its problems: one trial at a time.
    `run` is one task of the daemon.

    How long a trial has left is measured by a clock that nobody sets; another daemon knows by the time of day alone.
    """

    def __init__(
        self,
        store: ports.Store,
        main: pathlib.Path,
        recorder: history_recorder.Recorder,
        apply: Apply,
        monotonic: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        """main: daemun.yaml. apply: lets the files become live."""
        self._store = store
        self._book = history_book.Book(store)
        self._clock = recorder.clock
        self._main = main
        self.recorder = recorder
        self._apply = apply
        self._changed = asyncio.Event()
        self._guard = asyncio.Lock()
        self._trial: Trial | None = None
        self._monotonic = monotonic
        self._ends_at = 0.0
        """Of the monotonic clock."""
        self._confirmed = 0
        """The number of what was confirmed last: it is on trial no more, however fresh it is."""

    def go_back_if_overdue(self) -> None:
        """Before the files are read at a start. Blocking. Never raises."""
        try:
            trial = _read(self._store)
            self._take(trial)
            if trial is not None and self._find_left_s() <= 0:
                self._go_back(trial)
                self._end()
        except Exception as error:  # whatever it is, the gate starts
            log.error("a configuration that was on trial is not undone yet", reason=str(error))  # noqa: TRY400

    def _take(self, trial: Trial | None) -> None:
        self._trial = trial
        if trial is not None:
            left_s = (trial.until - self._clock.now()).total_seconds()
            self._ends_at = self._monotonic() + min(left_s, LONGEST_S)

    def _find_left_s(self) -> float:
        return self._ends_at - self._monotonic()

    async def begin(self, seconds: float, number: int | None = None) -> Trial:
        async with self._guard:
            await self.recorder.write_noted()
            self._check(seconds)
            until = self._clock.now() + datetime.timedelta(seconds=seconds)
            ends_at = self._monotonic() + seconds
            trial = await asyncio.to_thread(self._write_down, until, number)
            self._trial, self._ends_at = trial, ends_at
            self._changed.set()
            return trial

    async def begin_from_present(self, seconds: float, written: collections.abc.Mapping[str, bytes]) -> Trial:
        """Before the caller changes files: what they hold now is what they go back to, applied or not. written: what
        they are to hold, by their names. No other file is touched. Raises: as `begin`."""
        async with self._guard:
            await self.recorder.write_noted()
            self._check(seconds)
            until = self._clock.now() + datetime.timedelta(seconds=seconds)
            self._ends_at = self._monotonic() + seconds
            self._trial = await asyncio.to_thread(self._write_down_present, until, dict(written))
            self._changed.set()
            return self._trial

    async def undo(self) -> Trial:
        """Go back now, and wait until that is live. Raises: ConfigError when nothing is on trial, or when it is not
        done yet: it is tried again."""
        async with self._guard:
            begun = self._trial
            if begun is None:
                raise ConfigError("cannot undo: nothing is on trial; `daemun rollback` goes back to any number")
            self._ends_at = self._monotonic()
        left_s = await self._undo()
        self._changed.set()
        if left_s is not None:
            raise ConfigError(f"it is not undone yet, and is tried again in {left_s:g} s; daemun's log says why")
        return begun

    async def confirm(self) -> Trial:
        """What is live stays. Raises: ConfigError when nothing is on trial."""
        async with self._guard:
            trial = self._trial
            if trial is None:
                raise ConfigError(
                    "cannot confirm: nothing is on trial; it was undone before, or `daemun apply --confirm 60s` never "
                    "came; `daemun history` shows what happened"
                )
            await self.recorder.write_noted()
            await asyncio.to_thread(self._confirm)
            self._changed.set()
            return trial

    def find(self) -> Trial | None:
        return self._trial

    def note(self, applied: history_port.AppliedRound) -> None:
        self.recorder.note(applied)

    def problems(self) -> tuple[model.Problem, ...]:
        if self._trial is None:
            return ()
        return (model.Problem(origin=model.NOWHERE, message=describe(self._trial), severity=model.Severity.WARNING),)

    async def run(self) -> None:
        """Never returns."""
        while True:
            self._changed.clear()
            left_s = None if self._trial is None else self._find_left_s()
            if left_s is not None and left_s <= 0:
                left_s = await self._undo()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._changed.wait()

    async def _undo(self) -> float | None:
        """Returns: after how long it is tried again; None: it is done."""
        async with self._guard:
            trial = self._trial
            if trial is None:
                return None
            try:
                await asyncio.to_thread(self._go_back, trial)
                report = await self._apply(history_port.Caller(command=f"trial not confirmed, back to {trial.number}"))
                await asyncio.to_thread(self._end)
            except Exception as error:  # whatever it is, it is tried again
                log.error("a configuration that was on trial is not undone yet", reason=str(error))  # noqa: TRY400
                return _RETRY_S
        _log_undone(trial, report)
        return None

    def _check(self, seconds: float) -> None:
        """Whether one can begin."""
        if self._trial is not None:
            raise ConfigError(f"cannot begin a trial: {describe(self._trial)}")
        if not SHORTEST_S <= seconds <= LONGEST_S:
            expected = f"{SHORTEST_S:g} s to {LONGEST_S:g} s"
            raise ConfigError(f"cannot begin a trial of {seconds:g} s; expected {expected}")

    # --- blocking ---

    def _write_down_present(self, until: datetime.datetime, written: dict[str, bytes]) -> Trial:
        newest = next(iter(self._book.newest()), None)
        present = {name: edited_file.read(self._main.parent / name) for name in written}
        files = {name: content for name, content in present.items() if content is not None}
        if self._main.name in written:
            # Without a file the daemon would go on with what it read of it last.
            files.setdefault(self._main.name, _NO_SITES)
        trial = Trial(number=0 if newest is None else newest.number, until=until, files=files, written=written)
        self._store.write(KEY, _encode(trial))
        return trial

    def _write_down(self, until: datetime.datetime, number: int | None) -> Trial:
        entry = self._book.read(number) if number is not None else self._find_base()
        if entry is None or not entry.can_be_restored:
            raise ConfigError(
                "cannot begin a trial: the history has no files to go back to"
                + (f" at number {number}" if number is not None else "")
                + "; `daemun history` shows what it has"
            )
        past = self._find_past(entry)
        if past.missing:
            cause = f"these secrets of number {entry.number} are nowhere any more: {', '.join(past.missing)}"
            raise ConfigError(f"cannot begin a trial: {cause}; name another number to go back to with `--to`")
        trial = Trial(number=entry.number, until=until, files=past.files, taken=past.taken)
        self._store.write(KEY, _encode(trial))
        return trial

    def _find_base(self) -> history_entry.HistoryEntry | None:
        """Before what changed last: the newest one where that was not applied yet, or long ago, else the last one with
        other files. What never came live is nothing to go back to."""
        newest: history_entry.HistoryEntry | None = None
        is_applied, can_be_newest, is_confirmed, changed_at = False, False, False, self._clock.now()
        for entry in self._book.newest():
            if newest is None:
                newest, is_applied = entry, self._is_present(entry)
            can_be_base = entry.can_be_restored and entry.state is not history_entry.EntryState.FAILED
            if is_applied and entry.files == newest.files:
                changed_at, can_be_newest = entry.at, can_be_newest or can_be_base
                is_confirmed = entry.number <= self._confirmed
            elif can_be_base:
                is_fresh = not is_confirmed and self._clock.now() - changed_at < FRESH
                return newest if is_applied and can_be_newest and not is_fresh else entry
        return newest

    def _is_present(self, entry: history_entry.HistoryEntry) -> bool:
        """Whether an entry's files are those of now."""
        present = yaml_holder.read_all(self._main)
        held = self.recorder.find_held(entry.number)
        if held is not None:
            return held == present
        masked = hidden_secrets.mask_all(present)
        return [(one.name, one.text) for one in entry.files] == [
            (name, None if one is None else one.text) for name, one in masked.items()
        ]

    def _find_past(self, entry: history_entry.HistoryEntry) -> past_files.RestorableFiles:
        held = self.recorder.find_held(entry.number)
        if held is not None:
            return past_files.RestorableFiles(files=dict(held))
        mask_all, name = hidden_secrets.Masker().mask_all, self._main.name
        present = mask_all(yaml_holder.read_all(self._main))
        secrets, kept = self._book.find_secrets(name, mask_all), self._book.read_last_good(name, mask_all)
        return past_files.find_past(entry, present, secrets, kept)

    def _go_back(self, trial: Trial) -> None:
        with edited_file.alone(self._main, longest_s=_LONGEST_LOCK_S):
            if trial.written is None:
                self._go_back_to_applied(trial)
            else:
                self._go_back_to_present(trial.files, trial.written)

    def _go_back_to_present(self, files: dict[str, bytes], written: dict[str, bytes]) -> None:
        """With what others wrote meanwhile, where that can be told from what was on trial."""
        present = {name: edited_file.read(self._main.parent / name) for name in written}
        wanted = {name: way_of_file.find(files.get(name), written[name], now) for name, now in present.items()}
        for name, way in wanted.items():
            now = present[name]
            if way.loses_others and now is not None:
                self._keep_beside(name, now, files, "it was changed while it was on trial")
        contents = {name: way.content for name, way in wanted.items() if way.content is not None}
        others = [name for name in wanted if name not in contents and present[name] is not None]
        past_files.write(self._main, contents, others=others)

    def _go_back_to_applied(self, trial: Trial) -> None:
        present = yaml_holder.read_all(self._main)
        mask_all = hidden_secrets.Masker().mask_all
        masked = mask_all(present)
        lost = past_files.find_lost(masked, past_files.RestorableFiles(files=trial.files), mask_all)
        texts = {name: None if one is None else one.text for name, one in masked.items()}
        recorded = {
            file.name
            for entry in self._book.newest()
            for file in entry.files
            if file.text is not None and file.text == texts.get(file.name)
        }
        for name, content in present.items():
            is_lost = name not in recorded or any(one.startswith(f"{name}: ") for one in lost)
            if is_lost and trial.files.get(name) != content:
                self._keep_beside(name, content, trial.files, "the history cannot give it back")
        others = past_files.find_others(self._main, present, trial.files)
        past_files.write(self._main, trial.files, others=others, keeps_others=True)

    def _keep_beside(self, name: str, content: bytes, files: history_entry.Files, cause: str) -> None:
        """files: as they are to be."""
        main = files if self._main.name in files else yaml_holder.read_all(self._main)
        path = self._main.parent / past_files.name_copy(self._main, name, main)
        edited_file.replace(path, content, past_files.NEW_FILE_MODE)
        log.warning(f"what {name} held is in {path}, as {cause}")

    def _confirm(self) -> None:
        newest = next(iter(self._book.newest()), None)
        self._confirmed = 0 if newest is None else newest.number
        self._end()

    def _end(self) -> None:
        self._store.delete(KEY)
        self._trial = None


def _log_undone(trial: Trial, report: gate_port.ApplyReport) -> None:
    if report.ok:
        log.warning("nobody confirmed the configuration that was on trial, so it is undone", number=trial.number)
        return
    waits = "" if report.waits is None else f"what needs a reload waits: {report.waits.reason}"
    errors = (one.message for one in report.problems if one.severity is model.Severity.ERROR)
    reason = report.error or waits or next(errors, "see `daemun status`")
    log.error(
        "nobody confirmed the configuration that was on trial: its files are as they were, but not all of them is live",
        number=trial.number,
        reason=secret_masks.hide(reason, []),
    )


def describe(trial: Trial) -> str:
    return (
        f"a configuration is on trial: it is undone at {trial.until:%H:%M:%SZ}, back to number {trial.number} of "
        "`daemun history`, unless `daemun apply --confirmed` comes before"
    )


def _encode(trial: Trial) -> bytes:
    held = {"number": trial.number, "until": trial.until.isoformat(), "files": _texts(trial.files)}
    if trial.written is not None:
        held["written"] = _texts(trial.written)
    return json.dumps(held).encode()


def _texts(files: dict[str, bytes]) -> dict[str, str]:
    """A file that is no text comes back as it was, too."""
    return {name: content.decode("utf-8", "surrogateescape") for name, content in files.items()}


def _contents(texts: dict[str, str]) -> dict[str, bytes]:
    return {str(name): text.encode("utf-8", "surrogateescape") for name, text in texts.items()}


def _decode(content: bytes) -> Trial:
    held = json.loads(content)
    until = datetime.datetime.fromisoformat(held["until"])
    if until.tzinfo is None:
        raise ValueError("a time without a zone")
    written = held.get("written")
    return Trial(
        number=int(held["number"]),
        until=until,
        files=_contents(held["files"]),
        written=None if written is None else _contents(written),
    )


def _read(store: ports.Store) -> Trial | None:
    return damaged_keys.read(store, KEY, _decode, follows=_FOLLOWS)
