"""The first screen's data, as of a moment: made anew when it is requested and older than a second.

Of ten thousand sites that is half a second of work, beside the event loop. Then visitors get what is there, up to
STALE_S old, and it is made anew after they have their answer. But what a round or a look on request came to is never
kept from whoever looks after it.
"""

import asyncio
import collections.abc
import dataclasses
import datetime
import time

from daemun import garbage
from daemun.control import gate_port, history_port, overview_port
from daemun.core import model
from daemun.core.dashboard import gate_totals, needs, site_row

FRESH_S = 1.0
QUICK_S = 0.2
"""What takes no longer is made before the answer."""
STALE_S = 20.0
FORGOTTEN_S = 120.0
MANY_SITES = 1000
"""Of more, what was not looked at for a while takes longer than a page."""
_DUTY = 4
"""It takes at most this part of the time."""
_LOOKS_AT_ONCE = 250


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OverviewSnapshot:
    """as_of: aware UTC. traffic: None: requests are not counted. open_connections: of visitors; None: not known."""

    as_of: datetime.datetime
    rows: tuple[site_row.SiteRow, ...]
    needs: tuple[needs.Need, ...]
    totals: gate_totals.GateTotals
    machine: gate_totals.MachineState
    traffic: overview_port.RecentTraffic | None
    changes: overview_port.KnownChanges
    containers: tuple[model.ContainerStatus, ...]
    status: gate_port.GateStatus
    open_connections: int | None = None


class OverviewSnapshots:
    """Makes and caches snapshots of the first screen's data. Used on the gate's event loop."""

    def __init__(self, gate: gate_port.GatePort, facts: overview_port.OverviewFacts) -> None:
        self.facts = facts
        self._gate = gate
        self._lock = asyncio.Lock()
        self._memory = site_row.RowMemory()
        self._kept: OverviewSnapshot | None = None
        self._made_s = float("-inf")
        self._took_s = 0.0
        self._revision = 0
        self._forgetting: asyncio.TimerHandle | None = None

    async def current(self) -> OverviewSnapshot:
        kept = self._kept
        age_s = time.monotonic() - self._made_s
        is_of_now = self._revision == self.facts.count_revisions()
        if kept is not None and is_of_now and (age_s < FRESH_S or (self._took_s > QUICK_S and age_s < STALE_S)):
            return kept
        return await self._make()

    async def summarise(self) -> gate_totals.GateSummary:
        """For the head of every page, after whose answer `refresh` is to be called: a page of one site does not wait
        for all the others. With many sites it has what was found last, and is not known where nothing was."""
        kept = self._kept
        if kept is not None and self._took_s > QUICK_S and self._revision == self.facts.count_revisions():
            return gate_totals.summarise(kept.needs)
        if kept is None and len(self._gate.status(added=False).sites) > MANY_SITES:
            return gate_totals.GateSummary()
        return gate_totals.summarise((await self.current()).needs)

    async def apply(self, caller: history_port.Caller) -> gate_port.ApplyReport:
        """See `gate_port.GatePort`; what is shown then is made anew."""
        try:
            return await self._gate.apply(caller=caller)
        finally:
            self._made_s = float("-inf")

    async def refresh(self) -> None:
        """To be called after an answer: what takes long is made anew for the next."""
        age_s = time.monotonic() - self._made_s
        is_due = self._kept is None or (self._took_s > QUICK_S and age_s > max(FRESH_S, _DUTY * self._took_s))
        if is_due and not self._lock.locked():
            await self._make()

    async def _make(self) -> OverviewSnapshot:
        called_s = time.monotonic()
        async with self._lock:
            if self._kept is not None and self._made_s >= called_s:  # meanwhile, for another request
                return self._kept
            began_s, revision = time.monotonic(), self.facts.count_revisions()
            await self._gate.look_at_nginx()
            old = await self._gate.look_at_old_workers()
            status = self._gate.status(added=False)
            looks: dict[str, model.SiteLook] = {}
            for number, one in enumerate(status.sites):
                if number % _LOOKS_AT_ONCE == 0:
                    await asyncio.sleep(0)
                look = self._gate.look(one.site.host)
                if look is not None:
                    looks[one.site.host] = look
            with garbage.unsought():
                self._kept = await asyncio.to_thread(self._put_together, status, old, looks)
            kept, self._made_s, self._took_s = self._kept, began_s, time.monotonic() - began_s
            self._revision = revision
            if self._forgetting is not None:
                self._forgetting.cancel()
            self._forgetting = asyncio.get_running_loop().call_later(FORGOTTEN_S, self._forget)
            return kept

    def _forget(self) -> None:
        """Frees what no page was shown from for a while: some megabytes with ten thousand sites, and more that the C
        library keeps of the answers."""
        self._kept, self._memory = None, site_row.RowMemory()
        asyncio.get_running_loop().run_in_executor(None, garbage.give_back)

    def _put_together(
        self,
        status: gate_port.GateStatus,
        old: gate_port.OldWorkersReport,
        looks: collections.abc.Mapping[str, model.SiteLook],
    ) -> OverviewSnapshot:
        now = datetime.datetime.now(datetime.UTC)
        traffic, changes = self.facts.read_traffic(now), self.facts.read_changes()
        seen = site_row.SeenGate(
            sites=status.sites,
            streams=status.streams,
            certificates=status.certificates,
            containers=status.containers,
            problems=status.problems,
            looks=looks,
            rates=traffic.rates if traffic is not None else {},
            changes=changes.by_site,
        )
        rows = site_row.make_rows(seen, now, self._memory)
        machine = gate_totals.MachineState(
            answers=status.answers,
            is_running=status.nginx_pid is not None,
            old=len(old.old),
            old_bytes=sum(one.memory_bytes for one in old.old),
            most=old.limits.generations or 0,
            waits=str(old.held) if old.held is not None else None,
            waits_since=old.held.since if old.held is not None else None,
            rooms=self.facts.measure_rooms(),
        )
        return OverviewSnapshot(
            as_of=now,
            rows=rows,
            needs=needs.find_needs(seen, rows, now, gate_totals.find_machine_needs(machine)),
            totals=gate_totals.add_up(rows, status.certificates, is_counted=traffic is not None),
            machine=machine,
            traffic=traffic,
            changes=changes,
            containers=tuple(one for one in status.containers if not one.is_served),
            status=status,
            open_connections=self.facts.count_open(),
        )
