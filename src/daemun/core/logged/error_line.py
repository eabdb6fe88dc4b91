"""One line of nginx's error log.

`2026/01/02 03:04:05 [error] 7#7: *5 connect() failed, client: 192.0.2.1, server: a.test, request: "GET / HTTP/1.1",
upstream: "http://10.0.0.5:80/", host: "a.test"` (ngx_http_log_error_handler). Nothing is escaped in it, and a visitor
chooses what stands in the request and in headers. So it is cut once, at the first mark of a client, and what follows is
read from left to right: a header, which comes last, is taken for nothing else. All readers of such lines cut with
`split`.

What a visitor sends has no line breaks there (`core.render.static_files` refuses those in paths; nginx refuses them
elsewhere). What some servers send has: `OwnLines`, `find_own`.
"""

import collections
import collections.abc
import dataclasses
import datetime
import re
import typing

from daemun.core.logged import logged_request
from daemun.core.texts import durations

_HEAD = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[([a-z]{1,9})\] \d+#\d+: (?:\*(\d{1,20}) )?", re.ASCII)
_CLIENT = re.compile(r", (udp )?client: ")
_ID = re.compile(r", request_id: ([0-9A-Za-z._-]{1,128})\Z")
_PARTS = (
    ("client", ", client: ", ""),
    ("server", ", server: ", ""),
    ("request", ', request: "', '"'),
    ("upstream", ', upstream: "', '"'),
    ("host", ', host: "', '"'),
)
_QUOTES_SERVER = re.compile(
    rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]{1,9}\] \d+#\d+: (?:\*\d{1,20} )?"
    rb"(?:FastCGI sent in stderr: |upstream sent invalid header: )"
)
"""How a record begins that has what a server sent, any line breaks included: of FastCGI, and of gRPC."""
LONGEST_BYTES = 4096
"""No record is longer: NGX_MAX_ERROR_STR, 2048, and twice as much in builds for debugging."""
_FIELDS = frozenset({"time", "client", "host", "method", "uri", "protocol"})


class ErrorLineParts(typing.NamedTuple):
    """at: in the machine's local time, as nginx writes it; None: it is no time. words: nginx's, before the client.
    rest: what follows the mark of a client; "" without one. is_udp: of a stream of datagrams (ngx_stream_log_error)."""

    at: datetime.datetime | None
    level: str
    connection: str | None
    words: str
    rest: str
    is_udp: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestErrorLine:
    """level: "error", "warn", ... words: nginx's. connection: as the first part of a request's usual id. server: the
    name of nginx's server block. request: what is known of it; its status and time are not."""

    level: str
    words: str
    connection: str | None
    server: str | None
    upstream: str | None
    request: logged_request.LoggedRequest


def split(text: str) -> ErrorLineParts | None:
    """text: without its end. None: it is no first line of a report."""
    head = _HEAD.match(text)
    if head is None:
        return None
    mark = _CLIENT.search(text, head.end())
    return ErrorLineParts(
        at=_local_time(head[1]),
        level=head[2],
        connection=head[3],
        words=text[head.end() :] if mark is None else text[head.end() : mark.start()],
        rest="" if mark is None else text[mark.end() :],
        is_udp=mark is not None and mark[1] is not None,
    )


@dataclasses.dataclass(slots=True)
class OwnLines:
    """Which lines are surely nginx's: not those that may be the rest of a record that quotes a server. Each is looked
    at, in their order. left_bytes: of such a record, what may still come."""

    left_bytes: int = 0

    def takes(self, line: bytes) -> bool:
        """line: without its end."""
        is_own = self.left_bytes <= 0
        begun = LONGEST_BYTES if _QUOTES_SERVER.match(line) is not None else 0
        self.left_bytes = max(self.left_bytes, begun) - len(line) - 1
        return is_own


def find_own(lines: collections.abc.Iterable[bytes], holds: bytes) -> collections.abc.Iterator[bytes]:
    """Of lines from the newest to the oldest, those that hold this and are surely nginx's, in the same order. As
    `OwnLines`: no record that quotes a server begins within the length of one before them."""
    waiting: collections.deque[tuple[bytes, int]] = collections.deque()
    passed_bytes = 0
    for line in lines:
        passed_bytes += len(line) + 1
        while waiting and passed_bytes - waiting[0][1] >= LONGEST_BYTES:
            yield waiting.popleft()[0]
        if waiting and _QUOTES_SERVER.match(line) is not None:
            waiting.clear()
        if holds in line:
            waiting.append((line, passed_bytes))
    yield from (line for line, _ in waiting)


def is_ambiguous(parts: ErrorLineParts) -> bool:
    """Whether a server or a visitor may have written what follows the words: they quote something, and the mark of a
    client stands there twice."""
    return '"' in parts.words and _CLIENT.search(f", {parts.rest}") is not None


def read(line: bytes) -> RequestErrorLine | None:
    """line: without its end. None: it is no first line of a report."""
    parts = split(line.decode("utf-8", "replace"))
    if parts is None:
        return None
    found = _find_parts(f", client: {parts.rest}" if parts.rest else "")
    method, uri, protocol = logged_request.split_request(found.get("request"))
    identity = _ID.search(parts.words)
    return RequestErrorLine(
        level=parts.level,
        words=parts.words if identity is None else parts.words[: identity.start()],
        connection=parts.connection,
        server=found.get("server"),
        upstream=found.get("upstream"),
        request=logged_request.LoggedRequest(
            at=None if parts.at is None else parts.at.astimezone(),
            client=found.get("client"),
            user=None,
            host=found.get("host") or found.get("server"),
            method=method,
            uri=uri,
            protocol=protocol,
            status=None,
            sent_bytes=None,
            request_s=None,
            upstream=None,
            upstream_status=None,
            upstream_response_time=None,
            referer=None,
            user_agent=None,
            tls=None,
            request_id=None if identity is None else identity[1],
            fields=_FIELDS,
        ),
    )


def to_json(line: RequestErrorLine) -> dict[str, typing.Any]:
    """Names stay the same. time: RFC 3339, in UTC."""
    request = line.request
    return {
        "time": None if request.at is None else durations.instant(request.at),
        "level": line.level,
        "message": line.words,
        "connection": line.connection,
        "client": request.client,
        "host": request.host,
        "method": request.method,
        "uri": request.uri,
        "server": line.server,
        "upstream": line.upstream,
        "request_id": request.request_id,
    }


def _find_parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    for name, before, after in _PARTS:
        begin = text.find(before, at)
        if begin < 0:
            continue
        begin += len(before)
        end = text.find(after or ", ", begin)
        at = len(text) if end < 0 else end
        found[name] = text[begin:at]
    return found


def _local_time(text: str) -> datetime.datetime | None:
    """None also for a year that no clock has, whose instant cannot be stated in another zone."""
    try:
        at = datetime.datetime.strptime(text, "%Y/%m/%d %H:%M:%S")
    except ValueError:
        return None
    return at if 1970 < at.year < 9999 else None
