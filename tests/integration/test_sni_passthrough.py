"""`tls: passthrough` of streams: at the port of HTTPS, some names are a server's, and all others the sites'."""

import collections.abc
import contextlib
import pathlib
import ssl
import tempfile

import pytest

from daemun.sources import yaml_file
from tests.support import echo, rendered, stream_servers, until
from tests.support.stream_servers import LOOPBACK

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def folder() -> collections.abc.Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


def _listening(gate: rendered.Running) -> rendered.Running:
    """Its streams take their addresses after those of plain HTTP."""

    def connects() -> bool:
        with contextlib.suppress(ConnectionRefusedError), stream_servers.connect(gate.https):
            return True
        return False

    until.true(connects)
    return gate


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer, folder: pathlib.Path) -> collections.abc.Iterator[rendered.Running]:
    at = rendered.At()
    with contextlib.ExitStack() as stack:
        context = stream_servers.context_of(
            folder, "mail.test", "imap.mail.test", "denied.test", "mail.apps.test", "any.wild.test"
        )
        server = stack.enter_context(stream_servers.tcp("mail", tls=context))
        to = f"to: 'tcp://{LOOPBACK}:{server.port}'"
        text = f"""\
listen: {{http: '{LOOPBACK}:{at.http}', https: '{LOOPBACK}:{at.https}'}}
sites:
  site.test: '{one.url}'
  "*.apps.test": '{one.url}'
  site.wild.test: '{one.url}'
  "*.deep.wild.test": '{one.url}'
streams:
  mail.test: {{listen: {at.https}, tls: passthrough, {to}}}
  others: {{listen: {at.https}, tls: passthrough, hosts: ["*.mail.test", mail.apps.test, "*.wild.test"], {to}}}
  denied: {{listen: {at.https}, tls: passthrough, hosts: [denied.test], {to}, deny: [{LOOPBACK}]}}
"""
        snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
        assert not snapshot.problems
        running = rendered.running(*snapshot.sites, settings=snapshot.globals, at=at)
        yield _listening(stack.enter_context(running))


@pytest.mark.parametrize("name", ["mail.test", "imap.mail.test", "mail.apps.test", "any.wild.test"])
def test_a_name_that_is_passed_on_has_the_handshake_of_its_server(
    gate: rendered.Running, folder: pathlib.Path, name: str
) -> None:
    assert stream_servers.try_tls(gate.https, name, folder / "mail.test.pem") == b"mail|ping"


def test_who_is_not_let_in_has_none(gate: rendered.Running, folder: pathlib.Path) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        stream_servers.try_tls(gate.https, "denied.test", folder / "mail.test.pem")


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("host", ["site.test", "shop.apps.test", "site.wild.test", "x.deep.wild.test"])
def test_sites_are_as_they_were_and_know_their_visitors(gate: rendered.Running, host: str, http2: bool) -> None:
    answer = gate.get(f"https://{host}/x", http2=http2)
    assert answer.status_code == 200
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    said = echo.Said.parse(answer.content)
    assert said.headers["x-real-ip"] == LOOPBACK
    assert said.headers["x-forwarded-proto"] == "https"


def test_unknown_names_and_plain_http_get_what_they_always_got(gate: rendered.Running) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        stream_servers.try_tls(gate.https, "nowhere.example", gate.clients.ca)
    assert b" 400 " in stream_servers.try_tcp(gate.https, b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")


@pytest.fixture(scope="module")
def behind(one: echo.EchoServer, folder: pathlib.Path) -> collections.abc.Iterator[rendered.Running]:
    """Behind a balancer that sends a PROXY line."""
    at = rendered.At()
    with contextlib.ExitStack() as stack:
        context = stream_servers.context_of(folder, "own.test", "single.test")
        server = stack.enter_context(stream_servers.tcp("own", tls=context))
        text = f"""\
listen: {{http: '{LOOPBACK}:{at.http}', https: '{LOOPBACK}:{at.https}', proxy_protocol: [{LOOPBACK}]}}
sites:
  site.test: '{one.url}'
streams:
  own.test: {{listen: {at.https}, tls: passthrough, to: 'tcp://{LOOPBACK}:{server.port}', deny: [203.0.113.66]}}
  single.test: {{listen: {at.https}, tls: passthrough, to: 'tcp://{LOOPBACK}:{server.port}', connections: 1}}
"""
        snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
        assert not snapshot.problems
        running = rendered.running(*snapshot.sites, settings=snapshot.globals, at=at)
        yield _listening(stack.enter_context(running))


def _over_balancer(gate: rendered.Running, visitor: str, name: str, roots: pathlib.Path, piece: bytes) -> bytes:
    """What a visitor gets whom the PROXY line names: the answer to a ping, or all until the connection is closed."""
    context = ssl.create_default_context(cafile=str(roots))
    with stream_servers.connect(gate.https) as plain:
        plain.sendall(f"PROXY TCP4 {visitor} 198.51.100.1 5555 443\r\n".encode())
        with context.wrap_socket(plain, server_hostname=name) as connection:
            seen = stream_servers.exchange(connection, piece)
            while piece != b"ping" and (more := connection.recv(65536)):
                seen += more
            return seen


def test_behind_a_balancer_it_is_the_visitor_who_counts(behind: rendered.Running, folder: pathlib.Path) -> None:
    own = folder / "own.test.pem"
    assert _over_balancer(behind, "203.0.113.9", "own.test", own, b"ping") == b"own|ping"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _over_balancer(behind, "203.0.113.66", "own.test", own, b"ping")
    request = b"GET /x HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n"
    answer = _over_balancer(behind, "203.0.113.9", "site.test", behind.clients.ca, request)
    assert b"203.0.113.9" in answer


def test_addresses_of_ipv4_that_are_written_as_ipv6_have_connections_of_their_own(
    behind: rendered.Running, folder: pathlib.Path
) -> None:
    def open_one(visitor: str) -> bytes:
        plain = stack.enter_context(stream_servers.connect(behind.https))
        plain.sendall(f"PROXY TCP6 {visitor} 2001:db8::1 5555 443\r\n".encode())
        context = ssl.create_default_context(cafile=str(folder / "own.test.pem"))
        return stream_servers.exchange(stack.enter_context(context.wrap_socket(plain, server_hostname="single.test")))

    with contextlib.ExitStack() as stack:
        assert open_one("::ffff:203.0.113.9") == b"own|ping"
        assert open_one("::ffff:203.0.113.10") == b"own|ping"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            open_one("::ffff:203.0.113.9")
