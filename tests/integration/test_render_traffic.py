"""What servers behind a rendered gate receive, and how what stays open passes."""

import asyncio
import collections.abc
import dataclasses
import json
import pathlib
import tempfile

import pytest

from daemun.core import model, render_environment
from daemun.core.options import balance_option, catalogue, hsts_option, timeout_option, trusted_proxies_option
from daemun.sources import nginx_snippet
from tests.support import clients, echo, ports, rendered
from tests.support.sites import proxy, route, site, target

pytestmark = pytest.mark.nginx


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


def assert_clean(said: echo.Said) -> None:
    """Nothing of SPOOFED arrived in a request to web.test:99."""
    assert said.headers["x-forwarded-for"] == "127.0.0.1"
    assert said.headers["x-real-ip"] == "127.0.0.1"
    assert said.headers["x-forwarded-proto"] == "https"
    assert said.headers["x-forwarded-host"] == "web.test:99"
    assert said.headers["x-forwarded-port"] == "99"
    assert said.headers["host"] == "web.test:99"
    assert not {
        "x-request-id",
        "forwarded",
        "x-forwarded-prefix",
        "x-original-url",
        "proxy",
        "connection",
        "upgrade",
    } & set(said.headers)


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_strangers_cannot_say_who_they_are(one: echo.EchoServer, accept: str) -> None:
    with rendered.running(site("web.test", one.url)) as nginx:
        assert_clean(nginx.said("https://web.test/", **SPOOFED, Host="web.test:99", Accept=accept))


def test_a_server_that_wants_the_id_of_a_request_is_sent_one(one: echo.EchoServer) -> None:
    wanted = proxy(one.url, request_headers=(("X-Request-ID", "$request_id"),))
    with rendered.running(site("web.test", route("/", wanted))) as nginx:
        said = nginx.said("https://web.test/", **SPOOFED)
    assert len(said.headers["x-request-id"]) == 32


def test_the_port_a_client_does_not_name_is_the_scheme_s(one: echo.EchoServer) -> None:
    with rendered.running(site("web.test", one.url)) as nginx:
        said = nginx.said("https://web.test/", Host="WEB.test.")
    assert said.headers["host"] == "web.test"
    assert said.headers["x-forwarded-port"] == "443"


def test_an_nginx_without_a_variable_for_the_named_port_tells_servers_the_same(one: echo.EchoServer) -> None:
    older = dataclasses.replace(
        rendered.nginx(), features=rendered.nginx().features - {render_environment.Feature.REQUEST_PORT}
    )
    with rendered.running(site("web.test", one.url), nginx=older) as nginx:
        assert_clean(nginx.said("https://web.test/", **SPOOFED, Host="web.test:99"))
        unnamed = nginx.said("https://web.test/", Host="WEB.test.")
        assert unnamed.headers["host"] == "web.test"
        assert unnamed.headers["x-forwarded-port"] == "443"


def test_trusted_proxies_are_believed(one: echo.EchoServer) -> None:
    settings = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.0/8", "fd00::/8"))))
    with rendered.running(site("web.test", one.url), settings=settings) as nginx:
        headers = {**SPOOFED, "X-Forwarded-For": "1.2.3.4, 127.0.0.9", "X-Forwarded-Proto": "http"}
        said = nginx.said("https://web.test/", **headers)
        assert said.headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.9, 127.0.0.1"
        assert said.headers["x-real-ip"] == "1.2.3.4"
        assert said.headers["x-forwarded-proto"] == "http"
        assert said.headers["x-forwarded-host"] == "evil.test"
        assert said.headers["x-forwarded-port"] == "1"
        assert said.headers["x-request-id"] == "mine"
        assert "forwarded" not in said.headers
        plain = nginx.said("https://web.test/")
        assert plain.headers["x-forwarded-for"] == "127.0.0.1"
        assert plain.headers["x-forwarded-proto"] == "https"
        assert "x-request-id" not in plain.headers
        # Traefik's words for WebSockets.
        assert nginx.said("http://web.test/", X_Forwarded_Proto="wss").headers["x-forwarded-proto"] == "https"
        assert nginx.get("http://web.test/", X_Forwarded_Proto="ws").status_code == 301


def test_a_trust_in_others_does_not_help_strangers(one: echo.EchoServer) -> None:
    settings = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("10.0.0.0/8",))))
    with rendered.running(site("web.test", one.url), settings=settings) as nginx:
        assert_clean(nginx.said("https://web.test/", **SPOOFED, Host="web.test:99"))


# --- headers of the owner ---


def test_request_headers(one: echo.EchoServer) -> None:
    set_ones = (("X-Mine", "a $request_method $5"), ("User-Agent", ""), ("X-Forwarded-Host", "own"))
    own = site(
        "web.test",
        route("/set/", one.url, request_headers=set_ones),
        route("/host/", one.url, host_header="inner.test:81"),
    )
    with rendered.running(own) as nginx:
        said = nginx.said("https://web.test/set/x")
        assert said.headers["x-mine"] == "a GET $5"
        assert "user-agent" not in said.headers
        assert said.headers["x-forwarded-host"] == "own"
        assert said.headers["x-forwarded-for"] == "127.0.0.1", "the others are still there"
        assert nginx.said("https://web.test/host/").headers["host"] == "inner.test:81"


def test_response_headers(one: echo.EchoServer) -> None:
    set_ones = (
        ("X-Frame-Options", "SAMEORIGIN"),
        ("X-Powered-By", ""),
        ("X-From", "$host$"),
        ("Content-Type", "text/x-own"),
    )
    own = site("web.test", route("/set/", one.url, response_headers=set_ones), hsts=hsts_option.Hsts(max_age_s=1))
    with rendered.running(own) as nginx:
        for path in ("/set/headers", "/set/x", "/set/redirect"):
            answer = nginx.get(f"https://web.test{path}")
            assert answer.headers.get_list("X-Frame-Options") == ["SAMEORIGIN"]
            assert "X-Powered-By" not in answer.headers
            assert answer.headers["X-From"] == "web.test$"
            assert answer.headers.get_list("Content-Type") == ["text/x-own"]
            assert answer.headers.get_list("Strict-Transport-Security") == ["max-age=1"], "not lost beside the route's"


def test_an_owner_s_nginx_wins_and_loses_nothing_of_ours(one: echo.EchoServer) -> None:
    own = site(
        "own.test",
        route(
            "/",
            one.url,
            snippet=nginx_snippet.parse_snippet("proxy_read_timeout 5s; proxy_set_header X-Real-IP hidden;"),
        ),
        route("/more/", one.url, request_headers=(("X-More", "1"),), response_headers=(("X-R", "1"),)),
        snippet=nginx_snippet.parse_snippet(
            "proxy_set_header X-Site yes; add_header X-Owner me always; client_max_body_size 5;"
        ),
    )
    with rendered.running(own) as nginx:
        said = nginx.said("https://own.test/")
        assert said.headers["x-site"] == "yes"
        assert said.headers["x-real-ip"] == "hidden"
        assert said.headers["x-forwarded-for"] == "127.0.0.1"
        answer = nginx.get("https://own.test/more/")
    assert answer.headers["X-Owner"] == "me"
    assert answer.headers["X-R"] == "1"
    said = echo.Said.parse(answer.content)
    assert (said.headers["x-site"], said.headers["x-more"]) == ("yes", "1")


def test_a_unix_socket() -> None:
    with tempfile.TemporaryDirectory(prefix="daemun-test-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        with (
            echo.unix_echo_server(folder / "echo.sock"),
            rendered.running(site("web.test", route("/unix/", f"http://unix:{folder}/echo.sock:/sock/"))) as nginx,
        ):
            assert nginx.said("https://web.test/unix/x").path == "/sock/x"


# --- what stays open ---


@pytest.fixture(scope="module")
def chat() -> collections.abc.Iterator[str]:
    """The URL of a server that echoes over WebSocket."""
    with echo.websocket_server() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("path", "received"), [("/chat/", "/"), ("/chat/a%20b?c=d", "/a%20b?c=d"), ("/same/a%2Fb", "/same/a%2Fb")]
)
async def test_websockets(chat: str, path: str, received: str) -> None:
    with rendered.running(site("live.test", route("/chat/", f"{chat}/"), route("/same/", chat))) as nginx:
        asked = clients.websocket(nginx.clients, "live.test", path, X_Forwarded_For="6.6.6.6")
        async with asked as socket, asyncio.timeout(60):
            handshake = json.loads(await socket.recv())
            assert handshake["path"] == received
            assert handshake["headers"]["x-forwarded-for"] == "127.0.0.1"
            assert handshake["headers"]["host"] == "live.test"
            for message in ("hello", "x" * 100_000):
                await clients.echo(socket, message)


async def test_a_websocket_outlives_the_read_timeout(chat: str) -> None:
    """The ordinary timeout of this route is 50 ms, and the server would answer nothing for longer than that."""
    quick = route("/", chat, timeout=timeout_option.Timeouts(read_s=0.05, send_s=0.05))
    with rendered.running(site("live.test", quick)) as nginx:
        async with clients.websocket(nginx.clients, "live.test", "/") as socket, asyncio.timeout(60):
            await socket.recv()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await socket.recv()
            await clients.echo(socket, "still here")


def test_an_owner_s_access_rule_holds_for_websockets(chat: str) -> None:
    with rendered.running(
        site("live.test", route("/", chat, snippet=nginx_snippet.parse_snippet("deny all;")))
    ) as nginx:
        assert nginx.get("https://live.test/").status_code == 403
        # By hand: a client of websockets that is refused leaves its connection to the garbage collector.
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        refused = nginx.ask("GET", "https://live.test/", headers={**upgrade, "Sec-WebSocket-Key": "x"})
        assert refused.status_code == 403


@pytest.mark.parametrize(
    ("method", "accept"),
    [
        ("GET", "text/event-stream"),
        ("POST", "text/event-stream"),
        ("GET", "application/octet-stream, Text/Event-Stream;q=0.9"),
    ],
)
def test_events_pass_one_by_one(one: echo.EchoServer, method: str, accept: str) -> None:
    one.release.clear()
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    with (
        rendered.running(site("live.test", one.url)) as nginx,
        clients.client(nginx.clients) as client,
        client.stream(method, "https://live.test/events", headers=headers, content=b"question") as answer,
    ):
        events = answer.iter_text()
        assert next(events) == "data: one\n\n", "before the server goes on"
        one.release.set()
        assert next(events) == "data: two\n\n"


def test_h2c_is_not_smuggled(one: echo.EchoServer) -> None:
    with rendered.running(site("web.test", one.url)) as nginx:
        for headers in (
            {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQAAP__"},
            {"Upgrade": "websocket, H2C"},
        ):
            said = nginx.said("https://web.test/", **headers)
            assert not {"upgrade", "connection"} & set(said.headers)


# --- bodies, retries, balance ---


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_bodies(one: echo.EchoServer, accept: str) -> None:
    small = site("small.test", route("/", one.url, max_body=1000), route("/any/", one.url, max_body=0))
    headers = {"Accept": accept}
    with rendered.running(small) as nginx:
        assert nginx.ask("POST", "https://small.test/", body=b"x" * 1001, headers=headers).status_code == 413
        answer = nginx.ask("POST", "https://small.test/", body=b"x" * 900, headers=headers)
        assert echo.Said.parse(answer.content).body == "x" * 900
        answer = nginx.ask("PUT", "https://small.test/any/", body=b"x" * 3_000_000, headers=headers)
        assert echo.Said.parse(answer.content).body == "3000000 bytes"


@pytest.fixture
def lasting(one: echo.EchoServer, two: echo.EchoServer) -> tuple[model.Target, ...]:
    """Both servers, of which nginx never thinks that one is down."""
    for server in (one, two):
        server.dropped.clear()
    return tuple(target(server.url, max_fails=0) for server in (one, two))


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
@pytest.mark.parametrize(("method", "retries", "times"), [("GET", {}, 2), ("POST", {}, 1), ("GET", {"retries": 0}, 1)])
def test_only_what_is_safe_is_tried_again(
    one: echo.EchoServer,
    two: echo.EchoServer,
    lasting: tuple[model.Target, ...],
    method: str,
    retries: dict[str, int],
    times: int,
    accept: str,
) -> None:
    action = model.Proxy(targets=lasting, options=catalogue.values_of(retries))
    with rendered.running(site("many.test", route("/", action))) as nginx:
        body = b"pay" * (method == "POST")
        answer = nginx.ask(method, "https://many.test/drop", body=body, headers={"Accept": accept})
    assert answer.status_code == 502
    assert [*one.dropped, *two.dropped] == [method] * times


def test_servers_that_do_not_answer_are_passed_over(one: echo.EchoServer, two: echo.EchoServer) -> None:
    closed = target(f"http://127.0.0.1:{ports.free_port()}")
    many = site(
        "many.test",
        route("/dead/", model.Proxy(targets=(closed, target(one.url)))),
        route("/backup/", model.Proxy(targets=(closed, target(two.url, backup=True)))),
        route("/down/", model.Proxy(targets=(target(one.url, down=True), target(two.url)))),
    )
    with rendered.running(many) as nginx:
        for method in ("GET", "POST"):
            assert nginx.ask(method, "https://many.test/dead/").status_code == 200
            assert echo.Said.parse(nginx.ask(method, "https://many.test/backup/").content).server == "two"
        assert {nginx.said("https://many.test/down/").server for _ in range(4)} == {"two"}


def test_weights(one: echo.EchoServer, two: echo.EchoServer) -> None:
    """One worker's or all workers' counts: the zone is shared."""
    action = model.Proxy(targets=(target(one.url, weight=3), target(two.url)))
    with rendered.running(site("many.test", route("/", action))) as nginx:
        served = [nginx.said("https://many.test/").server for _ in range(8)]
    assert (served.count("one"), served.count("two")) == (6, 2)


def test_a_hash_leads_each_key_to_one_server(lasting: tuple[model.Target, ...]) -> None:
    by_user = balance_option.Balance(method=balance_option.Method.HASH, key="$arg_user")
    action = model.Proxy(targets=lasting, options=catalogue.values(balance_option.OPTION.set(by_user)))
    with rendered.running(site("many.test", route("/", action))) as nginx:
        served = {user: {nginx.said(f"https://many.test/?user={user}").server for _ in range(3)} for user in range(20)}
    assert all(len(servers) == 1 for servers in served.values())
    assert set.union(*served.values()) == {"one", "two"}


def test_sticky_cookies(lasting: tuple[model.Target, ...]) -> None:
    sticky = balance_option.Balance(method=balance_option.Method.STICKY)
    action = model.Proxy(targets=lasting, options=catalogue.values(balance_option.OPTION.set(sticky)))
    with rendered.running(site("many.test", route("/sticky/", action))) as nginx:
        answer = nginx.get("https://many.test/sticky/")
        cookie = answer.headers["Set-Cookie"]
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        first = echo.Said.parse(answer.content).server
        pair = cookie.split(";")[0]
        assert {nginx.said("https://many.test/sticky/", Cookie=pair).server for _ in range(6)} == {first}


@pytest.mark.parametrize("drained", [0, 1])
def test_a_server_that_drains_keeps_its_visitors_and_gets_no_new_ones(
    lasting: tuple[model.Target, ...], drained: int
) -> None:
    sticky = catalogue.values(balance_option.OPTION.set(balance_option.Balance(method=balance_option.Method.STICKY)))
    pairs: dict[str, str] = {}
    with rendered.running(site("many.test", route("/", model.Proxy(targets=lasting, options=sticky)))) as nginx:
        while len(pairs) < 2:
            answer = nginx.get("https://many.test/")
            pairs[echo.Said.parse(answer.content).server] = answer.headers["Set-Cookie"].split(";")[0]
    names = ("one", "two")
    less = tuple(dataclasses.replace(one, drain=number == drained) for number, one in enumerate(lasting))
    with rendered.running(site("many.test", route("/", model.Proxy(targets=less, options=sticky)))) as nginx:
        assert {nginx.said("https://many.test/").server for _ in range(6)} == {names[1 - drained]}
        for name, pair in pairs.items():
            assert {nginx.said("https://many.test/", Cookie=pair).server for _ in range(3)} == {name}
