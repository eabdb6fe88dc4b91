"""What nginx's error log reports of the servers of streams. Pure.

A line: `2026/01/02 03:04:05 [error] 7#7: *5 connect() failed (111: Connection refused) while connecting to upstream,
client: 127.0.0.1, server: 0.0.0.0:1883, upstream: "10.0.0.5:1883", bytes from/to client:0/0, bytes from/to
upstream:0/0` (ngx_stream_log_error, ngx_stream_proxy_log_error).
"""

import dataclasses
import datetime
import re

from daemun.core.logged import error_line
from daemun.core.served import upstream_errors

_REST = re.compile(
    r"[^,\"]*, server: (?P<host>\S+):(?P<port>\d{1,5})"
    r"(?:, upstream: \"(?P<upstream>[^\"]*)\")?(?:, bytes from/to client:[^\"]*)?\s*\Z",
    re.ASCII,
)
"""After the mark of a client. A line of HTTP, where a visitor chooses what follows, has a request there and is none."""
_LONGEST_WORDS = 300


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamErrorLine:
    """One line of the log that is about a server of a stream. at: in the machine's local time, as nginx writes it.
    host, port: where the stream listens. kind: what it means."""

    at: datetime.datetime
    kind: upstream_errors.ErrorKind
    words: str
    host: str
    port: int
    is_udp: bool


def _kind(pattern: str, cause: str, cure: str, *, is_lasting: bool = False) -> upstream_errors.ErrorKind:
    return upstream_errors.ErrorKind(pattern=re.compile(pattern), cause=cause, cure=cure, is_lasting=is_lasting)


KINDS = (
    _kind(
        r"SSL certificate verify error: \(|certificate verify failed",
        "the certificate of its server is refused",
        "set `verify: FILE` with the certificate of its CA, or `verify: false`",
        is_lasting=True,
    ),
    _kind(
        r"SSL certificate does not match",
        "the certificate of its server is for another name",
        "set `server_name` to a name that the certificate carries, or `verify: false`",
        is_lasting=True,
    ),
    _kind(
        r"while SSL handshaking to upstream|wrong version number|packet length too long|record layer failure",
        "no TLS handshake with its server comes about",
        "write tcp:// for a server without TLS, or look at its TLS settings, `server_name` and `verify`",
        is_lasting=True,
    ),
    _kind(
        r"no live upstreams",
        "all its servers failed a moment ago, so none was tried",
        "look at the servers: `daemun doctor` tries each of them",
    ),
    _kind(
        r"connect\(\) .*failed \(2: ",
        "the unix socket of its server does not exist",
        "start the server, or correct the path of the socket",
    ),
    _kind(
        r"connect\(\) .*failed \(13: ",
        "nginx may not open the unix socket of its server",
        "give the account of nginx's workers the right to write to the socket",
        is_lasting=True,
    ),
    _kind(
        r"\(111: ",
        "its server refused: nothing listened there",
        "start the server, or correct the port",
    ),
    _kind(
        r"\(113: |\(101: |\(100: ",
        "there is no way to the address of its server",
        "correct the address, or the network in between",
    ),
    _kind(
        r"timed out.*while connecting to upstream",
        "its server did not take the connection in time",
        "look at the server and at the firewall in between, or raise `timeout: {connect}`",
    ),
    _kind(
        r"could not be resolved|host not found",
        "the name of its server does not resolve",
        "correct the name, or make it known to this machine (`getent hosts NAME`)",
    ),
    _kind(
        r"while proxying (?:connection|and (?:reading from|sending to) upstream)|\(104: .*upstream",
        "its server ended the connection",
        "look at the server's own log at that time",
    ),
)
_NO_SERVER = _kind(
    r"\A[0-9.]+:0\Z",
    "no server of it was there to take the connection",
    "start one; `daemun doctor` has what keeps each of them away",
)
"""By the address: nginx is led to port 0 where there is none (`discovery.service_table`)."""
_OTHER = _kind(r"", "a connection to its server failed", "look at the server's own log at that time")


def read_line(text: str) -> StreamErrorLine | None:
    """None: the line is not about a server of a stream."""
    if "upstream" not in text or "client: " not in text:  # most lines are not, and this is quick
        return None
    line = error_line.split(text)
    if line is None or line.at is None or line.level not in upstream_errors.LEVELS or "upstream" not in line.words:
        return None
    found = None if error_line.is_ambiguous(line) else _REST.match(line.rest)
    if found is None or int(found["port"]) > 65535:
        return None
    return StreamErrorLine(
        at=line.at,
        kind=_find_kind(line.words, found["upstream"] or ""),
        words=line.words[:_LONGEST_WORDS],
        host=found["host"].removeprefix("[").removesuffix("]"),
        port=int(found["port"]),
        is_udp=line.is_udp,
    )


def _find_kind(words: str, upstream: str) -> upstream_errors.ErrorKind:
    if _NO_SERVER.pattern.search(upstream):
        return _NO_SERVER
    return next((kind for kind in KINDS if kind.pattern.search(words)), _OTHER)
