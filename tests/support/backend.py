"""A server behind the gate that can be away, move, and lose requests, and that counts what reached it."""

import collections
import collections.abc
import contextlib
import http.server
import ssl
import threading
import time

from tests.support import serving


class Backend(http.server.ThreadingHTTPServer):
    """Answers "NAME BYTES" to any GET or POST. Special paths, by how they end: /drop is read and dropped without an
    answer, /fail gets 503, /slow takes half a second. /healthz gets 503 while is_unwell.

    seen: method and path of every request that came whole, but for daemun's own tries.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.name = name
        self.seen: collections.Counter[str] = collections.Counter()
        self.lock = threading.Lock()
        self.is_ending = False
        self.is_unwell = False

    @property
    def port(self) -> int:
        return self.server_address[1]

    def server_close(self) -> None:
        """What is in the listener's queue is accepted first: a connection that is still there when the listener is
        closed is reset, with the request that is on it."""
        self.socket.setblocking(False)
        with contextlib.suppress(OSError):
            while True:
                self.process_request(*self.get_request())
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what some tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Backend
    timeout = 60

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = self.path.split("?")[0]
        if self.headers.get("User-Agent") != "daemun-probe":
            with self.server.lock:
                self.server.seen[f"{self.command} {self.path}"] += 1
        if path.endswith("/drop"):
            self.close_connection = True
            return
        if path.endswith("/slow"):
            time.sleep(0.5)
        text = f"{self.server.name} {len(body)} {self.headers.get('X-Mark', '')}".strip().encode()
        is_failing = path.endswith("/fail") or (path == "/healthz" and self.server.is_unwell)
        self.send_response(503 if is_failing else 200)
        self.send_header("Content-Length", str(len(text)))
        if self.server.is_ending:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _answer  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Tests read what was answered."""


@contextlib.contextmanager
def running(
    name: str = "one", *, host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
) -> collections.abc.Iterator[Backend]:
    """A Backend until the block ends, over TLS with a context. Then it refuses connections, and closes open ones after
    their next answer."""
    server = Backend(name, host, port)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving.in_thread(server):
        try:
            yield server
        finally:
            server.is_ending = True
