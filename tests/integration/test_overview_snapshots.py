"""The first screen's data is made for who looks at it, and keeps no page of one site waiting."""

import asyncio
import collections.abc
import dataclasses
import datetime
import typing

from daemun.control import gate_port, history_port, overview_port
from daemun.core import model
from daemun.core.dashboard import gate_totals, lamps
from daemun.core.options import old_workers_option
from daemun.web import overview_snapshots
from tests.support import overview_values
from tests.support.sites import site


class Facts:
    """Nothing was counted, and nothing changed. revision: of the rounds."""

    revision = 0

    def read_traffic(self, _: datetime.datetime) -> None:
        return None

    def count_minutes(
        self, _: collections.abc.Collection[str], __: datetime.datetime
    ) -> collections.abc.Mapping[str, tuple[int, ...]]:
        return {}

    def read_changes(self) -> overview_port.KnownChanges:
        return overview_port.KnownChanges()

    def find_domain(self, host: str) -> str:
        return host

    def count_open(self) -> None:
        return None

    def count_revisions(self) -> int:
        return self.revision

    def measure_rooms(self) -> tuple[gate_totals.DiskRoom, ...]:
        return ()


class Gate:
    """What snapshots request of a gate with so many sites, of which the first is unreachable. made: how often all of
    them were looked at."""

    def __init__(self, count: int) -> None:
        now = datetime.datetime.now(datetime.UTC)
        sites = [
            model.SiteStatus(site=site(f"s{n}.test", "http://10.0.0.1"), state=model.SiteState.LIVE)
            for n in range(count)
        ]
        sites[0] = dataclasses.replace(sites[0], state=model.SiteState.UNREACHABLE, reason="it refuses connections")
        self._status = dataclasses.replace(overview_values.gate_status(now), sites=tuple(sites))
        self.made = 0

    def status(self, **_: object) -> gate_port.GateStatus:
        return self._status

    async def look_at_nginx(self) -> None:
        self.made += 1

    async def look_at_old_workers(self) -> gate_port.OldWorkersReport:
        return gate_port.OldWorkersReport(limits=old_workers_option.OldWorkersBudget())

    def look(self, _: str) -> None:
        return None

    async def apply(self, *, caller: history_port.Caller) -> typing.Never:
        raise NotImplementedError(caller)


def make(count: int) -> tuple[Gate, Facts, overview_snapshots.OverviewSnapshots]:
    gate, facts = Gate(count), Facts()
    return gate, facts, overview_snapshots.OverviewSnapshots(typing.cast("gate_port.GatePort", gate), facts)


ONE_IS_BAD = gate_totals.GateSummary(light=lamps.Light.BAD, needs_you=1)


async def test_the_head_of_a_page_has_what_needs_you() -> None:
    _, _, snapshots = make(20)
    assert await snapshots.summarise() == ONE_IS_BAD


async def test_with_many_sites_no_page_waits_for_all_of_them() -> None:
    gate, _, snapshots = make(overview_snapshots.MANY_SITES + 1)
    assert await snapshots.summarise() == gate_totals.GateSummary()
    assert gate.made == 0
    await snapshots.refresh()
    assert (await snapshots.summarise(), gate.made) == (ONE_IS_BAD, 1)


async def test_what_takes_long_is_made_anew_after_the_answer_however_old_it_is() -> None:
    gate, facts, snapshots = make(20)
    await snapshots.current()
    snapshots._took_s = 2 * overview_snapshots.QUICK_S
    snapshots._made_s -= 2 * overview_snapshots.STALE_S
    assert (await snapshots.summarise(), gate.made) == (ONE_IS_BAD, 1)
    facts.revision += 1  # but what a round came to is shown
    assert (await snapshots.summarise(), gate.made) == (ONE_IS_BAD, 2)


async def test_several_who_look_at_once_share_what_is_made() -> None:
    gate, _, snapshots = make(20)
    await asyncio.gather(*(snapshots.current() for _ in range(5)))
    assert gate.made <= 2  # for the first, and for those who came after that began
