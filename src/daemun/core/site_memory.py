"""Caches values that follow from single sites: of ten thousand sites, those that did not change cost nothing.

It keeps state, without effect on results: each value follows from a site and its surroundings alone.
"""

import collections.abc
import typing

from daemun.core import model

_T = typing.TypeVar("_T")
_Key = tuple[str, str, collections.abc.Hashable]


class PerSite(typing.Generic[_T]):
    """A cache of values that follow from a site and its surroundings. Sites are compared by identity, then by value.
    Not thread-safe."""

    def __init__(self) -> None:
        self._surroundings: object = None
        self._known: dict[_Key, tuple[model.Site, _T]] = {}
        self._used: dict[_Key, tuple[model.Site, _T]] = {}

    def enter(self, surroundings: object) -> None:
        """What is looked up from now on depends on these and the site alone.

        What was made for others is forgotten, and so is what was not looked up since the last call.
        """
        self._known = self._used if surroundings == self._surroundings else {}
        self._used = {}
        self._surroundings = surroundings

    def get(
        self,
        site: model.Site,
        make: collections.abc.Callable[[model.Site], _T],
        *,
        variant: collections.abc.Hashable = None,
    ) -> _T:
        """make: works the value out; what it raises is raised, and it is called again the next time. variant: what else
        the value depends on."""
        key = (site.origin.source, site.host, variant)
        found = self._used.get(key) or self._known.get(key)
        if found is None or (found[0] is not site and found[0] != site):
            found = (site, make(site))
        self._used[key] = found
        return found[1]
