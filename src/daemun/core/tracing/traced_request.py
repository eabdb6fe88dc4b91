"""A request whose spans are exported, as nginx logs it: one JSON object a line. Pure.

Whoever sends a request chooses much of its line; nginx writes it with `escape=json`, and what is longer than a span
needs is cut here.
"""

import dataclasses
import json
import re
import urllib.parse

from daemun.core import upstream_tries
from daemun.core.traffic import traffic_names

TRACEPARENT = (
    r"(?!ff)(?!.{3}0{32})(?!.{36}0{16})(?!00-.{52}.)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]*)?"
)
"""A valid `traceparent`, of a later version too, which may be longer (w3.org/TR/trace-context section 3.2); for PCRE
and Python. Several headers, which nginx joins by a comma and a space, are none."""

VARIABLES = {
    "id": "$request_id",
    "name": "$request_id",
    "sent": "",
    "of": "$daemun_traffic_of",
    "route": "",
    "end": "$msec",
    "took": "$request_time",
    "method": "$request_method",
    "scheme": "$scheme",
    "host": "$host",
    "port": "$server_port",
    "uri": "$request_uri",
    "protocol": "$server_protocol",
    "client": "$remote_addr",
    "agent": "$http_user_agent",
    "status": "$status",
    "tried": "$upstream_addr",
    "tried_status": "$upstream_status",
    "tried_head": "$upstream_header_time",
    "tried_took": "$upstream_response_time",
}
"""What a line has by which name; what the gate's settings decide is replaced (`render.trace_lines`)."""

_ID = re.compile(r"[0-9a-f]{32}\Z")
_SENT = re.compile(TRACEPARENT + r"\Z")
_SECONDS = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,3}))?\Z")
_MOST_TRIES = 32
_LONGEST = 2048
_LONGEST_WORD = 256


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TracedTry:
    """One server that was tried. address: as nginx writes it. status: None: nothing came back. took_ms: None: it is not
    known. has_answered: whether its answer began."""

    address: str
    status: int | None = None
    took_ms: int = 0
    has_answered: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TracedRequest:
    """id: nginx's, 32 hexadecimal digits. name: what error pages and the access log call it. sent: the `traceparent` of
    a trusted proxy. site, route: "" where there is none. path: as the visitor sent it. query: None: there is none."""

    id: str
    name: str
    sent: str
    site: str
    route: str
    end_ms: int
    took_ms: int
    method: str
    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None
    protocol: str
    client: str
    agent: str
    status: int
    tries: tuple[TracedTry, ...] = ()


def parse(line: bytes) -> TracedRequest | None:
    """None: it is no such line: a disk was full, or somebody else wrote into the file."""
    try:
        found = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in VARIABLES):
        return None
    end, took = _milliseconds(found["end"]), _milliseconds(found["took"])
    status = _number(found["status"])
    if _ID.match(found["id"]) is None or end is None or took is None or status is None:
        return None
    site, route = traffic_names.decode(found["of"])
    path, query = _split(found["uri"])
    return TracedRequest(
        id=found["id"],
        name=found["name"][:_LONGEST_WORD],
        sent=found["sent"] if _SENT.match(found["sent"]) else "",
        site=site,
        route=route or found["route"],
        end_ms=end,
        took_ms=took,
        method=found["method"][:_LONGEST_WORD],
        scheme=found["scheme"],
        host=found["host"][:_LONGEST_WORD],
        port=_number(found["port"]),
        path=path[:_LONGEST],
        query=None if query is None else query[:_LONGEST],
        protocol=found["protocol"][:_LONGEST_WORD],
        client=found["client"],
        agent=found["agent"][:_LONGEST_WORD],
        status=status,
        tries=_tries(found),
    )


def _split(uri: str) -> tuple[str, str | None]:
    """Path and query of what stands in a request line (RFC 9112 section 3.2): also a whole URL, or `*`."""
    target, mark, query = uri.partition("?")
    if not target.startswith("/") and "://" in target:
        try:
            target = urllib.parse.urlsplit(target).path or "/"
        except ValueError:
            target = ""
    return target, query if mark else None


def _tries(found: dict[str, str]) -> tuple[TracedTry, ...]:
    statuses, heads, times = (upstream_tries.split(found[f"tried_{name}"]) for name in ("status", "head", "took"))
    tries = []
    for index, address in enumerate(upstream_tries.split(found["tried"])[:_MOST_TRIES]):
        head = heads[index] if index < len(heads) else ""
        took = _milliseconds(times[index]) if index < len(times) else None
        tries.append(
            TracedTry(
                address=address[:_LONGEST_WORD],
                status=_number(statuses[index]) if index < len(statuses) else None,
                took_ms=took or 0,
                has_answered=_milliseconds(head) is not None,
            )
        )
    return tuple(tries)


def _milliseconds(text: str) -> int | None:
    match = _SECONDS.match(text)
    return None if match is None else int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else None
