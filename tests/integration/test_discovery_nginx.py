"""What the real nginx makes of the responder's answers: the facts that `discovery.dns_answers` states."""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import ipaddress
import pathlib

import pytest

from daemun.core.services import dns_service
from daemun.core.texts import names
from daemun.discovery import endpoints, responder, responder_sockets, service_table
from daemun.store import memory_store
from tests.support import ports, upstreams

pytestmark = pytest.mark.nginx

SERVER = "web.daemun service=http resolve"
BALANCES = ("", "least_conn;", "ip_hash;", "hash $remote_addr consistent;", "random two least_conn;")


@dataclasses.dataclass
class Resolving:
    """nginx, the responder it asks, and a port on which servers of several loopback addresses listen."""

    services: service_table.Table
    responder: responder.Responder
    dns_port: int
    nginx: upstreams.Nginx
    port: int

    def set(self, *hosts: str, backups: tuple[str, ...] = (), weights: tuple[int, ...] = ()) -> None:
        """Let web.daemun be these addresses."""
        primary = [
            self.endpoint(host, weight=weight) for host, weight in zip(hosts, weights or [1] * len(hosts), strict=True)
        ]
        self.services.set("web.daemun", [*primary, *(self.endpoint(host, backup=True) for host in backups)])

    def endpoint(self, host: str, *, weight: int = 1, backup: bool = False) -> service_table.ServiceEndpoint:
        return service_table.ServiceEndpoint(
            address=ipaddress.ip_address(host), port=self.port, weight=weight, backup=backup
        )

    async def until(self, *expected: str, path: str = "web") -> None:
        """Wait until requests are answered by exactly these servers."""

        async def is_answered() -> bool:
            return set(await self.nginx.get_many(path, 2 * len(expected))) == set(expected)

        await upstreams.eventually(is_answered)


@pytest.fixture
async def gate(tmp_path: pathlib.Path) -> collections.abc.AsyncIterator[Resolving]:
    services = service_table.Table()
    under_test = responder.Responder(services)
    bound = responder_sockets.bind_any(None)
    dns_port = bound.place.port
    await under_test.listen(bound)
    under_test.open()
    nginx = upstreams.Nginx(tmp_path, f"{bound.place}")
    port = ports.free_port()
    async with upstreams.servers(port, *(f"127.0.0.{last}" for last in range(2, 6))):
        try:
            yield Resolving(services, under_test, dns_port, nginx, port)
        finally:
            nginx.stop()
            await under_test.stop()


async def test_changes_are_live_without_a_reload(gate: Resolving) -> None:
    gate.nginx.write({"web": SERVER})
    gate.set("127.0.0.2")
    await gate.nginx.start()
    workers = gate.nginx.workers()
    await gate.until("127.0.0.2")
    for hosts in (("127.0.0.3",), ("127.0.0.3", "127.0.0.4"), ("127.0.0.2",)):
        gate.set(*hosts)
        await gate.until(*hosts)
    assert gate.nginx.workers() == workers
    assert "could not be resolved" not in gate.nginx.log()


async def test_nginx_waits_for_changes_and_complains_of_nothing(gate: Resolving) -> None:
    """Through an answer that brings nothing new, a change, and a reload while a question waits."""
    gate.nginx.write({"web": SERVER})
    gate.set("127.0.0.2")
    await gate.nginx.start()
    for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
        gate.set(host)
        await gate.until(host)
        await upstreams.eventually(lambda: gate.responder.holding)
        if host == "127.0.0.2":
            await upstreams.eventually(lambda: not gate.responder.holding)
        if host == "127.0.0.3":
            await gate.nginx.reload()
    assert "resolve" not in gate.nginx.log()
    assert "DNS" not in gate.nginx.log()


async def test_no_endpoints_refuse_at_once_and_come_back(gate: Resolving) -> None:
    gate.nginx.write({"web": SERVER})
    gate.set("127.0.0.2")
    await gate.nginx.start()
    await gate.until("127.0.0.2")
    gate.set()
    await gate.until("502")
    gate.set("127.0.0.3")
    await gate.until("127.0.0.3")


async def test_weights_are_exact(gate: Resolving) -> None:
    gate.nginx.write({"web": SERVER})
    gate.set("127.0.0.2", "127.0.0.3", weights=(3, 1))
    await gate.nginx.start()
    await gate.until("127.0.0.2", "127.0.0.3")
    for _ in range(3):
        assert collections.Counter(await gate.nginx.get_many("web", 4)) == {"127.0.0.2": 3, "127.0.0.3": 1}


async def test_a_weight_in_the_configuration_wins(gate: Resolving) -> None:
    gate.services.set("other.daemun", [gate.endpoint("127.0.0.4")])
    gate.nginx.write({"web": f"zone web 256k; server {SERVER}; server other.daemun service=http resolve weight=2;"})
    gate.set("127.0.0.2", "127.0.0.3", weights=(3, 1))
    await gate.nginx.start()
    await gate.until("127.0.0.2", "127.0.0.3", "127.0.0.4")
    shares = {"127.0.0.2": 3, "127.0.0.3": 1, "127.0.0.4": 2}
    assert collections.Counter(await gate.nginx.get_many("web", 6)) == shares


@pytest.mark.parametrize("balance", BALANCES)
async def test_backups_take_over_when_primaries_vanish(gate: Resolving, balance: str) -> None:
    gate.nginx.write({"web": f"zone web 256k; {balance} server {SERVER};"})
    gate.set("127.0.0.2", backups=("127.0.0.5",))
    await gate.nginx.start()
    await gate.until("127.0.0.2")
    gate.set(backups=("127.0.0.5",))
    await gate.until("127.0.0.5")
    gate.set("127.0.0.3", backups=("127.0.0.5",))
    await gate.until("127.0.0.3")


async def test_a_backup_answers_while_the_primary_refuses(gate: Resolving) -> None:
    gate.nginx.write({"web": SERVER})
    gate.set("127.0.0.99", backups=("127.0.0.5",))
    await gate.nginx.start()
    await gate.until("127.0.0.5")


async def test_a_service_can_be_the_backup_of_another(gate: Resolving) -> None:
    gate.services.set("other.daemun", [gate.endpoint("127.0.0.4")])
    gate.nginx.write({"web": f"zone web 256k; server {SERVER}; server other.daemun service=http resolve backup;"})
    gate.set("127.0.0.2")
    await gate.nginx.start()
    await gate.until("127.0.0.2")
    gate.set()
    await gate.until("127.0.0.4")


async def test_servers_stay_while_nobody_answers_also_after_a_reload(gate: Resolving) -> None:
    gate.nginx.write({"web": SERVER})
    gate.set("127.0.0.2")
    await gate.nginx.start()
    await gate.until("127.0.0.2")
    await gate.responder.stop()
    gate.nginx.write({"web": SERVER, "new": "new.daemun service=http resolve"})
    await gate.nginx.reload()
    assert await gate.nginx.get_many("web", 3) == ["127.0.0.2"] * 3
    gate.set("127.0.0.3")
    await gate.responder.listen(responder_sockets.bind_any(gate.dns_port))
    await gate.until("127.0.0.3")


async def test_servers_stay_when_the_answer_is_an_error(gate: Resolving) -> None:
    gate.nginx.write({"web": SERVER})
    gate.set("127.0.0.2")
    await gate.nginx.start()
    await gate.until("127.0.0.2")
    gate.services.discard("web.daemun")
    await upstreams.eventually(lambda: "could not be resolved (2: Server failure)" in gate.nginx.log())
    assert await gate.nginx.get("web") == "127.0.0.2"


async def test_ipv6_and_ipv4_of_one_service(gate: Resolving) -> None:
    gate.nginx.write({"web": SERVER})
    gate.set("127.0.0.2", "::1")
    async with upstreams.servers(gate.port, "::1"):
        await gate.nginx.start()
        await gate.until("127.0.0.2", "::1")


async def test_many_endpoints_of_one_service_fit_into_its_zone(gate: Resolving) -> None:
    """The answer is cut over UDP and comes over TCP; 250 is what 256 KiB of zone hold with some room."""
    hosts = [f"127.0.1.{last}" for last in range(250)]
    gate.nginx.write({"web": SERVER})
    gate.set(*hosts)
    async with upstreams.servers(gate.port, *hosts):
        await gate.nginx.start()

        async def is_complete() -> bool:
            return set(await gate.nginx.get_many("web", len(hosts))) == set(hosts)

        await upstreams.eventually(is_complete)
    assert "memory exhausted" not in gate.nginx.log()


async def test_fifty_services_of_names(tmp_path: pathlib.Path) -> None:
    port = ports.free_port()
    hosts = {f"host-{number}": f"127.0.2.{number + 1}" for number in range(50)}
    services = [dns_service.Service(name=names.service_name(host, port), host=host, port=port) for host in hosts]
    discovery = endpoints.Discovery(memory_store.MemoryStore(), resolve=lambda host: [hosts[host]])
    await discovery.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(discovery.stop)
        await stack.enter_async_context(upstreams.servers(port, *hosts.values()))
        nginx = upstreams.Nginx(tmp_path, discovery.address, workers=2)
        stack.callback(nginx.stop)
        nginx.write({host: f"{names.service_name(host, port)} service=http resolve" for host in hosts})
        await discovery.publish(services, ())
        await nginx.start()

        async def are_answered() -> bool:
            found = await asyncio.gather(*(nginx.get(host) for host in hosts))
            return found == list(hosts.values())

        await upstreams.eventually(are_answered)
        hosts["host-7"] = "127.0.2.77"
        async with upstreams.servers(port, "127.0.2.77"), asyncio.TaskGroup() as group:
            running = group.create_task(discovery.run())
            await upstreams.eventually(are_answered)
            running.cancel()
        assert "could not be resolved" not in nginx.log()
