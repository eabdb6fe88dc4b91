"""Real servers are asked, and taken out and in, while nginx is never reloaded."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import ipaddress
import pathlib
import ssl

import pytest

from daemun.core import model
from daemun.core.options import catalogue, health_option
from daemun.core.services import dns_service, dns_services
from daemun.discovery import check_results, health_checks
from tests.support import backend, holding, ports, rendered, upstreams
from tests.support.sites import proxy, route, site, target

QUICK = health_option.Health(path="/healthz", interval_s=0.1, timeout_s=10.0, threshold=2)


def subject(port: int, check: health_option.Health = QUICK, **options: object) -> check_results.CheckedEndpoint:
    full = dns_service.Check(health=check, **options)  # type: ignore[arg-type]
    return check_results.CheckedEndpoint(check=full, address=ipaddress.ip_address("127.0.0.1"), port=port)


@contextlib.asynccontextmanager
async def watching() -> collections.abc.AsyncIterator[
    tuple[health_checks.Monitor, list[check_results.CheckedEndpoint]]
]:
    """A monitor at work, and the endpoints whose verdict changed, in order."""
    changed: list[check_results.CheckedEndpoint] = []
    monitor = health_checks.Monitor(changed.append)
    task = asyncio.create_task(monitor.run())
    try:
        yield monitor, changed
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def failure_of(asked: check_results.CheckedEndpoint) -> str | None:
    """What the first check says."""
    async with watching() as (monitor, changed):
        monitor.follow([asked])
        await upstreams.eventually(lambda: changed)
        return monitor.streak(asked).reason


async def test_well_and_unwell() -> None:
    with backend.running() as server:
        assert await failure_of(subject(server.port)) is None
        assert await failure_of(subject(server.port, dataclasses.replace(QUICK, path="/fail"))) == "status 503"
        assert await failure_of(subject(server.port, dataclasses.replace(QUICK, path=None))) is None
        good = dataclasses.replace(QUICK, path="/fail", statuses=((200, 200), (503, 503)))
        assert await failure_of(subject(server.port, good)) is None
        slow = dataclasses.replace(QUICK, path="/slow", timeout_s=0.05)
        assert await failure_of(subject(server.port, slow)) == "no answer within 0.05 s"


@pytest.mark.parametrize("path", ["/healthz", None])
async def test_nobody_there(path: str | None) -> None:
    assert await failure_of(subject(ports.free_port(), dataclasses.replace(QUICK, path=path))) == "connection refused"


async def test_a_server_that_speaks_something_else() -> None:
    port = ports.free_port()
    async with holding.closing(port):
        assert await failure_of(subject(port)) is not None
        assert await failure_of(subject(port, dataclasses.replace(QUICK, path=None))) is None


async def test_certificates_are_checked_as_the_route_says(tmp_path: pathlib.Path) -> None:
    certificate, key = rendered.self_signed("web.test")
    (tmp_path / "pair.pem").write_bytes(certificate + key)
    (tmp_path / "ca.pem").write_bytes(certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "pair.pem")
    trusting = model.UpstreamTls(ca_file=str(tmp_path / "ca.pem"))
    with backend.running(context=context) as server:
        for tls, name, expected in (
            (model.UpstreamTls(verify=False), None, None),
            (trusting, "web.test", None),
            (trusting, "other.test", "its certificate is refused: Hostname mismatch"),
            (model.UpstreamTls(), "web.test", "its certificate is refused: self"),
            (model.UpstreamTls(ca_file="/nowhere.pem"), "web.test", "no such file or directory"),
        ):
            said = await failure_of(subject(server.port, tls=tls, server_name=name))
            assert said is None if expected is None else (said or "").startswith(expected), said


async def test_an_endpoint_is_asked_once_for_all_and_forgotten_when_nobody_wants_it() -> None:
    with backend.running() as server:
        async with watching() as (monitor, changed):
            asked = subject(server.port)
            monitor.follow([asked])
            await upstreams.eventually(lambda: changed)
            failing = subject(server.port, dataclasses.replace(QUICK, path="/fail"))
            monitor.follow([asked, failing])
            await upstreams.eventually(lambda: len(changed) == 2)
            known = monitor.streak(failing)
            assert (known.is_well, known.reason) == (False, "status 503")
            assert known.since is not None
            monitor.follow([asked])
            assert monitor.streak(failing).is_well is None
            assert monitor.streak(asked).is_well


# --- behind nginx ----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def gate(action: model.Proxy, *pools: model.Pool) -> collections.abc.AsyncIterator[holding.House]:
    async with holding.house(site("app.test", route("/", action), http=model.HttpMode.SERVE), pools=pools) as house:
        task = asyncio.create_task(house.discovery.check_health())
        try:
            yield house
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(house: holding.House, *expected: str) -> None:
    """Wait until exactly these servers answer."""

    async def is_so() -> bool:
        answers = [await house.ask("GET", "http://app.test/") for _ in range(4)]
        return {answer.text.split()[0] for answer in answers} == set(expected)

    await upstreams.eventually(is_so)


def unwell(house: holding.House) -> list[str]:
    found = (service.name for service in dns_services.find_services(house.desired))
    return [look.server for name in found for look in house.discovery.find_health(name) if look.trouble is not None]


@pytest.mark.nginx
async def test_servers_are_taken_out_and_in() -> None:
    port = ports.free_port()
    with backend.running("steady") as steady:
        action = proxy(
            f"http://127.0.0.1:{steady.port}",
            f"http://127.0.0.1:{port}",
            options=catalogue.values(health_option.OPTION.set(QUICK)),
        )
        async with gate(action) as house:
            await until(house, "steady")
            # nginx may have passed it over before enough checks failed.
            await upstreams.eventually(lambda: unwell(house) == [f"127.0.0.1:{port}"])
            with backend.running("other", port=port) as other:
                await until(house, "steady", "other")
                await upstreams.eventually(lambda: not unwell(house))
                other.is_unwell = True
                await until(house, "steady")
                other.is_unwell = False
                await until(house, "steady", "other")


@pytest.mark.nginx
async def test_backups_and_weights_stay() -> None:
    with backend.running("main") as main, backend.running("backup") as backup:
        action = model.Proxy(
            targets=(
                target(f"http://127.0.0.1:{main.port}", weight=3),
                target(f"http://127.0.0.1:{backup.port}", backup=True),
            ),
            options=catalogue.values(health_option.OPTION.set(QUICK)),
        )
        async with gate(action) as house:
            await until(house, "main")
            main.is_unwell = True
            await until(house, "backup")


@pytest.mark.nginx
async def test_requests_wait_while_nobody_is_well() -> None:
    with backend.running() as server:
        server.is_unwell = True
        async with gate(
            proxy(f"http://127.0.0.1:{server.port}", options=catalogue.values(health_option.OPTION.set(QUICK)))
        ) as house:
            # nginx may have asked before the first check; from the next time it asks on, requests wait.
            async def is_waiting() -> bool:
                asking.append(asyncio.create_task(house.ask("GET", "http://app.test/wait")))
                await asyncio.sleep(0.1)
                return house.queue.counts()[0] > 0

            asking: list[asyncio.Task[object]] = []
            await upstreams.eventually(is_waiting)
            server.is_unwell = False
            answers = await asyncio.gather(*asking)
            assert {getattr(answer, "status_code", None) for answer in answers} == {200}


@pytest.mark.nginx
async def test_pools_are_checked_too() -> None:
    pooled = model.Proxy(
        targets=(model.Target(scheme=model.Scheme.HTTP, pool="x.daemun"),),
        options=catalogue.values(health_option.OPTION.set(QUICK)),
    )
    with backend.running("one") as one, backend.running("two") as two:
        found = tuple(model.Endpoint(address="127.0.0.1", port=server.port) for server in (one, two))
        async with gate(pooled, model.Pool(name="x.daemun", endpoints=found)) as house:
            await until(house, "one", "two")
            one.is_unwell = True
            await until(house, "two")
            two.is_unwell, one.is_unwell = True, False
            await until(house, "one")
