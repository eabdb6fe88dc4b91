"""A line of nginx becomes spans, whatever is in it."""

import dataclasses
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemun.core.tracing import request_spans, traced_request

ID = "0123456789abcdef" + "fedcba9876543210"
SENT = f"00-{'a' * 32}-{'b' * 16}-01"
LINE = {
    "id": ID,
    "name": ID,
    "sent": "",
    "of": "shop.test|/api/",
    "route": "",
    "end": "1700000000.500",
    "took": "0.400",
    "method": "GET",
    "scheme": "https",
    "host": "shop.test",
    "port": "443",
    "uri": "/api/x?token=s3cret",
    "protocol": "HTTP/2.0",
    "client": "192.0.2.1",
    "agent": "curl",
    "status": "200",
    "tried": "10.0.0.1:80, [fd00::1]:81 : unix:/run/daemun/hold.sock, unix:/run/app.sock",
    "tried_status": "502, 504 : 204, 200",
    "tried_head": "-, - : 0.001, 0.050",
    "tried_took": "0.010, 0.100 : 0.020, 0.200",
}


def parse(**changes: str) -> traced_request.TracedRequest:
    found = traced_request.parse(json.dumps(LINE | changes).encode())
    assert found is not None
    return found


def spans(*, has_query: bool = False, **changes: str) -> tuple[request_spans.Span, ...]:
    return request_spans.make(parse(**changes), run_folder="/run/daemun", has_query=has_query)


def test_the_names_of_the_conventions() -> None:
    gate, *_ = spans()
    assert gate.name == "GET /api/"
    assert gate.kind is request_spans.Kind.SERVER
    assert (gate.start_ms, gate.end_ms) == (1_700_000_000_100, 1_700_000_000_500)
    assert (f"{gate.trace_id:032x}", f"{gate.span_id:016x}", gate.parent_id) == (ID, ID[:16], None)
    assert gate.attributes == {
        "http.request.method": "GET",
        "url.scheme": "https",
        "url.path": "/api/x",
        "http.response.status_code": 200,
        "daemun.request_id": ID,
        "http.route": "/api/",
        "server.address": "shop.test",
        "server.port": 443,
        "client.address": "192.0.2.1",
        "user_agent.original": "curl",
        "daemun.site": "shop.test",
        "network.protocol.name": "http",
        "network.protocol.version": "2",
    }


def test_each_server_that_was_tried_is_a_span_one_after_another() -> None:
    gate, first, second, held, last = spans()
    assert {one.parent_id for one in (first, second, held, last)} == {gate.span_id}
    assert len({one.span_id for one in (gate, first, second, held, last)}) == 5
    assert f"{last.span_id:016x}" == ID[16:], "it is what servers are sent"
    assert [one.kind.value for one in (first, second, held, last)] == ["client", "client", "internal", "client"]
    assert held.name == "hold"
    assert [one.end_ms - one.start_ms for one in (first, second, held, last)] == [10, 100, 20, 200]
    assert (first.end_ms, second.end_ms, held.end_ms) == (second.start_ms, held.start_ms, last.start_ms)
    assert last.end_ms == gate.end_ms
    assert first.attributes["error.type"] == "no_answer"
    assert second.attributes["error.type"] == "timeout"
    assert (second.attributes["server.address"], second.attributes["server.port"]) == ("fd00::1", 81)
    assert last.attributes == {
        "http.request.method": "GET",
        "server.address": "/run/app.sock",
        "network.peer.address": "/run/app.sock",
        "network.transport": "unix",
        "http.request.resend_count": 2,
        "http.response.status_code": 200,
    }
    assert [one.is_error for one in (gate, first, second, held, last)] == [False, True, True, False, False]


def test_a_query_is_exported_where_that_is_wanted_alone() -> None:
    assert "s3cret" not in str(spans())
    assert spans(has_query=True)[0].attributes["url.query"] == "token=s3cret"
    assert "s3cret" not in str(spans(uri="https://shop.test/api/x?token=s3cret"))


def test_the_trace_of_a_trusted_proxy_goes_on() -> None:
    gate, *others = spans(sent=SENT)
    assert (f"{gate.trace_id:032x}", f"{gate.parent_id:016x}", gate.is_remote) == ("a" * 32, "b" * 16, True)
    assert {one.trace_id for one in others} == {gate.trace_id}


def test_an_error_of_the_gate() -> None:
    (gate,) = spans(status="503", tried="", tried_status="", tried_head="", tried_took="", of="shop.test")
    assert gate.is_error
    assert gate.attributes["error.type"] == "503"
    assert gate.name == "GET"
    assert "http.route" not in gate.attributes
    assert spans(of="shop.test", route="/")[0].attributes["http.route"] == "/"
    assert not spans(status="404")[0].is_error


def test_an_unknown_method_makes_no_name_of_its_own() -> None:
    gate, *_ = spans(method="EVIL1234")
    assert gate.name == "HTTP /api/"
    assert gate.attributes["http.request.method"] == "_OTHER"
    assert gate.attributes["http.request.method_original"] == "EVIL1234"


@pytest.mark.parametrize(
    "line",
    [b"", b"-", b"{", b"[]", b"[" * 100_000, b"{}", json.dumps(LINE | {"id": "x"}).encode(), b"\xff\xfe"],
    ids=["empty", "old", "cut", "list", "deep", "nothing", "no id", "no text"],
)
def test_what_is_no_line_is_none(line: bytes) -> None:
    assert traced_request.parse(line) is None


@given(st.dictionaries(st.sampled_from(sorted(LINE)), st.text(max_size=40)))
def test_no_line_fails(changes: dict[str, str]) -> None:
    found = traced_request.parse(json.dumps(LINE | changes).encode())
    if found is not None:
        made = request_spans.make(found, run_folder="/run/daemun", has_query=True)
        assert all(one.start_ms <= one.end_ms for one in made)


def test_long_values_are_cut() -> None:
    gate, *_ = spans(uri="/" + "x" * 9000, agent="y" * 9000, host="z" * 9000, tried=", ".join(["10.0.0.1:80"] * 900))
    assert max(len(str(value)) for value in gate.attributes.values()) <= 2048
    assert len(spans(tried=", ".join(["10.0.0.1:80"] * 900))) <= 33


VALID = [SENT, SENT[:-2] + "00", SENT[:-2] + "ff", f"cc-{SENT[3:]}", f"01-{SENT[3:]}-what-ever"]
MALFORMED = [
    "",
    "1",
    SENT[:-1],
    f"{SENT}-",
    f"{SENT}0",
    f"ff-{SENT[3:]}",
    SENT.upper(),
    f"00-{'0' * 32}-{'b' * 16}-01",
    f"00-{'a' * 32}-{'0' * 16}-01",
    f"00-{'g' * 32}-{'b' * 16}-01",
    SENT.replace("-", "_"),
    f"{SENT}, {SENT}",
    f"cc-{SENT[3:]}, {SENT}",
    f"01-{SENT[3:]}0",
    f" {SENT}",
]
"""By the rules of w3.org/TR/trace-context section 3.2."""


def test_only_a_valid_traceparent_is_believed() -> None:
    pattern = re.compile(traced_request.TRACEPARENT + r"\Z")
    assert [one for one in VALID if not pattern.match(one)] == []
    assert [one for one in MALFORMED if pattern.match(one)] == []
    assert [parse(sent=one).sent for one in MALFORMED] == [""] * len(MALFORMED)


def test_a_request_keeps_what_it_is() -> None:
    assert dataclasses.replace(parse(), query=None).tries[-1].has_answered
