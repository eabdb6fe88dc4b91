"""D1 to D4, N15: each piece of an answer leaves as it comes, whatever the request and the answer say of themselves.

The matrix of the issue: (the request's Accept, its method) x (the answer's type; in chunks, with a length, until the
connection ends) x (compressed or not), over HTTP/1.1 and HTTP/2. A server sends each piece only once the client has
the piece before, so nothing here depends on a clock: what is held back anywhere stops the exchange.
"""

import collections.abc
import contextlib
import itertools
import pathlib
import queue
import socket
import socketserver
import tempfile
import time
import zlib

import httpx
import pytest

from daemun.core import directive
from daemun.core.directive import Text
from daemun.core.options import catalogue, timeout_option
from tests.support import clients, rendered, responders, serving
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

PIECES = (b"data: one\n\n", b"data: two, which is longer\n\n", b"data: 3\n\n")
STUCK_S = 60.0
_BUSY = directive.Directive("proxy_busy_buffers_size", (Text("64k"),))

ACCEPTS = ("*/*", "text/event-stream", "application/json")
METHODS = ("GET", "POST", "PUT")
TYPES = ("text/event-stream", "application/x-ndjson", "text/plain", "application/octet-stream")
FRAMINGS = ("chunked", "length", "closing")


class _Server(socketserver.ThreadingTCPServer):
    """Sends the pieces of an answer, each once it is let go. A path says how: /FRAMING/TYPE/SUBTYPE."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.go: queue.Queue[None] = queue.Queue()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        line = self.rfile.readline().split()
        length, self.is_upgrade = 0, False
        while (header := self.rfile.readline().strip().lower()) != b"":
            if header.startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
            self.is_upgrade = self.is_upgrade or header.startswith(b"upgrade:")
        self.rfile.read(length)
        if line[1].endswith(b"/silent"):
            self.rfile.read(1)
            return
        if b"/head/" in line[1]:
            self._send_head(int(line[1].rpartition(b"/")[2]))
            return
        framing, _, kind = line[1].decode().strip("/").partition("/")
        head = [b"HTTP/1.1 200 OK", b"Content-Type: " + kind.encode(), b"Connection: close"]
        if framing == "chunked":
            head.append(b"Transfer-Encoding: chunked")
        if framing == "length":
            # As long as compression is worth its while; what follows the pieces is spaces.
            head.append(b"Content-Length: 4096")
        self.wfile.write(b"\r\n".join(head) + b"\r\n\r\n")
        for piece in PIECES:
            self.server.go.get(timeout=STUCK_S)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            self.wfile.flush()
        if framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")
        if framing == "length":
            self.wfile.write(b" " * (4096 - sum(map(len, PIECES))))

    def _send_head(self, size: int) -> None:
        """An answer to a request for an upgrade, and to any other, with so many bytes of headers."""
        filling = b"".join(b"X-%04d: %b\r\n" % (number, b"x" * 990) for number in range(size // 1000))
        self.wfile.write(b"HTTP/1.1 %b Yes\r\n" % (b"101" if self.is_upgrade else b"200"))
        self.wfile.write(b"Upgrade: websocket\r\nConnection: upgrade\r\n" * self.is_upgrade + filling + b"\r\n")


@contextlib.contextmanager
def _gate() -> collections.abc.Iterator[tuple[_Server, rendered.Running]]:
    with serving.in_thread(_Server()) as server:
        there = f"http://127.0.0.1:{server.port}"
        sites = (
            site(
                "stream.test",
                there,
                route(
                    "/quick/",
                    proxy(
                        there, options=catalogue.values(timeout_option.OPTION.set(timeout_option.Timeouts(read_s=1)))
                    ),
                ),
            ),
            site(
                "heads.test",
                there,
                route("/own/", there, snippet=(directive.Directive("proxy_buffer_size", (Text("60k"),)), _BUSY)),
            ),
        )
        with rendered.running(*sites) as nginx:
            yield server, nginx


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[tuple[_Server, rendered.Running]]:
    with _gate() as both:
        yield both


def _read(server: _Server, client: httpx.Client, method: str, url: str, headers: dict[str, str]) -> None:
    decoder = zlib.decompressobj(31)
    body = b"{}" if method != "GET" else b""
    server.go.put(None)
    with client.stream(method, url, headers=headers, content=body) as answer:
        assert answer.status_code == 200
        is_compressed = answer.headers.get("Content-Encoding") == "gzip"
        seen = b""
        parts = answer.iter_raw()
        for number, piece in enumerate(PIECES, start=1):
            so_far = b"".join(PIECES[:number])
            while len(seen) < len(so_far):
                part = next(parts)
                seen += decoder.decompress(part) if is_compressed else part
            assert seen.startswith(so_far), piece
            if number < len(PIECES):
                server.go.put(None)
        for _ in parts:
            pass


@pytest.mark.parametrize("is_gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_d1_each_piece_leaves_as_it_comes(
    gate: tuple[_Server, rendered.Running], framing: str, version: int, is_gzip: bool
) -> None:
    server, nginx = gate
    for accept, method, kind in itertools.product(ACCEPTS, METHODS, TYPES):
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if is_gzip else "identity"}
        with clients.client(nginx.clients, http2=version == 2) as client:
            _read(server, client, method, f"https://stream.test/{framing}/{kind}", headers)


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream", "text/html, text/event-stream;q=0.1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_n15_nobody_gets_more_patience_than_the_route_has(
    gate: tuple[_Server, rendered.Running], method: str, accept: str
) -> None:
    """Nor by a body of unknown size (POST)."""
    _, nginx = gate
    content = iter([b"a", b"b"]) if method == "POST" else b""
    with clients.client(nginx.clients) as client:
        answer = client.request(
            method, "https://stream.test/quick/silent", headers={"Accept": accept}, content=content, timeout=60
        )
    assert answer.status_code in {502, 504}


@pytest.mark.parametrize("headers", [{}, {"Accept": "text/event-stream"}, {"Upgrade": "websocket"}])
@pytest.mark.parametrize(("path", "size"), [("/", 9_000), ("/", 20_000), ("/", 21_000), ("/own/", 50_000)])
def test_d4_one_limit_for_the_head_of_any_answer(
    gate: tuple[_Server, rendered.Running], path: str, size: int, headers: dict[str, str]
) -> None:
    _, nginx = gate
    lines = {"Host": "heads.test", "Connection": "upgrade" if "Upgrade" in headers else "close", **headers}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with clients.trust(nginx.clients.ca).wrap_socket(
        socket.create_connection(("127.0.0.1", nginx.https), timeout=STUCK_S), server_hostname="heads.test"
    ) as connection:
        connection.sendall(f"GET {path}head/{size} HTTP/1.1\r\n{text}\r\n".encode())
        status = connection.makefile("rb").readline().split()[1]
    assert status == (b"101" if "Upgrade" in headers else b"200")


def test_d3_a_stream_of_grpc_may_be_silent_in_both_directions() -> None:
    def silent() -> collections.abc.Iterator[bytes]:
        yield b"one"
        time.sleep(1.5)  # longer than the patience of either direction
        yield b"two"

    times = timeout_option.Timeouts(read_s=1, send_s=1, body_s=1, idle_s=60)
    with tempfile.TemporaryDirectory(prefix="dm-") as folder:
        pathlib.Path(folder).chmod(0o755)
        path = pathlib.Path(folder, "grpc.sock")
        with responders.responder(responders.Http2, socket=path):
            there = proxy(f"grpc://unix:{path}", options=catalogue.values(timeout_option.OPTION.set(times)))
            with (
                rendered.running(site("grpc.test", route("/", there))) as nginx,
                clients.client(nginx.clients, http2=True) as client,
            ):
                answer = client.post("https://grpc.test/a.B/C", content=silent(), headers={"TE": "trailers"})
    assert answer.status_code == 200
    assert answer.json()["body"] == "onetwo"
