"""The content of a site of daemun.yaml, as plain values, and what it is to be after an edit. Pure.

Plain values can be compared whatever is wrong with them, so that an edit beside a mistake, or of a site that has one,
is known to have changed nothing else.
"""

import collections.abc
import dataclasses

from daemun.core.options import forms, from_option
from daemun.core.texts import route_paths
from daemun.sources import yaml_blocks, yaml_positions

NOTHING = object()
"""Instead of a value: the site is not there."""
UNKNOWN = object()
"""Equals no value: only a person can decide what it is to be."""


@dataclasses.dataclass(frozen=True, slots=True)
class SiteValue:
    """value: as it is written: a target, a map of paths, or a map of options; NOTHING when it is not there."""

    value: object

    @property
    def fields(self) -> dict[str, object]:
        """What is written of it, by its keys; of a target none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def lies_over(self) -> bool:
        """Whether it has the routes of containers, so that it needs none of its own."""
        return self.fields.get(from_option.OPTION.name) is not None

    def is_enabled(self) -> bool:
        return not (isinstance(self.value, dict) and self.value.get("enabled") is False)

    def is_in_maintenance(self) -> bool:
        value = self.value.get("maintenance", False) if isinstance(self.value, dict) else False
        if forms.hint_flag(value):  # a mistake, and what is written over it is none
            return False
        return bool(value.get("on", True)) if isinstance(value, dict) else value is not None and value is not False

    def paths(self) -> collections.abc.Collection[str]:
        """The paths of its routes, as far as they are known."""
        if isinstance(self.value, str):
            return ("/",)
        routes = self._routes()
        return () if routes is None else routes

    def find_route(self, path: str) -> object:
        """What is written for a path; None: nothing, as far as it is known."""
        return (self._routes() or {}).get(path)

    def with_route(self, path: str, target: object) -> object:
        if self.value is NOTHING:
            return target if path == "/" and isinstance(target, str) else {path: target}
        if isinstance(self.value, str):
            return {"/": self.value, path: target}
        routes = self._routes()
        if routes is None and self.lies_over and "routes" not in self.fields:
            return {**self.fields, "routes": {path: target}}
        return UNKNOWN if routes is None else self._with_routes({**routes, path: target})

    def without_route(self, path: str) -> object:
        routes = self._routes()
        if routes is not None and self.lies_over and [*routes] == [path]:
            return {key: one for key, one in self.fields.items() if key != "routes"}
        return UNKNOWN if routes is None else self._with_routes({key: routes[key] for key in routes if key != path})

    def with_enabled(self, *, enabled: bool) -> object:
        return self._with_option("enabled", enabled)

    def with_maintenance(self, *, is_on: bool) -> object:
        old = self.value.get("maintenance") if isinstance(self.value, dict) else None
        if isinstance(old, dict):
            return self._with_option("maintenance", {**old, "on": is_on})
        if isinstance(old, list):  # a mistake, and what was meant is unknown
            return UNKNOWN
        page = find_page(old)
        return self._with_option("maintenance", is_on if page is None else {"on": is_on, "page": page})

    def with_value(self, name: str, value: object) -> object:
        """value: NOTHING: without it."""
        if value is not NOTHING:
            return self._with_option(name, value)
        if isinstance(self.value, dict) and not self._is_short():
            return {key: one for key, one in self.value.items() if key != name}
        return self.value

    def with_route_value(self, path: str, index: int | None, name: str, value: object) -> object:
        """value: NOTHING: without it. index: of one of several routes of the path."""
        if isinstance(self.value, str):
            route = _with_key(self.value, name, value)
            return route if isinstance(route, str) else {"/": route}
        routes = self._routes()
        if routes is None or path not in routes:
            return UNKNOWN
        several = routes[path]
        if index is None:
            return self._with_routes({**routes, path: _with_key(several, name, value)})
        if not isinstance(several, list) or not 0 <= index < len(several):
            return UNKNOWN
        changed = [*several[:index], _with_key(several[index], name, value), *several[index + 1 :]]
        return self._with_routes({**routes, path: changed})

    def _with_option(self, name: str, value: object) -> object:
        if isinstance(self.value, str):
            return {name: value, "routes": {"/": self.value}}
        if not isinstance(self.value, dict):
            return UNKNOWN
        if self._is_short():
            return {name: value, "routes": self.value}
        return {**self.value, name: value}

    def _is_short(self) -> bool:
        """Whether it is a map of paths, and nothing else."""
        return isinstance(self.value, dict) and all(route_paths.is_written(key) for key in self.value)

    def _routes(self) -> dict[str, object] | None:
        if not isinstance(self.value, dict):
            return None
        routes = self.value if self._is_short() else self.value.get("routes")
        return routes if isinstance(routes, dict) else None

    def _with_routes(self, routes: dict[str, object]) -> object:
        assert isinstance(self.value, dict)
        return routes if self._is_short() else {**self.value, "routes": routes}


def _with_key(route: object, name: str, value: object) -> object:
    """A route, a target or a map, with a key or without it."""
    if isinstance(route, str) and value is NOTHING:
        return route
    found = {"to": route} if isinstance(route, str) else route
    if not isinstance(found, dict):
        return UNKNOWN
    others = {key: one for key, one in found.items() if key != name}
    return others if value is NOTHING else {**others, name: value}


def find_page(written: object) -> str | None:
    """The page that `maintenance` is, where that is one alone."""
    is_page = isinstance(written, str) and written not in {"", "true", "false", "null", "~"}
    return str(written) if is_page and not forms.hint_flag(written) else None


def site_of(document: yaml_positions.Document, key: str | None) -> SiteValue:
    """key: None for a site that is not there."""
    return SiteValue(NOTHING if key is None else document.get((yaml_blocks.SITES, key)))


def with_site(document: yaml_positions.Document, key: str, value: object) -> object:
    """The wanted content of the whole file. value: of the site with this key; NOTHING: it is to go."""
    whole = document.value if isinstance(document.value, dict) else {}
    sites = whole.get(yaml_blocks.SITES)
    others = {one: sites[one] for one in sites if one != key} if isinstance(sites, dict) else {}
    return {**whole, yaml_blocks.SITES: others if value is NOTHING else {**others, key: value}}
