"""What a collector of OpenTelemetry receives over OTLP, as values."""

import collections.abc
import dataclasses
import gzip
import time

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support import receivers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """trace, id, parent: in hexadecimal digits; parent: "" for none. kind: "SERVER", "CLIENT", "INTERNAL". resource:
    the attributes of who sent it."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    start_ns: int
    end_ns: int
    is_error: bool
    attributes: dict[str, str | int]
    resource: dict[str, str | int]


def spans_of(posts: collections.abc.Iterable[receivers.Post]) -> list[Received]:
    """Of all that was taken, decoded by OpenTelemetry's own protobuf."""
    found = []
    for post in posts:
        if post.answered >= 300:
            continue
        assert post.path == "/v1/traces"
        assert post.headers["content-type"] == "application/x-protobuf"
        is_packed = post.headers.get("content-encoding") == "gzip"
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(
            gzip.decompress(post.body) if is_packed else post.body
        )
        for of_resource in request.resource_spans:
            resource = _values(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                found += [_received(span, resource) for span in of_scope.spans]
    return found


def _received(span: trace_pb2.Span, resource: dict[str, str | int]) -> Received:
    return Received(
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        is_error=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
        resource=resource,
    )


def _values(attributes: collections.abc.Iterable[object]) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for one in attributes:
        value = one.value  # type: ignore[attr-defined]
        found[one.key] = value.int_value if value.HasField("int_value") else value.string_value  # type: ignore[attr-defined]
    return found


def wait_for(
    receiver: receivers.Receiver, is_there: collections.abc.Callable[[list[Received]], bool], *, within_s: float = 60
) -> list[Received]:
    """All spans that were received, when they are what is waited for."""
    deadline = time.monotonic() + within_s
    while not is_there(found := spans_of(tuple(receiver.posts))):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found
