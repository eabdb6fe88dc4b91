"""What clients of streams receive: which servers are tried, what nginx's log says of them, what follows."""

import datetime

import pytest

from daemun.core import model
from daemun.core.logged import error_line
from daemun.core.options import streams_option
from daemun.core.served import server_answers, stream_errors, stream_judgement, stream_targets, upstream_errors
from daemun.probing import bound_addresses
from tests.unit import test_streams_option

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
REFUSED = model.ServerLook(
    server="10.0.0.5:1", at=NOW, trouble=model.Trouble.REFUSED, cause="it refuses", cure="start it", since=NOW
)
WELL = model.ServerLook(server="10.0.0.6:1", at=NOW)


def only(stream: str) -> streams_option.NamedStream:
    settings = test_streams_option.read(stream).globals
    assert settings is not None
    (one,) = streams_option.OPTION.of(settings)
    return one


def status(look: model.StreamLook | None = None, **values: object) -> model.StreamStatus:
    default: dict[str, object] = {
        "name": "mqtt",
        "origin": model.Origin(source="file", place="daemun.yaml:3:3"),
        "protocol": "tcp",
        "listen": ("1883", "1884"),
        "to": ("tcp://10.0.0.5:1",),
        "tls": None,
        "hosts": (),
        "state": model.SiteState.LIVE,
        "look": look,
    }
    return model.StreamStatus(**(default | values))  # type: ignore[arg-type]


def test_servers_over_tcp_are_tried_as_nginx_reaches_them() -> None:
    one = only("a: {listen: 1, to: [tcp://b:2, 'tcp://[::1]:3', tcp://unix:/run/x, {url: tcp://c:4, down: true}]}")
    named, address, socket = stream_targets.find_aims(one)
    assert (named.named, named.endpoint, named.socket) == ("b", None, None)
    assert named.service is not None
    assert address.endpoint == model.Endpoint(address="::1", port=3)
    assert socket.socket == "/run/x"
    assert all(aim.sent is None and not aim.scheme.is_encrypted for aim in (named, address, socket))


def test_a_server_over_tls_is_tried_with_the_settings_of_the_stream() -> None:
    (aim,) = stream_targets.find_aims(only("a: {listen: 1, to: tls://b:2, server_name: c.test, verify: /ca.pem}"))
    assert (aim.scheme.is_encrypted, aim.server_name, aim.tls.verify, aim.tls.ca_file) == (
        True,
        "c.test",
        True,
        "/ca.pem",
    )
    found = server_answers.ServerFinding(trouble=model.Trouble.SPEAKS_HTTP, cause="x", cure="y")
    found = stream_targets.of_stream(aim, "b (10.0.0.1:2)", found)
    assert found.cause == "b (10.0.0.1:2) answers without TLS, and the target says tls://"
    assert found.cure == "write tcp://b:2, or correct the port"


@pytest.mark.parametrize("stream", ["a: {listen: 1, to: udp://b:2}", "a: {listen: 1, to: tcp://b:2, enabled: false}"])
def test_none_is_tried_where_nothing_could_be_concluded(stream: str) -> None:
    assert stream_targets.find_aims(only(stream)) == ()


def test_one_that_wants_the_proxy_line_gets_a_connection_alone() -> None:
    (aim,) = stream_targets.find_aims(only("a: {listen: 1, to: tls://b:2, proxy_protocol: true}"))
    assert not aim.scheme.is_encrypted


@pytest.mark.parametrize(
    ("more", "host"),
    [("", "m.test"), (", allow: [private]", None), (", deny: [10.0.0.1]", None), (", enabled: false", None)],
)
def test_handshakes_are_made_where_this_machine_is_let_in(more: str, host: str | None) -> None:
    assert stream_targets.find_shaken_host(only(f"a: {{listen: 1, to: tcp://b:2, tls: m.test{more}}}")) == host


def test_what_is_bound() -> None:
    one = only("a: {listen: [1883, '10.0.0.1:5', '[::1]:6'], to: tcp://b:2}")
    assert stream_targets.find_bound(one, has_ipv6=True) == (
        ("0.0.0.0", 1883),
        ("::", 1883),
        ("10.0.0.1", 5),
        ("::1", 6),
    )
    assert stream_targets.find_bound(only(test_streams_option.PASSED), has_ipv6=True) == ()
    assert stream_targets.is_among("10.0.0.1", 5, {("0.0.0.0", 5)})
    assert not stream_targets.is_among("10.0.0.1", 5, {("::", 5), ("10.0.0.1", 6)})
    assert bound_addresses.parse_address("0100007F:1F90") == ("127.0.0.1", 8080)
    assert bound_addresses.parse_address("00000000000000000000000001000000:0035") == ("::1", 53)


LINE = (
    "2026/05/01 12:00:00 [error] 7#7: *5 {}, {}client: 127.0.0.1, server: {}, upstream: {}, "
    "bytes from/to client:0/0, bytes from/to upstream:0/0"
)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("connect() failed (111: Connection refused) while connecting to upstream", "its server refused"),
        ("upstream timed out (110: Connection timed out) while connecting to upstream", "did not take the connection"),
        ('upstream SSL certificate does not match "b" while SSL handshaking to upstream', "is for another name"),
        ("upstream SSL certificate verify error: (20:x) while SSL handshaking to upstream", "is refused"),
        ("SSL_do_handshake() failed (SSL: error:0A) while SSL handshaking to upstream", "no TLS handshake"),
        ("no live upstreams while connecting to upstream", "all its servers failed"),
        ("recv() failed (104: Connection reset by peer) while proxying and reading from upstream", "ended"),
        ("something new about an upstream", "a connection to its server failed"),
    ],
)
def test_lines_of_the_error_log(text: str, cause: str) -> None:
    line = stream_errors.read_line(LINE.format(text, "", "0.0.0.0:1883", '"10.0.0.5:1883"'))
    assert line is not None
    assert (line.host, line.port, line.is_udp) == ("0.0.0.0", 1883, False)
    assert cause in line.kind.cause
    assert line.words == text


def test_no_server_is_no_server_at_port_0() -> None:
    text = "connect() failed (111: Connection refused) while connecting to upstream"
    line = stream_errors.read_line(LINE.format(text, "", "0.0.0.0:1883", '"127.0.0.1:0"'))
    assert line is not None
    assert "no server of it was there" in line.kind.cause


def test_addresses_in_lines() -> None:
    text = "recv() failed (111: Connection refused) while proxying and reading from upstream"
    line = stream_errors.read_line(LINE.format(text, "udp ", "[::]:53", '"[::1]:53"'))
    assert line is not None
    assert (line.host, line.port, line.is_udp) == ("::", 53, True)
    listeners = stream_targets.find_listeners([only("dns: {listen: 53, to: udp://b:53}")])
    assert listeners[line.host, line.port, line.is_udp] == "dns"


@pytest.mark.parametrize(
    "text",
    [
        "2026/05/01 12:00:00 [error] 7#7: *5 connect() failed (111: x) while connecting to upstream, "
        'client: 127.0.0.1, server: app.test, request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:1/", host: "a"',
        LINE.format("recv() failed (104: x) while proxying and reading from client", "", "0.0.0.0:1", '"10.0.0.5:1"'),
        "2026/05/01 12:00:00 [notice] 7#7: upstream, client: x",
        "upstream client: ",
    ],
)
def test_other_lines_are_not_of_streams(text: str) -> None:
    assert stream_errors.read_line(text) is None


_END = "SSL certificate verify error: (x) upstream, {}client: x, server: 127.0.0.1:1883, bytes from/to client:0/0"


@pytest.mark.parametrize("udp", ["", "udp "])
@pytest.mark.parametrize(
    "line",
    [
        'connect() failed (111: x) while connecting to upstream, client: 127.0.0.1, server: a.test, request: "GET / '
        'HTTP/1.1", upstream: "http://127.0.0.1:1/", host: "a.test", referrer: "{}"',
        'no upstream, client: 127.0.0.1, server: 0.0.0.0:1, request: "GET /, {} HTTP/1.1", host: "a.test"',
        'no upstream, client: 127.0.0.1, server: a.test, request: "{}", host: "a.test"',
        'open() "/srv/{}" failed (2: x), client: 127.0.0.1, server: a.test, request: "GET /x HTTP/1.1", host: "a.test"',
    ],
)
def test_what_a_visitor_sent_is_no_error_of_a_stream(line: str, udp: str) -> None:
    sent = _END.format(udp)
    for text in (line.format(sent), line.format(sent).removesuffix('"')):
        assert stream_errors.read_line(f"2026/05/01 12:00:00 [error] 7#7: *5 {text}") is None


@pytest.mark.parametrize("day", ["2026/99/99", "0000/00/00", "0001/01/01", "9999/12/31"])
def test_a_line_of_no_time_ends_nothing(day: str) -> None:
    words = "connect() failed (111: Connection refused) while connecting to upstream"
    line = LINE.format(words, "", "0.0.0.0:1883", '"10.0.0.5:1883"').replace("2026/05/01", day)
    assert stream_errors.read_line(line) is None
    assert upstream_errors.read_line(line.replace("0.0.0.0:1883", "a.test")) is None
    assert error_line.read(line.encode()) is not None


HANDSHAKE = model.HandshakeLook(
    listener="127.0.0.1:8883", name="m.test", at=NOW, cause="wrong", cure="x", is_wrong=True
)
ERROR = model.UpstreamError(at=NOW, since=NOW, count=2, cause="is refused", cure="x", words="y", is_lasting=True)


@pytest.mark.parametrize(
    ("look", "state", "reason"),
    [
        (model.StreamLook(servers=(WELL,)), model.SiteState.LIVE, None),
        (model.StreamLook(servers=(REFUSED,)), model.SiteState.UNREACHABLE, "it refuses"),
        (model.StreamLook(servers=(REFUSED, WELL)), model.SiteState.DEGRADED, "it refuses"),
        (model.StreamLook(unbound=("1883",)), model.SiteState.DEGRADED, "nothing listens on 1883"),
        (model.StreamLook(unbound=("1883", "1884")), model.SiteState.UNREACHABLE, "nothing listens on 1883 and 1884"),
        (model.StreamLook(handshakes=(HANDSHAKE,)), model.SiteState.WRONG_CERTIFICATE, "wrong"),
        (model.StreamLook(last_error=ERROR), model.SiteState.DEGRADED, "is refused (2 times, last just now ago)"),
    ],
)
def test_what_follows(look: model.StreamLook, state: model.SiteState, reason: str | None) -> None:
    found = stream_judgement.judge(status(look), None, NOW)
    assert found.state is state
    assert (found.reason or "").partition(" (")[0] == (reason or "").partition(" (")[0]
    held = status(look, state=model.SiteState.QUARANTINED, reason="nginx refuses it")
    assert stream_judgement.judge(held, None, NOW) == held, "what nginx does not run is not judged by it"
    (finding, *_) = stream_judgement.find_findings(found, NOW)
    assert (finding.weight is model.Weight.GOOD) is (state is model.SiteState.LIVE)


def test_an_error_long_ago_counts_no_more() -> None:
    later = NOW + datetime.timedelta(hours=1)
    found = stream_judgement.judge(status(model.StreamLook(last_error=ERROR)), None, later)
    assert found.state is model.SiteState.LIVE


def test_udp_is_said_to_be_untried() -> None:
    (finding,) = stream_judgement.find_findings(status(protocol="udp"), NOW)
    assert "cannot be tried over UDP" in finding.message


def test_the_certificate_of_a_stream() -> None:
    mine = model.CertificateStatus(
        name="m.test", host="m.test", names=("m.test",), state=model.CertificateState.FAILING, reason="no DNS"
    )
    of_tls = status(tls="m.test")
    assert stream_judgement.find_certificate(of_tls, (mine,)) is mine
    assert stream_judgement.find_certificate(status(tls="passthrough", hosts=("m.test",)), (mine,)) is None
    assert stream_judgement.find_certificate(status(tls="other.test"), (mine,)) is None
    found = stream_judgement.judge(of_tls, mine, NOW)
    assert found.state in {model.SiteState.DEGRADED, model.SiteState.WRONG_CERTIFICATE}
    assert "no DNS" in (found.reason or "")


def test_alerts_name_it() -> None:
    found = stream_judgement.judge(status(model.StreamLook(servers=(REFUSED,))), None, NOW)
    trouble = stream_judgement.as_trouble(found)
    assert (trouble.site.host, trouble.since, trouble.reason) == ("stream mqtt", NOW, "it refuses")
