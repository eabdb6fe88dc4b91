"""A logged request on one line of a terminal."""

import datetime

import pytest

from daemun.cli import request_lines
from daemun.core import upstream_tries
from daemun.core.logged import error_line, logged_request
from daemun.core.texts import durations

LINE = (
    '192.0.2.1 - - [30/Nov/2026:14:02:11 +0000] "GET {uri} HTTP/1.1" {status} 5 "-" "-" host="shop.example.com" '
    'upstream="{upstream}" upstream_status="200" request_time={time} upstream_response_time="0.001" '
    'tls="-" request_id=1-1'
)


def request(
    *, uri: str = "/api", status: int = 200, upstream: str = "10.0.0.5:8000", time: str = "0.012"
) -> logged_request.LoggedRequest:
    line = LINE.format(uri=uri, status=status, upstream=upstream, time=time)
    found = logged_request.LineReader().read(line.encode())
    assert found is not None
    return found


def shown(one: logged_request.LoggedRequest, width: int = 80) -> str:
    line = request_lines.line_of(one, width=width, colours=False)
    assert len(line) <= width
    return line


def test_a_request() -> None:
    clock = datetime.datetime(2026, 11, 30, 14, 2, 11, tzinfo=datetime.UTC).astimezone()
    assert shown(request()) == f"{clock:%H:%M:%S} 200   12ms GET  shop.example.com/api > 10.0.0.5:8000"
    assert shown(request(upstream="-")).endswith(" GET  shop.example.com/api")
    assert shown(request(upstream="10.0.0.4:80, 10.0.0.5:80")).endswith("> 10.0.0.5:80 (try 2)")


def test_a_long_path_is_cut_in_its_middle() -> None:
    line = shown(request(uri="/begin/" + "x" * 200 + "/end"))
    assert "shop.example.com/begin/" in line and "…" in line and line.endswith("/end > 10.0.0.5:8000")
    assert len(line) == 80
    assert "x" * 200 in shown(request(uri="/begin/" + "x" * 200 + "/end"), width=300)


def test_a_narrow_terminal_leaves_the_server_out() -> None:
    assert ">" not in shown(request(upstream="unix:/run/a/long/path/of/a/socket.sock"), width=60)


def test_nothing_that_a_client_sent_reaches_the_terminal_as_a_command() -> None:
    hostile = request(uri=r"/\x1B[2J\x9B31m\x0D\x0A\x09\xC2\x9B", upstream=r"\x1B]0;x\x07")
    line = shown(hostile)
    assert line.isprintable() and "/\N{REPLACEMENT CHARACTER}[2J" in line


def test_colours() -> None:
    line = request_lines.line_of(request(status=502, time="2.500"), width=80, colours=True)
    assert "\x1b[31m502\x1b[0m" in line and "\x1b[33m 2.50s\x1b[0m" in line
    assert not request_lines.is_coloured({"NO_COLOR": "1"}) and request_lines.is_coloured({"TERM": "xterm"})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0ms"), (0.0124, "12ms"), (1.25, "1.25s"), (59.94, "59.9s"), (192, "3m12s"), (7512, "2h05m")],
)
def test_how_long_it_took(seconds: float | None, text: str) -> None:
    assert request_lines.took(seconds) == text


# --- nginx's errors ---


def test_an_error() -> None:
    found = error_line.read(
        b"2026/11/30 14:02:11 [error] 7#7: *5 connect() failed (111: Connection refused) while connecting to upstream, "
        b'client: 192.0.2.1, server: shop.test, request: "GET /a?b HTTP/1.1", upstream: "http://10.0.0.5:80/a?b", '
        b'host: "www.shop.test", referrer: "x, host: "other.test""'
    )
    assert found is not None
    assert error_line.to_json(found) == {
        "time": durations.instant(datetime.datetime(2026, 11, 30, 14, 2, 11)),
        "level": "error",
        "message": "connect() failed (111: Connection refused) while connecting to upstream",
        "connection": "5",
        "client": "192.0.2.1",
        "host": "www.shop.test",
        "method": "GET",
        "uri": "/a?b",
        "server": "shop.test",
        "upstream": "http://10.0.0.5:80/a?b",
        "request_id": None,
    }


def test_an_error_that_the_gate_answered_has_the_id_of_its_request() -> None:
    found = error_line.read(
        b"2026/11/30 14:02:11 [error] 7#7: *5 answered 502, request_id: 0123abcd, client: 192.0.2.1, "
        b'server: shop.test, request: "GET / HTTP/1.1", upstream: "-", host: "shop.test"'
    )
    assert found is not None
    assert (found.words, found.request.request_id) == ("answered 502", "0123abcd")


@pytest.mark.parametrize(
    "line",
    [b"", b"\xff\xfe", b"nginx: [emerg] x", b"2026/13/45 99:99:99 [error] 1#1: x", b"2026/11/30 14:02:11 [error] 1"],
)
def test_what_is_no_error_of_a_request(line: bytes) -> None:
    found = error_line.read(line)
    assert found is None or (found.request.at, found.request.host) == (None, None)


@pytest.mark.parametrize(
    ("text", "tries"),
    [
        ("", ()),
        ("10.0.0.1:80", ("10.0.0.1:80",)),
        ("[::1]:80, unix:/run/x.sock : 10.0.0.1:80", ("[::1]:80", "unix:/run/x.sock", "10.0.0.1:80")),
        ("0.001, - : 0.010", ("0.001", "-", "0.010")),
    ],
)
def test_servers_that_were_tried(text: str, tries: tuple[str, ...]) -> None:
    assert upstream_tries.split(text) == tries
