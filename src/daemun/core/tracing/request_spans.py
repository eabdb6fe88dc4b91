"""The spans of a request: the gate's, and one of each server that it was sent to, by OpenTelemetry's names
(opentelemetry.io/docs/specs/semconv/http/http-spans). Pure.

nginx logs how long each try took and not when it began: the last one is taken to have ended with the request, and each
earlier one when the next began.
"""

import collections.abc
import dataclasses
import enum
import hashlib

from daemun.core.tracing import traced_request

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_OTHER = "_OTHER"
Attributes = dict[str, str | int]


class Kind(enum.Enum):
    """SERVER: a request that the gate answers. CLIENT: one that it sends. INTERNAL: what daemun itself did with it."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """parent_id: None: there is none. is_remote: whether that is a span of somebody else's."""

    name: str
    kind: Kind
    trace_id: int
    span_id: int
    parent_id: int | None
    is_remote: bool = False
    start_ms: int
    end_ms: int
    attributes: Attributes
    is_error: bool = False


def make(request: traced_request.TracedRequest, *, run_folder: str, has_query: bool) -> tuple[Span, ...]:
    """The gate's span first. run_folder: where daemun's own sockets are. has_query: whether queries are exported."""
    trace_id = int(request.sent[3:35] if request.sent else request.id, 16)
    gate = Span(
        name=_name(request),
        kind=Kind.SERVER,
        trace_id=trace_id,
        span_id=int(request.id[:16], 16),
        parent_id=int(request.sent[36:52], 16) if request.sent else None,
        is_remote=bool(request.sent),
        start_ms=request.end_ms - request.took_ms,
        end_ms=request.end_ms,
        attributes=dict(_of_gate(request, has_query=has_query)),
        is_error=request.status >= 500,
    )
    return (gate, *reversed(tuple(_of_tries(request, gate, run_folder))))


def _name(request: traced_request.TracedRequest) -> str:
    method = request.method if request.method in METHODS else "HTTP"
    return f"{method} {request.route}" if request.route else method


def _method(method: str) -> collections.abc.Iterator[tuple[str, str]]:
    if method in METHODS:
        yield "http.request.method", method
    else:
        yield "http.request.method", _OTHER
        if method:
            yield "http.request.method_original", method


def _of_gate(
    request: traced_request.TracedRequest, *, has_query: bool
) -> collections.abc.Iterator[tuple[str, str | int]]:
    yield from _method(request.method)
    yield "url.scheme", request.scheme
    yield "url.path", request.path
    if has_query and request.query is not None:
        yield "url.query", request.query
    yield "http.response.status_code", request.status
    if request.status >= 500:
        yield "error.type", str(request.status)
    yield "daemun.request_id", request.name
    optional = {
        "http.route": request.route,
        "server.address": request.host,
        "client.address": request.client,
        "user_agent.original": request.agent,
        "daemun.site": request.site,
    }
    yield from ((name, value) for name, value in optional.items() if value)
    if request.port is not None:
        yield "server.port", request.port
    name, _, version = request.protocol.partition("/")
    if version:
        yield "network.protocol.name", name.lower()
        yield "network.protocol.version", version.removesuffix(".0") if version != "1.0" else version


def _of_tries(request: traced_request.TracedRequest, gate: Span, run_folder: str) -> collections.abc.Iterator[Span]:
    """The last one first."""
    end_ms, is_last, resent = request.end_ms, True, _count_servers(request, run_folder)
    for index in reversed(range(len(request.tries))):
        one = request.tries[index]
        start_ms = max(end_ms - one.took_ms, gate.start_ms)
        own = _own_socket(one.address, run_folder)
        # What servers are sent of a trace names the last try: the others have ids of their own.
        span_id = int(request.id[16:], 16) if own is None and is_last else _further_id(request.id, index)
        if own is None:
            resent, is_last = resent - 1, False
        yield Span(
            name=own or (request.method if request.method in METHODS else "HTTP"),
            kind=Kind.CLIENT if own is None else Kind.INTERNAL,
            trace_id=gate.trace_id,
            span_id=span_id,
            parent_id=gate.span_id,
            start_ms=start_ms,
            end_ms=end_ms,
            attributes={} if own is not None else dict(_of_try(request, one, resent)),
            is_error=own is None and (not one.has_answered or (one.status or 0) >= 400),
        )
        end_ms = start_ms


def _own_socket(address: str, run_folder: str) -> str | None:
    """The name of a socket of daemun's: hold, say."""
    prefix = f"unix:{run_folder}/"
    return address.removeprefix(prefix).removesuffix(".sock") if address.startswith(prefix) else None


def _count_servers(request: traced_request.TracedRequest, run_folder: str) -> int:
    return sum(_own_socket(one.address, run_folder) is None for one in request.tries)


def _further_id(request_id: str, index: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{request_id} {index}".encode()).digest()[:8]) or 1


def _of_try(
    request: traced_request.TracedRequest, one: traced_request.TracedTry, resent: int
) -> collections.abc.Iterator[tuple[str, str | int]]:
    yield from _method(request.method)
    yield from _peer(one.address)
    if resent:
        yield "http.request.resend_count", resent
    if one.has_answered and one.status is not None:
        yield "http.response.status_code", one.status
        if one.status >= 400:
            yield "error.type", str(one.status)
    elif not one.has_answered:
        yield "error.type", "timeout" if one.status == 504 else "no_answer"


def _peer(address: str) -> collections.abc.Iterator[tuple[str, str | int]]:
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        yield from (("server.address", path), ("network.peer.address", path), ("network.transport", "unix"))
        return
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        yield "server.address", address
        return
    host = host.removeprefix("[").removesuffix("]")
    yield from (("server.address", host), ("network.peer.address", host))
    yield from (("server.port", int(port)), ("network.peer.port", int(port)))
