"""Endpoints of a pool come and go behind an nginx that is never reloaded."""

import asyncio
import collections.abc
import contextlib
import threading

import pytest

from daemun.core import model
from daemun.core.services import dns_services
from daemun.discovery import endpoints
from daemun.store import memory_store
from tests.support import clients, echo, rendered, sites, upstreams

pytestmark = pytest.mark.nginx

POOL = "0123456789abcdef.daemun"
ACTION = model.Proxy(targets=(model.Target(scheme=model.Scheme.HTTP, pool=POOL),))
SERVICES = (dns_services.find_service(ACTION, ACTION.targets[0]),)
SITE = sites.site("pool.test", sites.route("/", ACTION), http=model.HttpMode.SERVE)


@contextlib.asynccontextmanager
async def gate() -> collections.abc.AsyncIterator[tuple[rendered.Running, endpoints.Discovery]]:
    discovery = endpoints.Discovery(memory_store.MemoryStore())
    await discovery.start()
    try:
        await publish(discovery)
        starting = contextlib.ExitStack()
        running = await asyncio.to_thread(
            starting.enter_context, rendered.running(SITE, resolver=discovery.address, workers=1)
        )
        try:
            yield running, discovery
        finally:
            await asyncio.to_thread(starting.close)
    finally:
        await discovery.stop()


async def publish(discovery: endpoints.Discovery, *servers: echo.EchoServer, backup: bool = False) -> None:
    given = [service for service in SERVICES if service is not None]
    await discovery.publish(given, [make_pool(*servers, backup=backup)])


def make_pool(*servers: echo.EchoServer, backup: bool = False) -> model.Pool:
    found = tuple(model.Endpoint(address="127.0.0.1", port=server.port, backup=backup) for server in servers)
    return model.Pool(name=POOL, endpoints=found)


async def until(running: rendered.Running, *expected: str) -> None:
    """Wait until exactly these answer."""

    async def is_so() -> bool:
        return {await ask(running) for _ in range(4)} == set(expected)

    await upstreams.eventually(is_so)


async def ask(running: rendered.Running) -> str:
    answer = await asyncio.to_thread(clients.get, running.clients, "http://pool.test/")
    return echo.Said.parse(answer.content).server if answer.status_code == 200 else str(answer.status_code)


async def test_endpoints_come_and_go() -> None:
    with echo.echo_server("one") as one, echo.echo_server("two") as two:
        async with gate() as (running, discovery):
            await until(running, "502")
            await publish(discovery, one)
            await until(running, "one")
            await publish(discovery, one, two)
            await until(running, "one", "two")
            await publish(discovery, two)
            await until(running, "two")
            assert [endpoint.port for endpoint in discovery.endpoints(POOL)] == [two.port]
            await publish(discovery)
            await until(running, "502")
            assert discovery.endpoints(POOL) == ()
            assert discovery.problems() == ()


async def test_endpoints_move_before_a_round_is_through() -> None:
    """What else the round brings, and pools that nothing names yet, come with `publish`."""
    with echo.echo_server("one") as one, echo.echo_server("two") as two:
        async with gate() as (running, discovery):
            await publish(discovery, one)
            await until(running, "one")
            discovery.move([make_pool(two), model.Pool(name="unknown.daemun", endpoints=make_pool(one).endpoints)])
            await until(running, "two")
            assert discovery.endpoints("unknown.daemun") == ()
            await publish(discovery, one)
            await until(running, "one")


async def test_an_endpoint_that_left_ends_its_open_requests() -> None:
    with echo.echo_server("one") as one, echo.echo_server("two") as two:
        async with gate() as (running, discovery):
            await publish(discovery, one)
            await until(running, "one")

            began = threading.Event()

            def read_events() -> bytes:
                with (
                    clients.client(running.clients) as client,
                    client.stream("GET", "http://pool.test/events", headers={"Accept": "text/event-stream"}) as answer,
                ):
                    parts = answer.iter_raw()
                    first = next(parts)
                    began.set()
                    return b"".join((first, *parts))

            reading = asyncio.create_task(asyncio.to_thread(read_events))
            assert await asyncio.to_thread(began.wait, 20)
            await publish(discovery, two)
            await until(running, "two")
            one.release.set()
            assert await reading == b"data: one\n\ndata: two\n\n"
