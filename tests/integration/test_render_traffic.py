"""What servers behind a rendered gate receive, and how what stays open passes."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import tempfile

import httpx
import pytest
import websockets.asyncio.client
import websockets.exceptions

from daemun.core import directive, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import balance_option, catalogue, hsts_option, timeout_option
from tests.support import clients, echo, ports, rendered
from tests.support.sites import proxy, route, site, target

pytestmark = pytest.mark.nginx


def snippet(*lines: str) -> model.Snippet:
    """ "name argument argument": as an owner wrote them."""
    parts = [line.split(" ") for line in lines]
    return tuple(directive.Directive(name, tuple(Expr(arg) for arg in args)) for name, *args in parts)


@dataclasses.dataclass(frozen=True)
class Gate:
    nginx: rendered.Running
    one: echo.EchoServer
    two: echo.EchoServer
    folder: pathlib.Path

    def ask(self, method: str, url: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> httpx.Response:
        with clients.client(self.nginx.clients) as once:
            return once.request(method, url, content=body, headers=headers)

    def get(self, url: str, **headers: str) -> httpx.Response:
        return self.ask("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def said(self, url: str, **headers: str) -> echo.Said:
        answer = self.get(url, **headers)
        assert answer.status_code == 200, answer
        return echo.Said.parse(answer.content)

    def websocket(self, path: str, **headers: str) -> websockets.asyncio.client.connect:
        return clients.websocket(self.nginx.clients, "live.test", path, **headers)


def _sites(one: echo.EchoServer, two: echo.EchoServer, chat: int, folder: pathlib.Path) -> tuple[model.Site, ...]:
    first, second = f"http://127.0.0.1:{one.port}", f"http://127.0.0.1:{two.port}"
    closed = f"http://127.0.0.1:{ports.free_port()}"
    lasting = [target(url, max_fails=0) for url in (first, second)]
    headers = route(
        "/headers-set/",
        proxy(first),
        request_headers=(("X-Mine", "a $request_method $5"), ("User-Agent", ""), ("X-Forwarded-Host", "own")),
        options=catalogue.values(
            response_headers=(
                ("X-Frame-Options", "SAMEORIGIN"),
                ("X-Powered-By", ""),
                ("X-From", "$host$"),
                ("Content-Type", "text/x-own"),
            )
        ),
    )
    return (
        site(
            "web.test",
            first,
            headers,
            route("/host/", proxy(first, options=catalogue.values(host_header="inner.test:81"))),
            route("/unix/", f"http://unix:{folder}/echo.sock:/sock/"),
            options=catalogue.values(hsts=hsts_option.Hsts(max_age_s=1)),
        ),
        site(
            "live.test",
            first,
            route("/chat/", f"http://127.0.0.1:{chat}/"),
            route("/same/", f"http://127.0.0.1:{chat}"),
            route(
                "/quick/",
                proxy(
                    f"http://127.0.0.1:{chat}",
                    options=catalogue.values(timeout=timeout_option.Timeouts(read_s=0.05, send_s=0.05)),
                ),
            ),
            route("/closed/", closed, snippet=snippet("deny all")),
            route("/guarded/", f"http://127.0.0.1:{chat}", snippet=snippet("deny all")),
        ),
        site(
            "small.test",
            route("/", first, options=catalogue.values(max_body=1000)),
            route("/any/", first, options=catalogue.values(max_body=0)),
        ),
        site(
            "many.test",
            route("/retry/", model.Proxy(targets=tuple(lasting))),
            route("/once/", model.Proxy(targets=tuple(lasting), options=catalogue.values(retries=0))),
            route("/dead/", model.Proxy(targets=(target(closed), target(first)))),
            route("/backup/", model.Proxy(targets=(target(closed), target(second, backup=True)))),
            route("/down/", model.Proxy(targets=(target(first, down=True), target(second)))),
            route("/weight/", model.Proxy(targets=(target(first, weight=3), target(second)))),
            route(
                "/sticky/",
                model.Proxy(
                    targets=tuple(lasting),
                    options=catalogue.values(balance=balance_option.Balance(method=balance_option.Method.STICKY)),
                ),
            ),
            route(
                "/hash/",
                model.Proxy(
                    targets=tuple(lasting),
                    options=catalogue.values(
                        balance=balance_option.Balance(method=balance_option.Method.HASH, key="$arg_user")
                    ),
                ),
            ),
        ),
        site(
            "own.test",
            route("/", first, snippet=snippet("proxy_read_timeout 5s", "proxy_set_header X-Real-IP hidden")),
            route(
                "/more/",
                first,
                request_headers=(("X-More", "1"),),
                options=catalogue.values(response_headers=(("X-R", "1"),)),
            ),
            snippet=snippet("proxy_set_header X-Site yes", "add_header X-Owner me always", "client_max_body_size 5"),
        ),
    )


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[Gate]:
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="daemun-test-")))
        folder.chmod(0o755)
        one = stack.enter_context(echo.echo_server("one"))
        two = stack.enter_context(echo.echo_server("two"))
        chat = stack.enter_context(echo.websocket_server())
        stack.enter_context(echo.unix_echo_server(folder / "echo.sock"))
        nginx = stack.enter_context(rendered.running(*_sites(one, two, chat, folder)))
        yield Gate(nginx, one, two, folder)


# --- who asks ---

SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "ftp",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Port": "1",
    "X-Real-IP": "6.6.6.6",
    "X-Request-ID": "mine",
    "Forwarded": "for=6.6.6.6",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/admin",
    "Proxy": "http://evil.test",
}


def _is_clean(said: echo.Said, gate: Gate) -> None:
    assert said.headers["x-forwarded-for"] == "127.0.0.1"
    assert said.headers["x-real-ip"] == "127.0.0.1"
    assert said.headers["x-forwarded-proto"] == "https"
    assert said.headers["x-forwarded-host"] == "web.test:99"
    assert said.headers["x-forwarded-port"] == "99"
    assert said.headers["host"] == "web.test:99"
    assert len(said.headers["x-request-id"]) == 32
    assert not {"forwarded", "x-forwarded-prefix", "x-original-url", "proxy", "connection", "upgrade"} & set(
        said.headers
    )


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_strangers_cannot_say_who_they_are(gate: Gate, accept: str) -> None:
    headers = {**SPOOFED, "Host": "web.test:99", "Accept": accept}
    answer = gate.ask("GET", "https://web.test/", headers=headers)
    _is_clean(echo.Said.parse(answer.content), gate)


def test_the_port_a_client_does_not_name_is_the_scheme_s(gate: Gate) -> None:
    said = gate.said("https://web.test/", Host="WEB.test.")
    assert said.headers["host"] == "web.test"
    assert said.headers["x-forwarded-port"] == "443"


def test_an_nginx_without_a_variable_for_the_named_port_tells_servers_the_same(gate: Gate) -> None:
    older = dataclasses.replace(
        rendered.nginx(), features=rendered.nginx().features - {render_environment.Feature.REQUEST_PORT}
    )
    with rendered.running(site("web.test", f"http://127.0.0.1:{gate.one.port}"), nginx=older) as nginx:
        asked = dataclasses.replace(gate, nginx=nginx)
        _is_clean(asked.said("https://web.test/", **{**SPOOFED, "Host": "web.test:99"}), asked)
        unnamed = asked.said("https://web.test/", Host="WEB.test.")
        assert unnamed.headers["host"] == "web.test"
        assert unnamed.headers["x-forwarded-port"] == "443"


def test_trusted_proxies_are_believed(gate: Gate) -> None:
    settings = model.Globals(options=catalogue.values(trusted_proxies=("127.0.0.0/8", "fd00::/8")))
    with rendered.running(site("web.test", f"http://127.0.0.1:{gate.one.port}"), settings=settings) as nginx:
        trusting = dataclasses.replace(gate, nginx=nginx)
        headers = {**SPOOFED, "X-Forwarded-For": "1.2.3.4, 127.0.0.9", "X-Forwarded-Proto": "http"}
        said = echo.Said.parse(trusting.ask("GET", "https://web.test/", headers=headers).content)
        assert said.headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.9, 127.0.0.1"
        assert said.headers["x-real-ip"] == "1.2.3.4"
        assert said.headers["x-forwarded-proto"] == "http"
        assert said.headers["x-forwarded-host"] == "evil.test"
        assert said.headers["x-forwarded-port"] == "1"
        assert said.headers["x-request-id"] == "mine"
        assert "forwarded" not in said.headers
        plain = trusting.said("https://web.test/")
        assert plain.headers["x-forwarded-for"] == "127.0.0.1"
        assert plain.headers["x-forwarded-proto"] == "https"
        # Traefik's words for WebSockets.
        secure = trusting.ask("GET", "http://web.test/", headers={"X-Forwarded-Proto": "wss"})
        assert echo.Said.parse(secure.content).headers["x-forwarded-proto"] == "https"
        assert trusting.ask("GET", "http://web.test/", headers={"X-Forwarded-Proto": "ws"}).status_code == 301


def test_a_trust_in_others_does_not_help_strangers(gate: Gate) -> None:
    settings = model.Globals(options=catalogue.values(trusted_proxies=("10.0.0.0/8",)))
    with rendered.running(site("web.test", f"http://127.0.0.1:{gate.one.port}"), settings=settings) as nginx:
        trusting = dataclasses.replace(gate, nginx=nginx)
        answer = trusting.ask("GET", "https://web.test/", headers={**SPOOFED, "Host": "web.test:99"})
        _is_clean(echo.Said.parse(answer.content), gate)


# --- headers of the owner ---


def test_request_headers(gate: Gate) -> None:
    said = gate.said("https://web.test/headers-set/x")
    assert said.headers["x-mine"] == "a GET $5"
    assert "user-agent" not in said.headers
    assert said.headers["x-forwarded-host"] == "own"
    assert said.headers["x-forwarded-for"] == "127.0.0.1", "the others are still there"
    assert gate.said("https://web.test/host/").headers["host"] == "inner.test:81"


@pytest.mark.parametrize("path", ["/headers-set/headers", "/headers-set/x", "/headers-set/redirect"])
def test_response_headers(gate: Gate, path: str) -> None:
    answer = gate.get(f"https://web.test{path}")
    assert answer.headers.get_list("X-Frame-Options") == ["SAMEORIGIN"]
    assert "X-Powered-By" not in answer.headers
    assert answer.headers["X-From"] == "web.test$"
    assert answer.headers.get_list("Content-Type") == ["text/x-own"]
    assert answer.headers.get_list("Strict-Transport-Security") == ["max-age=1"], "not lost beside the route's own"


def test_an_owner_s_nginx_wins_and_loses_nothing_of_ours(gate: Gate) -> None:
    said = gate.said("https://own.test/")
    assert said.headers["x-site"] == "yes"
    assert said.headers["x-real-ip"] == "hidden"
    assert said.headers["x-forwarded-for"] == "127.0.0.1"
    answer = gate.get("https://own.test/more/")
    assert answer.headers["X-Owner"] == "me"
    assert answer.headers["X-R"] == "1"
    said = echo.Said.parse(answer.content)
    assert (said.headers["x-site"], said.headers["x-more"]) == ("yes", "1")


def test_a_unix_socket(gate: Gate) -> None:
    assert gate.said("https://web.test/unix/x").path == "/sock/x"


# --- what stays open ---


@pytest.mark.parametrize(
    ("path", "received"), [("/chat/", "/"), ("/chat/a%20b?c=d", "/a%20b?c=d"), ("/same/a%2Fb", "/same/a%2Fb")]
)
async def test_websockets(gate: Gate, path: str, received: str) -> None:
    async with gate.websocket(path, X_Forwarded_For="6.6.6.6") as chat, asyncio.timeout(20):
        handshake = json.loads(await chat.recv())
        assert handshake["path"] == received
        assert handshake["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert handshake["headers"]["host"] == "live.test"
        for message in ("hello", "x" * 100_000):
            await clients.echo(chat, message)


async def test_a_websocket_outlives_the_read_timeout(gate: Gate) -> None:
    """The ordinary timeout of this route is 50 ms, and the server would answer nothing for longer than that."""
    async with gate.websocket("/quick/") as chat, asyncio.timeout(20):
        await chat.recv()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await chat.recv()
        await clients.echo(chat, "still here")


async def test_an_owner_s_access_rule_holds_for_websockets(gate: Gate) -> None:
    assert gate.get("https://live.test/guarded/").status_code == 403
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        await gate.websocket("/guarded/")
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("method", "accept"),
    [
        ("GET", "text/event-stream"),
        ("POST", "text/event-stream"),
        ("GET", "application/octet-stream, Text/Event-Stream;q=0.9"),
    ],
)
def test_events_pass_one_by_one(gate: Gate, method: str, accept: str) -> None:
    gate.one.release.clear()
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    with (
        clients.client(gate.nginx.clients) as client,
        client.stream(method, "https://live.test/events", headers=headers, content=b"question") as answer,
    ):
        events = answer.iter_text()
        assert next(events) == "data: one\n\n", "before the server goes on"
        gate.one.release.set()
        assert next(events) == "data: two\n\n"


def test_h2c_is_not_smuggled(gate: Gate) -> None:
    headers = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    said = echo.Said.parse(gate.ask("GET", "https://web.test/", headers=headers).content)
    assert not {"upgrade", "connection"} & set(said.headers)
    said = echo.Said.parse(gate.ask("GET", "https://web.test/", headers={"Upgrade": "websocket, H2C"}).content)
    assert not {"upgrade", "connection"} & set(said.headers)


# --- bodies, retries, balance ---


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_bodies(gate: Gate, accept: str) -> None:
    headers = {"Accept": accept}
    assert gate.ask("POST", "https://small.test/", body=b"x" * 1001, headers=headers).status_code == 413
    answer = gate.ask("POST", "https://small.test/", body=b"x" * 900, headers=headers)
    assert echo.Said.parse(answer.content).body == "x" * 900
    answer = gate.ask("PUT", "https://small.test/any/", body=b"x" * 3_000_000, headers=headers)
    assert echo.Said.parse(answer.content).body == "3000000 bytes"


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
@pytest.mark.parametrize(
    ("method", "path", "times"), [("GET", "/retry", 2), ("POST", "/retry", 1), ("GET", "/once", 1)]
)
def test_only_what_is_safe_is_tried_again(gate: Gate, method: str, path: str, times: int, accept: str) -> None:
    for server in (gate.one, gate.two):
        server.dropped.clear()
    answer = gate.ask(
        method, f"https://many.test{path}/drop", body=b"pay" * (method == "POST"), headers={"Accept": accept}
    )
    assert answer.status_code == 502
    assert [*gate.one.dropped, *gate.two.dropped] == [method] * times


def test_servers_that_do_not_answer_are_passed_over(gate: Gate) -> None:
    for method in ("GET", "POST"):
        assert gate.ask(method, "https://many.test/dead/", body=b"").status_code == 200
        assert echo.Said.parse(gate.ask(method, "https://many.test/backup/").content).server == "two"
    assert {gate.said("https://many.test/down/").server for _ in range(4)} == {"two"}


def test_balance(gate: Gate) -> None:
    """One worker's or all workers' counts: the zone is shared."""
    served = [gate.said("https://many.test/weight/").server for _ in range(8)]
    assert (served.count("one"), served.count("two")) == (6, 2)
    by_user = {user: {gate.said(f"https://many.test/hash/?user={user}").server for _ in range(3)} for user in range(20)}
    assert all(len(servers) == 1 for servers in by_user.values())
    assert set.union(*by_user.values()) == {"one", "two"}


def test_sticky_cookies(gate: Gate) -> None:
    answer = gate.get("https://many.test/sticky/")
    cookie = answer.headers["Set-Cookie"]
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    first = echo.Said.parse(answer.content).server
    pair = cookie.split(";")[0]
    assert {gate.said("https://many.test/sticky/", Cookie=pair).server for _ in range(6)} == {first}
