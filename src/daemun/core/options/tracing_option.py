"""`tracing`: a share of the requests as spans of OpenTelemetry, sent over OTLP (opentelemetry.io/docs/specs/otlp)."""

import collections.abc
import dataclasses
import re
import typing
import urllib.parse

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, NamedFile, Option, Place
from daemun.core.texts import header_rules, url_rules

PATH = "/v1/traces"
"""Where collectors take spans (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP Request")."""
EVERY = 10_000
"""A share of 100 %."""

_MOST_HEADERS = 16
_SERVICE = re.compile(r"[!-~](?:[ -~]{0,126}[!-~])?\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tracing(forms.OptionMap):
    """sample: in hundredths of a percent. headers: what is sent to the collector besides. query: whether spans have
    the query of a URL."""

    shape: typing.ClassVar[str] = 'a map such as {endpoint: "http://127.0.0.1:4318"}'
    meanings: typing.ClassVar[dict[str, str]] = {
        "endpoint": "of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; one without a path gets"
        f" {PATH}",
        "sample": "which share of the requests, such as 1%; a trusted proxy decides for the traces that it began",
        "headers": "sent to the collector, such as Authorization; each value a secret",
        "ca_file": "trust for a collector with a certificate of a private CA",
        "service": "what traces call this gate (service.name)",
        "query": "whether spans have the query of the URL, where secrets often are",
    }
    endpoint: forms.Text
    sample: typing.Annotated[int, *forms.share("requests such as 1%")] = 100
    headers: dict[forms.Text, forms.Secret] = dataclasses.field(default_factory=dict)
    ca_file: forms.File | None = None
    service: forms.Text = "daemun"
    query: forms.Flag = False

    @property
    def url(self) -> str:
        """Where spans are sent. A base URL gets the usual path, as in `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        found = urllib.parse.urlsplit(self.endpoint)
        return self.endpoint if found.path.rstrip("/") else found._replace(path=PATH).geturl()


def _check(value: Tracing | None, place: Place) -> None:
    if value is None:
        return
    place.add_value(value.endpoint, _check_endpoint(value.endpoint), "endpoint")
    if not 1 <= value.sample <= EVERY:
        place.add("is not between 0.01% and 100%; to send no spans, leave `tracing` out", "sample")
    if len(value.headers) > _MOST_HEADERS:
        place.add(f"has {len(value.headers)} headers; expected {_MOST_HEADERS} at most", "headers")
    for name, secret in value.headers.items():
        place.add_value(name, header_rules.check_header_name(name, request=True), "headers")
        place.add(forms.hint_path(secret), "headers", name, severity=model.Severity.WARNING)
    if _SERVICE.match(value.service) is None:
        place.add("is no name: expected 1 to 128 printable characters of ASCII", "service")


def _check_endpoint(endpoint: str) -> str | None:
    cause = url_rules.check_web_url(endpoint)
    if cause is not None:
        return cause
    if urllib.parse.urlsplit(endpoint).port == 4317:
        return "is the usual port of OTLP over gRPC; expected OTLP over HTTP, usually port 4318"
    return None


def _find_files(value: Tracing | None) -> collections.abc.Iterator[NamedFile]:
    if value is not None and value.ca_file is not None:
        yield NamedFile(path=value.ca_file, below=("ca_file",), until="no spans are sent")


OPTION = Option[Tracing | None](
    name="tracing",
    form=Tracing | None,
    default=None,
    doc=Doc(
        kind="`{endpoint, sample, headers, ca_file, service, query}`; each of `headers` a secret",
        default="none; `sample: 1%`",
        meaning="where a share of the requests is sent as spans of OpenTelemetry, over OTLP/HTTP; servers get a"
        " `traceparent`, see [Traces](#traces)",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
    files=_find_files,
)
"""None: no traces, and nothing is done with `traceparent`."""
