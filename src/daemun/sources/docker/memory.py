"""What containers asked for a moment ago. Pure.

While a container is replaced there is a moment without any. Its site stays, so that requests can wait and its
certificate is there when the next one comes.
"""

import collections.abc
import dataclasses
import math

from daemun.core import model
from daemun.sources.docker import wishes

KEPT_S = 600.0
"""How long a route outlives the removal of its last container. A stopped container counts as there."""

Key = tuple[str, str]
"""Host and path."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A route of a host. site: what was asked for the whole host, by its containers. gone_at_s: monotonic seconds when
    its last container was found removed; None while there is one."""

    route: model.Route
    site: wishes.SiteOptions | None = None
    gone_at_s: float | None = None

    @property
    def pool(self) -> str | None:
        """The name of its pool; None for a redirect."""
        action = self.route.action
        return action.targets[0].pool if isinstance(action, model.Proxy) else None


Memory = dict[Key, Entry]


def remember(known: Memory, wanted: collections.abc.Mapping[Key, Entry], *, now_s: float) -> Memory:
    """What is wanted now, and what was within `KEPT_S`.

    A route that did not change keeps the origin it first had: the origin is written into nginx's files, and the next
    container of a service must not change them.
    """
    kept = {key: _with_first_origin(entry, known.get(key)) for key, entry in wanted.items()}
    for key, entry in known.items():
        gone_at_s = now_s if entry.gone_at_s is None else entry.gone_at_s
        if key not in kept and now_s - gone_at_s < KEPT_S:
            kept[key] = dataclasses.replace(entry, gone_at_s=gone_at_s)
    return kept


def find_next_end(kept: Memory) -> float:
    """Monotonic seconds of the moment when the next entry is forgotten; infinite when none is going to be."""
    return min((entry.gone_at_s + KEPT_S for entry in kept.values() if entry.gone_at_s is not None), default=math.inf)


def _with_first_origin(entry: Entry, before: Entry | None) -> Entry:
    if before is None or dataclasses.replace(before.route, origin=entry.route.origin) != entry.route:
        return entry
    return dataclasses.replace(entry, route=before.route)
