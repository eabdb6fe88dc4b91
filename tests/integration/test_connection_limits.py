"""Limits of connections: `bandwidth`, `client_timeout`, `max_header`, `buffers`, `local_address`."""

import collections.abc
import contextlib
import http.server
import socket
import ssl
import threading

import pytest

from daemun.core import model
from daemun.core.options import catalogue, tls_policy_form
from daemun.core.options.bandwidth_option import Bandwidth
from daemun.core.options.buffers_option import Buffers
from daemun.core.options.client_timeout_option import ClientTimeout
from tests.support import rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

SIZE = 300_000


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers with SIZE bytes; "/head/N" with a header of N bytes, "/from" with the client's address."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"x" * SIZE
        self.send_response(200)
        if "/head/" in self.path:
            self.send_header("X-Long", "y" * int(self.path.rpartition("/")[2]))
            body = b"ok"
        if self.path.endswith("/from"):
            body = self.client_address[0].encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Tests read what was answered."""


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[rendered.Running]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        one = site(
            "limits.test",
            route("/", url),
            route("/slow/", url, bandwidth=Bandwidth(rate=1024, after=100_000)),
            route("/fast/", url, bandwidth=Bandwidth(rate=1 << 30)),
            route("/buffered/", proxy(url, buffering=True), bandwidth=Bandwidth(rate=1024, after=100_000)),
            route("/long/", proxy(url, buffers=Buffers(header=128 << 10))),
            route("/ahead/", proxy(url, buffering=True, buffers=Buffers(ahead=64 << 10))),
            route("/bound/", proxy(url, local_address="127.0.0.2")),
            client_timeout=ClientTimeout(keepalive=0.0),
        )
        slow = site(
            "slow.test",
            route("/", url),
            route("/off/", url, bandwidth=Bandwidth(rate=0)),
            bandwidth=Bandwidth(rate=1024),
        )
        newest = site("newest.test", url, tls=model.Tls(policy=tls_policy_form.make("1.3", None)))
        one_cipher = tls_policy_form.make("1.2", ("ECDHE-ECDSA-AES256-GCM-SHA384",))
        chosen = site("chosen.test", url, tls=model.Tls(policy=one_cipher))
        options = catalogue.values_of({"client_timeout": ClientTimeout(header=1.0), "max_header": 64 << 10})
        with rendered.running(one, slow, newest, chosen, settings=model.Globals(options=options)) as running:
            yield running
        server.shutdown()


@contextlib.contextmanager
def _connected(gate: rendered.Running, host: str) -> collections.abc.Iterator[socket.socket]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", gate.https), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        yield connection


@pytest.mark.parametrize(
    ("host", "path", "first"),
    [
        ("limits.test", "/slow/", 100_000),
        ("limits.test", "/buffered/", 100_000),
        ("slow.test", "/", 1),
    ],
)
def test_an_answer_is_slow_behind_its_beginning(gate: rendered.Running, host: str, path: str, first: int) -> None:
    """The rest would take minutes, so that nobody waits for it."""
    with _connected(gate, host) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        count = 0
        while count < first:
            count += len(connection.recv(65536))
        connection.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while part := connection.recv(65536):
                count += len(part)
                assert count < SIZE


@pytest.mark.parametrize("url", ["https://limits.test/", "https://limits.test/fast/", "https://slow.test/off/"])
def test_others_come_whole(gate: rendered.Running, url: str) -> None:
    assert len(gate.get(url).content) == SIZE


def test_answers_with_long_headers(gate: rendered.Running) -> None:
    assert gate.get("https://limits.test/long/head/100000").status_code == 200
    assert gate.get("https://limits.test/head/100000").status_code == 502
    assert len(gate.get("https://limits.test/ahead/").content) == SIZE


def test_requests_with_long_headers(gate: rendered.Running) -> None:
    assert gate.get("https://limits.test/from", Cookie="x" * 50_000).status_code == 200
    assert gate.get("https://limits.test/from", Cookie="x" * 70_000).status_code == 400


def test_the_address_that_servers_see(gate: rendered.Running) -> None:
    assert [gate.get(f"https://limits.test/{one}from").text for one in ("", "bound/")] == ["127.0.0.1", "127.0.0.2"]


def test_how_long_visitors_may_take(gate: rendered.Running) -> None:
    """Who sends half a header is disconnected, and no connection of the site is kept."""
    with _connected(gate, "limits.test") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: lim")
        assert connection.recv(1) == b""
    with _connected(gate, "limits.test") as connection:
        connection.sendall(b"GET /from HTTP/1.1\r\nHost: limits.test\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
        assert b"Connection: close" in answer


@pytest.mark.parametrize(
    ("host", "version", "cipher", "shaken"),
    [
        ("limits.test", "TLSv1_2", "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("limits.test", "TLSv1_3", None, True),
        ("newest.test", "TLSv1_2", "ECDHE-ECDSA-AES128-GCM-SHA256", False),
        ("newest.test", "TLSv1_3", None, True),
        ("chosen.test", "TLSv1_2", "ECDHE-ECDSA-AES128-GCM-SHA256", False),
        ("chosen.test", "TLSv1_2", "ECDHE-ECDSA-AES256-GCM-SHA384", True),
        ("chosen.test", "TLSv1_3", None, True),
    ],
)
def test_versions_and_ciphers_of_a_site(
    gate: rendered.Running, host: str, version: str, cipher: str | None, *, shaken: bool
) -> None:
    """By the name in the handshake, beside others on the same port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    if cipher is not None:
        context.set_ciphers(cipher)
    with socket.create_connection(("127.0.0.1", gate.https), timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host) as connection:
                found = connection.cipher()
        except (ssl.SSLError, ConnectionResetError):
            found = None
    assert (found is not None) is shaken
    assert cipher is None or found is None or found[0] == cipher
