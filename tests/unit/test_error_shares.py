"""How many of a host's requests failed, over the newest lines."""

import datetime

from daemun.core.logged import error_shares, logged_request

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


def line(host: str, status: str, minutes: int = 0) -> bytes:
    at = NOW - datetime.timedelta(minutes=minutes)
    return (
        f'{{"time":"{at.isoformat()}","client":"192.0.2.1","user":"","host":"{host}","method":"GET","uri":"/",'
        f'"protocol":"HTTP/1.1","status":{status},"bytes":0,"request_time":0.001,"upstream":"","upstream_status":"",'
        '"upstream_response_time":"","referer":"","user_agent":"","tls":"","request_id":"1-1"}'
    ).encode()


def count(*lines: bytes, most: int = 1000) -> dict[str, error_shares.ErrorShare]:
    since = NOW - datetime.timedelta(minutes=5)
    return error_shares.count(lines, logged_request.LineReader(), since=since, most=most)


def test_shares() -> None:
    found = count(
        line("a.test", "200"), b"no line", line("a.test", "502"), line("a.test", "502"), line("b.test", "404")
    )
    assert found["a.test"] == error_shares.ErrorShare(requests=3, errors=2, status=502)
    assert found["b.test"] == error_shares.ErrorShare(requests=1, errors=0)
    assert error_shares.add(found.values()) == error_shares.ErrorShare(requests=4, errors=2, status=502)
    assert error_shares.add([]).percent == 0


def test_what_was_not_answered_counts_as_no_error() -> None:
    assert count(line("a.test", "000"), line("a.test", "499"))["a.test"].errors == 0


def test_bounds() -> None:
    new, old = [line("a.test", "200")] * 200, [line("a.test", "502", minutes=6)] * 1000
    assert count(*new, *old)["a.test"] == error_shares.ErrorShare(requests=200, errors=0)
    assert count(*new, most=50)["a.test"].requests == 50


def test_a_form_without_host_has_no_shares() -> None:
    assert count(b'192.0.2.1 - - [30/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 502 5 "-" "curl"') == {}
