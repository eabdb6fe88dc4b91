"""Requests that differ from a visitor's in one thing: where a server refuses the visitor's and takes one of these, that
thing is why. Pure."""

import dataclasses
import enum

from daemun.core.why import condition_match, requested_url

_FORWARDED = frozenset(
    {"x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded"}
)

_UNKNOWN = "daemun-why.invalid"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class ChangedThing(enum.Enum):
    """What a request has otherwise than the visitor's.

    NAME: the name in Host. FORWARDED: nothing shows that a proxy sent it. ORIGIN: it has none. COOKIES: it has none.
    SCHEME: X-Forwarded-Proto is https. AGENT: its User-Agent is a browser's."""

    NAME = "name"
    FORWARDED = "forwarded"
    ORIGIN = "origin"
    COOKIES = "cookies"
    SCHEME = "scheme"
    AGENT = "agent"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestChange:
    """host: the value of Host; None: as before. without: names of headers that are left out, in lower case. added:
    headers in place of those of the same name."""

    thing: ChangedThing
    host: str | None = None
    without: frozenset[str] = frozenset()
    added: tuple[tuple[str, str], ...] = ()


def plan(
    url: requested_url.RequestedUrl, request: condition_match.SentRequest, *, host_header: str | None, own: str
) -> tuple[RequestChange, ...]:
    """The changes to try, the likeliest first. host_header: of the route. own: host and port of the target."""
    other = url.authority if host_header is not None else own
    changes = [
        RequestChange(thing=ChangedThing.NAME, host=other, added=(("X-Forwarded-Host", other),)),
        RequestChange(thing=ChangedThing.FORWARDED, without=_FORWARDED),
    ]
    if request.header("Origin"):
        changes.append(RequestChange(thing=ChangedThing.ORIGIN, without=frozenset({"origin", "referer"})))
    if request.header("Cookie"):
        changes.append(RequestChange(thing=ChangedThing.COOKIES, without=frozenset({"cookie"})))
    if not url.is_https:
        added = (("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"))
        changes.append(RequestChange(thing=ChangedThing.SCHEME, added=added))
    if not request.header("User-Agent"):
        changes.append(RequestChange(thing=ChangedThing.AGENT, added=(("User-Agent", _BROWSER),)))
    return tuple(changes)


def change(request: condition_match.SentRequest, by: RequestChange) -> condition_match.SentRequest:
    """The visitor's own headers, changed."""
    replaced = {*by.without, *(name.lower() for name, _ in by.added), *(("host",) if by.host is not None else ())}
    kept = tuple(pair for pair in request.headers if pair[0].lower() not in replaced)
    return dataclasses.replace(request, headers=kept)


def find_control(by: RequestChange) -> RequestChange | None:
    """What has to be refused as the visitor's request is, or the change is not why. A server of many names gives each
    another answer: it refuses the visitor's for its name where it refuses a name that it cannot know. None: the
    visitor's request itself."""
    if by.thing is not ChangedThing.NAME:
        return None
    return RequestChange(thing=ChangedThing.NAME, host=_UNKNOWN, added=(("X-Forwarded-Host", _UNKNOWN),))


def is_better(before: int, after: int) -> bool:
    """Whether a server that answered with the first status takes the changed request. 401: it wants to know who it is,
    and would have let a known one in."""
    return before >= 400 and (after < 400 or (after == 401 and before != 401))
