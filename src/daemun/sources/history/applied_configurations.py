"""The applied configurations while the daemon runs, for the API (`control.applied_port.AppliedConfigurations`).

What decides is shared with `daemun history`, `daemun diff` and `daemun rollback` (`compared_entries`, `rollback_plan`).
"""

import asyncio
import collections.abc
import pathlib
import typing

from daemun.control import history_port, ports
from daemun.core import model
from daemun.core.plan import hand_edits
from daemun.errors import ForbiddenError
from daemun.sources import owned_keys
from daemun.sources.history import compared_entries, history_entry, history_store, live_changes, rollback_plan, trial

Json = dict[str, typing.Any]

CompareNginx = collections.abc.Callable[[history_store.HistoryStore, str, str], Json]


class AppliedHistory:
    """Implements `control.applied_port.AppliedConfigurations`. All methods are called on one event loop."""

    def __init__(
        self,
        store: ports.Store,
        main: pathlib.Path,
        trials: trial.TrialManager,
        changes: live_changes.LiveChanges,
        *,
        compare_nginx: CompareNginx,
        find_drift: collections.abc.Callable[[], tuple[hand_edits.HandEdit, ...]],
    ) -> None:
        """main: daemun.yaml. compare_nginx, find_drift: blocking."""
        self._store = store
        self._main = main
        self._trials = trials
        self._changes = changes
        self._compare_nginx = compare_nginx
        self._find_drift = find_drift
        self._rendering = asyncio.Lock()

    async def list_newest(self, first: int, most: int) -> tuple[int, list[Json]]:
        """See the port."""
        await self._trials.recorder.write_noted()
        return await asyncio.to_thread(self._list_newest, first, most)

    def _list_newest(self, first: int, most: int) -> tuple[int, list[Json]]:
        history = self._open()
        numbers = history.numbers()[::-1]
        found = (history.read(number) for number in numbers[first : first + most])
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
        await self._trials.recorder.write_noted()
        plans: list[rollback_plan.RollbackPlan] = []

        def find() -> dict[str, bytes | None]:
            plans.append(self._find_plan(number, force))
            if not is_owner:
                self._check_owned(plans[0])
            return {} if plans[0].is_done else plans[0].find_wanted()

        made = await self._changes.make(find, trial_s=trial_s, caller=caller)
        await self._trials.recorder.write_noted()
        waits = None if made is None else made.report.waits
        report: Json = {
            "live": waits is None,
            "waits": None if waits is None else waits.reason,
            "trial": history_port.trial_json(None if made is None else made.trial),
            "changed": made is not None,
        }
        return {**await asyncio.to_thread(rollback_plan.report_json, plans[0], self._open(), is_running=True), **report}

    def _find_plan(self, number: int, force: bool) -> rollback_plan.RollbackPlan:
        history = self._open()
        entry = compared_entries.find(history, str(number))
        rollback_plan.check(entry)
        return rollback_plan.find(history, entry, self._main, is_running=True, force=force)

    def _check_owned(self, plan: rollback_plan.RollbackPlan) -> None:
        owned: list[model.Problem] = []
        for name in {self._main.name, *plan.past.files}:
            find = owned_keys.find_changes if name == self._main.name else owned_keys.find_programs
            owned += find(name, plan.present.get(name), plan.past.files.get(name))
        if owned:
            raise ForbiddenError(f"cannot go back to number {plan.entry.number}: {'; '.join(map(str, owned))}")

    def _open(self) -> history_store.HistoryStore:
        return history_store.HistoryStore(self._store)
