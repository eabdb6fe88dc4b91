"""A4: what the look from outside says of many sites."""

import asyncio
import contextlib
import pathlib

import pytest

from daemun.core import model
from daemun.probing import prober
from tests.support import clock, ports
from tests.support.sites import site


async def test_trouble_is_not_over_before_each_site_was_looked_at(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, off = f"http://127.0.0.1:{ports.free_port()}", model.Tls(mode=model.TlsMode.OFF)
    sites = tuple(site(f"{number}.test", closed, tls=off) for number in range(20))
    statuses = tuple(model.SiteStatus(site=one, state=model.SiteState.LIVE) for one in sites)
    looking = prober.Prober(
        clock.FakeClock(),
        find_endpoints=lambda _: (),
        find_health=lambda _: (),
        find_certificates=lambda: (),
        error_log_path=str(tmp_path / "error.log"),
    )
    for name, value in {"ALL_LOOKED_AT_S": 0.0, "AGAIN_S": 0.0, "TRIES_PER_TICK": 0, "TICK_S": 0.0}.items():
        monkeypatch.setattr(prober, name, value)
    looking.publish(model.Desired(globals=model.Globals(), sites=sites), statuses)
    running = asyncio.create_task(looking.run())
    async with asyncio.timeout(60):
        while looking.look("19.test") is None:
            await asyncio.sleep(0)
        for _ in range(10):  # turns in which none is tried
            await asyncio.sleep(0)
            assert looking.find_troubles(statuses, ()) is None
        monkeypatch.setattr(prober, "TRIES_PER_TICK", 6)
        while not (found := looking.find_troubles(statuses, ())):
            await asyncio.sleep(0)
        while len(found) < len(sites):
            await asyncio.sleep(0)
            found = looking.find_troubles(statuses, ()) or ()
    assert {one.state for one in found} == {model.SiteState.UNREACHABLE}
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
