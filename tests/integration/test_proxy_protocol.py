"""`listen: {proxy_protocol: NETWORKS}`: a balancer names the visitor ahead of each connection, and nobody else does."""

import collections.abc
import contextlib
import socket
import ssl

import pytest

from daemun.core import model
from daemun.core.options.access_option import Access
from daemun.core.options.rate_limit_form import Rate, RateLimit
from tests.support import echo, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

BALANCER, STRANGER = "127.0.0.1", "127.0.0.2"
LINE = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 8443\r\n"
V2 = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
    + socket.inet_aton("203.0.113.7")
    + socket.inet_aton("198.51.100.1")
    + b"\x12\x67\x20\xfb"
)


_ONE = RateLimit(rate=Rate(requests=1, period_s=60), burst=1)


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    sites = (
        site("a.test", route("/", one.url), http=model.HttpMode.SERVE),
        site("inner.test", route("/", one.url), access=Access(allow=("203.0.113.0/24",))),
        site("limited.test", route("/", one.url), access=Access(rate_limit=_ONE)),
    )
    settings = model.Globals(listen=model.Listen(balancers=(BALANCER,)))
    with rendered.running(*sites, settings=settings) as running:
        yield running


def ask(gate: rendered.Running, host: str, line: bytes, *, peer: str, tls: bool, headers: str = "") -> bytes:
    """peer: whose address the connection comes from."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n".encode()
    answer = b""
    with contextlib.ExitStack() as stack:
        there = ("127.0.0.1", gate.https if tls else gate.http)
        connection = stack.enter_context(socket.create_connection(there, timeout=20, source_address=(peer, 0)))
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            connection.sendall(line)
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                connection = stack.enter_context(context.wrap_socket(connection, server_hostname=host))
            connection.sendall(request)
            while part := connection.recv(65536):
                answer += part
    return answer


def said(answer: bytes) -> collections.abc.Mapping[str, str]:
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return echo.Said.parse(answer.split(b"\r\n\r\n", 1)[1]).headers


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("line", [LINE, V2])
def test_the_balancer_names_the_visitor(gate: rendered.Running, line: bytes, *, tls: bool) -> None:
    found = said(ask(gate, "a.test", line, peer=BALANCER, tls=tls))
    assert (found["x-real-ip"], found["x-forwarded-for"]) == ("203.0.113.7", "203.0.113.7")
    assert found["x-forwarded-port"] == "8443"
    assert ask(gate, "inner.test", line, peer=BALANCER, tls=True).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("line", [LINE, V2])
def test_a_stranger_names_nobody(gate: rendered.Running, line: bytes) -> None:
    found = said(ask(gate, "a.test", line, peer=STRANGER, tls=True))
    assert (found["x-real-ip"], found["x-forwarded-for"]) == (STRANGER, STRANGER)
    assert found["x-forwarded-port"] != "8443"
    assert ask(gate, "inner.test", line, peer=STRANGER, tls=True).startswith(b"HTTP/1.1 403 ")


def test_the_balancer_without_a_visitor_is_its_own(gate: rendered.Running) -> None:
    """As for its health checks."""
    assert said(ask(gate, "a.test", b"PROXY UNKNOWN\r\n", peer=BALANCER, tls=True))["x-real-ip"] == BALANCER
    assert ask(gate, "inner.test", b"PROXY UNKNOWN\r\n", peer=BALANCER, tls=True).startswith(b"HTTP/1.1 403 ")


def test_addresses_of_ipv4_that_are_written_as_ipv6_are_counted_one_by_one(gate: rendered.Running) -> None:
    addresses = ("::ffff:203.0.113.21", "::ffff:203.0.113.22", "::ffff:203.0.113.21")
    lines = [*(f"PROXY TCP6 {address} 2001:db8::1 4711 8443" for address in addresses)]
    lines += ["PROXY TCP4 203.0.113.22 198.51.100.1 4711 8443"]
    lines += [f"PROXY TCP6 2001:db8:1::{host} 2001:db8::1 4711 8443" for host in (1, 2)]
    answers = [ask(gate, "limited.test", f"{line}\r\n".encode(), peer=BALANCER, tls=True) for line in lines]
    assert [int(answer.split()[1]) for answer in answers] == [200, 200, 429, 429, 200, 429]


@pytest.mark.parametrize("line", [b"", b"PROXY TCP4 203.0.113.7\r\n", b"PROXY TCP4 x y 1 2\r\n"])
def test_without_a_good_line_nobody_is_served(gate: rendered.Running, line: bytes) -> None:
    assert b" 200 " not in ask(gate, "a.test", line, peer=BALANCER, tls=False)


def test_headers_of_visitors_are_no_word_of_the_balancer(gate: rendered.Running) -> None:
    """It passes connections on, and what is in them comes from visitors."""
    claimed = "X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-Proto: ftp\r\nX-Forwarded-Port: 7\r\n"
    found = said(ask(gate, "a.test", LINE, peer=BALANCER, tls=True, headers=claimed))
    names = ("x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port")
    assert [found[name] for name in names] == ["203.0.113.7", "203.0.113.7", "https", "8443"]
