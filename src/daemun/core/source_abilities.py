"""What the sites of a source may hold, beside what every source's may. Pure."""

import dataclasses

from daemun.core import model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """patterns: hosts and paths that are regular expressions. pools: targets whose endpoints the source knows.
    opens_access: its `access` replaces that of the gate; else both hold."""

    patterns: bool = False
    pools: bool = False
    opens_access: bool = True


_BY_SOURCE = {
    # Patterns come with `compat: nginx-proxy`, whose containers have them.
    "docker": Abilities(patterns=True, pools=True, opens_access=False),
    # Sites that were made without a source: for one question, or in tests.
    model.NOWHERE.source: Abilities(pools=True),
}


def of_site(site: model.Site) -> Abilities:
    """One of the file that lies over one of containers has what either may hold."""
    own = _BY_SOURCE.get(site.origin.source, Abilities())
    if site.overlay is None:
        return own
    beneath = _BY_SOURCE[model.CONTAINERS]
    has_patterns = own.patterns or (beneath.patterns and not site.waits_for_container)
    return dataclasses.replace(own, patterns=has_patterns, pools=True)
