"""Requests wait while no server accepts a connection, and none is ever sent twice: what visitors and servers see."""

import asyncio
import collections
import contextlib
import json
import pathlib
import re
import ssl
import tempfile
import typing

import pytest
import websockets.asyncio.client
import websockets.asyncio.server

from daemun.core import model
from daemun.core.directive import Directive, Expr
from daemun.core.options import (
    catalogue,
    header_options,
    hold_option,
    logs_option,
    rewrite_option,
    timeout_option,
    trusted_proxies_option,
    upstream_tls_options,
)
from daemun.core.texts import log_lines
from daemun.hold import hold_limits
from tests.support import backend, clients, echo, holding, ports, rendered, responders, serving, upstreams
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

BODY = b"x" * 300_000
PLAIN = {"http": model.HttpMode.SERVE}


def app(
    *targets: str, path: str = "/", host: str = "app.test", snippet: model.Snippet = (), **options: object
) -> model.Site:
    return site(host, route(path, proxy(*targets, **options), snippet=snippet), http=model.HttpMode.SERVE)


def _context(folder: pathlib.Path) -> ssl.SSLContext:
    """Of a server with a certificate that nobody knows."""
    certificate, key = rendered.self_signed("app.test")
    (folder / "pair.pem").write_bytes(certificate + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "pair.pem")
    return context


async def test_all_wait_and_each_comes_once() -> None:
    port = ports.free_port()
    gone = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{gone}")) as house:
        gets = [house.ask("GET", f"http://app.test/get/{number}?q=%2F") for number in range(20)]
        posts = [house.ask("POST", f"http://app.test/post/{number}", content=BODY) for number in range(5)]
        asking = asyncio.gather(*gets, *posts)
        await house.until_waiting(25)
        with backend.running(port=port) as server:
            answers = await asking
        assert [answer.status_code for answer in answers] == [200] * 25
        assert {answer.text for answer in answers[20:]} == {"one 300000"}
        expected = {f"GET /get/{number}?q=%2F" for number in range(20)} | {
            f"POST /post/{number}" for number in range(5)
        }
        assert server.seen == collections.Counter(expected)
        assert house.queue.counts() == (0, 25)


async def test_a_request_that_reached_a_server_never_waits() -> None:
    with backend.running() as server:
        async with holding.house(app(f"http://127.0.0.1:{server.port}")) as house:
            lost = await house.ask("POST", "http://app.test/drop", content=BODY)
            refused = await house.ask("GET", "http://app.test/fail")
        assert (lost.status_code, refused.status_code, refused.text) == (502, 503, "one 0")
        assert server.seen == {"POST /drop": 1, "GET /fail": 1}
        assert house.queue.counts() == (0, 0)


async def test_a_slow_server_is_not_asked_again() -> None:
    with backend.running() as server:
        action = app(f"http://127.0.0.1:{server.port}", timeout=timeout_option.Timeouts(read_s=0.1))
        async with holding.house(action) as house:
            answer = await house.ask("GET", "http://app.test/slow")
        assert answer.status_code == 504
        # A busy server reads it when nginx has given it up already.
        await upstreams.eventually(lambda: server.seen == {"GET /slow": 1})


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("method", ["MOVE", "COPY"])
async def test_f1_where_a_file_is_moved_to_stays_as_the_server_knows_it(
    scheme: str, method: str, tmp_path: pathlib.Path
) -> None:
    """F1: a held request is sent to an address, of which nginx knows no scheme; its `Destination` has the server's."""
    port = ports.free_port()
    verify = upstream_tls_options.Verify(is_on=False)
    options: dict[str, typing.Any] = {"verify": verify} if scheme == "https" else {}
    sites = (
        app(f"{scheme}://127.0.0.1:{port}", **options),
        app(f"{scheme}://127.0.0.1:{port}/in/", path="/out/", host="prefix.test", **options),
    )
    said = {
        ("app.test", "https://app.test/new%2F"): f"{scheme}://app.test/new%2F",
        ("app.test", "http://app.test/new"): f"{scheme}://app.test/new",
        ("app.test", "https://other.test/new"): "https://other.test/new",
        ("app.test", "/new"): "/new",
        ("prefix.test", "https://prefix.test/out/new"): f"{scheme}://prefix.test/in/new",
    }
    async with holding.house(*sites) as house:
        asking = asyncio.gather(
            *(
                house.ask(method, f"http://{host}/out/old", headers={"Destination": destination})
                for host, destination in said
            )
        )
        await house.until_waiting(len(said))
        context = _context(tmp_path) if scheme == "https" else None
        with serving.in_thread(echo.EchoServer("one", port=port, context=context)):
            received = [echo.Said.parse(answer.content) for answer in await asking]
            # The same as of a request that did not wait.
            at_once = [
                echo.Said.parse(
                    (await house.ask(method, f"http://{host}/out/old", headers={"Destination": destination})).content
                )
                for host, destination in said
            ]
    assert [one.headers["destination"] for one in received] == list(said.values())
    assert [one.headers["destination"] for one in at_once] == list(said.values())


@pytest.mark.parametrize("theirs", ["", "abc.DEF-1_2", "<script>", "x" * 200])
@pytest.mark.parametrize("believed", [(), ("127.0.0.0/8",)])
@pytest.mark.parametrize("line", [None, log_lines.JSON_LINE, "request_id=${request_id} mine"])
async def test_a_page_names_the_request_as_the_log_does(
    theirs: str, believed: tuple[str, ...], line: str | None
) -> None:
    """Behind a trusted proxy, too, which names the request; and where a server is sent the id."""
    port = ports.free_port()
    settings = model.Globals(
        options=catalogue.values(
            logs_option.OPTION.set(
                logs_option.Logs(format=line, escape="json" if line == log_lines.JSON_LINE else "default")
            ),
            trusted_proxies_option.OPTION.set(believed),
        )
    )
    headers = {"Accept": "application/json", **({"X-Request-ID": theirs} if theirs else {})}
    named: dict[str, typing.Any] = {"request_headers": (("X-Request-ID", "$request_id"),)}
    sites = (
        app(f"http://127.0.0.1:{port}", hold=0.2),
        app(f"http://127.0.0.1:{port}", host="named.test", hold=30, **named),
    )
    async with holding.house(*sites, settings=settings) as house:
        page = (await house.ask("GET", "http://app.test/", headers=headers)).json()
        log = house.error_log.with_name("access.log")
        await upstreams.eventually(lambda: "request_id" in log.read_text())
        (logged,) = re.findall(r'request_id(?:=|":")([^" \n]+)', log.read_text())
        asking = asyncio.create_task(house.ask("GET", "http://named.test/", headers=headers))
        await house.until_waiting(1)
        with serving.in_thread(echo.EchoServer("one", port=port)):
            sent = echo.Said.parse((await asking).content).headers["x-request-id"]
    assert logged == page["request_id"]
    is_taken = bool(believed) and theirs == "abc.DEF-1_2"
    assert (logged == theirs) == is_taken
    assert (sent == theirs) == is_taken
    assert re.fullmatch("[0-9a-f]{32}", logged) or is_taken


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("text/html,*/*", "text/html"), ("application/json", "application/json"), ("*/*", "text/plain")],
)
async def test_a_wait_in_vain(accept: str, media_type: str) -> None:
    async with holding.house(app(f"http://127.0.0.1:{ports.free_port()}", hold=0.3)) as house:
        answer = await house.ask("GET", "http://app.test/", headers={"Accept": accept})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["Content-Type"].startswith(media_type)
    assert "starting" in answer.text
    assert not {name.lower() for name in answer.headers} & {"x-accel-redirect", "x-daemun-to"}


async def test_no_connection_to_the_daemon_is_kept() -> None:
    """The daemon may close a kept one just as nginx asks on it, and the visitor would get a 502."""
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}")) as house:
        asking = asyncio.gather(*(house.ask("GET", f"http://app.test/{number}") for number in range(3)))
        await house.until_waiting(3)
        assert house.questions() == 3
        with backend.running(port=port):
            assert [answer.status_code for answer in await asking] == [200] * 3
        await upstreams.eventually(lambda: house.questions() == 0)


async def test_no_wait_where_it_is_off() -> None:
    async with holding.house(app(f"http://127.0.0.1:{ports.free_port()}", hold=0)) as house:
        answer = await house.ask("GET", "http://app.test/")
    assert answer.status_code == 502
    assert house.queue.counts() == (0, 0)


async def test_the_room_is_bounded() -> None:
    port = ports.free_port()
    sites = (app(f"http://127.0.0.1:{port}"), app(f"http://127.0.0.1:{port}", host="other.test"))
    async with holding.house(*sites, limits=hold_limits.HoldLimits(most=4, most_per_site=3)) as house:
        waiting = [asyncio.create_task(house.ask("GET", f"http://app.test/{number}")) for number in range(3)]
        await house.until_waiting(3)
        assert (await house.ask("GET", "http://app.test/full")).status_code == 503
        waiting.append(asyncio.create_task(house.ask("GET", "http://other.test/")))
        await house.until_waiting(4)
        assert (await house.ask("GET", "http://other.test/full")).status_code == 503
        with backend.running(port=port) as server:
            assert [(await task).status_code for task in waiting] == [200] * 4
        assert server.seen.total() == 4


async def test_a_client_that_leaves_frees_its_place() -> None:
    async with holding.house(app(f"http://127.0.0.1:{ports.free_port()}")) as house:
        await house.ask_and_leave("http://app.test/")
        assert house.queue.counts() == (0, 1)


@pytest.mark.parametrize("path", ["/", "/in/side/"])
async def test_paths_and_headers_are_those_of_a_request_that_did_not_wait(path: str) -> None:
    port = ports.free_port()
    gate = app(f"http://127.0.0.1:{port}{path}", path="/out/")
    marked = route(
        "/out/",
        gate.routes[0].action,
        request_headers=(("X-Mark", "$host!"),),
        options=catalogue.values(header_options.RESPONSE.set((("X-A", "b"),))),
    )
    gate = site("app.test", marked, **PLAIN)
    urls = [f"http://app.test/out/{rest}" for rest in ("", "a?b=c", "a%20b/%2541", "é", "out/x")]
    async with holding.house(gate) as house:
        asking = asyncio.gather(*(house.ask("GET", url) for url in urls))
        await house.until_waiting(len(urls))
        with backend.running(port=port) as server:
            held = await asking
            seen = set(server.seen)
            for url in urls:
                await house.ask("GET", url)
            assert set(server.seen) == seen
        assert {(answer.text, answer.headers["X-A"]) for answer in held} == {("one 0 app.test!", "b")}
        assert not any("cache-control" in answer.headers for answer in held), "the server sent none"


async def test_a_path_is_rewritten_once_however_often_its_request_waits() -> None:
    port = ports.free_port()
    twice = rewrite_option.Rewrite(match="^/out/(?<rest>.*)$", to="/out/out/${rest}")
    gate = app(f"http://127.0.0.1:{port}", path="/out/", rewrite=twice)
    urls = [f"http://app.test/out/{rest}" for rest in ("", "a%20b?c=d")]
    async with holding.house(gate) as house:
        asking = asyncio.gather(*(house.ask(method, url) for url in urls for method in ("GET", "POST")))
        await house.until_waiting(4)
        with backend.running(port=port) as server:
            await asking
    paths = {"/out/out/", "/out/out/a%20b?c=d"}
    assert set(server.seen) == {f"{method} {path}" for method in ("GET", "POST") for path in paths}


async def test_a_server_that_accepts_and_does_not_serve(tmp_path: pathlib.Path) -> None:
    """A failed TLS handshake sends nothing, so the request comes back; its path is replaced once all the same."""
    port = ports.free_port()
    context = _context(tmp_path)
    verify = upstream_tls_options.Verify(is_on=False)
    async with holding.house(app(f"https://127.0.0.1:{port}/in/in/", path="/in/", verify=verify)) as house:
        asking = asyncio.create_task(house.ask("POST", "http://app.test/in/x", content=BODY))
        await house.until_waiting(1)
        async with holding.closing(port):
            await upstreams.eventually(lambda: house.failures() > 1)
        with backend.running(port=port, context=context) as server:
            assert (await asking).text == "one 300000"
        assert server.seen == {"POST /in/in/x": 1}


async def test_a_server_that_never_serves_is_tried_three_times() -> None:
    port = ports.free_port()
    verify = upstream_tls_options.Verify(is_on=False)
    async with (
        holding.closing(port),
        holding.house(app(f"https://127.0.0.1:{port}", verify=verify)) as house,
    ):
        answer = await house.ask("GET", "http://app.test/")
        assert answer.status_code == 503
        assert answer.headers.get_list("cache-control") == ["no-store"]
        assert house.failures() == 4


async def test_websockets_and_events_wait() -> None:
    port = ports.free_port()

    async def echo(connection: websockets.asyncio.server.ServerConnection) -> None:
        assert connection.request is not None
        await connection.send(connection.request.path)
        async for message in connection:
            await connection.send(message)

    async with holding.house(app(f"http://127.0.0.1:{port}/ws/", path="/chat/")) as house:

        async def visit() -> list[str | bytes]:
            connecting = websockets.asyncio.client.connect(
                "ws://app.test/chat/room?x=1", host="127.0.0.1", port=house.gate.http, proxy=None, open_timeout=30
            )
            async with connecting as connection:
                await connection.send("hello")
                return [await connection.recv(), await connection.recv()]

        visiting = asyncio.create_task(visit())
        await house.until_waiting(1)
        async with websockets.asyncio.server.serve(echo, "127.0.0.1", port):
            assert await visiting == ["/ws/room?x=1", "hello"]
        asking = asyncio.create_task(
            house.ask("GET", "http://app.test/chat/events", headers={"Accept": "text/event-stream"})
        )
        await house.until_waiting(1)
        with backend.running(port=port) as server:
            assert (await asking).status_code == 200
        assert server.seen == {"GET /ws/events": 1}


async def test_unbuffered_requests_wait_only_without_a_body() -> None:
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}", buffering=False)) as house:
        assert (await house.ask("POST", "http://app.test/post", content=BODY)).status_code == 502
        asking = asyncio.create_task(house.ask("GET", "http://app.test/get"))
        await house.until_waiting(1)
        with backend.running(port=port) as server:
            assert (await asking).status_code == 200
        assert server.seen == {"GET /get": 1}


@pytest.mark.parametrize(
    ("scheme", "handler"),
    [("fastcgi", responders.FastCgi), ("scgi", responders.Scgi), ("uwsgi", responders.Uwsgi)],
)
async def test_other_protocols_wait(scheme: str, handler: type) -> None:
    with tempfile.TemporaryDirectory(prefix="dm-") as folder:
        pathlib.Path(folder).chmod(0o755)
        path = pathlib.Path(folder, "x.sock")
        async with holding.house(app(f"{scheme}://unix:{path}:/in/", path="/out/")) as house:
            asking = asyncio.create_task(house.ask("POST", "http://app.test/out/a.php?x=1", content=b"hello"))
            await house.until_waiting(1)
            with responders.responder(handler, socket=path):
                said = json.loads((await asking).content)
    assert said["body"] == "hello"
    assert said["parameters"]["REQUEST_URI"] == "/in/a.php?x=1"


async def test_an_owner_s_error_page_is_shown_after_the_wait() -> None:
    page = (
        Directive("error_page", (Expr("503"), Expr("/sorry"))),
        Directive("location", (Expr("="), Expr("/sorry")), (Directive("return", (Expr("200"), Expr("sorry"))),)),
    )
    gate = site(
        "app.test",
        route(
            "/", proxy(f"http://127.0.0.1:{ports.free_port()}", options=catalogue.values(hold_option.OPTION.set(0.3)))
        ),
        snippet=page,
        **PLAIN,
    )
    async with holding.house(gate) as house:
        answer = await house.ask("GET", "http://app.test/")
    assert (answer.status_code, answer.text) == (503, "sorry")


async def test_a_server_cannot_name_another_server() -> None:
    """Only the daemon's own answer tells nginx where to go. Where an owner wrote nginx, a server's X-Accel-Redirect is
    followed, and leads nowhere."""
    answer = (
        "HTTP/1.1 200 OK\r\nX-Accel-Redirect: @app.test_{}\r\nX-Daemun-To: 127.0.0.1:{}\r\nContent-Length: 0\r\n\r\n"
    )

    with backend.running("secret") as secret:

        async def forge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                asked = await reader.readuntil(b"\r\n\r\n")
                place = asked.split(b" ")[1].decode().strip("/")
                writer.write(answer.format(place, secret.port).encode())
                await writer.drain()
            writer.close()

        forger = await asyncio.start_server(forge, "127.0.0.1", 0)
        async with forger:
            port = forger.sockets[0].getsockname()[1]
            own = (Directive("send_timeout", (Expr("30s"),)),)
            async with holding.house(app(f"http://127.0.0.1:{port}", snippet=own)) as house:
                answers = [
                    await house.ask("GET", f"http://app.test/{place}") for place in ("retry", "stream_retry", "hold")
                ]
        assert [answer.status_code for answer in answers] == [500, 500, 502]
        assert not secret.seen
        assert house.queue.counts() == (0, 0)


# --- a backend that is recreated elsewhere ---------------------------------------------------------------------

POOL = "moving.daemun"


def pool(*servers: backend.Backend) -> model.Pool:
    found = tuple(model.Endpoint(address=str(server.server_address[0]), port=server.port) for server in servers)
    return model.Pool(name=POOL, endpoints=found)


async def test_no_request_fails_while_a_server_moves() -> None:
    target = model.Target(scheme=model.Scheme.HTTP, pool=POOL)
    gate = site("app.test", route("/", model.Proxy(targets=(target,))), http=model.HttpMode.SERVE)
    statuses: collections.Counter[object] = collections.Counter()
    sent: list[str] = []
    servers: list[backend.Backend] = []
    async with holding.house(gate) as house:

        async def visit(visitor: int) -> None:
            for number in range(10_000):
                is_post = number % 3 == 0
                path = f"/{visitor}/{number}"
                sent.append(f"{'POST' if is_post else 'GET'} {path}")
                answer = await house.ask(
                    "POST" if is_post else "GET", f"http://app.test{path}", content=b"x" * 3000 if is_post else b""
                )
                statuses[answer.status_code] += 1
                if is_over.is_set():
                    return

        is_over = asyncio.Event()
        visitors = [asyncio.create_task(visit(number)) for number in range(4)]
        for turn in range(4):
            with backend.running(host=f"127.0.3.{turn + 1}") as server:
                await house.publish(pool(server))
                enough = statuses.total() + 60
                await upstreams.eventually(lambda least=enough: statuses.total() >= least)  # type: ignore[misc]
            servers.append(server)
            await house.until_waiting(4)  # nobody is there now
            await house.publish(pool())
        is_over.set()
        with backend.running(host="127.0.3.9") as server:
            await house.publish(pool(server))
            await asyncio.gather(*visitors)
        servers.append(server)
    assert set(statuses) == {200}
    assert sum((server.seen for server in servers), collections.Counter()) == collections.Counter(sent)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_requests_over_http_2_wait(method: str) -> None:
    """A GET without a body, and a POST whose body is held."""
    port = ports.free_port()
    async with holding.house(site("app.test", f"http://127.0.0.1:{port}")) as house:

        def ask() -> int:
            with clients.client(house.gate, http2=True) as visitor:
                content = BODY if method == "POST" else b""
                return visitor.request(method, "https://app.test/x", content=content, timeout=60).status_code

        asking = asyncio.create_task(asyncio.to_thread(ask))
        await house.until_waiting(1)
        with backend.running(port=port) as server:
            assert await asking == 200
        assert server.seen == {f"{method} /x": 1}
