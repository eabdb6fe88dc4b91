"""Requests that parsers could read in two ways reach no site that they were not sent to."""

import collections.abc
import contextlib
import dataclasses
import gc
import re
import socket

import httpx
import pytest

from tests.e2e import servers
from tests.support import backend, clients
from tests.support.daemon import Daemon, new_daemon

pytestmark = pytest.mark.nginx

BODY = "GET /smuggled HTTP/1.1\r\nHost: b.test\r\n\r\n"
CHUNKED = f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n"


def _post(*headers: str, body: str = BODY) -> str:
    return "\r\n".join(("POST /a HTTP/1.1", "Host: a.test", *headers, "", body))


REFUSED = {
    "two hosts": "GET /a HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
    "two hosts, one of them empty": "GET /a HTTP/1.1\r\nHost: a.test\r\nHost:\r\n\r\n",
    "no host": "GET /a HTTP/1.1\r\n\r\n",
    "a host with a path": "GET /a HTTP/1.1\r\nHost: a.test/b.test\r\n\r\n",
    "a host with a name": "GET /a HTTP/1.1\r\nHost: a.test@b.test\r\n\r\n",
    "a host with a space": "GET /a HTTP/1.1\r\nHost: a.test b.test\r\n\r\n",
    "a host that is none": "GET /a HTTP/1.1\r\nHost: a..test\r\n\r\n",
    "a space before the colon": "GET /a HTTP/1.1\r\nHost : b.test\r\nHost: a.test\r\n\r\n",
    "a null byte": "GET /a\x00 HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "a length and chunks": _post(f"Content-Length: {len(CHUNKED)}", "Transfer-Encoding: chunked", body=CHUNKED),
    "a length of zero and chunks": _post("Content-Length: 0", "Transfer-Encoding: chunked", body=CHUNKED),
    "two lengths": _post("Content-Length: 0", f"Content-Length: {len(BODY)}"),
    "a list of lengths": _post(f"Content-Length: 0, {len(BODY)}"),
    "a length with a sign": _post("Content-Length: +0"),
    "a length in another base": _post("Content-Length: 0x10"),
    "a coding nobody knows": _post("Transfer-Encoding: xchunked", body=CHUNKED),
    "two codings": _post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=CHUNKED),
    "chunks that are not the last coding": _post("Transfer-Encoding: chunked, identity", body=CHUNKED),
    "chunks in HTTP/1.0": _post("Transfer-Encoding: chunked", body=CHUNKED).replace("HTTP/1.1", "HTTP/1.0"),
    "a bad chunk": _post("Transfer-Encoding: chunked", body="zz\r\n" + BODY),
    "a tunnel": "CONNECT b.test:80 HTTP/1.1\r\nHost: b.test:80\r\n\r\n",
    "an unknown host in the target": "GET http://unknown.test/a HTTP/1.1\r\nHost: a.test\r\n\r\n",
}

KEPT_APART = {
    "an upgrade to HTTP/2": "GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
    "an upgrade with a body": _post("Connection: Upgrade", "Upgrade: websocket", f"Content-Length: {len(BODY)}"),
    "a header that is dropped": _post("Connection: Content-Length", f"Content-Length: {len(BODY)}"),
    "a header with an underscore": _post("Content_Length: 0", f"Content-Length: {len(BODY)}"),
    "a plain body": _post(f"Content-Length: {len(BODY)}"),
    "a body in chunks": _post("Transfer-Encoding: chunked", body=CHUNKED),
    "a GET with a body": _post(f"Content-Length: {len(BODY)}").replace("POST", "GET"),
    "line breaks of one byte": _post(f"Content-Length: {len(BODY)}").replace("\r\n\r\n", "\n\n", 1),
}


END = "GET /end HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def _exchange(gate: clients.GateAddress, text: str, *, tls: bool) -> bytes:
    """All that comes back for these bytes and one more request, which asks the gate to close."""
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(
            socket.create_connection((clients.LOOPBACK, gate.port("https" if tls else "http")), timeout=20)
        )
        connection: socket.socket = plain
        if tls:
            connection = stack.enter_context(clients.trust(gate.ca).wrap_socket(plain, server_hostname="a.test"))
        connection.sendall((text + END).encode("latin-1"))
        seen = b""
        with contextlib.suppress(ConnectionError):  # refused before all of it was read
            while chunk := connection.recv(65536):
                seen += chunk
        return seen


@dataclasses.dataclass(frozen=True)
class TwoSites:
    """Each with a server that knows what reached it."""

    daemon: Daemon
    a: backend.Backend
    b: backend.Backend


@pytest.fixture(scope="module")
def sites() -> collections.abc.Iterator[TwoSites]:
    with backend.running("a") as a, backend.running("b") as b, new_daemon() as daemon:
        written = "".join(
            f"  {one.name}.test: {{http: serve, routes: {{/: 'http://127.0.0.1:{one.port}'}}}}\n" for one in (a, b)
        )
        daemon.write("sites:\n" + written)
        daemon.up("https://a.test/", "https://b.test/")
        yield TwoSites(daemon, a, b)


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("what", [*REFUSED, *KEPT_APART])
def test_what_can_be_read_in_two_ways(sites: TwoSites, what: str, *, tls: bool) -> None:
    sites.a.seen.clear()
    sites.b.seen.clear()
    text = REFUSED.get(what) or KEPT_APART[what]
    statuses = [int(status) for status in _STATUS.findall(_exchange(sites.daemon.gate, text, tls=tls))]
    assert not sites.b.seen, "nothing was sent to the other site"
    assert {line.split()[1] for line in sites.a.seen} <= {"/a", "/end"}
    if what in REFUSED:
        assert statuses[0] in {400, 404, 405, 421, 501}
        assert not any(line.endswith("/a") for line in sites.a.seen)
    else:
        assert statuses == [200, 200]


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_the_host_in_the_target_wins(daemon: Daemon, *, tls: bool) -> None:
    """RFC 9112 section 3.2.2; and a TLS connection made for one site is for no other (RFC 9110 section 7.4)."""
    with servers.running("a") as a, servers.running("b") as b:
        daemon.write(
            f"""\
            sites:
              a.test: {{http: serve, routes: {{/: "{a.url}"}}}}
              b.test: {{http: serve, routes: {{/: "{b.url}"}}}}
            """
        )
        daemon.up("https://a.test/", "https://b.test/")
        seen = _exchange(daemon.gate, "GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n", tls=tls)
        if tls:
            assert seen.startswith(b"HTTP/1.1 421 ")
        else:
            assert b'"name":"b"' in seen
            assert b'"host":"b.test"' in seen


# Of a connection that ends while the request is sent, httpcore leaves the socket to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_large_headers_pass_and_larger_ones_are_refused(daemon: Daemon, *, http2: bool) -> None:
    with servers.running("a") as a:
        daemon.write(f"sites:\n  a.test: {a.url}\n")
        daemon.up("https://a.test/")
        large = "x" * 15_000
        got = daemon.get("https://a.test/", http2=http2, Cookie=large)
        assert got.json()["headers"]["cookie"] == large
        too_large = "x" * 40_000
        if http2:  # nginx ends the connection: ENHANCE_YOUR_CALM (RFC 9113 section 10.5.1 lets it)
            with pytest.raises(httpx.RemoteProtocolError):
                daemon.get("https://a.test/", http2=True, Cookie=too_large)
        else:
            assert daemon.get("https://a.test/", Cookie=too_large).status_code == 400
        assert daemon.get("https://a.test/", http2=http2).status_code == 200
        gc.collect()
