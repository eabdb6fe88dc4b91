"""Requests of containers that were removed a moment ago. Pure.

While a container is replaced there is a moment without any. Its site stays, so that requests can wait and its
certificate is there when the next one comes.
"""

import collections.abc
import dataclasses
import math
import typing

from daemun.core import model
from daemun.sources.docker import route_requests

KEPT_S = 600.0
"""How long a route outlives the removal of its last container. A stopped container counts as there."""
RENAMED_S = 30.0
"""The same where its service requests something else by now: no container comes back for the route."""

Key = tuple[str, str]
"""Host and path."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """What containers request now or requested a moment ago. services: of the containers that request it.

    gone_at_s: monotonic seconds when the last of them was found removed; None while there is one.
    is_renamed: whether their service is there without it.
    """

    services: frozenset[str] = frozenset()
    gone_at_s: float | None = None
    is_renamed: bool = False

    @property
    def ends_at_s(self) -> float:
        """Infinite while there is a container of it."""
        return math.inf if self.gone_at_s is None else self.gone_at_s + (RENAMED_S if self.is_renamed else KEPT_S)

    def with_first_origin(self, before: typing.Self) -> typing.Self:
        """before: of the listing before, with the same key."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecentClaim(Recent):
    """A route of a host. site: the options of the whole host that its containers requested."""

    route: model.Route
    site: route_requests.SiteOptions | None = None

    @property
    def pool(self) -> str | None:
        """The name of its pool; None for a redirect."""
        action = self.route.action
        return action.targets[0].pool if isinstance(action, model.Proxy) else None

    def with_first_origin(self, before: typing.Self) -> typing.Self:
        if dataclasses.replace(before.route, origin=self.route.origin) != self.route:
            return self
        return dataclasses.replace(self, route=before.route)


_KeyOf = typing.TypeVar("_KeyOf")
_Recent = typing.TypeVar("_Recent", bound=Recent)

Memory = dict[Key, RecentClaim]


def remember(
    known: collections.abc.Mapping[_KeyOf, _Recent],
    wanted: collections.abc.Mapping[_KeyOf, _Recent],
    *,
    now_s: float,
    services: frozenset[str] = frozenset(),
) -> dict[_KeyOf, _Recent]:
    """What is wanted now, and what was a moment ago. services: whose containers request something now.

    What did not change keeps the origin it first had: the origin is written into nginx's files, and the next
    container of a service must not change them.
    """
    kept = {key: entry.with_first_origin(known[key]) if key in known else entry for key, entry in wanted.items()}
    for key, entry in known.items():
        gone_at_s = now_s if entry.gone_at_s is None else entry.gone_at_s
        renamed = entry.is_renamed or bool(entry.services & services)
        gone = dataclasses.replace(entry, gone_at_s=gone_at_s, is_renamed=renamed)
        if key not in kept and now_s < gone.ends_at_s:
            kept[key] = gone
    return kept


def find_next_end(*kept: collections.abc.Mapping[typing.Any, Recent]) -> float:
    """Monotonic seconds of the moment when the next entry is forgotten; infinite when none is going to be."""
    return min((entry.ends_at_s for one in kept for entry in one.values()), default=math.inf)
