"""The loop tries again by itself what may pass without a change, and does nothing twice for one change."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime

import pytest

from daemun.control import (
    damage_report,
    gate,
    history_port,
    nginx_port,
    nginx_upgrade,
    reconciler,
    reload_limiter,
    round_reports,
)
from daemun.core import directive, layout, model, render_environment
from daemun.core.plan import change_plan
from daemun.core.served import liveness
from daemun.errors import ConfigError
from tests.support import clock
from tests.support import world as worlds
from tests.support.sites import site

NGINX = render_environment.Nginx(path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset())


class _Source(worlds.Source):
    """Its file names a certificate that is not there yet; `changes` tells of nothing."""

    readable = False
    readings = 0

    async def read(self) -> model.Snapshot:
        self.readings += 1
        if not self.readable:
            raise ConfigError("daemun.yaml:3:5: certificate: cannot read own.pem")
        return await super().read()


async def _answering() -> liveness.Liveness:
    return liveness.Liveness()


def make_gate(
    source: worlds.Source,
    world: worlds.World,
    certificates: worlds.Certificates,
    *,
    last_good: bool,
    look_at_nginx: gate.LookAtNginx = _answering,
    history: worlds.History | None = None,
) -> gate.Gate:
    endpoints, held_requests = worlds.Endpoints(world), worlds.HeldRequests()
    return gate.Gate(
        rounds=reconciler.Reconciler(
            sources=[source],
            proxy=worlds.Proxy(world),
            listening=worlds.Listening(world),
            certificates=certificates,
            domains=worlds.Domains(),
            endpoints=endpoints,
            held_requests=held_requests,
            judge=(judge := worlds.Judge()),
            admission=(old_workers := reload_limiter.ReloadLimiter(worlds.OldWorkers(), clock.FakeClock())),
            configure=lambda _: None,
            describe_environment=lambda _: render_environment.Environment(layout=layout.Layout("/state"), nginx=NGINX),
            last_good={"file": world.snapshot} if last_good else {},
        ),
        certificates=certificates,
        domains=worlds.Domains(),
        endpoints=endpoints,
        held_requests=held_requests,
        judge=judge,
        banning=worlds.Bans(),
        served=worlds.Served(),
        streams=worlds.ServedStreams(),
        alerts=worlds.Alerts(),
        examiner=worlds.Examiner(),
        old_workers=old_workers,
        observe=lambda: (model.Actual(), 0),
        look_at_nginx=look_at_nginx,
        damage=damage_report.DamageReport(),
        history=history or worlds.History(),
        identity=gate.DaemonIdentity(
            version="1",
            config_path="/daemun.yaml",
            state_dir="/state",
            started_at=datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC),
        ),
        upgrade=nginx_upgrade.NginxUpgrade(worlds.Succession(NGINX)),
    )


class _Slow(worlds.Source):
    """Its first reading takes until a test lets it end."""

    def __init__(self, world: worlds.World) -> None:
        super().__init__(world)
        self.is_read, self.may_end = asyncio.Event(), asyncio.Event()

    async def read(self) -> model.Snapshot:
        self.is_read.set()
        await self.may_end.wait()
        return await super().read()


async def test_a_round_is_credited_to_those_who_requested_it_before_it_began() -> None:
    world = worlds.World(snapshot=model.Snapshot(source="file", globals=model.Globals()))
    source, history = _Slow(world), worlds.History()
    front = make_gate(source, world, worlds.Certificates(world), last_good=True, history=history)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(front.apply(caller=history_port.Caller(command="daemun add a.test")))
        await source.is_read.wait()
        for host in ("b.test", "c.test"):
            tasks.create_task(front.apply(caller=history_port.Caller(command=f"daemun add {host}")))
        await asyncio.sleep(0)
        source.may_end.set()
    noted = [[one.command for one in applied.callers] for applied in history.noted]
    assert noted == [["daemun add a.test"], ["daemun add b.test", "daemun add c.test"]]


async def test_the_status_of_one_site_is_that_of_all_without_the_others() -> None:
    sites = (site("a.test", "http://127.0.0.1:3000", aliases=("www.a.test",)), site("b.test", "http://127.0.0.1:3001"))
    world = worlds.World(snapshot=model.Snapshot(source="file", globals=model.Globals(), sites=sites))
    front = make_gate(worlds.Source(world), world, worlds.Certificates(world), last_good=True)
    assert (await front.apply()).ok
    for name, found in (("a.test", "a.test"), ("www.a.test", "a.test"), ("b.test", "b.test")):
        assert front.status(host=name) == front.status().of_site(name)
        assert [one.site.host for one in front.status(host=name).sites] == [found]
    assert front.status(host="c.test").sites == ()


@pytest.mark.parametrize("was_good_before", [True, False])
async def test_a_source_that_can_be_read_again(monkeypatch: pytest.MonkeyPatch, *, was_good_before: bool) -> None:
    monkeypatch.setattr(round_reports, "RETRY_S", 0.01)
    source = _Source(world := worlds.World(snapshot=model.Snapshot(source="file", globals=model.Globals())))
    front = make_gate(source, world, worlds.Certificates(world), last_good=was_good_before)
    assert not (await front.apply()).ok
    loop = asyncio.create_task(front.run())
    try:
        async with asyncio.timeout(30):
            source.readable = True
            while front.last is None or not front.last.ok:
                await asyncio.sleep(0)
            readings = source.readings
    finally:
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop
    assert readings == 2, "once in vain, once for good"


async def test_what_nginx_refuses_for_something_outside_is_tried_again_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[int] = []
    pauses: list[float | None] = []

    async def stage(proxy: worlds.Proxy, files: collections.abc.Mapping[str, bytes]) -> nginx_port.TestFailure | None:
        path = change_plan.site_file("late.test")
        if b"late.example.com" not in files.get(path, b""):
            return await accept(proxy, files)
        tries.append(len(tries))
        if len(tries) > 12:
            return await accept(proxy, files)
        return nginx_port.TestFailure(message="host not found", file=path, line=1, may_pass=True)

    def find_pause_s(last: reconciler.Outcome | None, number: int) -> float | None:
        pauses.append(real_pause_s(last, number))
        return None if pauses[-1] is None else 0.001

    accept, real_pause_s = worlds.Proxy.stage, round_reports.find_pause_s
    monkeypatch.setattr(worlds.Proxy, "stage", stage)
    monkeypatch.setattr(round_reports, "find_pause_s", find_pause_s)
    names = (directive.Directive("set_real_ip_from", (directive.Text("late.example.com"),)),)
    late = site("late.test", "http://127.0.0.1:3000", snippet=names)
    settings = model.Globals()
    source = worlds.Source(
        world := worlds.World(snapshot=model.Snapshot(source="file", globals=settings, sites=(late,)))
    )
    front = make_gate(source, world, worlds.Certificates(world), last_good=True)
    loop = asyncio.create_task(front.run())
    try:
        front.wake()
        async with asyncio.timeout(30):
            while front.last is None or not front.last.ok or len(pauses) < 14:
                await asyncio.sleep(0)
    finally:
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop
    assert front.last.sites[0].state is model.SiteState.LIVE
    assert pauses[:4] == [None, 15.0, 30.0, 60.0]
    assert pauses[11:14] == [round_reports.LONGEST_RETRY_S, round_reports.LONGEST_RETRY_S, None]


@pytest.mark.parametrize("is_slow", [False, True])
async def test_certificates_are_looked_at_before_the_round_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, *, is_slow: bool
) -> None:
    source = _Source(world := worlds.World(snapshot=model.Snapshot(source="file", globals=model.Globals())))
    front = make_gate(source, world, certificates := worlds.Certificates(world), last_good=True)
    monkeypatch.setattr(gate, "FILES_FIRST_S", 0.2 if is_slow else 600)
    certificates.looked_at_files.clear()
    front.look_again()
    assert certificates.was_woken
    loop = asyncio.create_task(front.run())
    try:
        if not is_slow:
            await asyncio.sleep(10 * gate.QUIET_S)
            assert not source.readings
            certificates.looked_at_files.set()
        async with asyncio.timeout(30):
            while not source.readings:
                await asyncio.sleep(0)
    finally:
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop


async def test_doctor_tells_what_nginx_is_like_now() -> None:
    seen = [liveness.Liveness(answers=False), liveness.Liveness(suspended=(7,)), liveness.Liveness()]

    async def look() -> liveness.Liveness:
        return seen.pop(0)

    source = worlds.Source(world := worlds.World(snapshot=model.Snapshot(source="file", globals=model.Globals())))
    front = make_gate(source, world, worlds.Certificates(world), last_good=True, look_at_nginx=look)
    await front.apply()
    told = [" ".join(one.message for one in await front.diagnose(None)) for _ in range(3)]
    assert "workers do not answer" in told[0]
    assert "7 were suspended" in told[1]
    assert "answer" not in told[2]
    assert "suspended" not in told[2]


class _File(worlds.Source):
    """A file with versions, whose readings wait until they may go on. `edit` changes it, and the loop notices that when
    `notice` says so."""

    def __init__(self, world: worlds.World) -> None:
        super().__init__(world)
        self.version = "1"
        self.readings: list[str] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.is_wrong = False
        self._noticed = asyncio.Event()

    async def read(self) -> model.Snapshot:
        self.readings.append(self.version)
        found = dataclasses.replace(await super().read(), version=self.version)
        await self.may_go_on.wait()
        if self.is_wrong:
            raise ConfigError("daemun.yaml:3:5: wrong")
        return found

    @property
    def has_news(self) -> bool:
        return self._noticed.is_set()

    def notice(self) -> None:
        self._noticed.set()

    async def changes(self) -> collections.abc.AsyncIterator[str]:
        while True:
            await self._noticed.wait()
            self._noticed.clear()
            yield self.version


@contextlib.asynccontextmanager
async def watched(history: worlds.History | None = None) -> collections.abc.AsyncIterator[tuple[_File, gate.Gate]]:
    """After the first round."""
    source = _File(world := worlds.World(snapshot=model.Snapshot(source="file", globals=model.Globals())))
    front = make_gate(source, world, worlds.Certificates(world), last_good=False, history=history)
    assert (await front.apply()).ok
    source.readings.clear()
    tasks = [asyncio.create_task(front.run()), asyncio.create_task(front.watch(source))]
    try:
        async with asyncio.timeout(60):
            yield source, front
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def settle(front: gate.Gate) -> None:
    """Until the loop has nothing to do, and had the time to see that it has."""
    for _ in range(3):
        await asyncio.sleep(3 * gate.QUIET_S)
        while front.is_busy:
            await asyncio.sleep(0)


async def test_an_edit_costs_one_round_if_it_is_applied_before_the_change_is_noticed() -> None:
    """O2: as `daemun add` and its like do."""
    async with watched() as (source, front):
        source.version = "2"
        assert (await front.apply(seen={"file": "2"})).ok
        source.notice()
        await settle(front)
        assert source.readings == ["2"]
        # The next change is one all the same, and so is a touch, which has another version.
        source.version = "3"
        source.notice()
        await settle(front)
        assert source.readings == ["2", "3"]


async def test_an_edit_costs_one_round_if_the_change_is_noticed_before_it_is_applied() -> None:
    """O1, O2"""
    async with watched() as (source, front):
        source.version = "2"
        source.may_go_on.clear()
        source.notice()
        while not source.readings:
            await asyncio.sleep(0)
        asked = asyncio.create_task(front.apply(seen={"file": "2"}))
        await asyncio.sleep(0)
        source.may_go_on.set()
        assert (await asked).ok
        await settle(front)
        assert source.readings == ["2"]


async def test_a_change_that_was_noticed_before_is_credited_at_once() -> None:
    """Not with the next round, which may be of something else: of files that were put back, say."""
    history = worlds.History()
    async with watched(history) as (source, front):
        source.version = "2"
        source.notice()
        while source.readings != ["2"]:
            await asyncio.sleep(0)
        await settle(front)
        caller = history_port.Caller(command="daemun rollback 1")
        assert (await front.apply(seen={"file": "2"}, caller=caller)).ok
        assert source.readings == ["2"]
        await front.apply()
        assert [[one.command for one in applied.callers] for applied in history.noted[-2:]] == [[caller.command], []]


async def test_a_round_that_read_an_earlier_version_does_not_count() -> None:
    async with watched() as (source, front):
        source.may_go_on.clear()
        first = asyncio.create_task(front.apply())
        while not source.readings:
            await asyncio.sleep(0)
        source.version = "2"
        source.notice()
        asked = asyncio.create_task(front.apply(seen={"file": "2"}))
        await asyncio.sleep(0)
        source.may_go_on.set()
        await asyncio.gather(first, asked)
        await settle(front)
        assert source.readings == ["1", "2"]


async def test_what_everything_is_read_again_for_is_read_again() -> None:
    async with watched() as (source, front):
        await front.apply()
        front.wake()
        source.notice()
        await settle(front)
        assert source.readings == ["1", "1"]


async def test_a_round_that_went_wrong_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_reports, "RETRY_S", 600)
    async with watched() as (source, front):
        source.version, source.is_wrong = "2", True
        assert not (await front.apply(seen={"file": "2"})).ok
        source.is_wrong = False
        source.notice()
        await settle(front)
        assert source.readings == ["2", "2"]
        assert (await front.apply(seen={"file": "2"})).ok
        assert source.readings == ["2", "2"]


async def test_a_change_without_a_version_counts_whatever_is_noticed_after_it() -> None:
    async with watched() as (source, front):
        assert (await front.apply()).ok
        known, source.version = source.version, ""
        source.notice()
        while source.has_news:
            await asyncio.sleep(0)
        source.version = known
        source.notice()
        await settle(front)
        assert source.readings == ["1", "1"]
