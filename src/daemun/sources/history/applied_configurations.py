"""The applied configurations while the daemon runs, for the API (`control.applied_port.AppliedConfigurations`).

What decides is shared with `daemun history`, `daemun diff` and `daemun rollback` (`compared_entries`, `way_back`).
"""

import asyncio
import collections.abc
import contextlib
import pathlib
import typing

from daemun.control import gate_port, history_port, ports
from daemun.core import model
from daemun.core.plan import hand_edits
from daemun.core.texts import durations
from daemun.errors import ConfigError, DaemunError
from daemun.sources import edited_file, owned_keys
from daemun.sources.history import compared_entries, history_book, history_entry, trial, way_back

Json = dict[str, typing.Any]

RECORDED_WITHIN_S = 10.0
_LONGEST_WAIT_S = 10.0
"""For a command that edits the files."""

CompareNginx = collections.abc.Callable[[history_book.Book, str, str], Json]


class AppliedHistory:
    """Implements `control.applied_port.AppliedConfigurations`. All methods are called on one event loop."""

    def __init__(
        self,
        store: ports.Store,
        main: pathlib.Path,
        trials: trial.TrialKeeper,
        gate: gate_port.GatePort,
        *,
        compare_nginx: CompareNginx,
        find_drift: collections.abc.Callable[[], tuple[hand_edits.HandEdit, ...]],
    ) -> None:
        """main: daemun.yaml. compare_nginx, find_drift: blocking."""
        self._store = store
        self._main = main
        self._trials = trials
        self._gate = gate
        self._compare_nginx = compare_nginx
        self._find_drift = find_drift
        self._rendering = asyncio.Lock()
        self._going_back = asyncio.Lock()

    async def list_newest(self, first: int, most: int) -> tuple[int, list[Json]]:
        """See the port."""
        await self._trials.recorder.write_noted()
        return await asyncio.to_thread(self._list_newest, first, most)

    def _list_newest(self, first: int, most: int) -> tuple[int, list[Json]]:
        book = self._open()
        numbers = book.numbers()[::-1]
        found = (book.read(number) for number in numbers[first : first + most])
        return len(numbers), [history_entry.summary_json(one) for one in found if one is not None]

    async def show(self, name: str) -> Json:
        """See the port."""
        return await asyncio.to_thread(lambda: compared_entries.entry_json(compared_entries.find(self._open(), name)))

    async def compare(self, one: str, other: str) -> Json:
        """See the port."""
        await self._trials.recorder.write_noted()
        found = await asyncio.to_thread(compared_entries.compare, self._open(), one, other, self._main)
        return compared_entries.comparison_json(found)

    async def compare_nginx(self, one: str, other: str) -> Json:
        """See the port. One at a time: it takes as long as making all of nginx's files twice."""
        async with self._rendering:
            return await asyncio.to_thread(self._compare_nginx, self._open(), one, other)

    async def find_drift(self) -> tuple[hand_edits.HandEdit, ...]:
        """See the port."""
        return await asyncio.to_thread(self._find_drift)

    async def roll_back(
        self, number: int, *, is_owner: bool, force: bool, trial_s: float | None, caller: history_port.Caller
    ) -> Json:
        """See the port."""
        async with self._going_back, contextlib.AsyncExitStack() as stack:
            await self._trials.recorder.write_noted()
            alone = edited_file.alone(self._main, longest_s=_LONGEST_WAIT_S)
            await asyncio.to_thread(alone.__enter__)
            stack.push(alone)
            way = await asyncio.to_thread(self._find_way, number, force)
            if not is_owner:
                await asyncio.to_thread(self._check_owned, way)
            report: Json = {"live": True, "waits": None, "trial": None, "changed": not way.is_done}
            if not way.is_done:
                report |= await self._go(way, trial_s, caller)
            await self._trials.recorder.write_noted()
            return {**await asyncio.to_thread(way_back.report_json, way, self._open(), is_running=True), **report}

    def _find_way(self, number: int, force: bool) -> way_back.WayBack:
        book = self._open()
        entry = compared_entries.find(book, str(number))
        way_back.check(entry)
        return way_back.find(book, entry, self._main, recorded_within_s=RECORDED_WITHIN_S, force=force)

    def _check_owned(self, way: way_back.WayBack) -> None:
        name = self._main.name
        if owned := owned_keys.find_changes(name, way.present.get(name), way.past.files.get(name)):
            raise ConfigError(f"cannot go back to number {way.entry.number}: {'; '.join(map(str, owned))}")

    async def _go(self, way: way_back.WayBack, trial_s: float | None, caller: history_port.Caller) -> Json:
        """The way back from there is written down before anything is."""
        begun = (
            None if trial_s is None else await self._trials.begin(trial_s, await asyncio.to_thread(self._find_newest))
        )
        known = {one.message for one in _find_errors(self._gate.status(added=False).problems)}
        try:
            replaced = await asyncio.to_thread(way.write)
        except BaseException:
            await self._end(begun)
            raise
        version = edited_file.find_version(self._main) if [*replaced] == [self._main.name] else ""
        try:
            report = await self._gate.apply(seen={"file": version} if version else None, caller=caller)
        except BaseException:
            await asyncio.to_thread(way.put_back, replaced)
            await self._end(begun)
            raise
        errors = {one.message: str(one) for one in _find_errors(report.problems)}
        refusal = way_back.find_refusal(errors, known, error=report.error, unread=report.unread)
        if refusal is not None:
            await asyncio.to_thread(way.put_back, replaced)
            await self._gate.apply(caller=caller)
            await self._end(begun)
            raise DaemunError(f"{refusal}\n{way.as_before}")
        return {
            "live": report.waits is None,
            "waits": None if report.waits is None else report.waits.reason,
            "trial": None if begun is None else {"number": begun.number, "until": durations.instant(begun.until)},
        }

    async def _end(self, begun: trial.Trial | None) -> None:
        """Of what was put back nothing has to be undone."""
        if begun is not None:
            with contextlib.suppress(DaemunError):  # it is over already; why it came so far is what counts
                await self._trials.confirm()

    def _find_newest(self) -> int | None:
        return next((one.number for one in self._open().newest()), None)

    def _open(self) -> history_book.Book:
        return history_book.Book(self._store)


def _find_errors(problems: collections.abc.Iterable[model.Problem]) -> list[model.Problem]:
    return [one for one in problems if one.severity is model.Severity.ERROR]
