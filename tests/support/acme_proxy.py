"""A CA behind a proxy that sees, and may hold up, every request of its client.

It speaks HTTPS with the CA's own certificate and hands the Host header on, so the CA's links lead to the proxy.
"""

import collections.abc
import contextlib
import dataclasses
import http.client
import http.server
import ssl
import threading
import typing

from tests.support import pebble, serving


class Moment(typing.NamedTuple):
    """number: of the request, from 1. is_answered: whether the CA has answered it; its client has not seen that yet."""

    number: int
    is_answered: bool


@dataclasses.dataclass(slots=True)
class Proxy:
    """seen: a line for each request, such as "POST /order-plz". open: how many are not answered yet. at: what is done
    at each moment; False ends the connection there."""

    directory: str
    seen: list[str] = dataclasses.field(default_factory=list)
    open: int = 0
    at: collections.abc.Callable[[Moment], bool] = lambda _: True


@contextlib.contextmanager
def in_front_of(ca: pebble.Pebble) -> collections.abc.Iterator[Proxy]:
    """Until the block ends. Requests are handled one after another, so that their numbers are what happened."""
    found = Proxy(directory="")
    folder = ca.ca_file.parent
    host, _, port = ca.directory.removeprefix("https://").partition("/")[0].partition(":")
    trusted = ssl.create_default_context(cafile=str(ca.ca_file))
    turn = threading.Lock()

    @contextlib.contextmanager
    def opened() -> collections.abc.Iterator[None]:
        found.open += 1
        try:
            yield
        finally:
            found.open -= 1

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._forward()

        do_HEAD = do_POST = do_GET  # noqa: N815 - names of the standard library

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            with turn, opened():
                found.seen.append(f"{self.command} {self.path}")
                number = len(found.seen)
                if not found.at(Moment(number, is_answered=False)):
                    self.close_connection = True
                    return
                with contextlib.closing(http.client.HTTPSConnection(host, int(port), context=trusted)) as connection:
                    connection.request(self.command, self.path, body or None, dict(self.headers))
                    answer = connection.getresponse()
                    content = answer.read()
                if not found.at(Moment(number, is_answered=True)):
                    self.close_connection = True
                    return
            with contextlib.suppress(OSError):  # its client may be gone
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"transfer-encoding", "connection", "date", "content-length"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else content)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that was killed breaks connections
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.directory = f"https://127.0.0.1:{server.server_port}/dir"
    with serving.in_thread(server):
        yield found
