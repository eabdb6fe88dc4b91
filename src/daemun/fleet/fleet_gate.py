"""The gate of a machine in a fleet: what a person applies is what the whole fleet applies."""

import collections.abc
import dataclasses

from daemun.control import gate, gate_port, history_port
from daemun.core import model
from daemun.core.worker_generations import Urgency

Settle = collections.abc.Callable[[history_port.Caller | None], collections.abc.Awaitable[None]]
"""Returns when it is known what becomes of what the files hold."""
ReadFiles = collections.abc.Callable[[], collections.abc.Awaitable[model.Snapshot | None]]
"""What the files hold, whatever is agreed on; None: nothing that can be used."""
ListOthers = collections.abc.Callable[[], tuple[str, ...]]
"""The living nodes beside this one."""


class FleetGate(gate.Gate):
    """Without `join` it is that of a single machine."""

    _settle: Settle | None = None
    _read_files: ReadFiles
    _list_others: ListOthers

    def join(self, settle: Settle, read_files: ReadFiles, list_others: ListOthers) -> None:
        self._settle, self._read_files, self._list_others = settle, read_files, list_others

    async def apply(
        self,
        urgency: Urgency = Urgency.REQUESTED,
        *,
        seen: collections.abc.Mapping[str, str] | None = None,
        caller: history_port.Caller | None = None,
    ) -> gate_port.ApplyReport:
        """See `gate_port.GatePort`: what the files hold is live on all nodes, or on none, and then an error."""
        if self._settle is None or urgency is not Urgency.REQUESTED:
            return await super().apply(urgency, seen=seen, caller=caller)
        await self._settle(caller)
        report = await super().apply(urgency, seen=seen, caller=caller)
        return dataclasses.replace(report, nodes=self._list_others()) if report.ok else report

    async def apply_here(self, caller: history_port.Caller | None) -> gate_port.ApplyReport:
        """On this node alone, what it is to serve now."""
        return await super().apply(Urgency.REQUESTED, caller=caller)

    async def plan(
        self, *, instead: collections.abc.Mapping[str, model.Snapshot] | None = None
    ) -> gate_port.PlanReport:
        """See `gate_port.GatePort`: what applying the files would do, which are not served before that."""
        if self._settle is None:
            return await super().plan(instead=instead)
        if instead is None:
            found = await self._read_files()
            instead = {} if found is None else {found.source: found}
        return dataclasses.replace(await super().plan(instead=instead), nodes=self._list_others())
