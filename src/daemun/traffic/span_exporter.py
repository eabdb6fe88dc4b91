"""Spans to a collector, by OpenTelemetry's library: imported only where `tracing` is set.

The library keeps at most `MOST_WAITING` spans and sends them from a thread of its own, so that a collector that is slow
or away costs those spans and nothing else.
"""

import collections.abc
import socket
import ssl
import threading
import typing

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk import resources
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, export, id_generator, sampling

from daemun import causes, secret
from daemun.core.options import tracing_option
from daemun.core.tracing import request_spans
from daemun.errors import ConfigError

MOST_WAITING = 2048
TIMEOUT_S = 5.0
_BATCH = 512
_SENT_EVERY_MS = 1000
_LAST_S = 2.0
"""So long is waited for the last spans to be sent."""
_KINDS = {
    request_spans.Kind.SERVER: trace.SpanKind.SERVER,
    request_spans.Kind.CLIENT: trace.SpanKind.CLIENT,
    request_spans.Kind.INTERNAL: trace.SpanKind.INTERNAL,
}
_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)


class SpanExporter:
    """note: gets why spans could not be sent, or None when they were; called in the thread of the library."""

    def __init__(
        self,
        tracing: tracing_option.Tracing,
        *,
        version: str,
        note: collections.abc.Callable[[str | None], None],
    ) -> None:
        session = _Session(tracing)
        self._sender = _Sender(
            OTLPSpanExporter(
                endpoint=tracing.url,
                certificate_file=tracing.ca_file or ssl.get_default_verify_paths().cafile,
                timeout=TIMEOUT_S,
                compression=Compression.Gzip,
                session=session,
            ),
            find_cause=lambda: session.cause,
            note=note,
        )
        self._ids = _GivenIds()
        resource = resources.Resource.create(
            {
                resources.SERVICE_NAME: tracing.service,
                resources.SERVICE_VERSION: version,
                resources.HOST_NAME: socket.gethostname(),
            }
        )
        self._provider = TracerProvider(
            sampler=sampling.ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            export.BatchSpanProcessor(
                self._sender,
                max_queue_size=MOST_WAITING,
                schedule_delay_millis=_SENT_EVERY_MS,
                max_export_batch_size=_BATCH,
            )
        )
        self._tracer = self._provider.get_tracer("daemun", version)
        self._given = 0

    def add(self, spans: collections.abc.Sequence[request_spans.Span]) -> bool:
        """Let the spans of a request be sent. Not thread-safe. Returns: whether there was room for them."""
        if self._given + len(spans) - self._sender.handled > MOST_WAITING:
            return False
        self._given += len(spans)
        for one in spans:
            self._add(one)
        return True

    def _add(self, one: request_spans.Span) -> None:
        self._ids.trace_id, self._ids.span_id = one.trace_id, one.span_id
        parent = trace.INVALID_SPAN_CONTEXT
        if one.parent_id is not None:
            parent = trace.SpanContext(one.trace_id, one.parent_id, is_remote=one.is_remote, trace_flags=_SAMPLED)
        span = self._tracer.start_span(
            one.name,
            context=trace.set_span_in_context(trace.NonRecordingSpan(parent)),
            kind=_KINDS[one.kind],
            attributes=one.attributes,
            start_time=one.start_ms * 1_000_000,
        )
        if one.is_error:
            span.set_status(trace.StatusCode.ERROR)
        span.end(end_time=one.end_ms * 1_000_000)

    def close(self) -> None:
        """Send what waits, for a short time at most. Blocking."""
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(_LAST_S)


class _GivenIds(id_generator.IdGenerator):
    """Gives the next span the ids that were set before it is started."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Sender(export.SpanExporter):
    """Sends spans and counts those that left the queue, whether they arrived or not."""

    def __init__(
        self,
        inner: OTLPSpanExporter,
        *,
        find_cause: collections.abc.Callable[[], str | None],
        note: collections.abc.Callable[[str | None], None],
    ) -> None:
        self._inner = inner
        self._find_cause = find_cause
        self._note = note
        self.handled = 0

    def export(self, spans: collections.abc.Sequence[ReadableSpan]) -> export.SpanExportResult:
        try:
            result = self._inner.export(spans)
            is_sent = result is export.SpanExportResult.SUCCESS
            self._note(None if is_sent else self._find_cause() or "it does not take them")
            return result
        finally:
            self.handled += len(spans)

    def shutdown(self) -> None:
        self._inner.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


class _Session(requests.Session):
    """With the headers of the settings, read for each request, so that the library has none of their secrets. No proxy
    and no password of the environment's."""

    def __init__(self, tracing: tracing_option.Tracing) -> None:
        super().__init__()
        self.trust_env = False
        self._tracing = tracing
        self.cause: str | None = None
        """Why the last request failed."""

    def send(self, request: requests.PreparedRequest, **kwargs: typing.Any) -> requests.Response:
        """Follows no redirect: whom the collector names would get the headers, too. Raises: as the library's, and
        ConfigError for a secret that cannot be read."""
        try:
            request.headers.update({name: secret.read(value) for name, value in self._tracing.headers.items()})
            answer = super().send(request, **{**kwargs, "allow_redirects": False})
        except ConfigError as error:
            self.cause = str(error)
            raise
        except (OSError, ValueError) as error:
            self.cause = _describe(error)
            raise
        self.cause = None if answer.status_code < 300 else f"it answers {answer.status_code}"
        if 300 <= answer.status_code < 400:  # which the library takes for success
            self.cause = f"{self.cause} (a redirect; give the address that takes spans itself)"
            raise requests.exceptions.TooManyRedirects(self.cause)
        return answer


def _describe(error: Exception) -> str:
    """Never a text of the library's, which may hold a header."""
    if isinstance(error, requests.exceptions.Timeout):
        return "it does not answer in time"
    if not isinstance(error, OSError) or isinstance(error, requests.exceptions.InvalidHeader):
        return "a value of `headers` cannot stand in a header"
    # What urllib3 raised is an argument of what requests raises.
    inner = [found for one in error.args if isinstance(found := getattr(one, "reason", one), Exception)]
    words = [found for one in (*inner, error) if (found := causes.find_words(one)) is not None]
    return words[0] if words else "it ends the connection"
