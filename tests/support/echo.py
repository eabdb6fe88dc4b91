"""Servers to stand behind a gate: one that says what reached it over HTTP, one that echoes over WebSocket."""

import collections.abc
import contextlib
import dataclasses
import http.server
import json
import pathlib
import socket
import socketserver
import ssl
import threading
import typing

import websockets.sync.server

from tests.support import serving


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a server behind the gate received. headers: names in lower case, repeated ones joined with ", "."""

    server: str
    method: str
    path: str
    headers: dict[str, str]
    body: str

    @classmethod
    def parse(cls, answer: bytes | str) -> "Said":
        return cls(**json.loads(answer))


class EchoServer(http.server.ThreadingHTTPServer):
    """Answers each request with what it was, as JSON. Special paths, by how they end:

    /events: sends the event "one", then "two" once `release` is set. /drop: closes the connection without an answer.
    /redirect: 302 to the server's own address. /headers: response headers an application may send.
    dropped: the methods of the requests that were dropped. connections: how many were opened.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, name: str, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)
        self.name = name
        self.connections = 0
        self.release = threading.Event()
        self.dropped: list[str] = []
        self._context = context

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def url(self) -> str:
        """Of a server on 127.0.0.1 without TLS."""
        return f"http://127.0.0.1:{self.port}"

    def get_request(self) -> tuple[socket.socket, typing.Any]:
        connection, address = super().get_request()
        self.connections += 1
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what some tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: EchoServer
    timeout = 60

    def _answer(self) -> None:
        body = self._read_body()
        path = self.path.split("?")[0]
        if path.endswith("/events"):
            self._send_events()
        elif path.endswith("/drop"):
            self.server.dropped.append(self.command)
            self.close_connection = True
        elif path.endswith("/redirect"):
            self._send(302, b"", {"Location": f"http://127.0.0.1:{self.server.port}{path.removesuffix('/redirect')}/x"})
        elif path.endswith("/headers"):
            self._send(200, b"{}", {"X-Powered-By": "echo", "X-Frame-Options": "DENY", "Cache-Control": "private"})
        else:
            self._send(200, self._said(body), {"Content-Type": "application/json"})

    do_GET = do_HEAD = do_POST = do_PUT = do_COPY = do_MOVE = _answer  # noqa: N815 - names of the standard library

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _said(self, body: bytes) -> bytes:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        said = Said(
            server=self.server.name,
            method=self.command,
            path=self.path,
            headers=headers,
            body=body.decode("latin-1") if len(body) < 1000 else f"{len(body)} bytes",
        )
        return json.dumps(dataclasses.asdict(said)).encode()

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        self.wfile.flush()
        if self.server.release.wait(30):
            self.wfile.write(b"data: two\n\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Tests read what was answered."""


@contextlib.contextmanager
def echo_server(
    name: str = "echo", *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> collections.abc.Iterator[EchoServer]:
    """An EchoServer on a free port of 127.0.0.1; over TLS with a context."""
    server = EchoServer(name, context=context, host=host, port=port)
    with serving.in_thread(server):
        yield server


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    name = "unix"
    port = 0
    dropped: list[str] = []


class _UnixHandler(_Handler):
    def address_string(self) -> str:
        return "unix"


@contextlib.contextmanager
def unix_echo_server(path: pathlib.Path) -> collections.abc.Iterator[None]:
    """An echo server on a unix socket that every account may use."""
    with serving.in_thread(_UnixServer(str(path), _UnixHandler)):
        path.chmod(0o777)
        yield


@contextlib.contextmanager
def websocket_server() -> collections.abc.Iterator[int]:
    """Echoes every message; the first one it sends says the path and headers of the handshake, as JSON.

    Yields: its port on 127.0.0.1.
    """

    def serve(connection: websockets.sync.server.ServerConnection) -> None:
        request = connection.request
        assert request is not None
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        connection.send(json.dumps({"path": request.path, "headers": headers}))
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(serve, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()
