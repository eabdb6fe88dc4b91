"""Servers of TCP and UDP for streams: each answers every piece with its name and what it got, `b|ping`."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import socket
import socketserver
import ssl
import threading

from tests.support import ports, rendered

LOOPBACK = "127.0.0.1"
TIMEOUT_S = 30
"""Generous: a busy machine answers late, and a right test never waits so long."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamServer:
    """port: of loopback; 0 with a unix socket."""

    name: str
    port: int = 0


@contextlib.contextmanager
def tcp(
    name: str, *, at: pathlib.Path | None = None, tls: ssl.SSLContext | None = None, port: int | None = None
) -> collections.abc.Iterator[StreamServer]:
    """at: a unix socket instead of a port. tls: it shows a certificate. port: None: a free one."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                connection = self.request
                if tls is not None:
                    connection = stack.enter_context(tls.wrap_socket(connection, server_side=True))
                while piece := connection.recv(65536):
                    connection.sendall(f"{name}|".encode() + piece)

    if at is not None:
        with _serving(socketserver.ThreadingUnixStreamServer(str(at), Handler)):
            yield StreamServer(name=name)
        return
    port = ports.free_port() if port is None else port
    with _serving(socketserver.ThreadingTCPServer((LOOPBACK, port), Handler)):
        yield StreamServer(name=name, port=port)


@contextlib.contextmanager
def udp(name: str) -> collections.abc.Iterator[StreamServer]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            piece, where = self.request
            where.sendto(f"{name}|".encode() + piece, self.client_address)

    port = ports.free_port(socket.SOCK_DGRAM)
    with _serving(socketserver.ThreadingUDPServer((LOOPBACK, port), Handler)):
        yield StreamServer(name=name, port=port)


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> collections.abc.Iterator[None]:
    if isinstance(server, socketserver.ThreadingMixIn):
        server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def context_of(folder: pathlib.Path, *names: str) -> ssl.SSLContext:
    """A server's, with a certificate of its own for these names, which is in `folder` as NAME.pem, too."""
    certificate, key = rendered.self_signed(*names)
    pair = folder / f"{names[0]}.pem"
    pair.write_bytes(certificate)
    both = folder / f"{names[0]}.both"
    both.write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context


# --- clients ---------------------------------------------------------------------------------------------------


def connect(port: int, host: str = LOOPBACK) -> socket.socket:
    return socket.create_connection((host, port), timeout=TIMEOUT_S)


def exchange(connection: socket.socket, piece: bytes = b"ping") -> bytes:
    """What comes back for a piece; b"" when the connection is closed without a word."""
    try:
        connection.sendall(piece)
        return connection.recv(65536)
    except ConnectionError:
        return b""


def try_tcp(port: int, piece: bytes = b"ping") -> bytes:
    """The same on a connection of its own."""
    with connect(port) as connection:
        return exchange(connection, piece)


def try_tls(port: int, name: str, roots: pathlib.Path, piece: bytes = b"ping") -> bytes:
    """The same over TLS. Raises: ssl.SSLError when the certificate is not of these roots, or not for the name."""
    context = ssl.create_default_context(cafile=str(roots))
    with connect(port) as plain, context.wrap_socket(plain, server_hostname=name) as connection:
        return exchange(connection, piece)


def try_udp(port: int, piece: bytes = b"ping") -> bytes:
    """The answer to a datagram, which is sent again until there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((LOOPBACK, port))
        client.settimeout(1)
        for _ in range(TIMEOUT_S):
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                client.send(piece)
                return client.recv(65536)
    raise AssertionError(f"nothing answers on port {port} over UDP")
