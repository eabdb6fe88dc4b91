"""A4: what the look from outside says of many sites."""

import asyncio
import collections.abc
import contextlib
import gc
import pathlib
import re

import pytest

from daemun.core import model
from daemun.probing import handshake_turns, probe_inputs, server_turns, site_prober
from tests.support import clock, ports
from tests.support.sites import site

PAUSES = ((site_prober, "TICK_S"), (site_prober, "REST_S"))


def _prober(folder: pathlib.Path) -> site_prober.SiteProber:
    inputs = probe_inputs.ProbeInputs(
        clock=clock.FakeClock(),
        find_endpoints=lambda _: (),
        find_certificates=lambda: (),
        error_log_path=str(folder / "error.log"),
    )
    return site_prober.SiteProber(inputs, find_health=lambda _: ())


async def test_trouble_is_not_over_before_each_site_was_looked_at(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, off = f"http://127.0.0.1:{ports.free_port()}", model.Tls(mode=model.TlsMode.OFF)
    sites = tuple(site(f"{number}.test", closed, tls=off) for number in range(20))
    statuses = tuple(model.SiteStatus(site=one, state=model.SiteState.LIVE) for one in sites)
    looking = _prober(tmp_path)
    for module, name in ((server_turns, "ALL_LOOKED_AT_S"), (server_turns, "AGAIN_S"), *PAUSES):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(server_turns, "TRIES_PER_TICK", 0)
    looking.publish(model.Desired(globals=model.Globals(), sites=sites), statuses)
    running = asyncio.create_task(looking.run())
    async with asyncio.timeout(60):
        while looking.look("19.test") is None:
            await asyncio.sleep(0)
        for _ in range(10):  # turns in which none is tried
            await asyncio.sleep(0)
            assert looking.find_troubles(statuses, ()) is None
        monkeypatch.setattr(server_turns, "TRIES_PER_TICK", 6)
        while not (found := looking.find_troubles(statuses, ())):
            await asyncio.sleep(0)
        while len(found) < len(sites):
            await asyncio.sleep(0)
            found = looking.find_troubles(statuses, ()) or ()
    assert {one.state for one in found} == {model.SiteState.UNREACHABLE}
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_each_name_has_its_turn_however_often_sites_change(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that reads the names in handshakes, and after each of them another change is published."""
    seen: set[bytes] = set()
    wanted = {b"%d.test" % number for number in range(20)}
    all_seen = asyncio.Event()
    looking = _prober(tmp_path)

    async def read_name(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.update(re.findall(rb"\d+\.test", await reader.read(4096)))
        publish()
        if seen >= wanted:
            all_seen.set()
        writer.close()

    listener = await asyncio.start_server(read_name, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    settings = model.Globals(listen=model.Listen(https=(model.Address(host="127.0.0.1", port=port),)))

    def publish() -> None:
        sites = tuple(site(name.decode(), "http://127.0.0.1:1") for name in sorted(wanted))
        statuses = tuple(model.SiteStatus(site=one, state=model.SiteState.LIVE) for one in sites)
        looking.publish(model.Desired(globals=settings, sites=sites), statuses)

    for module, name in PAUSES:
        monkeypatch.setattr(module, name, 0.01)
    for name in ("AGAIN_S", "TRIES_PER_TICK"):
        monkeypatch.setattr(server_turns, name, 0)
    quick = {"TURN_S": 0.01, "SHAKES_IN_TURN_PER_S": 100.0, "NEW_SHAKES_PER_S": 0.0, "BAD_SHAKE_EVERY_S": 1e9}
    for name, value in quick.items():
        monkeypatch.setattr(handshake_turns, name, value)
    publish()
    async with listener:
        running = asyncio.create_task(looking.run())
        async with asyncio.timeout(60):
            await all_seen.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_a_look_that_is_cut_short_leaves_nothing_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ends; pytest makes an error of a coroutine that nothing awaited."""
    async with _silent() as port:
        sites = tuple(site(f"{number}.test", f"http://127.0.0.1:{port}") for number in range(5))
        looking = _prober(tmp_path)
        monkeypatch.setattr(server_turns, "AT_ONCE", 1)
        looking.publish(model.Desired(globals=model.Globals(), sites=sites), ())
        assert await looking.probe(None, within_s=0.05) > 0
        asked = asyncio.create_task(looking.probe(None, within_s=600))
        while not any(task.get_coro().__name__ == "limited" for task in asyncio.all_tasks()):  # type: ignore[union-attr]
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        del asked
        gc.collect()


async def test_a_server_whose_look_was_cut_short_has_its_turn_all_the_same(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its turn came while somebody's look at all was under way, so nothing was done then."""
    opened = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await opened.wait()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port, off = server.sockets[0].getsockname()[1], model.Tls(mode=model.TlsMode.OFF)
        looking = _prober(tmp_path)
        one = site("a.test", f"http://127.0.0.1:{port}", tls=off)
        looking.publish(model.Desired(globals=model.Globals(), sites=(one,)), ())
        monkeypatch.setattr(server_turns, "TRIES_PER_TICK", 0)
        for module, name in PAUSES:
            monkeypatch.setattr(module, name, 0.0)
        running = asyncio.create_task(looking.run())
        while not looking._servers.waiting:
            await asyncio.sleep(0)
        asked = asyncio.create_task(looking.probe(None, within_s=600))
        while not looking._servers._under_way:
            await asyncio.sleep(0)
        monkeypatch.setattr(server_turns, "TRIES_PER_TICK", 6)
        while looking._servers.waiting:  # until its turn
            await asyncio.sleep(0)
        for _ in range(10):  # in which nothing is done, for it is under way
            await asyncio.sleep(0)
        asked.cancel()
        opened.set()
        async with asyncio.timeout(60):
            while not ((known := looking.look("a.test")) and known.routes[0].servers):
                await asyncio.sleep(0.01)
        assert known.routes[0].servers[0].trouble is None
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(asked, running)


async def test_a_look_at_an_alias_is_one_at_its_site(tmp_path: pathlib.Path) -> None:
    off = model.Tls(mode=model.TlsMode.OFF)
    one = site("a.test", f"http://127.0.0.1:{ports.free_port()}", aliases=("www.a.test", "*.b.test"), tls=off)
    looking = _prober(tmp_path)
    looking.publish(model.Desired(globals=model.Globals(), sites=(one,)), ())
    for name in ("a.test", "www.a.test", "x.b.test"):
        assert await looking.probe(name, within_s=60) == 0
        known = looking.look("a.test")
        assert known is not None
        (server,) = known.routes[0].servers
        assert server.trouble is model.Trouble.REFUSED
        looking.publish(model.Desired(globals=model.Globals()), ())
        assert await looking.probe(None, within_s=60) == 0
        looking.publish(model.Desired(globals=model.Globals(), sites=(one,)), ())
    assert await looking.probe("c.test", within_s=60) == 0


async def test_what_was_found_is_of_the_target_of_now(tmp_path: pathlib.Path) -> None:
    """Who changed a target looks at once, and must not read of the server that was there before."""
    off, looking = model.Tls(mode=model.TlsMode.OFF), _prober(tmp_path)
    before, after = (site("a.test", f"http://127.0.0.1:{ports.free_port()}", tls=off) for _ in range(2))
    looking.publish(model.Desired(globals=model.Globals(), sites=(before,)), ())
    assert await looking.probe("a.test", within_s=60) == 0
    seen, revision = looking.look("a.test"), looking.revision
    assert seen is not None and seen.routes[0].servers
    looking.publish(model.Desired(globals=model.Globals(), sites=(after,)), ())
    await looking.absorb()
    now = looking.look("a.test")
    assert now is not None and not now.routes[0].servers
    assert looking.revision > revision


@contextlib.asynccontextmanager
async def _silent() -> collections.abc.AsyncIterator[int]:
    """A server that takes connections and says nothing."""
    ending = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ending.wait()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        ending.set()
