"""Lines of nginx's access log become values, whatever a client put into them."""

import datetime
import json

import pytest

from daemun.core.logged import line_form, logged_request, request_filter
from daemun.core.texts import log_lines

TEXT = (
    rb'203.0.113.7 - alice [30/Nov/2026:14:02:11 +0900] "GET /caf\xC3\xA9?q=1 HTTP/2.0" 502 157 "https://a.test/" '
    rb'"Mozilla/5.0 (X11; \x22quoted\x22 \x5Cx22)" host="shop.test" upstream="10.0.0.5:80, 10.0.0.6:80 : unix:/run/a"'
    rb' upstream_status="502, - : 200" request_time=1.250 upstream_response_time="0.001, 0.250 : 1.000" tls="TLSv1.3"'
    rb" request_id=17-2"
)


def read(line: bytes, reader: logged_request.LineReader | None = None) -> logged_request.LoggedRequest:
    request = (reader or logged_request.LineReader()).read(line)
    assert request is not None
    return request


def test_a_line_of_the_usual_form() -> None:
    request = read(TEXT)
    zone = datetime.timezone(datetime.timedelta(hours=9))
    assert request.at == datetime.datetime(2026, 11, 30, 14, 2, 11, tzinfo=zone)
    assert (request.client, request.user, request.host) == ("203.0.113.7", "alice", "shop.test")
    assert (request.method, request.uri, request.protocol) == ("GET", "/café?q=1", "HTTP/2.0")
    assert request.path == "/café"
    assert (request.status, request.sent_bytes, request.request_s) == (502, 157, 1.25)
    assert request.user_agent == 'Mozilla/5.0 (X11; "quoted" \\x22)'
    assert (request.tls, request.request_id, request.referer) == ("TLSv1.3", "17-2", "https://a.test/")
    tried = [(each.address, each.status, each.response_s) for each in request.tries]
    assert tried == [("10.0.0.5:80", 502, 0.001), ("10.0.0.6:80", None, 0.25), ("unix:/run/a", 200, 1.0)]


def test_what_a_request_did_not_have_is_none() -> None:
    line = (
        b'192.0.2.1 - - [30/Nov/2026:14:02:11 +0000] "GET / HTTP/1.1" 301 0 "-" "-" host="a.test" upstream="-" '
        b'upstream_status="-" request_time=0.000 upstream_response_time="-" tls="-" request_id=1-1'
    )
    request = read(line)
    assert (request.user, request.upstream, request.tls, request.user_agent) == (None, None, None, None)
    assert request.tries == ()
    assert request.sent_bytes == 0


def test_the_json_form_has_the_same_values_and_may_hold_what_is_no_json() -> None:
    """nginx writes 000 where nothing was answered, and passes bytes on that are no UTF-8."""
    line = (
        b'{"time":"2026-11-30T14:02:11+09:00","client":"203.0.113.7","user":"a\\"b","host":"shop.test","method":"GET",'
        b'"uri":"/\xff\\u001b","protocol":"HTTP/1.1","status":000,"bytes":12,"request_time":0.100,'
        b'"upstream":"10.0.0.5:80","upstream_status":"-","upstream_response_time":"-","referer":"",'
        b'"user_agent":"x\\",\\"status\\":200,\\"x\\":\\"","tls":"","request_id":"3-1"}'
    )
    request = read(line)
    assert (request.user, request.uri, request.status) == ('a"b', "/�\x1b", None)
    assert request.user_agent == 'x","status":200,"x":"'
    assert (request.referer, request.tls) == (None, None)
    assert [each.status for each in request.tries] == [None]
    assert set(logged_request.to_json(request)) == set(json.loads(line.decode("utf-8", "replace").replace("000", "0")))


@pytest.mark.parametrize(
    "user",
    [
        "a b",
        "a [30/Nov/2026:00:00:00 +0000] b",
        "- [",
        "a [30/Nov/2026:00:00:00 +0000] \\x22GET / HTTP/1.1\\x22 200 1 \\x22-\\x22 \\x22-\\x22 host=\\x22b.test\\x22",
    ],
)
def test_a_name_of_a_client_cannot_pretend_to_be_more_of_the_line(user: str) -> None:
    request = read(TEXT.replace(b"- alice [", f"- {user} [".encode()))
    assert (request.user, request.host, request.status) == (user.replace("\\x22", '"'), "shop.test", 502)
    assert request.at is not None and request.at.hour == 14


@pytest.mark.parametrize(
    ("sent", "method", "uri"),
    [
        (rb"\x16\x03\x01\x02", None, "\x16\x03\x01\x02"),
        (rb"GET /a b c HTTP/1.1", "GET", "/a b c"),
        (rb"GET /old", "GET", "/old"),
        (rb"-", None, None),
        (rb"\x1B[2J\x9B31m", None, "\x1b[2J�31m"),
    ],
)
def test_what_is_no_request_of_http(sent: bytes, method: str | None, uri: str | None) -> None:
    request = read(TEXT.replace(rb"GET /caf\xC3\xA9?q=1 HTTP/2.0", sent))
    assert (request.method, request.uri) == (method, uri)


def test_forms_that_an_owner_wrote_are_read_from_the_configuration() -> None:
    conf = (
        "http {\n"
        '    log_format daemun_page "$request_id";\n'
        '    log_format daemun "$host|$upstream_cache_status|$status|\\"$request\\"|${request_time}s|$time_iso8601";\n'
    )
    form = line_form.find_form(conf, "daemun")
    assert form is not None
    request = read(
        b'a.test|HIT|404|"GET /x HTTP/1.1"|0.250s|2026-11-30T00:00:00+00:00', logged_request.LineReader(form)
    )
    assert (request.host, request.status, request.uri, request.request_s) == ("a.test", 404, "/x", 0.25)
    assert "upstream" not in request.fields
    assert line_form.find_form(conf, "other") is None


def test_a_json_form_that_an_owner_wrote() -> None:
    form = line_form.find_form(
        'log_format daemun escape=json "{\\"a\\":\\"$request\\",\\"s\\":\\"$status\\"}";', "daemun"
    )
    request = read(b'{"a":"GET /\\"x HTTP/1.1","s":"200"}', logged_request.LineReader(form))
    assert (request.uri, request.status) == ('/"x', 200)


def test_lines_of_older_forms_and_none_at_all() -> None:
    combined = b'192.0.2.1 - - [30/Nov/2026:14:02:11 +0000] "GET / HTTP/1.1" 200 5 "-" "curl"'
    assert read(combined).user_agent == "curl"
    assert "host" not in read(combined).fields
    assert read(b"a.test " + combined).host == "a.test"
    reader = logged_request.LineReader()
    for line in (b"", b"no line", combined[:40], b"\0" * 100, b'{"time":', TEXT + b"x" * line_form.LONGEST_LINE_BYTES):
        assert reader.read(line) is None


@pytest.mark.parametrize("log_format", [log_lines.TEXT_LINE, "$a $b $c $d $host $request [$status]", "$a$b$c-$d-$e"])
@pytest.mark.parametrize("piece", [b" ", b" - [", b"- [30/Nov/2026:00:00:00 +0000] ", b'"', b"\\"])
def test_a_line_costs_what_it_is_long(log_format: str, piece: bytes) -> None:
    """Any backtracking over sixty thousand bytes would take minutes: the test would not end."""
    form = line_form.make_form(log_format)
    form.read(b"1.1.1.1 - " + piece * (60_000 // len(piece)))


NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("502", [(502, 502)]), ("5xx", [(500, 599)]), ("4XX, 502", [(400, 499), (502, 502)]), ("500-504", [(500, 504)])],
)
def test_statuses(text: str, expected: list[tuple[int, int]]) -> None:
    assert list(request_filter.parse_statuses(text)) == expected


@pytest.mark.parametrize("text", ["", "6xx", "50", "5x", "abc", "502;503"])
def test_what_is_no_status(text: str) -> None:
    with pytest.raises(ValueError, match="expected a status such as"):
        request_filter.parse_statuses(text)


def test_moments() -> None:
    def parse(text: str) -> datetime.datetime:
        return request_filter.parse_moment(text, NOW)

    assert parse("1h") == NOW - datetime.timedelta(hours=1)
    assert parse("2d") == NOW - datetime.timedelta(days=2)
    assert parse("2026-11-29T10:00:00Z") == datetime.datetime(2026, 11, 29, 10, tzinfo=datetime.UTC)
    assert parse("2026-11-29") == datetime.datetime(2026, 11, 29).astimezone()
    assert parse("2026-11-29 10:30") == datetime.datetime(2026, 11, 29, 10, 30).astimezone()
    assert parse("today") - parse("yesterday") == datetime.timedelta(days=1)
    assert NOW - datetime.timedelta(days=1) < parse("14:30") <= NOW
    for wrong in ("", "soon", "25:00", "2026-13-01", "1w2", "9" * 400):
        with pytest.raises(ValueError, match="expected how long ago"):
            parse(wrong)


def test_filters() -> None:
    request = read(TEXT)
    assert request.at is not None
    minute = datetime.timedelta(minutes=1)

    def takes(**wanted: object) -> bool:
        return request_filter.RequestFilter(**wanted).takes(request)  # type: ignore[arg-type]

    assert takes()
    assert takes(hosts=("www.shop.test", "shop.test")) and not takes(hosts=("shop",))
    assert takes(hosts=("*.test",)) and not takes(hosts=("*.shop.test",))
    assert takes(path="/caf") and not takes(path="/x")
    assert takes(statuses=((500, 599),)) and not takes(statuses=((400, 499), (503, 503)))
    assert takes(least_s=1.25) and not takes(least_s=1.3)
    assert takes(since=request.at, until=request.at + minute)
    assert not takes(since=request.at + minute) and not takes(until=request.at)


def test_an_open_websocket_is_not_slow() -> None:
    request = read(TEXT.replace(b'HTTP/2.0" 502', b'HTTP/1.1" 101'))
    assert not request_filter.RequestFilter(least_s=1.0).takes(request)


def test_which_values_a_filter_looks_at() -> None:
    wanted = request_filter.RequestFilter(hosts=("a.test",), least_s=1.0, since=NOW)
    assert wanted.needs == {"host", "request_time", "time"}
    assert request_filter.RequestFilter().needs == frozenset()


def test_places() -> None:
    parse = request_filter.parse_place
    assert parse("shop.test") == ("shop.test", "")
    assert parse("shop.test/api/") == ("shop.test", "/api/")
    assert parse("https://shop.test/a?b=1") == ("shop.test", "/a?b=1")
