"""One line of nginx's error log.

`2026/01/02 03:04:05 [error] 7#7: *5 connect() failed, client: 192.0.2.1, server: a.test, request: "GET / HTTP/1.1",
upstream: "http://10.0.0.5:80/", host: "a.test"` (ngx_http_log_error_handler). Nothing is escaped in it; what follows
the words is searched from left to right, so that a header, which comes last, is taken for nothing else.
"""

import dataclasses
import datetime
import re
import typing

from daemun.core.logged import logged_request

_HEAD = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[([a-z]{1,9})\] \d+#\d+: (?:\*(\d{1,20}) )?", re.ASCII)
_ID = re.compile(r", request_id: ([0-9A-Za-z._-]{1,128})\Z")
_PARTS = (
    ("client", ", client: ", ""),
    ("server", ", server: ", ""),
    ("request", ', request: "', '"'),
    ("upstream", ', upstream: "', '"'),
    ("host", ', host: "', '"'),
)
_FIELDS = frozenset({"time", "client", "host", "method", "uri", "protocol"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """level: "error", "warn", ... words: nginx's. connection: as the first part of a request's usual id. server: the
    name of nginx's server block. request: what is known of it; its status and time are not."""

    level: str
    words: str
    connection: str | None
    server: str | None
    upstream: str | None
    request: logged_request.LoggedRequest


def read(line: bytes) -> ErrorLine | None:
    """line: without its end. None: it is no first line of a report."""
    text = line.decode("utf-8", "replace")
    head = _HEAD.match(text)
    if head is None:
        return None
    words, client, parts = text[head.end() :].partition(", client: ")
    found = _find_parts(f"{client}{parts}")
    method, uri, protocol = logged_request.split_request(found.get("request"))
    identity = _ID.search(words)
    return ErrorLine(
        level=head[2],
        words=words if identity is None else words[: identity.start()],
        connection=head[3],
        server=found.get("server"),
        upstream=found.get("upstream"),
        request=logged_request.LoggedRequest(
            at=_instant(head[1]),
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


def to_json(line: ErrorLine) -> dict[str, typing.Any]:
    """Names stay the same. time: RFC 3339."""
    request = line.request
    return {
        "time": None if request.at is None else request.at.isoformat(),
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


def _instant(text: str) -> datetime.datetime | None:
    """nginx writes the machine's local time."""
    try:
        return datetime.datetime.strptime(text, "%Y/%m/%d %H:%M:%S").astimezone()
    except (ValueError, OverflowError):
        return None
