"""In front of Pebble: a second newOrder for the same names gets the order that is there, as from Let's Encrypt while
that is pending or ready (boulder, docs/acme-implementation_details.md). Whoever lost an answer orders nothing twice.

    python -m tests.support.fleet_ca ADDRESS PORT PEBBLE FOLDER

PEBBLE: its address and port. FOLDER: with its certificates (`pebble.write_certificates`).
"""

import base64
import collections.abc
import contextlib
import dataclasses
import http.client
import http.server
import json
import pathlib
import ssl
import sys
import threading
import typing

from tests.support import fleet_network, pebble, ports

_NEW, _FINALIZE, _NONCE = "/order-plz", "/finalize-order/", "/nonce-plz"
_OF_CONNECTION = {"transfer-encoding", "connection", "date", "content-length"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    pebble_: typing.ClassVar[tuple[str, ssl.SSLContext]]
    turn: typing.ClassVar[threading.Lock] = threading.Lock()
    open: typing.ClassVar[dict[str, _Answer]] = {}
    """The names of each order that is not finalized -> what was answered."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = self._order(body) if self.path == _NEW else self._send(self.command, self.path, body)
        if self.path.startswith(_FINALIZE) and answer.status == 200:
            self._close(self.path.removeprefix(_FINALIZE))
        with contextlib.suppress(OSError):  # its client may be gone
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer.body)

    do_HEAD = do_POST = do_GET  # noqa: N815 - names of the standard library

    def _order(self, body: bytes) -> _Answer:
        payload = json.loads(body)["payload"]
        names = json.dumps(json.loads(base64.urlsafe_b64decode(payload + "=="))["identifiers"])
        with self.turn:  # whoever comes while it is made gets it
            if names not in self.open:
                answer = self._send("POST", _NEW, body)
                if answer.status == 201:
                    self.open[names] = answer
                return answer
            nonce = self._send("HEAD", _NONCE, b"").headers
            return dataclasses.replace(self.open[names], headers={**self.open[names].headers, **nonce})

    def _close(self, order: str) -> None:
        with self.turn:
            for names, answer in list(self.open.items()):
                if answer.headers["Location"].endswith(f"/{order}"):
                    del self.open[names]

    def _send(self, method: str, path: str, body: bytes) -> _Answer:
        address, context = self.pebble_
        with contextlib.closing(http.client.HTTPSConnection(address, context=context, timeout=60)) as connection:
            connection.request(method, path, body or None, dict(self.headers))
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_CONNECTION}
            return _Answer(status=answer.status, headers=headers, body=answer.read())

    def log_message(self, *_: object) -> None:
        """Pebble counts."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed break connections."""


def _serve(address: str, port: int, of: str, folder: pathlib.Path) -> None:
    _Handler.pebble_ = of, ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    server = _Server((address, port), _Handler)
    # A handshake that does not go on holds up no other.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


@contextlib.contextmanager
def in_front_of(ca: pebble.Pebble, machine: fleet_network.Machine) -> collections.abc.Iterator[pebble.Pebble]:
    """The same CA by another directory. machine: where it runs."""
    of, _, path = ca.directory.removeprefix("https://").partition("/")
    port = ports.free_port()
    process = machine.python(__name__, machine.address, str(port), of, str(ca.ca_file.parent))
    try:
        yield dataclasses.replace(ca, directory=f"https://{machine.address}:{port}/{path}")
    finally:
        process.kill()
        process.wait(60)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4]))
