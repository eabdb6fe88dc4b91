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

import structlog

from daemun.control import damaged_keys, history_port, ports
from daemun.core import model
from daemun.errors import ConfigError, DaemunError
from daemun.sources import edited_file, yaml_holder
from daemun.sources.history import history_book, history_entry, history_recorder, kept_secrets, past_files

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEY = "history/trial"
FRESH = datetime.timedelta(minutes=10)
"""A change of the files that came so long before is on trial; else what comes from then on."""
SHORTEST_S, LONGEST_S = 5.0, 86400.0
UNDONE = ".undone"
"""How the copy of a file ends that the history cannot give back."""
_LOOK_S = 5.0
"""The clock may be set meanwhile."""
_RETRY_S = 15.0
_FOLLOWS = "a configuration that was on trial stays as it is; delete the file"

Apply = collections.abc.Callable[[history_port.Caller], collections.abc.Awaitable[object]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial(history_port.TrialReport):
    """files: what they are to hold again, by their names."""

    files: dict[str, bytes]


class TrialKeeper:
    """Implements `control.history_port.Trials`, and `History` with the trial among its problems: one trial at a time.
    `run` is one task of the daemon."""

    def __init__(
        self,
        store: ports.Store,
        main: pathlib.Path,
        recorder: history_recorder.Recorder,
        apply: Apply,
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

    def go_back_if_overdue(self) -> None:
        """Before the files are read at a start. Blocking. Never raises."""
        self._trial = _read(self._store)
        if self._trial is None or self._trial.until > self._clock.now():
            return
        try:
            self._go_back(self._trial)
            self._end()
        except DaemunError as error:
            log.error("a configuration that was on trial is not undone yet", reason=str(error))  # noqa: TRY400

    async def begin(self, seconds: float, number: int | None = None) -> Trial:
        async with self._guard:
            await self.recorder.write_noted()
            if self._trial is not None:
                raise ConfigError(f"cannot begin a trial: {describe(self._trial)}")
            if not SHORTEST_S <= seconds <= LONGEST_S:
                expected = f"{SHORTEST_S:g} s to {LONGEST_S:g} s"
                raise ConfigError(f"cannot begin a trial of {seconds:g} s; expected {expected}")
            until = self._clock.now() + datetime.timedelta(seconds=seconds)
            self._trial = await asyncio.to_thread(self._write_down, until, number)
            self._changed.set()
            return self._trial

    async def confirm(self) -> Trial:
        """What is live stays. Raises: ConfigError when nothing is on trial."""
        async with self._guard:
            trial = self._trial
            if trial is None:
                raise ConfigError(
                    "cannot confirm: nothing is on trial; it was undone before, or `daemun apply --confirm 60s` never "
                    "came; `daemun history` shows what happened"
                )
            await asyncio.to_thread(self._end)
            self._changed.set()
            return trial

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
            trial = self._trial
            left_s = None if trial is None else (trial.until - self._clock.now()).total_seconds()
            if left_s is not None and left_s <= 0:
                left_s = await self._undo()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if left_s is None else min(left_s, _LOOK_S)):
                    await self._changed.wait()

    async def _undo(self) -> float | None:
        """Returns: after how long it is tried again; None: it is done."""
        async with self._guard:
            trial = self._trial
            if trial is None:
                return None
            try:
                await asyncio.to_thread(self._go_back, trial)
                await self._apply(history_port.Caller(command=f"trial not confirmed, back to {trial.number}"))
                await asyncio.to_thread(self._end)
            except DaemunError as error:
                log.error("a configuration that was on trial is not undone yet", reason=str(error))  # noqa: TRY400
                return _RETRY_S
        log.warning("nobody confirmed the configuration that was on trial, so it is undone", number=trial.number)
        return None

    # --- blocking ---

    def _write_down(self, until: datetime.datetime, number: int | None) -> Trial:
        entry = self._book.read(number) if number is not None else self._find_base()
        if entry is None or not entry.is_whole:
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

    def _find_base(self) -> history_entry.Entry | None:
        """The last one with other files than now, where they changed lately; else the newest."""
        newest: history_entry.Entry | None = None
        changed_at = self._clock.now()
        for entry in self._book.newest():
            newest = newest or entry
            if entry.files == newest.files:
                changed_at = entry.at
            elif entry.is_whole:
                return entry if self._clock.now() - changed_at < FRESH else newest
        return newest

    def _find_past(self, entry: history_entry.Entry) -> past_files.Past:
        held = self.recorder.find_held(entry.number)
        if held is not None:
            return past_files.Past(files=dict(held))
        present = kept_secrets.mask_all(yaml_holder.read_all(self._main))
        return past_files.find_past(
            entry, present, self._book.find_secrets(self._main.name), self._book.read_kept(self._main.name)
        )

    def _go_back(self, trial: Trial) -> None:
        with edited_file.alone(self._main):
            present = yaml_holder.read_all(self._main)
            masked = kept_secrets.mask_all(present)
            lost = past_files.find_lost(masked, past_files.Past(files=trial.files))
            for name, content in present.items():
                is_lost = masked[name] is None or any(one.startswith(f"{name}: ") for one in lost)
                if is_lost and trial.files.get(name) != content:
                    path = self._main.parent / f"{name}{UNDONE}"
                    edited_file.replace(path, content, past_files.NEW_FILE_MODE)
                    log.warning(f"what {name} held is in {path}, as the history cannot give it back")
            past_files.write(self._main, trial.files, others=[name for name in present if name not in trial.files])

    def _end(self) -> None:
        self._store.delete(KEY)
        self._trial = None


def describe(trial: Trial) -> str:
    return (
        f"a configuration is on trial: it is undone at {trial.until:%H:%M:%SZ}, back to number {trial.number} of "
        "`daemun history`, unless `daemun apply --confirmed` comes before"
    )


def _encode(trial: Trial) -> bytes:
    files = {name: content.decode() for name, content in trial.files.items()}
    return json.dumps({"number": trial.number, "until": trial.until.isoformat(), "files": files}).encode()


def _decode(content: bytes) -> Trial:
    held = json.loads(content)
    until = datetime.datetime.fromisoformat(held["until"])
    if until.tzinfo is None:
        raise ValueError("a time without a zone")
    files = {str(name): text.encode() for name, text in held["files"].items()}
    return Trial(number=int(held["number"]), until=until, files=files)


def _read(store: ports.Store) -> Trial | None:
    return damaged_keys.read(store, KEY, _decode, follows=_FOLLOWS)
