"""What nginx's error log reports of one request, in plain words: of servers (`served.upstream_errors`) and of the gate.

Pure. Lines are hostile in part: they hold what a visitor sent.
"""

import dataclasses
import re

from daemun.core.logged import error_line
from daemun.core.served import upstream_errors
from daemun.core.texts import words
from daemun.core.why import url_facts

NO_SERVER = "no-server"
_LONGEST = 4096
_FULL = re.compile(r" failed \(28: No space left on device\)(?: while [a-z ]{1,60})?\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    pattern: re.Pattern[str]
    kind: str
    cause: str
    cure: str


def _kind(pattern: str, kind: str, cause: str, cure: str) -> _Kind:
    return _Kind(pattern=re.compile(pattern), kind=kind, cause=cause, cure=cure)


_KINDS = (
    _kind(
        r"client intended to send too large body: (?P<what>\d+) bytes|client intended to send too large chunked body",
        "body-too-large",
        "the body of the request is larger than the gate takes there",
        "raise `max_body` of the route (`1g`), or set `max_body: off`",
    ),
    _kind(
        r"limiting requests, excess",
        "rate-limit",
        "requests came faster than `access.rate_limit` lets them",
        "raise `rate` or `burst` of `rate_limit`, or let the client wait for Retry-After",
    ),
    _kind(
        r"limiting connections by zone",
        "connection-limit",
        "more requests of one address were open than `access.connections` lets in",
        "raise `access.connections`; over HTTP/2 each request counts as one",
    ),
    _kind(
        r"user \"(?P<what>[^\"]*)\" was not found|user \"(?P<other>[^\"]*)\": password mismatch",
        "basic-auth",
        "the name or the password was wrong",
        "use a name of `basic_auth.users` with its password; `daemun password` makes a new one for the file",
    ),
    _kind(
        r"access forbidden by rule",
        "refused-address",
        "the address of the visitor is refused by a rule (`access.allow` or `access.deny`)",
        "add the address or its network to `access.allow`, or take it out of `access.deny`",
    ),
    _kind(
        r"auth request unexpected status: (?P<what>\d+)",
        "judge-answer",
        "the server that decides who may come in (`access.forward_auth`) answered with something else than yes or no",
        "look at that server and its log; `daemun doctor HOST` tries it",
    ),
    _kind(
        r"\"(?P<what>[^\"]+)\" (?:failed|is not found) \(2: |open\(\) \"(?P<other>[^\"]+)\" failed \(2: ",
        "file-missing",
        "there is no such file in the folder of the route",
        "put the file there, or correct the folder (`files`), its `index`, or the URL",
    ),
    _kind(
        r"\"[^\"]+/cache/[0-9a-f]/[0-9a-f]{2}/[0-9a-f]{32}(?:\.[0-9]{10})?\" failed \(13: ",
        "kept-forbidden",
        "nginx's workers may not read an answer that is kept for everybody (`cache`): another account kept it",
        "run `daemun stop` and `daemun up`: what another account kept is deleted then. Leave the rights of `cache/` as "
        "they are: what it holds is for nginx's workers alone",
    ),
    _kind(
        r"\"(?P<what>[^\"]+)\" (?:failed|is forbidden) \(13: |failed \(13: Permission denied\)",
        "file-forbidden",
        "nginx's workers may not read the file",
        "give their account the right to read it, and to pass through the folders above it (`chmod o+rX`)",
    ),
    _kind(
        r"directory index of \"(?P<what>[^\"]+)\" is forbidden",
        "no-index",
        "the folder has no index file, and its list is not shown",
        "put an index.html there, name another file with `index`, or set `listing: true`",
    ),
    _kind(
        r"rewrite or internal redirection cycle",
        "inner-loop",
        "hand-written nginx sends the request round and round inside the gate",
        "correct `try_files`, `rewrite` or `error_page` in the route's `nginx`",
    ),
    _kind(
        r"client (?:sent invalid|prematurely closed|timed out|sent (?:too long|duplicate|plain))",
        "client",
        "the client did not send a whole and valid request",
        "look at the client: it gave up, or it breaks HTTP",
    ),
)


def explain(lines: tuple[str, ...]) -> url_facts.Cause | None:
    """What the first line that is known means. lines: of one request, in their order."""
    for text in lines:
        of_server = upstream_errors.read_line(text[:_LONGEST])
        # A limit, a rule or a password may stand in a line that names a server, too: nginx's words tell them apart.
        of_gate = _explain_own(text[:_LONGEST])
        if of_gate is not None:
            return of_gate
        if of_server is not None:
            if of_server.kind is upstream_errors.NO_SERVER:
                return url_facts.Cause(kind=NO_SERVER, cause=of_server.kind.cause, cure=of_server.kind.cure)
            server = _shorten(of_server.upstream)
            return url_facts.Cause(
                kind="server",
                cause=f"{server}: {of_server.kind.cause}" if server else of_server.kind.cause,
                cure=of_server.kind.cure,
            )
    return None


def _explain_own(text: str) -> url_facts.Cause | None:
    line = error_line.read(text.encode("utf-8", "replace"))
    if line is not None and _FULL.search(line.words) is not None:
        return url_facts.Cause(
            kind="disk-full",
            cause="nginx could not write a file: the disk is full",
            cure="make room on the disk of daemun's state directory (`df -h`), where bodies and answers wait that are "
            "larger than memory takes",
        )
    if line is None or "upstream" in line.words:
        return None
    for kind in _KINDS:
        found = kind.pattern.search(line.words)
        if found is not None:
            groups = found.groupdict()
            what = groups.get("what") or groups.get("other")
            shown = f" ({words.quoted(what)})" if what else ""
            return url_facts.Cause(kind=kind.kind, cause=f"{kind.cause}{shown}", cure=kind.cure)
    return None


def _shorten(upstream: str) -> str:
    """Scheme, address and port of the server that a line names."""
    found = re.match(r"(?:[a-z0-9]+://)?([^/\s\"]{1,120})", upstream)
    if upstream.startswith(("http://unix:", "fastcgi://unix:", "uwsgi://unix:", "scgi://unix:", "grpc://unix:")):
        return upstream.partition("://")[2].rpartition(":")[0][:160]
    return found[1] if found else ""
