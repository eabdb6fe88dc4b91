"""The loop tries again by itself what may pass without a change of any source."""

import asyncio
import contextlib
import datetime

import pytest

from daemun.control import damage_report, gate, nginx_upgrade, reconciler, reload_limiter
from daemun.core import layout, liveness, model, render_environment
from daemun.errors import ConfigError
from tests.support import clock
from tests.support import world as worlds

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
            judge=worlds.Judge(),
            admission=(old_workers := reload_limiter.ReloadLimiter(worlds.OldWorkers(), clock.FakeClock())),
            configure=lambda _: None,
            describe_environment=lambda _: render_environment.Environment(layout=layout.Layout("/state"), nginx=NGINX),
            last_good={"file": world.snapshot} if last_good else {},
        ),
        certificates=certificates,
        domains=worlds.Domains(),
        endpoints=endpoints,
        held_requests=held_requests,
        served=worlds.Served(),
        alerts=worlds.Alerts(),
        examiner=worlds.Examiner(),
        old_workers=old_workers,
        observe=lambda: (model.Actual(), 0),
        look_at_nginx=look_at_nginx,
        damage=damage_report.DamageReport(),
        identity=gate.Identity(
            version="1",
            config_path="/daemun.yaml",
            state_dir="/state",
            started_at=datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC),
        ),
        upgrade=nginx_upgrade.NginxUpgrade(worlds.Succession(NGINX)),
    )


@pytest.mark.parametrize("was_good_before", [True, False])
async def test_a_source_that_can_be_read_again(monkeypatch: pytest.MonkeyPatch, *, was_good_before: bool) -> None:
    monkeypatch.setattr(gate, "RETRY_S", 0.01)
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


@pytest.mark.parametrize("is_slow", [False, True])
async def test_certificates_are_looked_at_before_the_round_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, *, is_slow: bool
) -> None:
    source = _Source(world := worlds.World(snapshot=model.Snapshot(source="file", globals=model.Globals())))
    front = make_gate(source, world, certificates := worlds.Certificates(world), last_good=True)
    monkeypatch.setattr(gate, "FILES_FIRST_S", 1 if is_slow else 600)
    certificates.looked_at_files.clear()
    front.look_again()
    assert certificates.was_woken
    loop = asyncio.create_task(front.run())
    try:
        await asyncio.sleep(10 * gate.QUIET_S)
        assert not source.readings
        if not is_slow:
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
