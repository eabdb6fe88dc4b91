"""The lobby by itself, with real listeners: who is told to go where, and when."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import socket

import pytest

from daemun.core import model
from daemun.core.services import dns_service
from daemun.hold import hold_limits, hold_pages, hold_queue
from tests.support import ports, upstreams


def ask(number: int = 0, *, visits: int = 0) -> hold_limits.HoldRequest:
    return hold_limits.HoldRequest(route="a.test", request=f"{number:032x}", visits=visits)


def wait_for(*ports_: int, backups: tuple[int, ...] = (), hold_s: float = 30.0) -> dns_service.HeldRoute:
    servers = tuple(
        dns_service.WaitedServer(endpoint=model.Endpoint(address="127.0.0.1", port=port), backup=port in backups)
        for port in (*ports_, *backups)
    )
    return dns_service.HeldRoute(name="a.test", host="a.test", hold_s=hold_s, servers=servers)


@contextlib.asynccontextmanager
async def opened(*waits: dns_service.HeldRoute) -> collections.abc.AsyncIterator[hold_queue.HoldQueue]:
    under_test = hold_queue.HoldQueue(lambda _: ())
    if waits:
        under_test.publish(waits)
    running = asyncio.create_task(under_test.run())
    try:
        yield under_test
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_releases_are_spread_over_what_is_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        found = [listener.getsockname()[1] for listener in (one, two)]
        async with opened(wait_for(*found, ports.free_port())) as under_test:
            answers = await asyncio.gather(*(under_test.wait(ask(number)) for number in range(4)))
            assert sorted(map(str, answers)) == sorted(f"127.0.0.1:{port}" for port in found * 2)
            assert under_test.answer_at_once(ask()) in answers
            assert under_test.answer_at_once(ask(visits=1)) is None
            assert under_test.answer_at_once(dataclasses.replace(ask(), is_lost=True)) is None


async def test_backups_only_where_no_other_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as backup:
        spare = backup.getsockname()[1]
        port = ports.free_port()
        async with opened(wait_for(port, backups=(spare,))) as under_test:
            assert await under_test.wait(ask()) == f"127.0.0.1:{spare}"
            with socket.create_server(("127.0.0.1", port)):
                assert await under_test.wait(ask()) == f"127.0.0.1:{port}"


async def test_before_the_first_round_requests_wait_for_the_routes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with opened() as under_test:
            asking = [asyncio.create_task(under_test.wait(ask(number))) for number in range(200)]
            await asyncio.sleep(0)
            assert await under_test.wait(ask(999)) is hold_limits.HoldRefusal.FULL
            under_test.publish([wait_for(port)])
            assert {await task for task in asking} == {f"127.0.0.1:{port}"}


async def test_unknown_routes_and_those_of_the_last_round() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with opened(wait_for(listener.getsockname()[1])) as under_test:
            under_test.publish([])
            assert isinstance(await under_test.wait(ask()), str)
            under_test.publish([])
            assert await under_test.wait(ask()) is hold_limits.HoldRefusal.UNKNOWN


async def test_the_end_releases_everybody() -> None:
    async with opened(wait_for(ports.free_port())) as under_test:
        asking = asyncio.create_task(under_test.wait(ask()))
        await upstreams.eventually(lambda: under_test.counts()[0] == 1)
    assert await asking is hold_limits.HoldRefusal.OVER
    assert await under_test.wait(ask(1)) is hold_limits.HoldRefusal.OVER
    assert under_test.counts() == (0, 2)


async def test_who_gives_up_leaves_no_trace() -> None:
    async with opened(wait_for(ports.free_port())) as under_test:
        asking = asyncio.create_task(under_test.wait(ask()))
        await upstreams.eventually(lambda: under_test.counts()[0] == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert under_test.counts() == (0, 1)


async def test_what_is_out_of_reach_is_not_waited_for() -> None:
    """M9: also by those who wait already."""
    gone: set[str] = set()
    wait = dns_service.HeldRoute(
        name="a.test", host="a.test", hold_s=30.0, servers=(dns_service.WaitedServer(service="abc.daemun"),)
    )
    under_test = hold_queue.HoldQueue(lambda _: (), is_out_of_reach=lambda service: service in gone)
    under_test.publish([wait])
    running = asyncio.create_task(under_test.run())
    async with asyncio.timeout(60):
        waiting = asyncio.create_task(under_test.wait(ask(1)))
        while under_test.counts()[0] == 0:
            await asyncio.sleep(0)
        gone.add("abc.daemun")
        assert await waiting is hold_limits.HoldRefusal.OVER
        assert await under_test.wait(ask(2)) is hold_limits.HoldRefusal.OVER
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    ("is_permanent", "age_s", "visits", "is_starting"),
    [
        (False, 5, 0, True),
        (False, hold_queue.START_S + 1, 0, False),
        (True, 0, 0, False),
        (False, 5, len(hold_limits.PAUSES_S), False),
    ],
    ids=["just away", "away for longer than a start takes", "a setting is wrong", "takes connections, serves nobody"],
)
async def test_a4_what_may_be_starting(is_permanent: bool, age_s: float, visits: int, is_starting: bool) -> None:
    """A4: the page never says "starting" of what waiting does not help."""
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age_s)
    fault = model.ServerFault(is_permanent=is_permanent, since=since)
    under_test = hold_queue.HoldQueue(lambda _: (), find_fault=lambda _: fault)
    under_test.publish([wait_for(ports.free_port())])
    assert under_test.is_starting(ask(visits=visits)) == is_starting
    _, text = hold_pages.find_page("text/html", "0", is_starting=is_starting)
    assert ("starting" in text, "not reachable" in text) == (is_starting, not is_starting)
    if is_permanent:
        assert await under_test.wait(ask()) is hold_limits.HoldRefusal.OVER


async def test_a4_what_was_away_hours_ago_may_be_starting_again() -> None:
    """Nobody waited in between, so what is away now is away since now."""
    async with opened(wait_for(ports.free_port(), hold_s=0.3)) as under_test:
        assert await under_test.wait(ask(1)) is hold_limits.HoldRefusal.OVER
        queue = under_test._queues["a.test"]
        await upstreams.eventually(lambda: not queue.is_looked_for)
        assert queue.away_since_s is not None
        queue.away_since_s -= hold_queue.START_S * 100
        assert not under_test.is_starting(ask(1)), "away all the time"
        queue.seen_s -= hold_queue.START_S * 50
        assert await under_test.wait(ask(2)) is hold_limits.HoldRefusal.OVER
        assert under_test.is_starting(ask(2))
