"""What a site of daemun.yaml that lies over one of containers sets (`from: docker`, `core.site_overlays`)."""

import collections.abc
import dataclasses

from daemun.core import model, site_overlays
from daemun.core.options import catalogue, from_option, option
from daemun.sources import yaml_route, yaml_site

_OF_SITES = frozenset(yaml_site.SITE.model_fields) - {from_option.OPTION.name, "nginx", "php", "routes"}


class KeysOver:
    """Collects the keys of one site (`model.Overlay.keys`). lies_over: whether it has `from`."""

    def __init__(self, entry: yaml_site.SiteEntry) -> None:
        self._entry = entry
        self._of_routes: set[tuple[str | int, ...]] = set()
        self.lies_over = getattr(entry, from_option.OPTION.name) is not None

    def make_overlay(self, given: collections.abc.Iterable[str]) -> model.Overlay | None:
        """given: the options that the site sets, also by `defaults` and `app`. One that is written as nothing at all
        (`hsts: false`) is not among them."""
        if not self.lies_over:
            return None
        of_site = ({*given} | self._entry.model_fields_set) & _OF_SITES
        return model.Overlay(keys=frozenset({*self._of_routes, *((key,) for key in of_site)}))

    def lacks_action(self, entry: yaml_route.RouteEntry, number: int | None) -> bool:
        """Whether a route leads where that of containers would. number: its place among several of its path."""
        return self.lies_over and number is None and not entry.actions()

    def make_action(self, entry: yaml_route.RouteEntry, path: str) -> tuple[model.Action, model.OptionValues]:
        """Of such a route, and the options of the route itself."""
        given = entry.given(catalogue.BY_NAME)
        self._of_routes |= {("routes", path, key) for key in entry.model_fields_set if key in catalogue.BY_NAME}
        options, own = catalogue.split(given, option.RouteAction.TO)
        return dataclasses.replace(site_overlays.UNKNOWN, options=own), options
