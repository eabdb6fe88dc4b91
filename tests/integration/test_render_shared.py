"""Sites that share their nginx blocks are to visitors and servers what sites with blocks of their own are."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import socket
import ssl
import typing

import pytest
import websockets.asyncio.client
import websockets.asyncio.server

from daemun.core import directive, model
from daemun.core.options import catalogue, max_body_option, trusted_proxies_option
from daemun.core.plan import generation_files, shared_sites
from daemun.core.render import render_tree
from daemun.nginx import machine_limits
from tests.support import backend, clients, echo, holding, ports, rendered, upstreams
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

T = typing.TypeVar("T")
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
MANY = 10_000


@dataclasses.dataclass(frozen=True)
class Pair:
    """The same sites twice, each with blocks of its own and sharing them, before the same servers."""

    own: rendered.Running
    shared: rendered.Running
    one: echo.EchoServer

    def both(self, ask: collections.abc.Callable[[rendered.Running], T]) -> T:
        """What both give, which is the same."""
        own, shared = ask(self.own), ask(self.shared)
        assert shared == own
        return shared


@pytest.fixture(scope="module")
def pair() -> collections.abc.Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(echo.echo_server("one"))
        two = stack.enter_context(echo.echo_server("two"))
        six = stack.enter_context(echo.echo_server("six", host="::1" if machine_limits.has_ipv6() else "127.0.0.1"))
        chat = stack.enter_context(echo.websocket_server())
        sites = (
            site("one.test", f"http://127.0.0.1:{one.port}", aliases=("www.one.test", "also.one.test")),
            site("two.test", f"http://127.0.0.1:{two.port}"),
            site("six.test", f"http://{'[::1]' if machine_limits.has_ipv6() else '127.0.0.1'}:{six.port}"),
            site("chat.test", f"http://127.0.0.1:{chat}"),
            # It has an option, and so always blocks of its own.
            site(
                "other.test",
                route(
                    "/", f"http://127.0.0.1:{two.port}", options=catalogue.values(max_body_option.OPTION.set(1 << 20))
                ),
            ),
        )
        own, shared = (stack.enter_context(rendered.running(*sites, own_blocks=most)) for most in (200, 0))
        assert not pathlib.Path(own.layout.generation(1), shared_sites.MAIN).exists()
        files = {path.name for path in pathlib.Path(shared.layout.generation(1), "sites").iterdir()}
        assert files == {"other.test.conf"}
        yield Pair(own, shared, one)


def _said(gate: rendered.Running, url: str, headers: dict[str, str] | None = None) -> echo.Said:
    with clients.client(gate.clients) as client:
        answer = client.get(url, headers=headers)
    assert answer.status_code == 200, answer
    said = echo.Said.parse(answer.content)
    # That connections are not kept is the one difference.
    assert said.headers.pop("connection", None) in {None, "close"}
    return said


# --- requests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "server"),
    [("one.test", "one"), ("www.one.test", "one"), ("ALSO.one.test.", "one"), ("two.test", "two"), ("six.test", "six")],
)
def test_each_name_leads_to_its_server(pair: Pair, host: str, server: str) -> None:
    for url in (f"https://{host.lower().rstrip('.')}/a%2Fb/../c?d=e%20f", f"https://{host.lower().rstrip('.')}/"):
        assert pair.both(lambda gate, url=url: _said(gate, url, {"Host": host})).server == server  # type: ignore[misc]


def test_what_servers_are_told_of_visitors(pair: Pair) -> None:
    spoofed = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "Forwarded": "for=6", "Host": "www.one.test:99"}
    said = pair.both(lambda gate: _said(gate, "https://www.one.test/", spoofed))
    assert said.headers["host"] == "www.one.test:99"
    assert said.headers["x-forwarded-for"] == "127.0.0.1"
    assert "forwarded" not in said.headers


@pytest.mark.parametrize(
    ("url", "status", "location"),
    [
        ("https://one.test/headers", 200, None),
        # The server's own address is not shown.
        ("https://one.test/redirect", 302, "/x"),
        ("http://one.test/x?y=z", 301, "https://one.test:PORT/x?y=z"),
        ("http://www.one.test:81/", 301, "https://www.one.test:PORT/"),
    ],
)
def test_answers(pair: Pair, url: str, status: int, location: str | None) -> None:
    def ask(gate: rendered.Running) -> tuple[int, dict[str, str]]:
        answer = clients.get(gate.clients, url)
        headers = {name: value.replace(str(gate.https), "PORT") for name, value in answer.headers.items()}
        return answer.status_code, {name: value for name, value in headers.items() if name != "date"}

    seen, headers = pair.both(ask)
    assert (seen, headers.get("location")) == (status, location)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_redirect_of_a_server_on_port_80_names_no_port(address: str) -> None:
    written = f"[{address}]" if ":" in address else address

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: http://{written}/x\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    try:
        serving = await asyncio.start_server(redirect, address, 80)
    except OSError as error:
        pytest.skip(f"cannot listen on port 80 of {address}: {error}")
    async with serving:
        for most in (200, 0):
            async with holding.house(site("one.test", f"http://{written}"), own_blocks=most) as house:
                answer = await house.ask("GET", "https://one.test/")
                assert answer.headers["Location"] == "/x"


def test_what_is_said_for_the_whole_gate(pair: Pair) -> None:
    def line(name: str, *words: str) -> directive.Directive:
        return directive.Directive(name, tuple(directive.Expr(word) for word in words))

    settings = model.Globals(
        options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.0/8",))),
        like_nginx_proxy=True,
        http2=False,
        snippet=(
            line("proxy_set_header", "X-Gate", "yes"),
            line("proxy_set_header", "X-Real-IP", "hidden"),
            line("client_max_body_size", "5"),
            line("add_header", "X-Owner", "me", "always"),
        ),
    )
    plain = site("one.test", f"http://127.0.0.1:{pair.one.port}")
    seen = []
    for most in (200, 0):
        with rendered.running(plain, settings=settings, own_blocks=most) as gate:
            said = _said(gate, "https://one.test/", {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "http"})
            with clients.client(gate.clients) as client:
                answer = client.post("https://one.test/", content=b"x" * 10)
            protocol = clients.handshake(gate.clients, "one.test").protocol
            seen.append((said, answer.status_code, answer.headers["X-Owner"], protocol))
    assert seen[0] == seen[1]
    headers = seen[0][0].headers
    assert (headers["x-gate"], headers["x-real-ip"]) == ("yes", "hidden")
    assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert seen[0][1:] == (413, "me", "http/1.1")


def test_http_2_and_1(pair: Pair) -> None:
    def ask(gate: rendered.Running) -> object:
        with clients.client(gate.clients, http2=True) as client:
            return [(answer.http_version, answer.status_code) for answer in map(client.get, ["https://one.test/"] * 3)]

    assert pair.both(ask) == [("HTTP/2", 200)] * 3


@pytest.mark.parametrize("body", [b"x", b"x" * 3_000_000])
def test_bodies(pair: Pair, body: bytes) -> None:
    def ask(gate: rendered.Running) -> object:
        with clients.client(gate.clients) as client:
            return echo.Said.parse(client.post("https://one.test/", content=body).content).body

    pair.both(ask)


# --- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handshake", "host", "status"),
    [
        ("one.test", "one.test", 200),
        ("one.test", "www.one.test", 200),
        ("also.one.test", "one.test", 200),
        ("ONE.test", "one.test", 200),
        ("one.test", "two.test", 421),
        ("two.test", "www.one.test", 421),
        ("one.test", "other.test", 421),
        ("other.test", "one.test", 421),
        ("one.test", "unknown.test", 404),
    ],
)
def test_a_handshake_for_another_site(pair: Pair, handshake: str, host: str, status: int) -> None:
    def ask(gate: rendered.Running) -> object:
        said = _raw(gate, handshake, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        return int(said.split(" ")[1])

    assert pair.both(ask) == status


def test_a_request_without_a_name_is_nobody_s(pair: Pair) -> None:
    assert pair.both(lambda gate: _raw(gate, "two.test", "GET / HTTP/1.0\r\n\r\n").split(" ")[1]) == "404"


@pytest.mark.parametrize("name", ["daemun shared", "daemun%20shared", "daemun_shared", "$daemun_shared_site"])
def test_the_first_name_of_the_server_cannot_be_brought(pair: Pair, name: str) -> None:
    def ask(gate: rendered.Running) -> object:
        return _raw(gate, "one.test", f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").split(" ")[1]

    assert pair.both(ask) in {"400", "404"}


def _raw(gate: rendered.Running, handshake: str, request: str) -> str:
    context = clients.trust(gate.clients.ca)
    context.check_hostname = False
    with (
        socket.create_connection((clients.LOOPBACK, gate.https), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=handshake) as secure,
    ):
        secure.sendall(request.encode())
        answer = b""
        with contextlib.suppress(ssl.SSLError):
            while chunk := secure.recv(65536):
                answer += chunk
    return answer.decode()


def test_certificates(pair: Pair) -> None:
    for name in ("one.test", "www.one.test", "two.test", "six.test"):
        seen = pair.both(lambda gate, name=name: clients.handshake(gate.clients, name).names)  # type: ignore[misc]
        assert name in seen
    for unknown in ("unknown.test", "x.one.test", None):
        pair.both(lambda gate, name=unknown: clients.handshake(gate.clients, name).alert)  # type: ignore[misc]


def test_a_certificate_is_replaced_without_a_reload(pair: Pair) -> None:
    gate = pair.shared
    certificate, key = rendered.self_signed("two.test", "new.two.test")
    folder = pathlib.Path(gate.layout.live, "two.test")
    before = clients.handshake(gate.clients, "one.test")
    for name, content in (("fullchain.pem", certificate), ("privkey.pem", key)):
        (folder / f"{name}.new").write_bytes(content)
        (folder / f"{name}.new").chmod(0o644)
    for name in ("fullchain.pem", "privkey.pem"):
        (folder / f"{name}.new").replace(folder / name)

    async def wait() -> None:
        await upstreams.eventually(lambda: "new.two.test" in (clients.handshake(gate.clients, "two.test").names))

    asyncio.run(wait())
    assert clients.handshake(gate.clients, "one.test").certificate == before.certificate


def test_challenges(pair: Pair) -> None:
    """C5."""
    path = f"/.well-known/acme-challenge/{TOKEN}"
    for host in ("one.test", "www.one.test"):
        answer = pair.both(lambda gate, host=host: clients.get(gate.clients, f"http://{host}{path}").text)  # type: ignore[misc]
        assert answer == f"{TOKEN}.{rendered.THUMBPRINT}"
    answer = pair.both(lambda gate: clients.get(gate.clients, f"https://one.test{path}").text)
    assert answer == f"{TOKEN}.{rendered.THUMBPRINT}"


# --- what stays open -------------------------------------------------------------------------------------------


def test_websockets(pair: Pair) -> None:
    async def converse(gate: rendered.Running) -> str:
        async with clients.websocket(gate.clients, "chat.test", "/a?b=c") as chat, asyncio.timeout(20):
            handshake = str(await chat.recv())
            await clients.echo(chat, "x" * 100_000)
            return str(json.loads(handshake)["path"])

    assert pair.both(lambda gate: asyncio.run(converse(gate))) == "/a?b=c"


def test_events(pair: Pair) -> None:
    def ask(gate: rendered.Running) -> object:
        pair.one.release.clear()
        with (
            clients.client(gate.clients) as client,
            client.stream("GET", "https://one.test/events", headers={"Accept": "text/event-stream"}) as answer,
        ):
            lines = answer.iter_lines()
            first = next(lines)
            pair.one.release.set()
            return [first, *lines]

    assert pair.both(ask) == ["data: one", "", "data: two", ""]


# --- requests that no server took ------------------------------------------------------------------------------


async def test_requests_wait_for_their_own_server_and_come_once() -> None:
    first, second = ports.free_port(), ports.free_port()
    sites = (site("one.test", f"http://127.0.0.1:{first}"), site("two.test", f"http://127.0.0.1:{second}"))
    async with holding.house(*sites, own_blocks=0) as house:
        for_one = [house.ask("POST", f"https://one.test/{number}", content=b"x" * 300_000) for number in range(5)]
        for_two = [house.ask("GET", f"https://two.test/{number}") for number in range(5)]
        asking_one, asking_two = asyncio.gather(*for_one), asyncio.gather(*for_two)
        await house.until_waiting(10)
        with backend.running("first", port=first) as server:
            answers = await asking_one
            assert {answer.text for answer in answers} == {"first 300000"}
            assert server.seen == {f"POST /{number}": 1 for number in range(5)}
        with backend.running("second", port=second) as server:
            answers = await asking_two
            assert {answer.text for answer in answers} == {"second 0"}
            assert server.seen == {f"GET /{number}": 1 for number in range(5)}


async def test_a_wait_in_vain_and_a_request_that_was_lost() -> None:
    gone = site("gone.test", f"http://127.0.0.1:{ports.free_port()}")
    with backend.running() as server:
        here = site("here.test", f"http://127.0.0.1:{server.port}")
        async with holding.house(gone, here, own_blocks=0) as house:
            lost = await house.ask("POST", "https://here.test/drop", content=b"x")
            assert (lost.status_code, server.seen) == (502, {"POST /drop": 1})
            await house.ask_and_leave("https://gone.test/")
            assert house.queue.counts() == (0, 1)


async def test_a_websocket_waits() -> None:
    port = ports.free_port()

    async def serve(connection: websockets.asyncio.server.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with holding.house(site("chat.test", f"http://127.0.0.1:{port}"), own_blocks=0) as house:
        opening = asyncio.create_task(_open(house.gate))
        await house.until_waiting(1)
        async with websockets.asyncio.server.serve(serve, "127.0.0.1", port), await opening as chat:
            await clients.echo(chat, "hello")


async def _open(gate: clients.GateAddress) -> websockets.asyncio.client.ClientConnection:
    return await clients.websocket(gate, "chat.test", "/")


# --- many ------------------------------------------------------------------------------------------------------


def test_nginx_accepts_very_many() -> None:
    sites = tuple(
        site(f"s{number:05}.test", f"http://10.0.{number >> 8}.{number & 255}", aliases=(f"www.s{number:05}.test",))
        for number in range(MANY)
    )
    with rendered.prepared() as layout:
        files = render_tree.render_files(
            model.Desired(globals=model.Globals(), sites=sites), rendered.environment_of(layout, own_blocks=0)
        )
        assert not any(path.startswith(generation_files.SITES) for path in files)
        assert rendered.find_refusal(files, layout) is None
