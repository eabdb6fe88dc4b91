"""One request as nginx logged it, from a line of any form that is known."""

import collections.abc
import dataclasses
import datetime
import functools
import re
import typing

from daemun.core import upstream_tries
from daemun.core.logged import line_form
from daemun.core.texts import durations, log_lines

FORMAT_NAME = "daemun"
"""Of the `log_format` of every site's access log."""

_COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}\Z")
_NO_ANSWER = {"-", ""}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerTry:
    """One server that the request was sent to. status, response_s: of its answer; None: it gave none."""

    address: str
    status: int | None
    response_s: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """None: the request had no such thing, or the form of its line has none; `fields` are those that it has.

    at: when it ended, aware. uri: as the client sent it, with its query; all that came, where that was no HTTP.
    request_s: from its first byte to its end; of a WebSocket, how long it was open. upstream, upstream_status,
    upstream_response_time: as nginx writes them, of all servers that were tried. request_id: of the gate's own pages a
    random one; else connection and number of the request, which come again after nginx was restarted.
    """

    at: datetime.datetime | None
    client: str | None
    user: str | None
    host: str | None
    method: str | None
    uri: str | None
    protocol: str | None
    status: int | None
    sent_bytes: int | None
    request_s: float | None
    upstream: str | None
    upstream_status: str | None
    upstream_response_time: str | None
    referer: str | None
    user_agent: str | None
    tls: str | None
    request_id: str | None
    fields: frozenset[str]

    @property
    def path(self) -> str:
        """Without the query."""
        return (self.uri or "").partition("?")[0]

    @property
    def tries(self) -> tuple[ServerTry, ...]:
        """The servers that it was sent to, one after another."""
        if self.upstream is None:
            return ()
        addresses = upstream_tries.split(self.upstream)
        statuses = upstream_tries.split(self.upstream_status or "")
        times = upstream_tries.split(self.upstream_response_time or "")
        return tuple(
            ServerTry(address=address, status=_whole(_at(statuses, index)), response_s=_decimal(_at(times, index)))
            for index, address in enumerate(addresses)
        )


class LineReader:
    """current: the form in which the log is written now; None: the usual one. Forms with more values come first."""

    def __init__(self, current: line_form.LineForm | None = None) -> None:
        self._forms: tuple[line_form.LineForm, ...] = (*(() if current is None else (current,)), *_known_forms())

    def read(self, line: bytes) -> LoggedRequest | None:
        """line: without its end. None: it has no form that is known."""
        for form in self._forms:
            values = form.read(line)
            if values is not None:
                return _make(values, form.fields)
        return None


@functools.cache
def _known_forms() -> tuple[line_form.LineForm, ...]:
    """What a log may hold from before its form was changed. Made once, by what reads a log: that costs some time."""
    return line_form.make_forms(
        (log_lines.TEXT_LINE, log_lines.JSON_LINE, f"{_COMBINED}$rest", f"$host {_COMBINED}$rest")
    )


def to_json(request: LoggedRequest) -> dict[str, typing.Any]:
    """Names stay the same, whatever the form of the log: those of `logs: {format: json}`. time: RFC 3339, in UTC."""
    return {
        "time": None if request.at is None else durations.instant(request.at),
        "client": request.client,
        "user": request.user,
        "host": request.host,
        "method": request.method,
        "uri": request.uri,
        "protocol": request.protocol,
        "status": request.status,
        "bytes": request.sent_bytes,
        "request_time": request.request_s,
        "upstream": request.upstream,
        "upstream_status": request.upstream_status,
        "upstream_response_time": request.upstream_response_time,
        "referer": request.referer,
        "user_agent": request.user_agent,
        "tls": request.tls,
        "request_id": request.request_id,
    }


def _make(values: collections.abc.Mapping[str, str | None], fields: frozenset[str]) -> LoggedRequest:
    method, uri, protocol = values.get("method"), values.get("uri"), values.get("protocol")
    if "request" in fields:
        method, uri, protocol = split_request(values["request"])
        fields |= {"method", "uri", "protocol"}
    return LoggedRequest(
        at=instant(values.get("time")),
        client=values.get("client"),
        user=values.get("user"),
        host=values.get("host"),
        method=method,
        uri=uri,
        protocol=protocol,
        status=_whole(values.get("status")) or None,  # 000: nothing was answered
        sent_bytes=_whole(values.get("bytes")),
        request_s=_decimal(values.get("request_time")),
        upstream=values.get("upstream"),
        upstream_status=values.get("upstream_status"),
        upstream_response_time=values.get("upstream_response_time"),
        referer=values.get("referer"),
        user_agent=values.get("user_agent"),
        tls=values.get("tls"),
        request_id=values.get("request_id"),
        fields=fields,
    )


def split_request(request: str | None) -> tuple[str | None, str | None, str | None]:
    """Method, target and protocol of a request line (RFC 9112 section 3). What is none is all target: a handshake of
    TLS at the port of HTTP, most often."""
    if request is None:
        return None, None, None
    method, space, rest = request.partition(" ")
    if not space or _METHOD.match(method) is None:
        return None, request, None
    uri, _, protocol = rest.rpartition(" ")
    return (method, uri, protocol) if uri and protocol.startswith("HTTP/") else (method, rest, None)


@functools.lru_cache(maxsize=4096)
def instant(text: str | None) -> datetime.datetime | None:
    """Of `$time_local`, `$time_iso8601` or `$msec`."""
    if text is None:
        return None
    try:
        if text[2:3] == "/":
            zone = datetime.timedelta(hours=int(text[22:24]), minutes=int(text[24:26])) * (-1 if text[21] == "-" else 1)
            return datetime.datetime(
                int(text[7:11]),
                _MONTHS[text[3:6]],
                int(text[:2]),
                int(text[12:14]),
                int(text[15:17]),
                int(text[18:20]),
                tzinfo=datetime.timezone(zone),
            )
        if "T" in text:
            at = datetime.datetime.fromisoformat(text)
            return at if at.tzinfo is not None else None
        return datetime.datetime.fromtimestamp(float(text), datetime.UTC)
    except (ValueError, KeyError, IndexError, OverflowError, OSError):
        return None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and len(text) <= 20 and text.isascii() and text.isdigit() else None


def _decimal(text: str | None) -> float | None:
    if text is None or len(text) > 20 or not text.isascii() or not text.replace(".", "", 1).isdigit():
        return None
    return float(text)


def _at(texts: collections.abc.Sequence[str], index: int) -> str | None:
    text = texts[index] if index < len(texts) else None
    return None if text in _NO_ANSWER else text
