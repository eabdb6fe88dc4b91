"""`streams` of daemun.yaml: what clients and servers receive over TCP and UDP."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import socket
import ssl
import tempfile

import pytest

from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.served import served_judgement, stream_errors
from daemun.probing import bound_addresses, handshakes
from daemun.sources import yaml_file
from tests.support import ports, rendered, sites, stream_servers, until
from tests.support.stream_servers import LOOPBACK

pytestmark = pytest.mark.nginx

NAMES = (
    "plain",
    "group",
    "backup",
    "hashed",
    "socket",
    "told",
    "refused",
    "denied",
    "private",
    "one",
    "deaf",
    "gone",
    "secure",
    "own",
    "onward",
    "strict",
    "careless",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """at: where each stream listens."""

    running: rendered.Running
    at: dict[str, int]


def _settings(text: str) -> model.Globals:
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    assert not snapshot.problems
    assert snapshot.globals is not None
    return snapshot.globals


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[Gate]:
    at = {name: ports.free_port() for name in NAMES} | {"datagrams": ports.free_port(socket.SOCK_DGRAM)}
    nowhere = ports.free_port()
    with contextlib.ExitStack() as stack:
        path = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()), "x.sock")
        a, b = (stack.enter_context(stream_servers.tcp(name)) for name in "ab")
        stack.enter_context(stream_servers.tcp("socket", at=path))
        path.chmod(0o777)
        path.parent.chmod(0o755)
        context = stream_servers.context_of(path.parent, "server.test")
        secret = stack.enter_context(stream_servers.tcp("secret", tls=context))
        datagrams = stack.enter_context(stream_servers.udp("u"))
        onward = f"to: 'tls://{LOOPBACK}:{secret.port}', verify: {path.parent}/server.test.pem"
        to_a, to_b = (f"tcp://{LOOPBACK}:{one.port}" for one in (a, b))
        streams = {
            "plain": f"to: '{to_a}'",
            "group": f"to: ['{to_a}', '{to_b}']",
            "backup": f"to: ['tcp://{LOOPBACK}:{nowhere}', {{url: '{to_b}', backup: true}}]",
            "hashed": f"to: ['{to_a}', '{to_b}'], balance: ip_hash",
            "socket": f"to: 'tcp://unix:{path}'",
            "told": f"to: '{to_a}', proxy_protocol: true",
            "refused": f"to: '{to_a}', allow: [203.0.113.0/24]",
            "denied": f"to: '{to_a}', deny: [{LOOPBACK}]",
            "private": f"to: '{to_a}', allow: [private]",
            "one": f"to: '{to_a}', connections: 1",
            "deaf": f"to: 'tcp://{LOOPBACK}:{nowhere}'",
            "gone": f"to: '{to_a}', enabled: false",
            "secure": f"to: '{to_a}', tls: www.a.test",
            "own": f"to: '{to_a}', tls: mqtt.test",
            "onward": f"{onward}, server_name: server.test",
            "strict": f"{onward}, server_name: other.test",
            "careless": f"to: 'tls://{LOOPBACK}:{secret.port}', verify: false",
            "datagrams": f"to: 'udp://{LOOPBACK}:{datagrams.port}', responses: 1, timeout: 30s",
        }
        lines = [f"  {name}: {{listen: '{LOOPBACK}:{at[name]}', {rest}}}" for name, rest in streams.items()]
        settings = _settings("\n".join(["sites: {}", "streams:", *lines, ""]))
        site = sites.site("a.test", "http://127.0.0.1:9", aliases=("www.a.test",))
        running = stack.enter_context(rendered.running(site, settings=settings, certify=_certify))
        yield Gate(running=running, at=at)


def _certify(layout: layout_.Layout, desired: model.Desired) -> bytes:
    """As the daemon does, of the stream's own, too."""
    with_own = (*desired.sites, sites.site("mqtt.test", "http://127.0.0.1:9"))
    return rendered.certify_all(layout, dataclasses.replace(desired, sites=with_own))


def test_a_connection_carries_what_comes_in_both_directions(gate: Gate) -> None:
    with stream_servers.connect(gate.at["plain"]) as connection:
        assert stream_servers.exchange(connection, b"one") == b"a|one"
        assert stream_servers.exchange(connection, b"\0\xfftwo") == b"a|\0\xfftwo"


def test_connections_are_spread_over_servers(gate: Gate) -> None:
    assert {stream_servers.try_tcp(gate.at["group"]) for _ in range(4)} == {b"a|ping", b"b|ping"}


def test_with_ip_hash_one_address_has_one_server(gate: Gate) -> None:
    assert len({stream_servers.try_tcp(gate.at["hashed"]) for _ in range(6)}) == 1


def test_a_backup_takes_what_no_other_server_does(gate: Gate) -> None:
    assert stream_servers.try_tcp(gate.at["backup"]) == b"b|ping"


def test_a_server_may_be_a_unix_socket(gate: Gate) -> None:
    assert stream_servers.try_tcp(gate.at["socket"]) == b"socket|ping"


def test_servers_are_told_the_visitor_by_the_proxy_protocol(gate: Gate) -> None:
    with stream_servers.connect(gate.at["told"]) as connection:
        port = connection.getsockname()[1]
        seen = stream_servers.exchange(connection)
        while not seen.endswith(b"ping"):
            seen += connection.recv(65536)
    assert f"PROXY TCP4 {LOOPBACK} {LOOPBACK} {port} {gate.at['told']}\r\n".encode() in seen


@pytest.mark.parametrize("name", ["refused", "denied"])
def test_who_is_not_let_in_reaches_no_server(gate: Gate, name: str) -> None:
    assert stream_servers.try_tcp(gate.at[name]) == b""


def test_who_is_let_in_does(gate: Gate) -> None:
    assert stream_servers.try_tcp(gate.at["private"]) == b"a|ping"


def test_connections_of_one_address_are_limited(gate: Gate) -> None:
    with stream_servers.connect(gate.at["one"]) as first:
        assert stream_servers.exchange(first) == b"a|ping"
        assert stream_servers.try_tcp(gate.at["one"]) == b""
        assert stream_servers.exchange(first) == b"a|ping"


def test_without_a_server_the_connection_is_closed(gate: Gate) -> None:
    assert stream_servers.try_tcp(gate.at["deaf"]) == b""


def test_what_nginx_logs_of_servers_is_understood(gate: Gate) -> None:
    """The words are nginx's own."""
    assert stream_servers.try_tcp(gate.at["deaf"]) == b""
    assert stream_servers.try_tcp(gate.at["strict"]) == b""
    path = pathlib.Path(gate.running.layout.logs, "error.log")

    def find(name: str) -> str | None:
        lines = map(stream_errors.read_line, path.read_text().splitlines())
        found = [one for one in lines if one is not None and (one.host, one.port) == (LOOPBACK, gate.at[name])]
        return found[-1].kind.cause if found else None

    until.true(lambda: find("deaf") == "its server refused: nothing listened there")
    until.true(lambda: find("strict") == "the certificate of its server is for another name")
    assert find("plain") is None


async def test_addresses_that_are_listened_on_are_seen_without_a_connection(gate: Gate) -> None:
    bound = bound_addresses.find()
    assert bound is not None
    assert (LOOPBACK, gate.at["plain"]) in bound[False]
    assert (LOOPBACK, gate.at["datagrams"]) in bound[True]
    assert (LOOPBACK, gate.at["gone"]) not in bound[False]


async def test_a_handshake_that_is_not_ended_shows_the_certificate(gate: Gate) -> None:
    address = model.Address(host=LOOPBACK, port=gate.at["secure"])
    shown = await handshakes.shake(address, "www.a.test", sends_proxy_line=False, ends=False)
    assert isinstance(shown, served_judgement.Shown)
    assert shown.covers


def test_one_that_is_switched_off_does_not_listen(gate: Gate) -> None:
    with pytest.raises(ConnectionRefusedError):
        stream_servers.connect(gate.at["gone"])


def test_visitors_over_tls_are_shown_the_certificate_of_a_site(gate: Gate) -> None:
    assert stream_servers.try_tls(gate.at["secure"], "www.a.test", gate.running.clients.ca) == b"a|ping"
    with pytest.raises(ssl.SSLCertVerificationError):
        stream_servers.try_tls(gate.at["secure"], "mqtt.test", gate.running.clients.ca)


def test_a_host_without_a_site_has_a_certificate_of_its_own(gate: Gate) -> None:
    assert stream_servers.try_tls(gate.at["own"], "mqtt.test", gate.running.clients.ca) == b"a|ping"
    assert b"a|" not in stream_servers.try_tcp(gate.at["own"], b"CONNECT in clear, please\r\n\r\n")


def test_a_renewed_certificate_is_shown_without_a_reload(gate: Gate) -> None:
    folder = pathlib.Path(gate.running.layout.live, "mqtt.test")
    certificate, key = rendered.self_signed("mqtt.test")
    for name, content in (("privkey.pem", key), ("fullchain.pem", certificate)):
        new = folder / f"{name}.new"
        new.write_bytes(content)
        new.chmod(0o644)
        new.rename(folder / name)
    until.true(lambda: _shown(gate, "own") == ssl.PEM_cert_to_DER_cert(certificate.decode()))


def _shown(gate: Gate, name: str) -> bytes | None:
    """None: no handshake came about, as between the two files of a pair that changes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLError, ConnectionError), contextlib.ExitStack() as stack:
        plain = stack.enter_context(stream_servers.connect(gate.at[name]))
        return stack.enter_context(context.wrap_socket(plain)).getpeercert(binary_form=True)
    return None


def test_servers_that_show_a_certificate_are_checked(gate: Gate) -> None:
    assert stream_servers.try_tcp(gate.at["onward"]) == b"secret|ping"
    assert stream_servers.try_tcp(gate.at["strict"]) == b"", "the certificate is for another name"
    assert stream_servers.try_tcp(gate.at["careless"]) == b"secret|ping"


def test_datagrams_go_to_the_server_and_its_answers_back(gate: Gate) -> None:
    assert [stream_servers.try_udp(gate.at["datagrams"], piece) for piece in (b"one", b"two")] == [b"u|one", b"u|two"]
