"""The responder's sockets, asked by a real DNS client."""

import asyncio
import collections.abc
import contextlib
import ipaddress
import socket

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from daemun.discovery import responder, responder_sockets, service_table


@pytest.fixture
def services() -> service_table.Table:
    return service_table.Table()


@contextlib.asynccontextmanager
async def answering(services: service_table.Table) -> collections.abc.AsyncIterator[tuple[responder.Responder, int]]:
    under_test = responder.Responder(services)
    bound = responder_sockets.bind_any(None)
    await under_test.listen(bound)
    try:
        yield under_test, bound.place.port
    finally:
        await under_test.stop()


def endpoints(count: int) -> list[service_table.ServiceEndpoint]:
    return [
        service_table.ServiceEndpoint(address=ipaddress.ip_address(f"10.0.0.{last}"), port=80) for last in range(count)
    ]


QUERY = dns.message.make_query("_http._tcp.web.daemun", "SRV")


async def ask(port: int) -> int:
    """How many endpoints the answer names, over UDP, and over TCP when it is cut there."""
    response, _ = await dns.asyncquery.udp_with_fallback(QUERY, responder_sockets.HOST, port=port, timeout=30)
    return sum(len(rrset) for rrset in response.answer)


async def test_short_answers_over_udp_long_ones_over_tcp_and_changes_at_once(services: service_table.Table) -> None:
    async with answering(services) as (under_test, port):
        under_test.open()
        for count in (1, 3, 200, 2, 201):
            services.set("web.daemun", endpoints(count))
            assert [await ask(port) for _ in range(2)] == [count, count]


async def test_idle_connections_keep_nobody_out(services: service_table.Table) -> None:
    """Any account of the machine may connect; so may the workers of nginx, then, too."""
    async with answering(services) as (under_test, port):
        under_test.open()
        services.set("web.daemun", endpoints(200))
        reader, writer = await asyncio.open_connection(responder_sockets.HOST, port)
        idle = []

        async def ask_again() -> int:
            query = QUERY.to_wire()
            writer.write(len(query).to_bytes(2) + query)
            answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            return sum(len(rrset) for rrset in dns.message.from_wire(answer).answer)

        for number in range(300):
            idle.append(await asyncio.open_connection(responder_sockets.HOST, port))
            idle[-1][1].write(b"\0")  # half of a length
            if number % 50 == 0:
                assert await ask_again() == 200
        assert await ask(port) == 200
        assert await ask_again() == 200
        assert await idle[0][0].read() == b"", "the oldest is closed"
        for one in [writer, *(idle_writer for _, idle_writer in idle)]:
            one.close()


async def test_of_many_services_each_answer_is_its_own(services: service_table.Table) -> None:
    async def count(name: str) -> int | None:
        query = dns.message.make_query(f"_http._tcp.{name}.daemun", "SRV")
        response = await dns.asyncquery.udp(query, responder_sockets.HOST, port=port, timeout=30)
        return sum(len(rrset) for rrset in response.answer) if response.rcode() == dns.rcode.NOERROR else None

    names = [f"s{number}" for number in range(300)]
    async with answering(services) as (under_test, port):
        under_test.open()
        for name in names[1:]:
            services.set(f"{name}.daemun", endpoints(1))
        assert [await count(name) for name in names] == [None, *[1] * 299]
        services.set("s7.daemun", endpoints(3))
        services.set("s0.daemun", endpoints(2))  # asked for before it was there
        services.discard("s9.daemun")
        wanted = {"s0": 2, "s7": 3, "s9": None}
        assert [await count(name) for name in names] == [wanted.get(name, 1) for name in names]


async def test_what_is_asked_before_the_table_is_filled_waits(services: service_table.Table) -> None:
    async with answering(services) as (under_test, port):
        with socket.create_connection((responder_sockets.HOST, port)):
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(ask(port))
                while not under_test.waiting:
                    await asyncio.sleep(0.01)
                services.set("web.daemun", endpoints(2))
                under_test.open()
            assert asked.result() == 2


async def test_it_knows_what_was_asked_for(services: service_table.Table) -> None:
    services.set("web.daemun", endpoints(1))
    services.set("quiet.daemun", endpoints(1))
    async with answering(services) as (under_test, port):
        under_test.open()
        for _ in range(2):
            await ask(port)
            assert under_test.take_queried() == {"web.daemun"}
            assert under_test.take_queried() == set()


async def test_noise_neither_answers_nor_harms(services: service_table.Table) -> None:
    services.set("web.daemun", endpoints(1))
    async with answering(services) as (under_test, port):
        under_test.open()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
            for datagram in (b"", b"\0", b"\xff" * 600, QUERY.to_wire()[:-3]):
                noise.sendto(datagram, (responder_sockets.HOST, port))
        reader, writer = await asyncio.open_connection(responder_sockets.HOST, port)
        writer.write(b"\0\3abc")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert await ask(port) == 1


async def test_two_questions_over_one_connection_in_pieces(services: service_table.Table) -> None:
    services.set("web.daemun", endpoints(1))
    async with answering(services) as (under_test, port):
        under_test.open()
        reader, writer = await asyncio.open_connection(responder_sockets.HOST, port)
        wire = QUERY.to_wire()
        stream = (len(wire).to_bytes(2) + wire) * 2
        for start in range(0, len(stream), 7):
            writer.write(stream[start : start + 7])
            await writer.drain()
        for _ in range(2):
            length = int.from_bytes(await reader.readexactly(2))
            assert QUERY.is_response(dns.message.from_wire(await reader.readexactly(length)))
        writer.close()
        await writer.wait_closed()


async def test_other_names_are_refused(services: service_table.Table) -> None:
    async with answering(services) as (under_test, port):
        under_test.open()
        query = dns.message.make_query("example.com", "A")
        response = await dns.asyncquery.udp(query, responder_sockets.HOST, port=port, timeout=30)
        assert response.rcode() == dns.rcode.REFUSED


async def test_the_same_port_again_unless_it_is_taken(services: service_table.Table) -> None:
    async with answering(services) as (under_test, port):
        under_test.open()
        reader, writer = await asyncio.open_connection(responder_sockets.HOST, port)
    assert await reader.read() == b""  # the responder closed it, so the kernel remembers the connection
    writer.close()
    again = responder_sockets.bind_any(port)
    assert again.place.port == port
    other = responder_sockets.bind_any(port)
    assert other.place.port not in {port, 0}
    other.close()
    again.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((responder_sockets.HOST, port))
        another = responder_sockets.bind_any(port)
        assert another.place.port != port
        another.close()


def places(*seeds: str) -> list[responder_sockets.LoopbackAddress]:
    """The first place of each seed."""
    return [next(responder_sockets.privileged_places(seed)) for seed in seeds]


def test_n1_each_state_directory_has_privileged_places_of_its_own() -> None:
    seeds = [f"/var/lib/daemun-{number}" for number in range(300)]
    found = places(*seeds)
    assert len(set(found)) == len(seeds)
    assert found == places(*seeds), "the same at every start"
    for seed in seeds:
        for place in responder_sockets.privileged_places(seed):
            assert place.port < 53
            assert ipaddress.ip_address(place.host) in ipaddress.ip_network("127.0.0.0/8")
            assert responder_sockets.parse(str(place)) == place


def test_n1_who_may_listens_on_a_privileged_place_and_goes_on_to_the_next_when_it_is_taken() -> None:
    first = responder_sockets.bind_privileged("seed")
    if first is None:
        pytest.skip("not root: no privileged port can be had")
    again = responder_sockets.bind_privileged("seed", first.place)
    assert again is not None
    assert again.place != first.place
    assert again.place.port < 1024
    first.close()
    # The place of the last start wins, also over one that comes before it.
    last, place = again, again.place
    last.close()
    back = responder_sockets.bind_privileged("seed", place)
    assert back is not None
    assert back.place == place
    back.close()


class Client:
    """One that keeps its socket, as nginx does."""

    def __init__(self, port: int, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._socket.connect((responder_sockets.HOST, port))

    async def send(self) -> dns.message.Message:
        """The question, with an identifier of its own."""
        asked = dns.message.make_query("_http._tcp.web.daemun", "SRV")
        await asyncio.get_running_loop().sock_sendall(self._socket, asked.to_wire())
        return asked

    async def receive(self, asked: dns.message.Message) -> int:
        """How many endpoints the answer to that question names."""
        async with asyncio.timeout(30):
            response = dns.message.from_wire(await asyncio.get_running_loop().sock_recv(self._socket, 65535))
        assert asked.is_response(response)
        return sum(len(rrset) for rrset in response.answer)

    async def ask(self) -> int:
        return await self.receive(await self.send())


@contextlib.asynccontextmanager
async def client_of(
    services: service_table.Table,
) -> collections.abc.AsyncIterator[tuple[responder.Responder, int, Client]]:
    async with answering(services) as (under_test, port):
        under_test.open()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            yield under_test, port, Client(port, made)


async def until_held(under_test: responder.Responder) -> None:
    async with asyncio.timeout(30):
        while not under_test.holding:
            await asyncio.sleep(0.01)


async def test_who_knows_the_answer_is_told_the_next_one(services: service_table.Table) -> None:
    services.set("web.daemun", endpoints(1))
    async with client_of(services) as (under_test, port, client):
        assert await client.ask() == 1
        second = await client.send()
        await until_held(under_test)
        assert await ask(port) == 1, "others do not know it"
        services.set("web.daemun", endpoints(3))
        assert await client.receive(second) == 3
        assert not under_test.holding


async def test_the_end_of_the_last_endpoint_is_told_with_its_successor(services: service_table.Table) -> None:
    services.set("web.daemun", endpoints(1))
    async with client_of(services) as (under_test, _, client):
        assert await client.ask() == 1
        second = await client.send()
        await until_held(under_test)
        services.set("web.daemun", ())
        services.set("web.daemun", endpoints(2))
        assert await client.receive(second) == 2


async def test_without_a_change_an_answer_comes_in_the_end(services: service_table.Table) -> None:
    services.set("web.daemun", endpoints(1))
    async with client_of(services) as (_, _, client):
        assert [await client.ask() for _ in range(2)] == [1, 1]


async def test_a_service_that_stays_without_endpoints_is_told_so(services: service_table.Table) -> None:
    services.set("web.daemun", endpoints(2))
    async with client_of(services) as (under_test, _, client):
        assert await client.ask() == 2
        second = await client.send()
        await until_held(under_test)
        services.set("web.daemun", ())
        assert await client.receive(second) == 1, "the one that refuses"
