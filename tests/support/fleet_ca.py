"""In front of Pebble: a second newOrder of the same account for the same names gets the order that is there, as from
Let's Encrypt while that is pending or ready (boulder, docs/acme-implementation_details.md). Whoever lost an answer
orders nothing twice.

    python -m tests.support.fleet_ca ADDRESS PORT PEBBLE FOLDER

PEBBLE: its address and port. FOLDER: with its certificates (`pebble.write_certificates`) and logs.
"""

import base64
import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import datetime
import http.client
import http.server
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import typing

from tests.support import fleet_network, pebble, ports, until

_NEW, _FINALIZE, _NONCE = "/order-plz", "/finalize-order/", "/nonce-plz"
_OF_CONNECTION = {"transfer-encoding", "connection", "date", "content-length"}
_LOG = "orders.log"
_PATIENCE_S = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ca(pebble.Pebble):
    """orders_log: a line for each newOrder and each finalization, with its client and its names."""

    orders_log: pathlib.Path

    def surplus(self) -> str:
        """All that happened to certificates which cost more than one order; empty: none did."""
        lines = self.orders_log.read_text().splitlines() if self.orders_log.exists() else []
        made = [names_of(line) for line in lines if line.endswith(_MADE)]
        return "\n".join(line for line in lines if made.count(names_of(line)) > 1)


_MADE = ": made"


def names_of(line: str) -> str:
    """Of a line of the log."""
    return line.split()[3]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def order(self) -> str:
        """Its id."""
        return self.headers["Location"].rpartition("/")[2]


_Key = tuple[str, str]
"""An account's URL, and names."""


class _Orders:
    """Those that may be given again, for all threads. No request is waited for with the guard held."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._open: dict[_Key, concurrent.futures.Future[_Answer]] = {}
        self._names: dict[str, str] = {}

    def find(self, key: _Key, make: collections.abc.Callable[[], _Answer]) -> tuple[_Answer, bool]:
        """The answer for an order, and whether it was made for this one. Who comes while it is made gets it, too."""
        while True:
            with self._guard:
                found = self._open.get(key)
                new = None if found is not None else self._open.setdefault(key, concurrent.futures.Future())
            if new is not None:
                return self._make(key, new, make), True
            assert found is not None
            with contextlib.suppress(Exception):  # of who made it
                answer = found.result(2 * _PATIENCE_S)
                if answer.status == http.HTTPStatus.CREATED and not self._is_invalid(answer.order):
                    return answer, False
            self._drop(key, found)

    def _make(
        self, key: _Key, new: concurrent.futures.Future[_Answer], make: collections.abc.Callable[[], _Answer]
    ) -> _Answer:
        try:
            answer = make()
        except BaseException as error:
            self._drop(key, new)
            new.set_exception(error)
            raise
        if answer.status == http.HTTPStatus.CREATED:
            self._names[answer.order] = key[1]
        else:
            self._drop(key, new)
        new.set_result(answer)
        return answer

    def close(self, order: str) -> str:
        """It is finalized, so it is not given again. Returns: its names."""
        with self._guard:
            for key, made in list(self._open.items()):
                if made.done() and made.result().order == order:
                    del self._open[key]
        return self._names.get(order, "?")

    def _drop(self, key: _Key, made: concurrent.futures.Future[_Answer]) -> None:
        with self._guard:
            if self._open.get(key) is made:
                del self._open[key]

    def _is_invalid(self, order: str) -> bool:
        """Only its account can query its status, but Pebble logs it: of an order whose authorization is invalid."""
        texts = (path.read_text() for path in self._folder.glob("pebble-*.log"))
        return any(re.search(rf"order {re.escape(order)} set INVALID", text) for text in texts)

    def note(self, text: str) -> None:
        now = datetime.datetime.now(datetime.UTC).time().isoformat("milliseconds")
        with self._guard, (self._folder / _LOG).open("a") as log:
            log.write(f"{now} {text}\n")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    pebble_: typing.ClassVar[tuple[str, ssl.SSLContext]]
    orders: typing.ClassVar[_Orders]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = self._order(body) if self.path == _NEW else self._send(self.command, self.path, body)
        if self.path.startswith(_FINALIZE):
            order = self.path.removeprefix(_FINALIZE)
            is_taken = answer.status == http.HTTPStatus.OK
            names = self.orders.close(order) if is_taken else "?"
            self._note("finalize", names, order, str(answer.status))
        with contextlib.suppress(OSError):  # its client may be gone
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer.body)

    do_HEAD = do_POST = do_GET  # noqa: N815 - names of the standard library

    def _order(self, body: bytes) -> _Answer:
        signed = json.loads(body)
        names = ",".join(sorted(one["value"] for one in _decode(signed["payload"])["identifiers"]))
        key = str(_decode(signed["protected"]).get("kid")), names
        answer, is_new = self.orders.find(key, lambda: self._send("POST", _NEW, body))
        if not is_new:
            nonce = self._send("HEAD", _NONCE, b"").headers
            self._note("newOrder", names, answer.order, "given again")
            return dataclasses.replace(answer, headers={**answer.headers, **nonce})
        is_made = answer.status == http.HTTPStatus.CREATED
        self._note("newOrder", names, answer.order if is_made else "-", "made" if is_made else str(answer.status))
        return answer

    def _note(self, what: str, names: str, order: str, how: str) -> None:
        self.orders.note(f"{self.client_address[0]} {what} {names} {order}: {how}")

    def _send(self, method: str, path: str, body: bytes) -> _Answer:
        """Without the length of a body that is not sent: Pebble would wait for that."""
        address, context = self.pebble_
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _OF_CONNECTION}
        connection = http.client.HTTPSConnection(address, context=context, timeout=_PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_CONNECTION}
            return _Answer(status=answer.status, headers=headers, body=answer.read())

    def log_message(self, *_: object) -> None:
        """Pebble counts."""


def _decode(part: str) -> typing.Any:
    """Of a JWS (RFC 7515)."""
    return json.loads(base64.urlsafe_b64decode(part + "=="))


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed break connections."""


def _serve(address: str, port: int, of: str, folder: pathlib.Path) -> None:
    _Handler.pebble_ = of, ssl.create_default_context(cafile=str(folder / "ca.pem"))
    _Handler.orders = _Orders(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    server = _Server((address, port), _Handler)
    # A handshake that does not go on holds up no other.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


@contextlib.contextmanager
def in_front_of(ca: pebble.Pebble, machine: fleet_network.Machine | None = None) -> collections.abc.Iterator[Ca]:
    """The same CA by another directory. machine: where it runs; None: this one."""
    of, _, path = ca.directory.removeprefix("https://").partition("/")
    address, port = of.partition(":")[0], ports.free_port()
    inside = () if machine is None else machine.inside
    command = (*inside, sys.executable, "-m", __name__, address, str(port), of, str(ca.ca_file.parent))
    process = subprocess.Popen(command, cwd=fleet_network.ROOT)
    known = {field.name: getattr(ca, field.name) for field in dataclasses.fields(ca)}
    known["directory"] = f"https://{address}:{port}/{path}"
    try:
        until.true(lambda: _listens(address, port))
        yield Ca(**known, orders_log=ca.ca_file.parent / _LOG)
    finally:
        process.kill()
        process.wait(60)


def _listens(address: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((address, port), timeout=1).close()
        return True
    return False


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4]))
