"""What comes back from the gate or a server, read as an answer whatever it is; and what is sent."""

import pytest

from daemun.core.why import condition_match
from daemun.probing import gate_visits


@pytest.mark.parametrize(
    ("page", "status", "is_cut"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", 200, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 200, True),
        (b"HTTP/1.0 404 Not Found\r\n\r\nno", 404, False),
        (b"HTTP/1.1 204\r\n\r\n", 204, False),
        (b"HTTP/1.1 302 Found\r\nLocation: \xff\x1b\r\nno colon\r\n\r\n", 302, False),
    ],
)
def test_answers(page: bytes, status: int, is_cut: bool) -> None:
    found = gate_visits.read_answer(page, is_ended=True, took_s=0.1)
    assert found is not None
    assert (found.status, found.is_cut) == (status, is_cut)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"\0" * 9000,
        b"\r\n\r\n",
    ],
)
def test_what_is_no_answer(page: bytes) -> None:
    assert gate_visits.read_answer(page, is_ended=True, took_s=0.1) is None


def test_what_is_sent() -> None:
    request = condition_match.SentRequest(
        method="GET", headers=(("Accept", "text/css"), ("Connection", "x"), ("Content-Length", "5"))
    )
    lines = gate_visits.write_request("app.test:8443", "/a?b", request, {"X-Real-IP": "192.0.2.1"}).split(b"\r\n")
    assert lines[:2] == [b"GET /a?b HTTP/1.1", b"Host: app.test:8443"]
    assert {b"Accept: text/css", b"X-Real-IP: 192.0.2.1", b"Connection: close"} <= set(lines)
    assert not any(line.startswith(b"Content-Length") for line in lines)
