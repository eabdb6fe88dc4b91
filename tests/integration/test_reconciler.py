"""Wherever a round is cut off, the next daemon's first round ends with exactly what is desired."""

import collections.abc
import dataclasses
import datetime

import pytest

from daemun.control import nginx_port, reconciler
from daemun.core import layout, model, render_environment, worker_generations
from daemun.core.options import old_workers_option, workers_option
from daemun.core.plan import change_plan, listeners
from daemun.core.rounds import merge
from daemun.core.rounds import outcome as outcomes
from daemun.errors import ConfigError
from tests.support import world as worlds

NGINX = render_environment.Nginx(
    path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)
)


def site(host: str, port: int) -> model.Site:
    target = model.Target(scheme=model.Scheme.HTTP, host="app", port=port)
    return model.Site(host=host, routes=(model.Route(path="/", action=model.Proxy(targets=(target,))),))


def snapshot(*sites: model.Site) -> model.Snapshot:
    return model.Snapshot(source="file", sites=sites, globals=model.Globals())


BEFORE = snapshot(site("stays.test", 1), site("changes.test", 2), site("goes.test", 3))
AFTER = snapshot(site("stays.test", 1), site("changes.test", 9), site("comes.test", 4))


def describe_environment(_: model.Globals) -> render_environment.Environment:
    return render_environment.Environment(
        layout=layout.Layout("/state"), nginx=NGINX, thumbprint="t", resolver="127.0.0.1:53"
    )


def daemon(
    world: worlds.World, *, listening: worlds.Listening | None = None, admission: worlds.Admission | None = None
) -> reconciler.Reconciler:
    """A daemon that was just started on this world."""
    return reconciler.Reconciler(
        sources=[worlds.Source(world)],
        proxy=worlds.Proxy(world),
        listening=listening or worlds.Listening(world),
        certificates=worlds.Certificates(world),
        endpoints=worlds.Endpoints(world),
        domains=worlds.Domains(),
        held_requests=worlds.HeldRequests(),
        judge=worlds.Judge(),
        describe_environment=describe_environment,
        admission=admission or worlds.Admission(),
        configure=lambda _: None,
        last_good={},
    )


async def settled(wanted: model.Snapshot) -> worlds.World:
    """A world in which `wanted` was applied in one go."""
    world = worlds.World(snapshot=wanted)
    outcome = await daemon(world).run_once()
    assert outcome.ok
    return world


def live_files(world: worlds.World) -> dict[str, bytes]:
    assert world.running is not None
    assert world.running == world.current
    return world.trees[world.running]


async def calls_of_a_round() -> int:
    world = await settled(BEFORE)
    world.snapshot, world.calls_left = AFTER, 1000
    await daemon(world).run_once()
    assert world.calls_left is not None
    return 1000 - world.calls_left


async def test_every_prefix_of_a_round_converges() -> None:
    expected = await settled(AFTER)
    for calls in range(await calls_of_a_round()):
        world = await settled(BEFORE)
        world.snapshot, world.calls_left = AFTER, calls
        with pytest.raises(worlds.Interrupted):
            await daemon(world).run_once()
        assert world.running is not None, "nginx never stops"
        world.calls_left = None
        outcome = await daemon(world).run_once()
        assert outcome.ok
        assert live_files(world) == live_files(expected), f"after {calls} calls"
        assert world.prepared == expected.prepared
        assert world.published == expected.published
        assert not world.unnamed, "nginx never names what is not there"


async def test_a_round_without_a_change_does_nothing() -> None:
    world = await settled(AFTER)
    outcome = await daemon(world).run_once()
    assert outcome.activated is change_plan.Activation.NOTHING
    assert world.reloads == 1
    assert {status.state for status in outcome.sites} == {model.SiteState.LIVE}


async def test_a_source_that_fails_keeps_what_it_said_last() -> None:
    world = await settled(BEFORE)
    front = daemon(world)
    await front.run_once()
    read = worlds.Source.read

    class Broken(worlds.Source):
        async def read(self) -> model.Snapshot:
            await read(self)
            raise ConfigError("daemun.yaml:3:1: unknown key")

    front = reconciler.Reconciler(
        sources=[Broken(world)],
        proxy=worlds.Proxy(world),
        listening=worlds.Listening(world),
        certificates=worlds.Certificates(world),
        endpoints=worlds.Endpoints(world),
        domains=worlds.Domains(),
        held_requests=worlds.HeldRequests(),
        judge=worlds.Judge(),
        describe_environment=describe_environment,
        admission=worlds.Admission(),
        configure=lambda _: None,
        last_good={"file": BEFORE},
    )
    outcome = await front.run_once()
    assert [str(problem) for problem in outcome.problems] == ["file: daemun.yaml:3:1: unknown key"]
    assert {status.site.host for status in outcome.sites} == {"stays.test", "changes.test", "goes.test"}
    assert world.reloads == 1


async def test_endpoints_that_moved_are_told_of_by_rounds_and_not_by_plans() -> None:
    pool = model.Pool(name="a.daemun", endpoints=(model.Endpoint(address="10.0.0.1", port=80),))
    world = worlds.World(snapshot=dataclasses.replace(BEFORE, pools=(pool,)))
    front = daemon(world)
    await front.make_plan()
    assert not world.moved
    await front.run_once()
    assert world.moved == (pool,)


async def test_nothing_was_ever_read() -> None:
    world = worlds.World(snapshot=model.Snapshot(source="file"))
    outcome = await daemon(world).run_once()
    assert outcome.error is not None
    assert world.running is None


async def test_a_failed_round_says_what_is_live_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await settled(BEFORE)
    world.snapshot = AFTER

    async def refuse(_: worlds.Proxy) -> int:
        raise ConfigError("the port is taken")

    monkeypatch.setattr(worlds.Proxy, "activate", refuse)
    outcome = await daemon(world).run_once()
    assert outcome.error == "the port is taken"
    assert {status.site.host: status.state for status in outcome.sites} == {
        "stays.test": model.SiteState.LIVE,
        "changes.test": model.SiteState.PENDING,
        "comes.test": model.SiteState.PENDING,
    }


async def test_what_is_wrong_with_certificates_is_told_though_nginx_refuses_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await settled(BEFORE)
    world.snapshot = AFTER
    missing = model.Problem(origin=model.NOWHERE, message="a certificate is missing")

    async def refuse(_: worlds.Proxy, files: collections.abc.Mapping[str, bytes]) -> nginx_port.TestFailure | None:
        return nginx_port.TestFailure(message="no")

    async def prepare(_: worlds.Certificates, specs: object) -> tuple[model.Problem, ...]:
        return (missing,)

    monkeypatch.setattr(worlds.Proxy, "stage", refuse)
    monkeypatch.setattr(worlds.Certificates, "prepare", prepare)
    outcome = await daemon(world).run_once()
    assert outcome.error is not None
    assert missing in outcome.problems
    assert world.reloads == 1


async def test_settings_are_told_before_the_next_source_is_read() -> None:
    world = worlds.World(snapshot=BEFORE)
    told: list[str] = []

    class Next(worlds.Source):
        name = "next"

        async def read(self) -> model.Snapshot:
            told.append("read")
            return model.Snapshot(source="next")

    front = reconciler.Reconciler(
        sources=[worlds.Source(world), Next(world)],
        proxy=worlds.Proxy(world),
        listening=worlds.Listening(world),
        certificates=worlds.Certificates(world),
        endpoints=worlds.Endpoints(world),
        domains=worlds.Domains(),
        held_requests=worlds.HeldRequests(),
        judge=worlds.Judge(),
        describe_environment=describe_environment,
        admission=worlds.Admission(),
        configure=lambda found: told.append(f"workers {workers_option.OPTION.of(found)}"),
        last_good={},
    )
    await front.make_plan()
    assert told == ["read"], "a plan configures nothing"
    told.clear()
    await front.run_once()
    assert told == ["workers None", "read"]


async def test_what_a_plan_read_is_not_what_was_applied_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that cannot be read afterwards goes on as it was applied, not as it was planned."""
    world = worlds.World(snapshot=BEFORE)
    front = daemon(world)
    assert (await front.run_once()).ok
    world.snapshot = AFTER
    plan, _ = await front.make_plan()
    assert {change.host for change in plan.changes} == {"changes.test", "comes.test", "goes.test"}

    async def fail(_: worlds.Source) -> model.Snapshot:
        raise ConfigError("it cannot be read")

    monkeypatch.setattr(worlds.Source, "read", fail)
    outcome = await front.run_once()
    assert {status.site.host for status in outcome.sites} == {"stays.test", "changes.test", "goes.test"}
    assert world.reloads == 1


async def test_a_plan_of_what_a_source_does_not_want_yet() -> None:
    """A draft of the file, beside what all others want; the next round knows nothing of it."""
    world = worlds.World(snapshot=BEFORE)
    front = daemon(world)
    assert (await front.run_once()).ok
    plan, problems = await front.make_plan({BEFORE.source: AFTER})
    assert {change.host for change in plan.changes} == {"changes.test", "comes.test", "goes.test"}
    assert problems == ()
    assert (await front.make_plan())[0].changes == ()
    assert (await front.run_once()).ok
    assert world.reloads == 1


# --- addresses of single sites ---------------------------------------------------------------------------------

TAKEN = frozenset({"0.0.0.0:8080"})


def own_port(wanted: model.Site, port: int) -> model.Site:
    return dataclasses.replace(wanted, http_port=port)


def states(outcome: reconciler.Outcome) -> dict[str, model.SiteState]:
    return {status.site.host: status.state for status in outcome.sites}


async def test_a_port_that_is_taken_holds_up_its_own_site_alone_until_it_is_free() -> None:
    world = await settled(BEFORE)
    world.taken = TAKEN
    world.snapshot = snapshot(own_port(site("stays.test", 1), 8080), site("comes.test", 4))
    front = daemon(world)
    outcome = await front.run_once()

    assert states(outcome) == {"stays.test": model.SiteState.QUARANTINED, "comes.test": model.SiteState.LIVE}
    assert outcome.error is None
    assert not outcome.ok
    assert outcome.may_pass
    assert (
        live_files(world)[change_plan.site_file("stays.test")]
        == (await live_of(BEFORE))[change_plan.site_file("stays.test")]
    )

    trees, reloads = len(world.trees), world.reloads
    again = await front.run_once()
    assert again.activated is change_plan.Activation.NOTHING
    assert states(again) == states(outcome)
    assert (len(world.trees), world.reloads) == (trees, reloads), "nothing is written while nothing changes"
    planned, problems = await front.make_plan()
    assert planned.activation is change_plan.Activation.NOTHING
    assert any("the port is taken by x" in problem.message for problem in problems)

    world.taken = frozenset()
    last = await front.run_once()
    assert last.ok
    assert not last.may_pass
    assert live_files(world) == await live_of(world.snapshot)


async def live_of(wanted: model.Snapshot) -> dict[str, bytes]:
    return live_files(await settled(wanted))


async def test_a_port_that_is_taken_between_the_trial_and_the_reload() -> None:
    class Hasty(worlds.Listening):
        async def find_denied(self, addresses: collections.abc.Collection[str]) -> tuple[listeners.Denied, ...]:
            await super().find_denied(addresses)
            world.taken = TAKEN
            return ()

    world = await settled(BEFORE)
    world.snapshot = snapshot(own_port(site("stays.test", 1), 8080), site("comes.test", 4))
    front = daemon(world, listening=Hasty(world))
    outcome = await front.run_once()

    assert states(outcome) == {"stays.test": model.SiteState.QUARANTINED, "comes.test": model.SiteState.LIVE}
    assert outcome.may_pass
    assert world.tried == ["0.0.0.0:8080", "[::]:8080"], "once, before nginx did"


async def test_a_port_of_the_gate_that_is_taken_is_an_error_of_the_whole_round() -> None:
    world = await settled(BEFORE)
    world.taken = TAKEN
    world.snapshot = dataclasses.replace(
        AFTER,
        globals=model.Globals(listen=model.Listen(http=(model.Address(port=8080),), https=(model.Address(port=8443),))),
    )
    outcome = await daemon(world).run_once()

    assert outcome.error is not None
    assert "cannot listen on 0.0.0.0:8080" in outcome.error
    assert live_files(world) == await live_of(BEFORE)
    assert world.tried == []


async def test_every_site_of_a_port_that_is_taken_is_told() -> None:
    world = worlds.World(snapshot=snapshot(*(own_port(site(f"{name}.test", 1), 8080) for name in "ab")))
    world.taken = TAKEN
    outcome = await daemon(world).run_once()

    assert {problem.host for problem in outcome.problems} == {"a.test", "b.test"}
    assert set(states(outcome).values()) == {model.SiteState.QUARANTINED}


def held_back() -> worker_generations.HeldReload:
    now = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
    return worker_generations.hold("8 old generations", old_workers_option.OldWorkersBudget(), now=now, waited_s=0)


async def test_what_needs_a_reload_waits_and_the_rest_is_done() -> None:
    world = await settled(BEFORE)
    world.snapshot = AFTER
    admission = worlds.Admission(held_back())
    front = daemon(world, admission=admission)
    outcome = await front.run_once(worker_generations.Urgency.CHANGED)

    assert outcome.held == admission.held
    assert not outcome.ok
    assert outcome.activated is change_plan.Activation.NOTHING
    assert live_files(world) == await live_of(BEFORE)
    assert states(outcome) == {
        "stays.test": model.SiteState.LIVE,
        "changes.test": model.SiteState.PENDING,
        "comes.test": model.SiteState.PENDING,
    }
    assert outcome.sites[0].reason == held_back().brief
    assert not outcome.problems
    assert admission.withdrawn == 0
    assert {spec.name for spec in merge.certificate_specs(merge.merge_snapshots([BEFORE]))} <= world.prepared, (
        "what nginx still runs keeps its certificates"
    )

    outcome = await front.run_once(worker_generations.Urgency.NEEDED)
    assert outcome.ok
    assert admission.withdrawn == 1
    assert live_files(world) == await live_of(AFTER)


async def test_a_change_that_nginx_refuses_does_not_wait() -> None:
    world = await settled(BEFORE)
    world.snapshot = dataclasses.replace(
        AFTER,
        globals=model.Globals(listen=model.Listen(http=(model.Address(port=8080),), https=(model.Address(port=8443),))),
    )
    world.taken = TAKEN
    admission = worlds.Admission()
    outcome = await daemon(world, admission=admission).run_once(worker_generations.Urgency.CHANGED)
    assert outcome.error is not None
    assert outcome.held is None
    assert admission.withdrawn >= 1


def test_a_container_whose_site_waits_is_not_served_yet() -> None:
    containers = tuple(
        model.ContainerStatus(name=name, hosts=(host,), is_served=is_served)
        for name, host, is_served in [
            ("old", "stays.test", True),
            ("new", "comes.test", True),
            ("bad", "comes.test", False),
        ]
    )
    sites = (
        model.SiteStatus(site=site("stays.test", 1), state=model.SiteState.LIVE),
        model.SiteStatus(site=site("comes.test", 4), state=model.SiteState.PENDING, reason="waits"),
    )
    found = outcomes.judge_pending(containers, sites)
    assert [(one.is_served, one.why) for one in found] == [(True, None), (False, "waits"), (False, None)]
