"""What becomes of requests that a server took and lost: what visitors see, and how often servers saw them."""

import asyncio
import collections
import collections.abc
import pathlib
import ssl
import tempfile

import httpx
import pytest
import websockets.asyncio.client
import websockets.asyncio.server

from daemun.core import model
from daemun.core.directive import Directive, Expr
from daemun.core.options import upstream_tls_options
from tests.support import backend, clients, holding, ports, rendered, responders, upstreams
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

BODY = b"x" * 3000
HALF_A_HEADER = b"HTTP/1.1 200 OK\r\nContent-Le"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
NO_HEADER = b"HTTP/1.1 200 OK\r\nX\x00Y: 1\r\n\r\n"


def app(*targets: str, path: str = "/", snippet: model.Snippet = (), **options: object) -> model.Site:
    return site("app.test", route(path, proxy(*targets, **options), snippet=snippet), http=model.HttpMode.SERVE)


async def ask_and_lose(
    house: holding.House, port: int, asking: collections.abc.Coroutine[object, object, httpx.Response]
) -> asyncio.Task[httpx.Response]:
    """Send a request to a server on port that ends at it. It waits then, and nobody listens on the port."""
    async with holding.ending(port) as lost:
        task = asyncio.create_task(asking)
        await lost.is_over.wait()
        assert lost.seen.total() == 1
    await house.until_waiting(1)
    return task


# --- sent once more --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_reset", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_what_is_safe_goes_to_the_next_server(method: str, is_reset: bool) -> None:
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}/in/", path="/out/")) as house:
        async with holding.ending(port, is_reset=is_reset) as first:
            asking = asyncio.create_task(house.ask(method, "http://app.test/out/x?q=%2F"))
            await first.is_over.wait()
        await house.until_waiting(1)
        async with holding.ending(
            port, said=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Is: second\r\n\r\n", is_reset=False
        ) as second:
            answer = await asking
        assert (answer.status_code, answer.headers["X-Is"]) == (200, "second")
        assert first.seen == second.seen == {f"{method} /in/x?q=%2F": 1}
        assert house.queue.counts() == (0, 1)


async def test_many_at_once() -> None:
    """All of them were in the queue of a server that never read them: those with a body may have been acted upon."""
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}")) as house:
        async with holding.unread(port) as count:
            gets = [asyncio.create_task(house.ask("GET", f"http://app.test/get/{number}")) for number in range(20)]
            posts = [
                asyncio.create_task(house.ask("POST", f"http://app.test/post/{number}", content=BODY))
                for number in range(5)
            ]
            await upstreams.eventually(lambda: count() == 25)
        assert [(await post).status_code for post in posts] == [502] * 5
        await house.until_waiting(20)
        with backend.running(port=port) as server:
            assert [(await get).status_code for get in gets] == [200] * 20
        assert server.seen == collections.Counter(f"GET /get/{number}" for number in range(20))


async def test_a_kept_connection_that_ends_with_a_request() -> None:
    """nginx itself sends the GET again and meets nobody; the POST is lost."""
    port = ports.free_port()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
    for method, status in (("GET", 200), ("POST", 502)):
        async with holding.house(app(f"http://127.0.0.1:{port}")) as house:
            async with holding.ending(port, answers=(answer,)) as first:
                assert (await house.ask("GET", "http://app.test/one")).text == "first"
                asking = asyncio.create_task(house.ask(method, "http://app.test/two"))
                await first.is_over.wait()
            if method == "GET":
                await house.until_waiting(1)
            with backend.running(port=port) as second:
                assert (await asking).status_code == status
            assert first.seen == {"GET /one": 1, f"{method} /two": 1}
            assert second.seen == ({"GET /two": 1} if method == "GET" else {})


async def test_a_websocket_goes_to_the_next_server() -> None:
    port = ports.free_port()

    async def echo(connection: websockets.asyncio.server.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with holding.house(app(f"http://127.0.0.1:{port}")) as house:

        async def visit() -> str | bytes:
            connecting = websockets.asyncio.client.connect(
                "ws://app.test/room", host="127.0.0.1", port=house.gate.http, proxy=None, open_timeout=30
            )
            async with connecting as connection:
                await connection.send("hello")
                return await connection.recv()

        async with holding.ending(port) as first:
            visiting = asyncio.create_task(visit())
            await first.is_over.wait()
        await house.until_waiting(1)
        async with websockets.asyncio.server.serve(echo, "127.0.0.1", port):
            assert await visiting == "hello"


async def test_events_and_unbuffered_requests_go_to_the_next_server() -> None:
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}", buffering=False)) as house:
        for headers in ({"Accept": "text/event-stream"}, {}):
            asking = await ask_and_lose(house, port, house.ask("GET", "http://app.test/get", headers=headers))
            with backend.running(port=port):
                assert (await asking).text == "one 0"


async def test_fastcgi_goes_to_the_next_server() -> None:
    with tempfile.TemporaryDirectory(prefix="dm-") as folder:
        pathlib.Path(folder).chmod(0o755)
        path = pathlib.Path(folder, "x.sock")
        async with holding.house(app(f"fastcgi://unix:{path}")) as house:
            async with holding.unread(path) as count:
                asking = asyncio.create_task(house.ask("GET", "http://app.test/a.php"))
                await upstreams.eventually(lambda: count() == 1)
            await house.until_waiting(1)
            with responders.responder(responders.FastCgi, socket=path):
                assert (await asking).status_code == 200


async def test_what_nobody_takes_the_second_time_waits_on(tmp_path: pathlib.Path) -> None:
    port = ports.free_port()
    certificate, key = rendered.self_signed("app.test")
    (tmp_path / "pair.pem").write_bytes(certificate + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "pair.pem")
    verify = upstream_tls_options.Verify(is_on=False)
    async with holding.house(app(f"https://127.0.0.1:{port}", verify=verify)) as house:
        async with holding.ending(port, context=context) as first:
            asking = asyncio.create_task(house.ask("GET", "http://app.test/x"))
            await first.is_over.wait()
        async with holding.closing(port):  # no handshake
            await upstreams.eventually(lambda: house.failures() > 1)
        with backend.running(port=port, context=context) as second:
            assert (await asking).text == "one 0"
        assert first.seen == second.seen == {"GET /x": 1}


# --- and not more than once ------------------------------------------------------------------------------------


async def test_what_ends_every_server_ends_two_of_them() -> None:
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}")) as house:
        asking = await ask_and_lose(house, port, house.ask("GET", "http://app.test/poison"))
        async with holding.ending(port) as second:
            assert (await asking).status_code == 502
        assert second.seen == {"GET /poison": 1}
        assert house.queue.counts() == (0, 1)


async def test_the_wait_for_the_next_server_ends() -> None:
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}", hold=1)) as house:
        async with holding.ending(port) as lost:
            asking = asyncio.create_task(house.ask("GET", "http://app.test/"))
            await lost.is_over.wait()
        answer = await asking
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")


# --- never sent again ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "content"),
    [("POST", BODY), ("POST", b""), ("PUT", BODY), ("PATCH", BODY), ("DELETE", b""), ("GET", BODY)],
)
async def test_what_may_have_had_an_effect_is_lost(method: str, content: bytes) -> None:
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}")) as house, holding.ending(port) as first:
        answer = await house.ask(method, "http://app.test/x", content=content)
        assert answer.status_code == 502
        assert first.seen == {f"{method} /x": 1}
        assert house.queue.counts() == (0, 0)


@pytest.mark.parametrize("buffering", [None, False])
@pytest.mark.parametrize("is_http2", [False, True])
async def test_a_body_whose_length_nobody_told_is_a_body(is_http2: bool, buffering: bool | None) -> None:
    port = ports.free_port()
    gate = app(f"http://127.0.0.1:{port}", buffering=buffering)
    async with holding.house(gate) as house, holding.ending(port) as first:

        def ask() -> int:
            with clients.client(house.gate, http2=is_http2) as visitor:
                # Over HTTP/2 nothing else tells nginx of a body before it is read.
                headers = {"Content-Type": "text/plain"} if is_http2 else {}
                content = iter([b"a", b"b"])
                return visitor.request("GET", "https://app.test/x", content=content, headers=headers).status_code

        assert await asyncio.to_thread(ask) == 502
        assert first.seen == {"GET /x": 1}


@pytest.mark.parametrize("said", [b"H", HALF_A_HEADER, EARLY_HINTS, NO_HEADER])
@pytest.mark.parametrize("is_reset", [True, False])
async def test_what_was_answered_in_part_is_lost(said: bytes, is_reset: bool) -> None:
    port = ports.free_port()
    async with holding.house(app(f"http://127.0.0.1:{port}")) as house:
        async with holding.ending(port, said=said, is_reset=is_reset) as first:
            answer = await house.ask("GET", "http://app.test/x")
        assert answer.status_code == 502
        assert first.seen == {"GET /x": 1}
        assert house.queue.counts() == (0, 0)


NEXT = "proxy_next_upstream"


@pytest.mark.parametrize(
    ("retries", "snippet"),
    [(0, ()), (2, (Directive(NEXT, (Expr("off"),)),)), (2, (Directive(NEXT, (Expr("http_503"),)),))],
)
async def test_where_nobody_wants_a_second_try(retries: int, snippet: model.Snippet) -> None:
    port = ports.free_port()
    gate = app(f"http://127.0.0.1:{port}", retries=retries, snippet=snippet)
    async with holding.house(gate) as house:
        async with holding.ending(port) as first:
            assert (await house.ask("GET", "http://app.test/x")).status_code == 502
        assert first.seen == {"GET /x": 1}
        asking = asyncio.create_task(house.ask("GET", "http://app.test/y"))  # nobody took this one
        await house.until_waiting(1)
        with backend.running(port=port):
            assert (await asking).status_code == 200
