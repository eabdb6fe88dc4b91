"""Published services, from the lookup of their hosts to the answer that nginx would get."""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import os
import socket
import threading

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from daemun import errors
from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import health_option
from daemun.core.services import dns_service
from daemun.core.texts import names
from daemun.discovery import endpoints, resolver_places
from daemun.store import memory_store
from tests.support import backend, ports, upstreams


class Names:
    """A name service under the test's control, and the time."""

    def __init__(self, **hosts: tuple[str, ...]) -> None:
        self.hosts = hosts
        self.asked: collections.Counter[str] = collections.Counter()
        self.value = 1000.0
        self.blocked: dict[str, threading.Event] = {}

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked[host] += 1
        if host in self.blocked:
            self.blocked[host].wait(60)
        if host not in self.hosts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.hosts[host]

    def now(self) -> float:
        return self.value


def service(host: str, port: int = 80) -> dns_service.Service:
    return dns_service.Service(name=names.service_name(host, port), host=host, port=port)


@contextlib.asynccontextmanager
async def discovering(
    known: Names, store: memory_store.MemoryStore | None = None
) -> collections.abc.AsyncIterator[endpoints.Discovery]:
    discovery = endpoints.Discovery(store or memory_store.MemoryStore(), resolve=known, now=known.now)
    await discovery.start()
    try:
        yield discovery
    finally:
        await discovery.stop()


async def ask(discovery: endpoints.Discovery, host: str, port: int = 80) -> list[str] | str:
    """The answer's "address:port", sorted; or the name of its error."""
    return await ask_for(discovery, names.service_name(host, port))


async def ask_for(discovery: endpoints.Discovery, name: str) -> list[str] | str:
    """As `ask`, for a service by its name."""
    query = dns.message.make_query(f"_http._tcp.{name}", "SRV")
    at, _, where = discovery.address.partition(":")
    response = await dns.asyncquery.udp(query, at, port=int(where), timeout=30)
    if response.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(response.rcode())
    rows = [line.split() for rrset in response.answer for line in rrset.to_text().splitlines()]
    return sorted(f"{row[-1].removeprefix('a-').split('.')[0].replace('-', '.')}:{row[-2]}" for row in rows)


async def answered(discovery: endpoints.Discovery, host: str, expected: list[str] | str) -> None:
    async def is_expected() -> bool:
        return await ask(discovery, host) == expected

    await upstreams.eventually(is_expected)


async def test_a_published_service_is_answered_when_publish_returns() -> None:
    async with discovering(Names(web=("10.0.0.1", "10.0.0.2"), chat=("10.0.0.3",))) as discovery:
        await discovery.publish([service("web"), service("web", 8080), service("chat", 7777)], ())
        assert await ask(discovery, "web") == ["10.0.0.1:80", "10.0.0.2:80"]
        assert await ask(discovery, "web", 8080) == ["10.0.0.1:8080", "10.0.0.2:8080"]
        assert await ask(discovery, "chat", 7777) == ["10.0.0.3:7777"]
        assert discovery.problems() == ()


async def test_addresses_follow_the_name() -> None:
    known = Names(web=("10.0.0.1",))
    async with discovering(known) as discovery:
        await discovery.publish([service("web")], ())
        known.hosts["web"] = ("10.0.0.9",)
        known.value += 1.9
        discovery.refresh()
        assert known.asked["web"] == 1
        known.value += 0.2
        discovery.refresh()
        discovery.refresh()
        await answered(discovery, "web", ["10.0.0.9:80"])
        assert known.asked["web"] == 2


async def test_a_name_that_does_not_resolve_is_a_trouble_of_its_sites_and_refuses_connections() -> None:
    known = Names()
    checked = dataclasses.replace(
        service("html", 8080), check=dns_service.Check(health=health_option.Health(path="/healthz"))
    )
    async with discovering(known) as discovery:
        await discovery.publish([service("html"), checked], ())
        assert await ask(discovery, "html") == ["127.0.0.1:0"]
        assert discovery.problems() == ()
        assert discovery.endpoints(service("html").name) == ()
        (look,) = discovery.find_health(checked.name)
        assert (look.server, look.trouble, look.cause) == ("html:8080", model.Trouble.UNRESOLVED, None)
        assert look.since is not None
        known.hosts["html"] = ("10.0.0.1",)
        known.value += 2
        discovery.refresh()
        await answered(discovery, "html", ["10.0.0.1:80"])
        assert discovery.find_health(checked.name) == ()


async def test_a_pool_without_endpoints_is_a_trouble_of_its_sites() -> None:
    checked = dns_service.Service(
        name="x.daemun", pool="x", check=dns_service.Check(health=health_option.Health(path="/healthz"))
    )
    here = model.Pool(name="x", endpoints=(model.Endpoint(address="127.0.0.1", port=9),))
    async with discovering(Names()) as discovery:
        await discovery.publish([checked], [model.Pool(name="x")])
        (look,) = discovery.find_health("x.daemun")
        assert look.trouble is model.Trouble.ABSENT
        discovery.move([here])
        assert discovery.find_health("x.daemun") == ()


async def test_a_name_that_stops_resolving_keeps_its_addresses() -> None:
    known = Names(web=("10.0.0.1",))
    async with discovering(known) as discovery:
        await discovery.publish([service("web")], ())
        del known.hosts["web"]
        known.value += 2
        discovery.refresh()
        await upstreams.eventually(discovery.problems)
        assert await ask(discovery, "web") == ["10.0.0.1:80"]
        assert "its last known addresses are used (10.0.0.1) until it resolves" in discovery.problems()[0].message


async def test_a_slow_name_delays_neither_publish_for_long_nor_other_names() -> None:
    known = Names(web=("10.0.0.1",), slow=("10.0.0.2",))
    known.blocked["slow"] = threading.Event()
    async with discovering(known) as discovery:
        slow = dataclasses.replace(
            service("slow"), check=dns_service.Check(health=health_option.Health(path="/healthz"))
        )
        await discovery.publish([slow, service("web")], ())
        assert await ask(discovery, "web") == ["10.0.0.1:80"]
        assert discovery.find_health(slow.name) == ()
        known.value += 5
        assert [look.trouble for look in discovery.find_health(slow.name)] == [model.Trouble.UNRESOLVED]
        known.blocked["slow"].set()
        await answered(discovery, "slow", ["10.0.0.2:80"])
        assert discovery.find_health(slow.name) == ()


async def test_what_is_not_published_any_more_lives_while_nginx_asks() -> None:
    known = Names(web=("10.0.0.1",), old=("10.0.0.2",))
    async with discovering(known) as discovery:
        await discovery.publish([service("web"), service("old")], ())
        del known.hosts["old"]
        await discovery.publish([service("web")], ())
        assert await ask(discovery, "old") == ["10.0.0.2:80"]
        discovery.retire()
        assert await ask(discovery, "old") == ["10.0.0.2:80"]
        discovery.retire()
        assert discovery.problems() == ()
        discovery.retire()
        assert await ask(discovery, "old") == "SERVFAIL"
        assert await ask(discovery, "web") == ["10.0.0.1:80"]


async def test_port_and_addresses_survive_a_restart() -> None:
    store = memory_store.MemoryStore()
    assert resolver_places.read_address(store) is None
    async with discovering(Names(web=("10.0.0.1", "fd00::1")), store) as discovery:
        await discovery.publish([service("web")], ())
        await discovery.save()
        first = discovery.address
    assert resolver_places.read_address(store) == first
    async with discovering(Names(), store) as discovery:
        assert discovery.address == first
        await discovery.publish([service("web")], ())
        assert await ask(discovery, "web") == ["10.0.0.1:80", "fd000000000000000000000000000001:80"]
        assert "its last known addresses are used (10.0.0.1, fd00::1)" in discovery.problems()[0].message


async def test_a_damaged_memory_is_no_obstacle() -> None:
    for damage in (b"", b"[]", b'{"web": 3}', b'{"web": ["x"]}', b"\xff"):
        store = memory_store.MemoryStore()
        store.write("discovery/port", damage)
        store.write("discovery/addresses", damage)
        async with discovering(Names(web=("10.0.0.1",)), store) as discovery:
            await discovery.publish([service("web")], ())
            assert await ask(discovery, "web") == ["10.0.0.1:80"]


class FullStore(memory_store.MemoryStore):
    """A store whose disk fills up and is freed again."""

    is_full = False

    def write(self, key: str, value: bytes) -> None:
        if self.is_full:
            raise errors.EnvironmentProblemError(f'cannot write "{key}": the disk is full')
        super().write(key, value)

    def delete(self, key: str) -> None:
        if self.is_full:
            raise errors.EnvironmentProblemError(f'cannot delete "{key}": the disk is full')
        super().delete(key)


async def test_a_full_disk_is_a_warning_and_no_obstacle() -> None:
    store = FullStore()
    async with discovering(Names(web=("10.0.0.1",)), store) as discovery:
        store.is_full = True
        await discovery.publish([service("web")], ())
        await discovery.save()
        assert [problem.message for problem in discovery.problems()] == [
            'cannot write "discovery/addresses": the disk is full'
        ]
        store.is_full = False
        await discovery.save()
        assert discovery.problems() == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a port below 1024")
async def test_a_port_that_cannot_be_forgotten_is_reported_and_left_all_the_same() -> None:
    store = FullStore()
    store.write("discovery/port", str(ports.free_port()).encode())
    async with discovering(Names(web=("10.0.0.1",)), store) as discovery:
        store.is_full = True
        running = asyncio.create_task(discovery.run())
        await upstreams.eventually(lambda: any("discovery/port" in one.message for one in discovery.problems()))
        await discovery.publish([service("web")], ())
        assert await ask(discovery, "web") == ["10.0.0.1:80"]
        assert not running.done()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_run_looks_names_up_again_until_it_is_cancelled() -> None:
    known = Names(web=("10.0.0.1",))
    async with discovering(known) as discovery:
        await discovery.publish([service("web")], ())
        async with asyncio.TaskGroup() as group:
            running = group.create_task(discovery.run())
            known.hosts["web"] = ("10.0.0.2",)
            known.value += 1000
            await answered(discovery, "web", ["10.0.0.2:80"])
            at, _, port = discovery.address.partition(":")
            running.cancel()
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind((at, int(port)))


async def test_checks_of_what_was_taken_away_end_with_nginxs_questions() -> None:
    def checked(server: backend.Backend, name: str) -> dns_service.Service:
        check = dns_service.Check(health=health_option.Health(path="/fail", interval_s=0.05, timeout_s=30.0))
        return dns_service.Service(name=name, host="127.0.0.1", port=server.port, check=check)

    async def asked_again(server: backend.Backend) -> None:
        before = server.seen.total()
        await upstreams.eventually(lambda: server.seen.total() > before)

    with backend.running() as gone, backend.running() as kept:
        here, there = checked(gone, "gone.daemun"), checked(kept, "kept.daemun")
        async with discovering(Names()) as discovery, asyncio.TaskGroup() as group:
            checking = group.create_task(discovery.check_health())
            await discovery.publish([here, there], ())
            await asked_again(gone)
            await asked_again(kept)
            await discovery.publish([there], ())
            await asked_again(gone)  # nginx may still send requests there
            await ask_for(discovery, "gone.daemun")
            discovery.look_at_use()
            await asked_again(gone)
            discovery.look_at_use()
            assert discovery.find_health("gone.daemun") == ()
            await asked_again(kept)
            seen = gone.seen.total()
            for _ in range(5):
                await asked_again(kept)
            assert gone.seen.total() - seen <= 1  # the one that was on its way
            # Old workers that ask again are served by checks again, and its owner may take it back.
            await ask_for(discovery, "gone.daemun")
            discovery.look_at_use()
            await asked_again(gone)
            checking.cancel()


async def test_names_that_the_configuration_holds_are_looked_up_again_and_again() -> None:
    origin = model.Origin(source="file", place="daemun.yaml:2:3")
    place = access_levels.NamingPlace(origin=origin, host="a.test", field=("access", "allow"))
    known, changes = Names(**{"home.test": ("203.0.113.7",)}), []
    discovery = endpoints.Discovery(
        memory_store.MemoryStore(), resolve=known, now=known.now, wake=lambda: changes.append(known.value)
    )
    await discovery.start()
    try:
        await discovery.publish((), (), {"home.test": place, "gone.test": place})
        assert discovery.find_named() == {"gone.test": (), "home.test": ("203.0.113.7",)}
        (problem,) = discovery.problems()
        assert problem.message.startswith(
            'site "a.test", access.allow: cannot resolve "gone.test": name or service not known; until it resolves'
        )
        assert str(problem).startswith("daemun.yaml:2:3: site")

        known.hosts["home.test"] = ("203.0.113.9",)
        known.value += 600
        before = len(changes)
        discovery.refresh()

        async def is_changed() -> bool:
            return len(changes) > before

        await upstreams.eventually(is_changed)
        assert discovery.find_named()["home.test"] == ("203.0.113.9",)

        del known.hosts["home.test"]
        known.value += 600
        discovery.refresh()

        async def is_told() -> bool:
            return len(discovery.problems()) == 2

        await upstreams.eventually(is_told)
        assert "its last known addresses are used (203.0.113.9)" in discovery.problems()[1].message
        assert discovery.find_named()["home.test"] == ("203.0.113.9",)
        await discovery.publish((), (), {})
        assert discovery.find_named() == {}
        assert discovery.problems() == ()
    finally:
        await discovery.stop()
