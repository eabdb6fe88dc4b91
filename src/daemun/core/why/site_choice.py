"""Which site a host name finds, as nginx chooses a server by its names, and which it was meant for. Pure.

Source: nginx.org/en/docs/http/server_names.html: exact, the longest wildcard, expressions, then the default.
"""

import dataclasses
import enum
import re

from daemun.core import model
from daemun.core.render import default_server
from daemun.core.texts import words


class Match(enum.Enum):
    """How a site was found by the name."""

    EXACT = "its name"
    ALIAS = "its alias"
    WILDCARD = "its wildcard"
    EXPRESSION = "its expression"
    DEFAULT = "the default for unknown names"
    NONE = "no site"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteChoice:
    """site: None: no site takes the name. name: by which it was found. near: a name that may be meant. disabled: the
    site that would take it were it enabled."""

    site: model.Site | None = None
    match: Match = Match.NONE
    name: str | None = None
    near: str | None = None
    disabled: model.Site | None = None


NO_SITE = SiteChoice()


def choose(desired: model.Desired, host: str) -> SiteChoice:
    """host: as `RequestedUrl.host`."""
    found = _find(desired.enabled, host)
    if found is not None:
        return found
    disabled = _find(tuple(site for site in desired.sites if not site.enabled), host)
    near = words.nearest(host, (name for site in desired.enabled for name in site.names if not name.startswith("~")))
    default = default_server.default_site(desired)
    return SiteChoice(
        site=default,
        match=Match.NONE if default is None else Match.DEFAULT,
        near=near,
        disabled=None if disabled is None else disabled.site,
    )


def _find(sites: tuple[model.Site, ...], host: str) -> SiteChoice | None:
    for site in sites:
        if host in site.names:
            match = Match.EXACT if site.host == host else Match.ALIAS
            return SiteChoice(site=site, match=match, name=host)
    matching = [(name, site) for site in sites for name in site.names if _is_wild(name) and _fits(name, host)]
    if matching:
        # Those that begin with a star go first, then the longest.
        name, site = max(matching, key=lambda pair: (pair[0].startswith("*"), len(pair[0])))
        return SiteChoice(site=site, match=Match.WILDCARD, name=name)
    for site in sites:
        for name in site.names:
            if name.startswith("~") and _is_matched(name[1:], host):
                return SiteChoice(site=site, match=Match.EXPRESSION, name=name)
    return None


def _is_wild(name: str) -> bool:
    return name.startswith("*.") or name.endswith(".*")


def _fits(name: str, host: str) -> bool:
    """A star stands for one label or more (ngx_hash_find_combined)."""
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) > len(name) - 1
    return host.startswith(name[:-1]) and len(host) > len(name) - 1


def _is_matched(expression: str, host: str) -> bool:
    try:
        return re.search(expression.replace("(?<", "(?P<"), host, re.IGNORECASE) is not None
    except re.error:
        return False
