"""A configuration on trial: what changed is undone at a set time, unless a person confirms it until then.

What the files are to hold again is written down when the trial begins, with their secrets, and deleted when it ends; a
daemon that is killed in the middle leaves it to the next one, which goes back before it reads the files.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import pathlib
import time

import structlog

from daemun.control import gate_port, history_port, ports
from daemun.core import model
from daemun.errors import ConfigError, ConflictError, EnvironmentProblemError, ForbiddenError
from daemun.sources import edited_file, owned_keys, shielded_work
from daemun.sources.history import (
    history_recorder,
    history_store,
    past_files,
    secret_masks,
    trial_base,
    trial_record,
    written_files,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

SHORTEST_S, LONGEST_S = 5.0, 86400.0
_RETRY_S = 15.0
_NO_SITES = b"sites: {}\n"
_LONGEST_LOCK_S = 1.0
"""How long it waits for what edits the files; then it is tried again. Whatever needs the trial meanwhile waits, too."""
_NOT_YET = "a configuration that was on trial is not undone yet"

Apply = collections.abc.Callable[[history_port.Caller], collections.abc.Awaitable[gate_port.ApplyReport]]
Trial = trial_record.Trial


class TrialManager:
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
        self._history = history_store.HistoryStore(store)
        self._clock = recorder.clock
        self._main = main
        self.recorder = recorder
        self._apply = apply
        self._base = trial_base.TrialBase(self._history, recorder, main)
        self._changed = asyncio.Event()
        self._guard = asyncio.Lock()
        self._trial: Trial | None = None
        self._prepared: Trial | None = None
        """Of a change that is being made."""
        self._undoer: history_port.Caller | None = None
        """Who undid it before its time."""
        self._monotonic = monotonic
        self._ends_at = 0.0
        """Of the monotonic clock."""

    def go_back_if_overdue(self) -> None:
        """Before the files are read at a start. Blocking. Never raises."""
        try:
            trial = trial_record.read(self._store)
            self._take(trial)
            if trial is not None and self._find_left_s() <= 0:
                self._go_back(trial)
                self.recorder.credit_start(_name(trial, None))
                self._end()
        except Exception as error:  # whatever it is, the gate starts
            log.error(_NOT_YET, reason=str(error))  # noqa: TRY400

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
            try:
                trial = await shielded_work.run(lambda _: self._write_down(until, number))
            except (asyncio.CancelledError, EnvironmentProblemError):
                # Nobody learns that it began, so the files must not be undone by it.
                await shielded_work.run(lambda _: trial_record.delete(self._store))
                raise
            self._trial, self._ends_at = trial, ends_at
            self._changed.set()
            return trial

    async def prepare(self, files: written_files.WrittenFiles, seconds: float | None) -> None:
        """Before the caller writes these files: whatever becomes of it, they can be what they were. No other file is
        touched then. `begin_prepared` or `drop_prepared` is to follow. seconds: of the trial that is to begin; None:
        there is to be none. Raises: as `begin`."""
        async with self._guard:
            await self.recorder.write_noted()
            self._check(seconds, "apply this")
            self._prepared = await shielded_work.run(lambda _: self._make_prepared(files))
            await self._write(self._prepared)

    async def begin_prepared(self, seconds: float | None) -> Trial | None:
        """The files are written, and live. Raises: EnvironmentProblemError."""
        async with self._guard:
            assert self._prepared is not None
            if seconds is None:
                await shielded_work.run(lambda _: trial_record.delete(self._store))
                self._prepared = None
                return None
            until = self._clock.now() + datetime.timedelta(seconds=seconds)
            trial = dataclasses.replace(self._prepared, until=until, is_ready=True)
            await self._write(trial)
            self._trial, self._prepared, self._ends_at = trial, None, self._monotonic() + seconds
            self._changed.set()
            return trial

    async def drop_prepared(self, *, is_undone: bool, may_be_live: bool) -> None:
        """is_undone: the files are what they were; else it is tried until they are. may_be_live: what was prepared may
        be live; `run` applies the files as they were then. Nothing happens where nothing is prepared. Never raises."""
        async with self._guard:
            prepared, self._prepared = self._prepared, None
            if prepared is None:
                return
            try:
                if not is_undone:
                    await shielded_work.run(lambda _: self._go_back(prepared))
                await shielded_work.run(lambda _: trial_record.delete(self._store))
                await self.recorder.write_noted()
                if may_be_live:
                    # Of files that are as they were nothing is undone twice: what others wrote meanwhile is in them.
                    self._leave_to_run(dataclasses.replace(prepared, files={}), 0.0)
            except Exception as error:  # whatever it is, it is tried again
                log.error(_NOT_YET, reason=str(error))  # noqa: TRY400
                self._leave_to_run(prepared, _RETRY_S)

    def _leave_to_run(self, prepared: Trial, after_s: float) -> None:
        self._trial, self._ends_at = prepared, self._monotonic() + after_s
        self._changed.set()

    async def _write(self, trial: Trial) -> None:
        """When it returns, whatever it is, nothing writes any more."""
        await shielded_work.run(lambda _: trial_record.write(self._store, trial))

    async def undo(self, caller: history_port.Caller | None = None, *, is_owner: bool = True) -> Trial:
        """Go back now, and wait until that is live. caller: who wants it. is_owner: see the port. Raises: ConflictError
        when nothing is on trial, or when it is not done yet: it is tried again; EnvironmentProblemError: it goes on as
        before."""
        async with self._guard:
            begun = self.find()
            if begun is None:
                raise ConflictError(
                    "cannot undo: nothing is on trial; `daemun rollback NUMBER` goes back to one of `daemun history`"
                )
            await self._check_owned(begun, "undo", is_owner=is_owner)
            undone = dataclasses.replace(begun, until=self._clock.now())
            await self._write(undone)  # also a daemon that comes after this one goes on with it
            self._trial, self._ends_at, self._undoer = undone, self._monotonic(), caller
        try:
            left_s = await self._undo()
        finally:
            self._changed.set()
        if left_s is not None:
            raise ConflictError(f"it is not undone yet, and is tried again in {left_s:g} s; daemun's log says why")
        return begun

    async def confirm(self, *, is_owner: bool = True) -> Trial:
        """What is live stays. is_owner: see the port. Raises: ConflictError when nothing is on trial;
        EnvironmentProblemError."""
        async with self._guard:
            trial = self.find()
            if trial is None:
                raise ConflictError(
                    "cannot confirm: nothing is on trial; it was undone before, or `daemun apply --confirm 60s` never "
                    "came; `daemun history` shows what happened"
                )
            await self._check_owned(trial, "confirm", is_owner=is_owner)
            await self.recorder.write_noted()
            try:
                await shielded_work.run(lambda _: self._confirm())
            finally:
                self._changed.set()
            return trial

    async def _check_owned(self, trial: Trial, what: str, *, is_owner: bool) -> None:
        """Raises: ForbiddenError."""
        owned = () if is_owner else await asyncio.to_thread(self._find_owned, trial)
        if owned:
            raise ForbiddenError(f"cannot {what} what is on trial: {'; '.join(map(str, owned))}")

    def find(self) -> Trial | None:
        return self._trial if self._trial is not None and self._trial.is_ready else None

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
                await shielded_work.run(lambda _: self._go_back(trial))
                undoer = self._undoer
                report = await self._apply(_name(trial, undoer))
                await shielded_work.run(lambda _: self._end())
                self._undoer = None
            except Exception as error:  # whatever it is, it is tried again
                log.error(_NOT_YET, reason=str(error))  # noqa: TRY400
                return _RETRY_S
        _log_undone(trial, report, undoer)
        return None

    def _check(self, seconds: float | None, what: str = "begin a trial") -> None:
        """Whether one can begin."""
        if self._prepared is not None:
            raise ConflictError(f"cannot {what}: a change is being applied; try again when that is done")
        if self._trial is not None:
            raise ConflictError(f"cannot {what}: {describe(self._trial)}")
        if seconds is not None and not SHORTEST_S <= seconds <= LONGEST_S:
            expected = f"{SHORTEST_S:g} s to {LONGEST_S:g} s"
            raise ConfigError(f"cannot begin a trial of {seconds:g} s; expected {expected}")

    # --- blocking ---

    def _make_prepared(self, files: written_files.WrittenFiles) -> Trial:
        newest = next(iter(self._history.newest()), None)
        number = 0 if newest is None else newest.number
        return Trial(number=number, until=self._clock.now(), files=files, is_ready=False)

    def _write_down(self, until: datetime.datetime, number: int | None) -> Trial:
        confirmed = trial_record.find_confirmed(self._store, self._history)
        entry = self._base.find_entry(number, self._clock.now(), confirmed=confirmed)
        if entry is None or not entry.can_be_restored:
            raise ConfigError(
                "cannot begin a trial: the history has no files to go back to"
                + (f" at number {number}" if number is not None else "")
                + "; `daemun history` shows what it has"
            )
        past = self._base.find_files(entry)
        if past.missing:
            cause = f"these secrets of number {entry.number} are nowhere any more: {', '.join(past.missing)}"
            raise ConfigError(f"cannot begin a trial: {cause}; name another number to go back to with `--to`")
        # Where nothing differs yet, what comes until the end is on trial.
        files = past_files.find_since(self._main, past.files)
        base = None if files else past.files
        trial = Trial(number=entry.number, until=until, files=files, base=base, taken=past.taken)
        trial_record.write(self._store, trial)
        return trial

    def _find_files(self, trial: Trial) -> dict[str, written_files.WrittenFile]:
        """What is undone when it ends."""
        files = dict(trial.files if trial.base is None else past_files.find_since(self._main, trial.base))
        main = files.get(self._main.name)
        if main is not None and main.before is None and trial.is_ready:
            # Without a file the daemon would go on with what it read of it last.
            files[self._main.name] = dataclasses.replace(main, before=_NO_SITES)
        return files

    def _find_owned(self, trial: Trial) -> tuple[model.Problem, ...]:
        """What of daemun.yaml is on trial that only the role `own` may change."""
        main = self._find_files(trial).get(self._main.name)
        if main is None:
            return ()
        present = edited_file.read(self._main)
        content = written_files.find_undo(main, present).content
        return owned_keys.find_changes(self._main.name, content if isinstance(content, bytes) else None, present)

    def _go_back(self, trial: Trial) -> None:
        """File by file, with what others wrote meanwhile, where that can be told from what was on trial."""
        with edited_file.alone(self._main, longest_s=_LONGEST_LOCK_S):
            files = self._find_files(trial)
            find_unkept = self._base.find_unkept if trial.is_ready else lambda *_: ()
            for name, path in written_files.undo(self._main, files, find_unkept).items():
                log.warning(f"what {name} held is in {path}, as it was changed on trial")

    def _confirm(self) -> None:
        newest = next(iter(self._history.newest()), None)
        if newest is not None:
            trial_record.write_confirmed(self._store, newest)
        self._end()

    def _end(self) -> None:
        trial_record.delete(self._store)
        self._trial = None


def _name(trial: Trial, undoer: history_port.Caller | None) -> history_port.Caller:
    """Who undoes it, for the history."""
    if not trial.is_ready:
        return history_port.Caller(command="change that could not go live, undone")
    if undoer is not None:
        return dataclasses.replace(undoer, command=f"{undoer.command}, back to {trial.number}")
    return history_port.Caller(command=f"trial not confirmed, back to {trial.number}")


def _log_undone(trial: Trial, report: gate_port.ApplyReport, undoer: history_port.Caller | None) -> None:
    if not trial.is_ready:
        log.warning("the files that could not go live are as they were before")
        return
    why = "nobody confirmed the configuration that was on trial"
    if undoer is not None:
        by = f"{undoer.command} ({undoer.user})" if undoer.user else undoer.command
        why = f"the configuration that was on trial was undone by {by}"
    if report.ok:
        log.warning(f"{why}, so its files are as they were before", number=trial.number)
        return
    waits = "" if report.waits is None else f"what needs a reload waits: {report.waits.reason}"
    errors = (one.message for one in report.problems if one.severity is model.Severity.ERROR)
    reason = report.error or waits or next(errors, "see `daemun status`")
    log.error(
        f"{why}: its files are as they were, but not all of them is live",
        number=trial.number,
        reason=secret_masks.hide(reason, []),
    )


def describe(trial: Trial) -> str:
    if not trial.is_ready:
        return "files that could not go live are not as they were yet, which is tried again; daemun's log says why"
    return (
        f"a configuration is on trial: it is undone at {trial.until:%H:%M:%SZ}, back to number {trial.number} of "
        "`daemun history`, unless `daemun apply --confirmed` comes before"
    )
