"""E4 and N4: large bodies, and those of unknown size, go to the server as they come; nothing that visitors send fills
the disk; small bodies are held."""

import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import socket
import socketserver
import tempfile

import pytest

from daemun.core import directive, model
from daemun.core.directive import Text
from daemun.core.options import catalogue, max_body_option
from daemun.core.render import request_body
from tests.support import clients, rendered, responders, serving, until
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

MEGABYTE = 1 << 20
PLAIN = {"tls": model.Tls(mode=model.TlsMode.OFF), "http": model.HttpMode.SERVE}


class Sink(socketserver.ThreadingTCPServer):
    """Counts what it is sent and answers at the end of a body. received: of each request; heads: their first lines."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 2000

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Counting)
        self.received: list[int] = []
        self.heads: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A body that ends early."""


class _Counting(socketserver.StreamRequestHandler):
    server: Sink
    rbufsize = 1 << 20

    def handle(self) -> None:
        head = self.rfile.readline()
        length, is_chunked = 0, False
        while (header := self.rfile.readline().strip().lower()) != b"":
            if header.startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
            is_chunked = is_chunked or header == b"transfer-encoding: chunked"
        self.server.heads.append(head)
        self.server.received.append(0)
        number = len(self.server.received) - 1
        if is_chunked:
            while (size := int(self.rfile.readline(), 16)) > 0:
                self._take(number, size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self._take(number, length)
        text = b"%d" % self.server.received[number]
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))

    def _take(self, number: int, size: int) -> None:
        while size:
            part = len(self.rfile.read1(min(size, 1 << 20)))
            if part == 0:
                raise ConnectionError("the body ended early")
            self.server.received[number] += part
            size -= part


@dataclasses.dataclass(frozen=True)
class SinkGate:
    """nginx before a server that only counts."""

    nginx: rendered.Running
    sink: Sink

    def connect(self, path: str, *headers: str, host: str = "up.test") -> socket.socket:
        """A request whose body is to follow."""
        connection = socket.create_connection(("127.0.0.1", self.nginx.http), timeout=60)
        lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        return connection

    def files(self) -> list[int]:
        """The sizes of the files in which nginx keeps bodies and answers: it opens them and removes their names."""
        master = pathlib.Path(self.nginx.layout.nginx_pid).read_text(encoding="utf-8").strip()
        workers = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text(encoding="utf-8").split()
        found = []
        for descriptor in (path for worker in workers for path in pathlib.Path(f"/proc/{worker}/fd").iterdir()):
            with contextlib.suppress(FileNotFoundError):
                if str(descriptor.readlink()).startswith(self.nginx.layout.temp):
                    found.append(descriptor.stat().st_size)
        return found


@pytest.fixture
def gate() -> collections.abc.Iterator[SinkGate]:
    own = (
        directive.Directive("limit_conn_status", (Text("429"),)),
        directive.Directive("include", (Text("mime.types"),)),
    )
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(serving.in_thread(Sink()))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dm-"))
        pathlib.Path(folder).chmod(0o755)
        php = pathlib.Path(folder, "php.sock")
        stack.enter_context(responders.responder(responders.FastCgi, socket=php))
        there = f"http://127.0.0.1:{sink.port}"
        sites = (
            site(
                "up.test",
                there,
                route("/in/", f"{there}/out/"),
                route("/small/", there, options=catalogue.values(max_body_option.OPTION.set(1000))),
                route("/large/", there, options=catalogue.values(max_body_option.OPTION.set(10 * MEGABYTE))),
                route("/php/", f"fastcgi://unix:{php}"),
                route(
                    "/php/little/",
                    f"fastcgi://unix:{php}",
                    options=catalogue.values(max_body_option.OPTION.set(100_000)),
                ),
                **PLAIN,
            ),
            site("own.test", there, snippet=own, **PLAIN),
            site("tls.test", there),
        )
        nginx = stack.enter_context(rendered.running(*sites))
        yield SinkGate(nginx, sink)


def _status(connection: socket.socket) -> int:
    return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("host", ["up.test", "own.test"])
def test_e4_a_large_upload_passes_and_is_nowhere_on_the_disk(gate: SinkGate, framing: str, host: str) -> None:
    size, piece = 1300 * MEGABYTE, bytes(4 * MEGABYTE)
    header = f"Content-Length: {size}" if framing == "length" else "Transfer-Encoding: chunked"
    with gate.connect("/", header, host=host) as connection:
        for number in range(size // len(piece)):
            connection.sendall(piece if framing == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
            if number % 100 == 0:
                assert gate.files() == []
        if framing == "chunked":
            connection.sendall(b"0\r\n\r\n")
        assert _status(connection) == 200
    assert gate.sink.received == [size]


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 5368709120",),
        ("Transfer-Encoding: chunked",),
        ("Content-Length: 1000000",),
        ("Content-Length: 10000000", "Upgrade: anything", "Connection: upgrade"),
        ("Transfer-Encoding: chunked", "Accept: text/event-stream"),
        ("Content-Length: 2000000", "Expect: 100-continue"),
    ],
)
@pytest.mark.parametrize(("path", "there"), [("/", "/"), ("/in/a%20b?c=d", "/out/a%20b?c=d")])
def test_e4_what_an_upload_that_breaks_off_had_sent_is_at_the_server(
    gate: SinkGate, headers: tuple[str, ...], path: str, there: str
) -> None:
    part = 900_000
    with gate.connect(path, *headers) as connection:
        connection.sendall(b"dbba0\r\n" + bytes(part) if "chunked" in headers[0] else bytes(part))
        until.true(lambda: gate.sink.received == [part])
    assert gate.sink.heads == [f"POST {there} HTTP/1.1\r\n".encode()]
    assert gate.files() == []


def test_e4_so_it_is_over_http_2_without_a_length(gate: SinkGate) -> None:
    def pieces() -> collections.abc.Iterator[bytes]:
        for _ in range(3):
            yield bytes(100_000)
        until.true(lambda: gate.sink.received == [300_000])

    with clients.client(gate.nginx.clients, http2=True) as client:
        assert client.post("https://tls.test/", content=pieces()).text == "300000"
        assert client.post("https://tls.test/", content=bytes(3_000_000)).text == "3000000"
        assert client.post("https://tls.test/", content=bytes(50_000)).text == "50000"
        assert client.post("https://tls.test/", content=b"").text == "0"
        assert client.get("https://tls.test/").text == "0"


@pytest.mark.parametrize("size", [1, 9_999, 10_000, 999_999])
def test_small_bodies_are_held_until_they_are_whole(gate: SinkGate, size: int) -> None:
    with gate.connect("/", f"Content-Length: {size}") as connection:
        connection.sendall(bytes(size - 1))
        with pytest.raises(AssertionError):
            until.true(lambda: gate.sink.heads != [], timeout_s=0.3)
        connection.sendall(b"x")
        assert _status(connection) == 200
    assert gate.sink.received == [size]


def test_n4_no_more_bodies_are_held_than_may_be(gate: SinkGate) -> None:
    """Each is about to be complete; those beyond the bound go to the server as they come."""
    most, more = int(request_body.MOST_HELD), 20
    with contextlib.ExitStack() as stack:
        for _ in range(most + more):
            connection = stack.enter_context(gate.connect("/", "Content-Length: 60000"))
            connection.sendall(bytes(59_999))
        until.true(lambda: len(gate.sink.heads) == more)
        assert gate.files() == []


def test_n4_nothing_is_held_where_bodies_are_not_counted(gate: SinkGate) -> None:
    """A `limit_conn` of ours would undo the owner's."""
    with gate.connect("/", "Content-Length: 20000", host="own.test") as connection:
        connection.sendall(bytes(15_000))
        until.true(lambda: gate.sink.received == [15_000])
    assert gate.files() == []


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/small/", "Content-Length: 1001"),
        ("/small/", "Content-Length: 99999999999"),
        ("/large/", "Content-Length: 10485761"),
        ("/php/little/a.php", "Content-Length: 100001"),
    ],
)
def test_e4_max_body_is_told_before_the_body(gate: SinkGate, path: str, header: str) -> None:
    with gate.connect(path, header) as connection:
        assert _status(connection) == 413
    assert gate.sink.heads == []


@pytest.mark.parametrize("path", ["/small/", "/large/", "/php/little/a.php", "/php/a.php"])
def test_e4_max_body_holds_for_bodies_in_chunks(gate: SinkGate, path: str) -> None:
    with gate.connect(path, "Transfer-Encoding: chunked") as connection:
        piece = b"100000\r\n" + bytes(MEGABYTE) + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(80):
                connection.sendall(piece)
                assert sum(gate.files()) <= request_body.CHUNKED_BYTES + 4 * MEGABYTE
        with contextlib.suppress(OSError, IndexError):
            assert _status(connection) == 413
    until.true(lambda: gate.files() == [])
    assert all(size <= 10 * MEGABYTE for size in gate.sink.received)


@pytest.mark.parametrize("size", [0, 10, 20_000, 5_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_e4_servers_of_fastcgi_get_each_body_whole(gate: SinkGate, size: int, framing: str) -> None:
    body = b"x" * size
    content = body if framing == "length" else iter([body[: size // 2], body[size // 2 :]])
    with clients.client(gate.nginx.clients) as client:
        answer = client.post("http://up.test/php/a.php", content=content)
    said = json.loads(answer.content)
    assert (answer.status_code, said["body"] == body.decode()) == (200, True)
    assert int(said["parameters"].get("CONTENT_LENGTH") or 0) == size
