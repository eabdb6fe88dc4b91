"""What a page shows of a log: hostile lines as harmless rows, and which lines a query wants."""

import pytest

from daemun.core.logged import error_line, line_filter, log_query, log_rows, logged_request


def _request(**values: object) -> logged_request.LoggedRequest:
    fields = dict.fromkeys(logged_request.LoggedRequest.__slots__)
    return logged_request.LoggedRequest(**{**fields, "fields": frozenset(), **values})  # type: ignore[arg-type]


def test_control_characters_and_long_values() -> None:
    row = log_rows.row_of(_request(uri="/\x1b[31m\x00<script>" + "a" * 5000, status=200, host="a.test"))
    assert row is not None
    assert row["kind"] == "request"
    assert row["uri"].startswith("/\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}<script>aaa")
    assert len(row["uri"]) == log_rows.LONGEST
    assert row["status"] == 200


def test_an_error_is_told_from_a_request() -> None:
    line = (
        b'2026/11/30 09:00:00 [error] 7#7: *5 connect() failed, client: 192.0.2.1, server: a.test, request: "GET '
        b'/x?token=abc HTTP/1.1", upstream: "http://10.0.0.5:80/", host: "a.test"'
    )
    row = log_rows.row_of(error_line.read(line), lambda text: text.replace("abc", "(hidden)"))
    assert row is not None
    assert (row["kind"], row["level"], row["uri"]) == ("error", "error", "/x?token=(hidden)")


def test_a_line_of_no_known_form_is_no_row() -> None:
    assert log_rows.row_of(None) is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"status": "abc"}, "status: expected"),
        ({"slow": "soon"}, "slow:"),
        ({"method": "GET POST"}, "method: expected"),
        ({"method": ","}, "method: expected"),
        ({"text": "a" * 201}, "text: expected 200"),
        ({"path": "/\x1b"}, "path: expected"),
    ],
)
def test_a_query_that_cannot_be_used(query: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        log_query.parse(("a.test",), query)


def test_errors_are_wanted_where_nothing_is_looked_for_that_they_lack() -> None:
    assert log_query.parse(("a.test",), {"text": " x"}).has_errors
    assert log_query.parse(("a.test",), {"method": "post"}).requests.methods == ("POST",)
    assert not log_query.parse(("a.test",), {"status": "5xx"}).has_errors
    assert not log_query.parse(("a.test",), {"slow": "1s"}).has_errors


def test_methods_are_looked_for() -> None:
    query = log_query.parse(("a.test",), {"method": "POST,PUT", "path": "/api/"})
    read = {
        b"post": _request(host="a.test", method="POST", uri="/api/x", fields=frozenset({"host", "method", "uri"})),
        b"get": _request(host="a.test", method="GET", uri="/api/x", fields=frozenset({"host", "method", "uri"})),
    }
    wanted = line_filter.LineFilter(read=read.get, requests=query.requests, holds=b"")
    wanted._may_be = None  # the lines of this test hold no host
    assert [line for line in read if wanted.takes(line)] == [b"post"]
