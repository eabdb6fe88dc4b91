"""Spans on their way to a collector that does not take them as it should."""

import collections.abc
import contextlib
import pathlib

from daemun.core import model
from daemun.core.options import tracing_option
from daemun.core.tracing import request_spans
from daemun.traffic import span_exporter
from tests.support import collector, receivers, until

KEY = "Bearer s3cret"


@contextlib.contextmanager
def exporting(
    tmp_path: pathlib.Path, url: str, *, ca_file: str | None = None
) -> collections.abc.Iterator[tuple[span_exporter.SpanExporter, list[str | None]]]:
    """And what was noted."""
    key = tmp_path / "key"
    key.write_text(KEY)
    notes: list[str | None] = []
    headers = {"Authorization": model.Secret(file=str(key))}
    tracing = tracing_option.Tracing(endpoint=url, headers=headers, ca_file=ca_file)
    exporter = span_exporter.SpanExporter(tracing, version="1", note=notes.append)
    try:
        yield exporter, notes
    finally:
        exporter.close()


def span(number: int = 1) -> request_spans.Span:
    return request_spans.Span(
        name="GET /",
        kind=request_spans.Kind.SERVER,
        trace_id=number,
        span_id=number,
        parent_id=None,
        start_ms=1,
        end_ms=2,
        attributes={},
    )


def test_a_redirect_gets_neither_spans_nor_headers(tmp_path: pathlib.Path) -> None:
    with receivers.receiving() as first, receivers.receiving() as other:
        first.statuses += [307] * 10
        first.headers["location"] = f"{other.url}/v1/traces"
        with exporting(tmp_path, first.url) as (exporter, notes):
            assert exporter.add([span()])
            until.true(lambda: bool(notes))
        assert other.posts == []
    assert notes[0] == "it answers 307 (a redirect; give the address that takes spans itself)"


def test_what_is_refused_is_reported_until_something_is_taken(tmp_path: pathlib.Path) -> None:
    with receivers.receiving() as receiver, exporting(tmp_path, receiver.url) as (exporter, notes):
        receiver.statuses += [400]
        assert exporter.add([span(1)])
        until.true(lambda: notes == ["it answers 400"])
        assert exporter.add([span(2)])
        until.true(lambda: notes[-1] is None)
        assert [one.trace[-1] for one in collector.spans_of(receiver.posts)] == ["2"]
        assert {post.headers["authorization"] for post in receiver.posts} == {KEY}


def test_a_collector_that_fails_costs_the_spans_of_that_time(tmp_path: pathlib.Path) -> None:
    with receivers.receiving() as receiver, exporting(tmp_path, receiver.url) as (exporter, notes):
        receiver.statuses += [500]
        assert exporter.add([span(1)])
        until.true(lambda: notes == ["it answers 500"])
        assert exporter.add([span(2)])
        until.true(lambda: notes[-1] is None)
        assert [one.trace[-1] for one in collector.spans_of(receiver.posts)] == ["2"]


def test_a_collector_that_is_busy_gets_the_spans_again(tmp_path: pathlib.Path) -> None:
    with receivers.receiving() as receiver, exporting(tmp_path, receiver.url) as (exporter, notes):
        receiver.headers["retry-after"] = "0"
        receiver.statuses += [429, 503]
        assert exporter.add([span(1)])
        until.true(lambda: notes == [None])
        assert [post.answered for post in receiver.posts] == [429, 503, 200]
        assert [one.trace[-1] for one in collector.spans_of(receiver.posts)] == ["1"]
        receiver.headers["retry-after"] = "3600"
        receiver.statuses += [429]
        assert exporter.add([span(2)])
        until.true(lambda: notes[1:] == ["it answers 429"])
        assert exporter.add([span(3)])
        until.true(lambda: notes[2:] == [None])
        assert [one.trace[-1] for one in collector.spans_of(receiver.posts)] == ["1", "3"]


def test_a_collector_of_a_private_ca(tmp_path: pathlib.Path) -> None:
    with receivers.receiving(tls=tmp_path) as receiver:
        with exporting(tmp_path, receiver.url) as (exporter, notes):
            assert exporter.add([span(1)])
            until.true(lambda: bool(notes))
            assert "certificate" in str(notes[0])
            assert receiver.posts == []
        with exporting(tmp_path, receiver.url, ca_file=str(tmp_path / "ca.pem")) as (exporter, notes):
            assert exporter.add([span(2)])
            until.true(lambda: notes == [None])
            assert [one.trace[-1] for one in collector.spans_of(receiver.posts)] == ["2"]


def test_so_many_wait_at_most(tmp_path: pathlib.Path) -> None:
    with receivers.receiving() as receiver, exporting(tmp_path, receiver.url) as (exporter, _):
        receiver.answers.clear()
        taken = [exporter.add([span(number)]) for number in range(1, 2 * span_exporter.MOST_WAITING)]
        assert taken.index(False) >= span_exporter.MOST_WAITING
        receiver.answers.set()
        until.true(lambda: exporter.add([span()]))
