"""A site's log in its page: the last lines, those that come, what is left out, and when it ends."""

import asyncio
import collections.abc
import contextlib
import json
import pathlib
import typing

import pytest

from daemun.core import layout
from daemun.web import operator_api, site_log_endpoints, socket_server
from daemun.wiring import site_log
from tests.support import fake_gate, operator_client, site_api

REQUEST = (
    '192.0.2.1 - - [30/Nov/2026:09:00:{second:02} +0000] "{method} {uri} HTTP/1.1" {status} 12 "-" "curl" '
    'host="{host}" upstream="-" upstream_status="-" request_time={time} upstream_response_time="-" '
    'tls="TLSv1.3" request_id={second}-1\n'
)
ERROR = (
    "2026/11/30 09:00:30 [error] 7#7: *5 connect() failed, client: 192.0.2.1, server: {host}, "
    'request: "GET /x HTTP/1.1", upstream: "http://10.0.0.5:80/", host: "{host}"\n'
)


def line(uri: str = "/", *, host: str = "a.test", status: int = 200, method: str = "GET", **more: typing.Any) -> str:
    values = {"second": 0, "time": "0.005", **more}
    return REQUEST.format(uri=uri, host=host, status=status, method=method, **values)


class House:
    def __init__(self, folder: pathlib.Path) -> None:
        self.gate = site_api.gate_of(folder, fake_gate.proxy_site("a.test"))
        paths = layout.Layout(str(folder / "state"))
        self.logs = pathlib.Path(paths.logs)
        self.logs.mkdir(parents=True)
        self.operators = operator_client.Operators()
        log = site_log.SiteLogReader(paths)
        self.endpoints = site_log_endpoints.endpoints(self.gate, log, poll_s=0.01, beat_s=0.02)
        self.client = site_api.Client(self.endpoints, self.operators)
        self.socket = folder / "api.sock"

    def write(self, *lines: str, name: str = "access.log") -> None:
        with (self.logs / name).open("a") as out:
            out.writelines(lines)

    async def uris(self, query: str = "", **more: typing.Any) -> list[str]:
        found = await self.client.get(f"/sites/a.test/log{query}", **more)
        return [one["uri"] for one in found["rows"]]

    @contextlib.asynccontextmanager
    async def served(self) -> collections.abc.AsyncIterator[None]:
        app = operator_api.create_app(self.endpoints, self.operators, version="1")
        task = asyncio.create_task(socket_server.serve(lambda: app, self.socket))
        try:
            async with asyncio.timeout(60):
                while not self.socket.exists():
                    await asyncio.sleep(0.01)
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @contextlib.asynccontextmanager
    async def follow(self, query: str = "", role: str = "look") -> collections.abc.AsyncIterator["Reader"]:
        """Until the first sign of life, so that what is written from now on comes."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        request = (
            f"GET /api/v1/sites/a.test/log/live{query} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {role}\r\n\r\n"
        )
        writer.write(request.encode())
        try:
            yield Reader(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class Reader:
    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def status(self) -> int:
        async with asyncio.timeout(60):
            head = await self._reader.readuntil(b"\r\n\r\n")
        return int(head.split()[1])

    async def next(self, *kinds: str) -> tuple[str, typing.Any]:
        """The next event of these kinds."""
        async with asyncio.timeout(60):
            while True:
                text = (await self._reader.readuntil(b"\n")).decode()
                if text.startswith("event: ") and (kind := text[7:].strip()) in kinds:
                    data = (await self._reader.readuntil(b"\n")).decode()
                    return kind, json.loads(data.removeprefix("data: "))

    async def end(self) -> None:
        async with asyncio.timeout(60):
            await self._reader.read()


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return House(tmp_path)


async def test_the_last_lines_of_this_site_alone(house: House) -> None:
    house.write(line("/1"), line("/other", host="b.test"), line("/2", second=1))
    house.write(ERROR.format(host="a.test"), ERROR.format(host="b.test"), name="error.log")
    found = await house.client.get("/sites/a.test/log")
    assert [(one["kind"], one["uri"]) for one in found["rows"]] == [
        ("request", "/1"),
        ("request", "/2"),
        ("error", "/x"),
    ]
    assert found["whole"] is True


async def test_without_a_log_there_are_no_lines(house: House) -> None:
    assert await house.uris() == []


@pytest.mark.parametrize(
    ("query", "uris"),
    [
        ("status=5xx", ["/bad"]),
        ("slow=1s", ["/slow"]),
        ("method=POST", ["/post"]),
        ("text=/po", ["/post"]),
        ("path=/b", ["/bad"]),
        ("text=nothing", []),
    ],
)
async def test_filters(house: House, query: str, uris: list[str]) -> None:
    house.write(line("/bad", status=502), line("/slow", time="2.000"), line("/post", method="POST"), line("/"))
    assert await house.uris(f"?{query}") == uris


@pytest.mark.parametrize(
    ("query", "of_look", "of_own"),
    [
        ("text=token%3Dsup", 0, 1),
        ("text=supersecret", 0, 1),
        ("path=/in%3Ftoken%3Ds", 0, 1),
        ("text=token%3D(hidden)", 1, 0),
        ("text=GET%20/in", 1, 1),
        ("path=/in", 1, 1),
        ("path=/in&text=nothing", 0, 0),
    ],
)
async def test_nothing_hidden_is_found_by_looking_for_it(house: House, query: str, of_look: int, of_own: int) -> None:
    house.write(line("/in?token=supersecretvalue"), line("/other"))
    assert [len(await house.uris(f"?{query}", role=role)) for role in ("look", "own")] == [of_look, of_own]


async def test_nothing_hidden_is_found_in_errors(house: House) -> None:
    error = ERROR.format(host="a.test").replace("GET /x", "GET /x?token=secretvalue")
    house.write(error.replace(":80/", ":80/x?token=secretvalue"), name="error.log")
    found = await house.client.get("/sites/a.test/log")
    assert [one["upstream"] for one in found["rows"]] == ["http://10.0.0.5:80/x?token=(hidden)"]
    assert await house.uris("?text=secretv") == []
    assert await house.uris("?text=secretv", role="own") == ["/x?token=secretvalue"]


async def test_no_more_than_two_hundred(house: House) -> None:
    house.write(*(line(f"/{number}") for number in range(500)))
    found = await house.uris()
    assert (len(found), found[0], found[-1]) == (200, "/300", "/499")


async def test_hostile_lines_are_rows_like_others(house: House) -> None:
    house.write(
        line("/\x1b]0;owned\x07<script>alert(1)</script>"),
        line("/long" + "a" * 3000),
        "no line at all \x00\xff\n",
        '{"half": \n',
        line("/?token=supersecretvalue"),
    )
    found = await house.uris()
    assert found[0] == "/\N{REPLACEMENT CHARACTER}]0;owned\N{REPLACEMENT CHARACTER}<script>alert(1)</script>"
    assert [len(one) for one in found] == [len(found[0]), 500, len("/?token=(hidden)")]
    assert found[2] == "/?token=(hidden)"
    assert (await house.uris(role="own"))[2] == "/?token=supersecretvalue"


async def test_what_cannot_be_looked_for(house: House) -> None:
    for path in ("log?status=x", "log/live?slow=x", f"log?text={'a' * 300}"):
        answer = await house.client.request("GET", f"/sites/a.test/{path}")
        assert answer.status_code == 400, path
        assert "expected" in answer.json()["error"]
    for path in ("log", "log/live"):
        assert (await house.client.request("GET", f"/sites/gone.test/{path}")).status_code == 404
        assert (await house.client.request("GET", f"/sites/a.test/{path}", role=None)).status_code == 401


async def test_lines_come_as_they_are_written(house: House) -> None:
    house.write(line("/before"))
    async with house.served(), house.follow("?status=4xx") as reader:
        assert await reader.status() == 200
        await reader.next("beat")
        house.write(line("/good"), line("/missing", status=404), line("/b", host="b.test", status=404))
        _, row = await reader.next("row")
        assert (row["uri"], row["status"]) == ("/missing", 404)
        assert (await reader.next("beat"))[1]["as_of"].endswith("Z")


async def test_nothing_hidden_is_found_in_lines_that_come(house: House) -> None:
    async with house.served(), house.follow("?text=e") as all_of_them, house.follow("?text=token%3Ds") as guessed:
        for reader in (all_of_them, guessed):
            await reader.next("beat")
        house.write(line("/in?token=secretvalue"))
        house.write(line("/token=s"))
        assert (await guessed.next("row"))[1]["uri"] == "/token=s"
        assert (await all_of_them.next("row"))[1]["uri"] == "/in?token=(hidden)"


async def test_what_comes_too_fast_is_counted(house: House) -> None:
    async with house.served(), house.follow() as reader:
        await reader.next("beat")
        house.write(*(line(f"/{number}") for number in range(5000)))
        rows = skipped = 0
        while rows + skipped < 5000:
            kind, value = await reader.next("row", "skipped")
            rows, skipped = (rows + 1, skipped) if kind == "row" else (rows, skipped + value["count"])
        assert rows + skipped == 5000
        assert skipped > 4000


async def test_it_ends_with_the_session(house: House) -> None:
    async with house.served(), house.follow() as reader:
        await reader.next("beat")
        house.operators.has_ended = True
        assert (await reader.next("end"))[1] == {"why": "your session ended; sign in again"}
        await reader.end()


async def test_it_ends_with_words_where_the_network_of_its_reader_has_to_wait(house: House) -> None:
    async with house.served(), house.follow() as reader:
        await reader.next("beat")
        house.operators.has_guessed = True
        why = "too many wrong credentials came from your network; try again in 7 s"
        assert (await reader.next("end"))[1] == {"why": why}
    answer = await house.client.request("GET", "/sites/a.test/log/live")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


async def test_it_ends_when_the_site_is_gone(house: House) -> None:
    async with house.served(), house.follow() as reader:
        await reader.next("beat")
        house.gate.tell(sites=())
        assert "no site" in (await reader.next("end"))[1]["why"]


async def test_readers_that_leave_make_room_for_others(house: House) -> None:
    async with house.served():
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(4):
                reader = await stack.enter_async_context(house.follow())
                await reader.next("beat")
            one_more = await stack.enter_async_context(house.follow())
            assert await one_more.status() == 429
        async with asyncio.timeout(60):
            while True:
                async with house.follow() as reader:
                    if await reader.status() == 200:
                        break


async def test_a_reader_that_does_not_read_is_left(house: House, tmp_path: pathlib.Path) -> None:
    from daemun.web import event_stream

    streams, sent = event_stream.OpenStreams(), asyncio.Event()

    async def events() -> event_stream.Events:
        while True:
            yield b"x"

    async def send(message: typing.Any) -> None:
        if message["type"] == "http.response.body":
            sent.set()
            await asyncio.Event().wait()  # as uvicorn does while its buffer is full

    async def receive() -> typing.Any:
        await asyncio.Event().wait()

    stream = event_stream.EventStream(events, streams, ("token", "7"), slowest_s=0.01)
    async with asyncio.timeout(60):
        await stream({}, receive, send)
    assert sent.is_set()
    assert len(streams) == 0
