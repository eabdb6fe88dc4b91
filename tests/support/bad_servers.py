"""Servers behind the gate that are not as a route says they are."""

import collections.abc
import contextlib
import http.server
import pathlib
import socket
import socketserver
import ssl
import threading

from tests.support import own_certificates


class _Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def _answer(self) -> None:
        self.server.seen.append(f"{self.command} {self.path}")
        self.wfile.write(self.server.answer(self.path, dict(self.headers)))
        self.close_connection = True

    do_GET = do_HEAD = _answer  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Nobody reads it."""


Answer = collections.abc.Callable[[str, collections.abc.Mapping[str, str]], bytes]


def well(_: str, __: collections.abc.Mapping[str, str]) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Server(http.server.ThreadingHTTPServer):
    """answer: path and headers -> the whole answer, as bytes. seen: method and path of each request."""

    daemon_threads = True

    def __init__(self, answer: Answer = well, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Answers)
        self.answer = answer
        self.seen: list[str] = []
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that do not go on are what the tests are about."""


@contextlib.contextmanager
def running(
    answer: Answer = well, *, tls: ssl.SSLContext | None = None, port: int = 0
) -> collections.abc.Iterator[Server]:
    server = Server(answer, tls=tls, port=port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Silent(socketserver.ThreadingTCPServer):
    """Accepts connections and never answers. held: how many of them the client keeps open now."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Reads)
        self.held: set[int] = set()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away."""


class _Reads(socketserver.BaseRequestHandler):
    server: Silent

    def handle(self) -> None:
        self.server.held.add(id(self))
        try:
            while self.request.recv(1 << 16):
                pass
        finally:
            self.server.held.discard(id(self))


@contextlib.contextmanager
def speaking(says: bytes | None, *, closes: bool = True) -> collections.abc.Iterator[int]:
    """Accepts connections, says this at once, and closes them; None: says nothing and keeps them. Yields: the port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        kept: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    if says is None or not closes:
                        kept.append(connection)
                    if says is None:
                        continue
                    with contextlib.suppress(OSError):
                        connection.sendall(says)
                        if not closes:
                            continue
                        connection.shutdown(socket.SHUT_WR)
                        connection.recv(1 << 16)  # or what was said would be lost with a reset
                    connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


def server_context(folder: pathlib.Path, pair: own_certificates.Pair) -> ssl.SSLContext:
    """A server that shows this certificate."""
    chain, key = folder / "server.pem", folder / "server.key"
    chain.write_bytes(pair.chain)
    key.write_bytes(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


@contextlib.contextmanager
def cutting_handshakes(answer: bytes) -> collections.abc.Iterator[int]:
    """Closes connections at the first bytes of TLS, and answers everything else so. Yields: the port."""

    class Cuts(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1, socket.MSG_PEEK) == b"\x16":
                self.request.recv(1 << 16)
                return
            self.request.recv(1 << 16)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Cuts) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
