"""`defaults` in daemun.yaml: options of sites and routes, for every site of the file that does not set them.

What stands at the top itself holds for all sites anyway, and what makes a site the one that it is, or switches it, is
its own.
"""

import typing

from daemun.core.options import catalogue, option
from daemun.sources import yaml_entry

KEY = "defaults"
_OWN = frozenset({"aliases", "app", "enabled", "from", "maintenance", "on_demand", "when"})
_OPTIONS = tuple(
    one for one in catalogue.EVERY if option.Level.GATE not in one.levels and one.name not in _OWN
)  # each of them is of a site or of a route, and none of both


class DefaultsEntry(yaml_entry.YamlEntry):
    """A map of options of sites and of routes."""


DEFAULTS: type[DefaultsEntry] = catalogue.with_fields("DefaultsEntry", DefaultsEntry, _OPTIONS)
"""With the options."""


class Defaults:
    """What `defaults` sets, by the names of the options. written: its value in the file."""

    def __init__(self, entry: DefaultsEntry | None, written: object = None) -> None:
        self.written = written
        given: dict[str, typing.Any] = {} if entry is None else entry.given(catalogue.BY_NAME)
        self._site = {name: one for name, one in given.items() if option.Level.SITE in catalogue.BY_NAME[name].levels}
        self._route = {name: one for name, one in given.items() if name not in self._site}

    def for_site(self, entry: yaml_entry.YamlEntry, given: dict[str, typing.Any]) -> dict[str, typing.Any]:
        """given: of the entry."""
        return {name: one for name, one in self._site.items() if name not in entry.model_fields_set} | given

    def for_route(self, entry: yaml_entry.YamlEntry, action: option.RouteAction) -> None:
        """Add what has a meaning for its action, where it sets nothing itself."""
        for name, value in self._route.items():
            if name not in entry.model_fields_set and action in catalogue.BY_NAME[name].actions:
                setattr(entry, name, value)


NONE = Defaults(None)
