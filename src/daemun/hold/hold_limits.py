"""Limits of held requests: how many may wait, how long, how often. No I/O; the time is an argument, in seconds of one
clock.

nginx sends a request here again when the server it was given did not take it, or lost it. Its time goes on from its
first visit.
"""

import collections
import dataclasses
import enum

from daemun.core.services import dns_service

MOST_HELD = 1000
MOST_HELD_PER_SITE = 200
_CONNECTIONS_EACH = 2
"""A request that waits is a visitor's connection to nginx, and one of nginx to daemun."""
PAUSES_S = (0.0, 0.5, 2.0)
"""One for each visit of a request, before servers are looked at for it: what accepts connections and then serves none
is not tried in a hurry. nginx would follow one further redirect at most (core/render/hold_locations.py).

Nor are servers for what one has just lost: it may be about to end and accept connections still, and such a request is
sent once more only.
"""
_REMEMBERED = 10_000


def limits_of(connections: int) -> tuple[int, int]:
    """How many requests may wait in all, and for one site, with workers that have so many connections each: those that
    wait may all be one worker's, and leave half of its connections to sites that answer. Pure."""
    most = max(5, min(MOST_HELD, connections // 2 // _CONNECTIONS_EACH))
    return most, max(1, most * MOST_HELD_PER_SITE // MOST_HELD)


class HoldRefusal(enum.Enum):
    """Why a request does not wait (any more). FULL: too many do. OVER: its time, or its number of visits, is used up.
    UNKNOWN: no such route."""

    FULL = "full"
    OVER = "over"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """A request of nginx. route: a `dns_service.HeldRoute.name`. request: nginx's number of the request. visits: how
    often it was here before. is_lost: whether a server has just taken it and then closed the connection."""

    route: str
    request: str
    visits: int = 0
    is_lost: bool = False

    @property
    def tries(self) -> int:
        """How many servers, as far as is known, accepted a connection for it and then did not serve it."""
        return max(self.visits, int(self.is_lost))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HoldTicket:
    """A place in the room. look_s, until_s: from when on servers are looked at, and when the wait ends."""

    host: str
    look_s: float
    until_s: float


class HoldLimits:
    """Not thread-safe: one per event loop."""

    def __init__(self, *, most: int = MOST_HELD, most_per_site: int = MOST_HELD_PER_SITE) -> None:
        self._most = most
        self._most_per_site = most_per_site
        self._by_host: collections.Counter[str] = collections.Counter()
        self._deadlines: collections.OrderedDict[str, float] = collections.OrderedDict()
        self.held = 0
        self.total = 0

    def enter(self, request: HoldRequest, wait: dns_service.HeldRoute, now_s: float) -> HoldTicket | HoldRefusal:
        """A place for what is left of the request's time, to be given back by `leave`."""
        if request.visits >= len(PAUSES_S):
            return HoldRefusal.OVER
        until_s = self._deadlines.get(request.request, now_s + wait.hold_s)
        look_s = now_s + PAUSES_S[request.tries]
        if look_s >= until_s:
            return HoldRefusal.OVER
        if self.held >= self._most or self._by_host[wait.host] >= self._most_per_site:
            return HoldRefusal.FULL
        self._remember(request.request, until_s)
        self._by_host[wait.host] += 1
        self.held += 1
        self.total += request.visits == 0
        return HoldTicket(host=wait.host, look_s=look_s, until_s=until_s)

    def leave(self, ticket: HoldTicket) -> None:
        self.held -= 1
        self._by_host[ticket.host] -= 1
        if not self._by_host[ticket.host]:
            del self._by_host[ticket.host]

    def _remember(self, request: str, until_s: float) -> None:
        self._deadlines[request] = until_s
        if len(self._deadlines) > _REMEMBERED:
            self._deadlines.popitem(last=False)
