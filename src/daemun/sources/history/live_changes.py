"""Changes of the files that operators of the dashboard make: each of them live as a whole, on trial or for good, or not
at all, also when the daemon stops or is killed in the middle.
"""

import asyncio
import collections.abc
import dataclasses
import pathlib

from daemun.control import gate_port, history_port
from daemun.core import model
from daemun.errors import TooManyAtOnceError
from daemun.sources import edited_file, shielded_work
from daemun.sources.history import guarded_apply, trial, trial_record, written_files

_LONGEST_WAIT_S = 10.0
"""For a command that edits the files."""

FindContents = collections.abc.Callable[[], collections.abc.Mapping[str, bytes | None]]
"""What files are to hold, by their names (None: the file goes); blocking, while nobody else edits them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LiveChange:
    """trial: None: what is live stays."""

    report: gate_port.ApplyReport
    trial: trial_record.Trial | None


class LiveChanges:
    """Writes files and makes them live, or puts them back. Called on one event loop; one change at a time."""

    def __init__(self, main: pathlib.Path, trials: trial.TrialManager, gate: gate_port.GatePort) -> None:
        """main: daemun.yaml."""
        self._main = main
        self._trials = trials
        self._gate = gate
        self._busy = asyncio.Lock()

    def check_free(self) -> None:
        """Raises: TooManyAtOnceError."""
        if self._busy.locked():
            raise TooManyAtOnceError("cannot apply: another change is being applied; try again when that is done")

    async def make(
        self, find: FindContents, *, trial_s: float | None, caller: history_port.Caller
    ) -> LiveChange | None:
        """Write what is found, and wait until it is live. None: the files hold it already. trial_s: it is undone after
        so long unless it is confirmed; None: it stays.

        Raises: what `find` raises; ConfigError when something is on trial; TooManyAtOnceError; as
        `guarded_apply.apply`."""
        self.check_free()
        async with self._busy:
            one = _Change(self._main, self._trials, self._gate, caller)
            try:
                return await shielded_work.run(lambda thread: one.make(thread, find, trial_s))
            except BaseException:
                await self._trials.drop_prepared(is_undone=one.is_undone, may_be_live=one.may_be_live)
                raise


class _Change:
    def __init__(
        self,
        main: pathlib.Path,
        trials: trial.TrialManager,
        gate: gate_port.GatePort,
        caller: history_port.Caller,
    ) -> None:
        self._main = main
        self._trials = trials
        self._gate = gate
        self._caller = caller
        self._live: _LiveGate | None = None
        self.is_undone = True
        """Whether the files are as they were; where that is left to others, they try it until they are."""

    @property
    def may_be_live(self) -> bool:
        return self._live is not None and self._live.may_be_live

    def make(self, thread: shielded_work.WorkingThread, find: FindContents, trial_s: float | None) -> LiveChange | None:
        with edited_file.alone(self._main, longest_s=_LONGEST_WAIT_S):
            files = written_files.plan(self._main, find())
            if not files:
                return None
            thread.wait(lambda: self._trials.prepare(files, trial_s))
            live = self._live = _LiveGate(thread, self._gate, self._caller)
            begun: list[trial_record.Trial | None] = []

            def settle() -> None:
                begun.append(thread.wait(lambda: self._trials.begin_prepared(trial_s)))

            try:
                guarded_apply.apply(self._main, files, live, settle)
            except guarded_apply.NotUndoneError:
                self.is_undone = False
                raise
            assert live.report is not None
            return LiveChange(report=live.report, trial=begun[0])


class _LiveGate:
    """Implements `guarded_apply.FileApplier`."""

    def __init__(
        self, thread: shielded_work.WorkingThread, gate: gate_port.GatePort, caller: history_port.Caller
    ) -> None:
        self._thread = thread
        self._gate = gate
        self._caller = caller
        self.report: gate_port.ApplyReport | None = None
        self.may_be_live = False
        """Whether the gate may have the files as the change has them, and not as they were."""

    def find_known(self) -> collections.abc.Collection[str]:
        async def look() -> tuple[model.Problem, ...]:
            return self._gate.status(added=False).problems

        return guarded_apply.find_errors(self._thread.wait(look)).keys()

    def apply(self, version: str) -> guarded_apply.AppliedFiles:
        seen = {guarded_apply.FILE: version} if version else None

        async def begin() -> gate_port.ApplyReport:
            self.may_be_live = True
            return await self._gate.apply(seen=seen, caller=self._caller)

        report = self.report = self._thread.wait(begin)
        return guarded_apply.AppliedFiles(
            errors=guarded_apply.find_errors(report.problems), error=report.error, unread=report.unread
        )

    def apply_again(self) -> None:
        self._thread.wait(lambda: self._gate.apply(caller=self._caller))
        self.may_be_live = False
