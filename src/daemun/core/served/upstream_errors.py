"""Errors of the servers behind routes in nginx's error log, in plain words. Pure.

A line: `2026/01/02 03:04:05 [error] 7#7: *5 upstream sent ..., client: 127.0.0.1, server: app.test, request:
"GET / HTTP/1.1", upstream: "http://127.0.0.1:8000/", host: "app.test"` (ngx_http_log_error_handler).
"""

import dataclasses
import datetime
import re

from daemun.core.logged import error_line

LEVELS = frozenset({"error", "crit", "alert"})
_REST = re.compile(
    r"[^,]*(?:, server: (?P<server>[^,]*))?"
    r"(?:, request: \"(?P<request>.*?)\")?(?:, subrequest: \"(?P<subrequest>.*?)\")?"
    r"(?:, upstream: \"(?P<upstream>.*?)\")?"
    r"(?:, host: \"(?P<host>[^\"]*)\")?(?:, referrer: \".*\")?(?:, request_id: .*)?\s*\Z"
)
_NOT_OF_SERVERS = re.compile(
    r"answered [0-9]{3}, request_id: |(?:[a-z_]{1,20}\(\) |directory index of |the configured .{0,40} )?\"/"
)
"""Words that daemun itself has nginx write of a request which one of its own pages answered (`render.error_pages`), and
words that begin with the path of a file, where a visitor chooses what follows."""
_LONGEST_WORDS = 300


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """One kind of error. pattern: in nginx's words. is_lasting: a visitor who does the same gets the same."""

    pattern: re.Pattern[str]
    cause: str
    cure: str
    is_lasting: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamErrorLine:
    """One line of the log that is about a server. at: in the machine's local time, as nginx writes it. host, path: of
    the request. upstream: as nginx names the server."""

    at: datetime.datetime
    kind: ErrorKind
    words: str
    host: str
    path: str
    upstream: str


def _kind(pattern: str, cause: str, cure: str, *, is_lasting: bool = False) -> ErrorKind:
    return ErrorKind(pattern=re.compile(pattern), cause=cause, cure=cure, is_lasting=is_lasting)


_OWN_LOG = "look at the server's own log at that time"
_BREAKS_HTTP = "correct the application, or what stands before it: it breaks HTTP, and a visitor gets 502"

KINDS = (
    _kind(
        r"upstream sent too big header",
        "the headers of its answer are too large (many or large cookies, most often)",
        "make the answer's headers smaller (cookies, most often), or give them more room in the route: "
        "`buffers: {header: 128k}`",
        is_lasting=True,
    ),
    _kind(
        r"upstream sent .*\"?Content-Length\"?.*\"?Transfer-Encoding\"?|\"?Transfer-Encoding\"?.*\"?Content-Length\"?",
        "its answer has both Content-Length and Transfer-Encoding, which HTTP forbids (RFC 9112 section 6.1)",
        "let the application send one of them alone; a framework sets Content-Length by itself, so take your own out",
        is_lasting=True,
    ),
    _kind(
        r"upstream SSL certificate verify error: \(|certificate verify failed",
        "its certificate is refused",
        "set `verify: false`, or `verify: FILE` with the certificate of its CA; `daemun doctor HOST` says which",
        is_lasting=True,
    ),
    _kind(
        r"upstream SSL certificate does not match",
        "its certificate is for another name",
        "set `server_name` to a name that the certificate carries, or `verify: false`",
        is_lasting=True,
    ),
    _kind(
        r"wrong version number|packet length too long|record layer failure|http request\b",
        "it speaks plain http, and the target says https",
        "write the target with http://",
        is_lasting=True,
    ),
    _kind(
        r"while SSL handshaking to upstream",
        "no TLS handshake with it comes about",
        "look at the server's TLS settings, and at `server_name` and `verify` of the route",
        is_lasting=True,
    ),
    _kind(
        r"no live upstreams",
        "all its servers failed a moment ago, so none was tried",
        "look at the servers: `daemun doctor HOST` tries each of them",
    ),
    _kind(
        r"connect\(\) .*failed \(2: ",
        "its unix socket does not exist",
        "start the server, or correct the path of the socket",
    ),
    _kind(
        r"connect\(\) .*failed \(13: ",
        "nginx may not open its unix socket",
        "give the account of nginx's workers the right to write to the socket",
        is_lasting=True,
    ),
    _kind(
        r"\(111: ",
        "it refused the connection: nothing listened there",
        "start the server, or correct the port",
    ),
    _kind(
        r"\(113: |\(101: |\(100: ",
        "there is no way to its address",
        "correct the address, or the network in between",
    ),
    _kind(
        r"\(24: Too many open files\)|worker_connections are not enough",
        "nginx ran out of connections",
        "raise the limit of open files of the service (LimitNOFILE)",
    ),
    _kind(
        r"timed out.*while connecting to upstream",
        "it did not take the connection in time",
        "look at the server and at the firewall in between, or raise `timeout: {connect}`",
    ),
    _kind(
        r"timed out.*while (?:reading|sending)",
        "it did not answer in time",
        "look at why it is slow, or raise `timeout: {read}` of the route",
    ),
    _kind(
        r"upstream prematurely closed|\(104: |\(32: |peer closed connection",
        "it closed the connection before its answer was complete",
        f"{_OWN_LOG}: it crashed, ended, or ran into a limit of its own (time, memory)",
    ),
    _kind(
        r"could not be resolved|host not found",
        "its name does not resolve",
        "correct the name, or make it known to this machine (`getent hosts NAME`)",
    ),
    _kind(
        r"Primary script unknown|No input file specified",
        "PHP does not find the script",
        "set `root` of the route (of `php`: its `server_root`) to the folder of the scripts as the PHP server sees it",
        is_lasting=True,
    ),
    _kind(r"FastCGI sent in stderr", "PHP reported an error", _OWN_LOG),
    _kind(
        r"upstream sent no valid HTTP",
        "its answer has no head of HTTP, and visitors get it as it is",
        "let the server answer with a head of HTTP/1.1, or correct the port: it may be one of another protocol",
        is_lasting=True,
    ),
    _kind(
        r"upstream sent invalid (?:status|header)|upstream sent (?:unsupported|broken) ",
        "its answer is not HTTP, or breaks its rules",
        f"{_BREAKS_HTTP}; or the port is one of another protocol",
        is_lasting=True,
    ),
    _kind(
        r"upstream sent (?:duplicate|invalid|unexpected|too|more|frame|.*?header|.*?chunked)",
        "its answer breaks the rules of HTTP",
        _BREAKS_HTTP,
        is_lasting=True,
    ),
    _kind(
        r"upstream (?:rejected|prematurely|sent)",
        "it did not answer as its protocol demands",
        _OWN_LOG,
    ),
)

NO_SERVER = _kind(
    r"^[a-z0-9]+://[^/]*:0(?:/|$)",
    "no server of the route was there to take the request",
    "start one; `daemun doctor HOST` has what keeps each of them away",
)
"""By the address: nginx is led to port 0 where there is none (`discovery.service_table`)."""
_OTHER = _kind(r"", "a request to it failed", _OWN_LOG)


def read_line(text: str) -> UpstreamErrorLine | None:
    """None: the line is not about a request to a server."""
    if "upstream" not in text:  # most lines are not, and this is quick
        return None
    line = error_line.split(text)
    if line is None or line.at is None or line.level not in LEVELS or _NOT_OF_SERVERS.match(line.words) is not None:
        return None
    found = None if error_line.is_ambiguous(line) else _REST.match(line.rest)
    if found is None or (found["host"] is None and found["server"] is None):
        return None
    if (found["subrequest"] or "").startswith("/.daemun/"):
        return None  # of the gate's own, such as to the judge
    words = line.words
    if found["upstream"] is None and "upstream" not in words and "could not be resolved" not in words:
        return None
    kind = next((kind for kind in KINDS if kind.pattern.search(words)), _OTHER)
    if NO_SERVER.pattern.search(found["upstream"] or ""):
        kind = NO_SERVER
    request = (found["request"] or "").split(" ")
    return UpstreamErrorLine(
        at=line.at,
        kind=kind,
        words=words[:_LONGEST_WORDS],
        host=_bare(found["host"] or found["server"] or ""),
        path=request[1].partition("?")[0] if len(request) > 1 else "/",
        upstream=found["upstream"] or "",
    )


def _bare(host: str) -> str:
    """Without the port that a visitor may send in Host."""
    bare, colon, port = host.rpartition(":")
    return (bare if colon and port.isdigit() else host).lower()
