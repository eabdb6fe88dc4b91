"""Who may come into a site and its routes, as rules that a person reads. Pure.

A rule has a kind and values, so that a page states it in the visitor's language; `describe` does in English.
"""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import access_option, login_rule_form, maintenance_option
from daemun.core.texts import words

MOST_VALUES = 20
"""More of a list are counted."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """kind: of `WORDS`. values: whom or what it names, without secrets. more: how many further ones there are."""

    kind: str
    values: tuple[str, ...] = ()
    more: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRules:
    """Of the site (path None), or of a route. is_own: set there, and not taken from further out. any_is_enough: of
    several conditions."""

    path: str | None
    rules: tuple[AccessRule, ...]
    is_own: bool = False
    any_is_enough: bool = False


WORDS = {
    "public": "open to everybody",
    "allow": "only from {values}",
    "deny": "not from {values}",
    "countries_allow": "only from the countries or networks {values}",
    "countries_deny": "not from the countries or networks {values}",
    "basic_auth": "name and password, of {values}",
    "login": "signed in on daemun's page",
    "login_users": "signed in as {values}",
    "login_groups": "signed in, of the groups {values}",
    "login_emails": "signed in, with the mail address {values}",
    "forward_auth": "decided by {values}",
    "client_certificate": "a client certificate ({values})",
    "rate_limit": "at most {values}",
    "connections": "at most {values} open requests of one address",
    "internal": "only from inside, as the gate's internal networks are set",
    "maintenance": "closed for maintenance; still open to {values}",
    "maintenance_all": "closed for maintenance",
}
"""In English, by kind."""


def find_all(site: model.Site, settings: model.Globals) -> tuple[PlaceRules, ...]:
    """The site's, and those of each route whose rules are others."""
    whole = _make(None, access_levels.of_site(site, settings).access, is_own=access_option.OPTION.of(site) is not None)
    found = [dataclasses.replace(whole, rules=(*_maintenance(site), *whole.rules))]
    for route in site.routes:
        one = of_route(route, site, settings)
        if one.rules != whole.rules or one.any_is_enough != whole.any_is_enough:
            found.append(one)
    return tuple(found)


def of_route(route: model.Route, site: model.Site, settings: model.Globals) -> PlaceRules:
    """What holds for a route, wherever it is set; without maintenance, which is of the site."""
    is_own = access_option.OPTION.of(route) is not None
    found = _make(route.name, access_levels.of_route(route, site, settings).access, is_own=is_own)
    if not route.is_internal:
        return found
    others = tuple(one for one in found.rules if one.kind != "public")
    return dataclasses.replace(found, rules=(AccessRule(kind="internal"), *others))


def describe(rule: AccessRule) -> str:
    """In English."""
    listed = [*rule.values, *([f"{rule.more} more"] if rule.more else [])]
    return WORDS[rule.kind].format(values=words.listed(listed, last="and") if listed else "")


def _make(path: str | None, access: access_option.Access, *, is_own: bool) -> PlaceRules:
    conditions = tuple(_conditions(access))
    rules = (*(conditions or (AccessRule(kind="public"),)), *_limits(access))
    return PlaceRules(path=path, rules=rules, is_own=is_own, any_is_enough=access.any and len(conditions) > 1)


def _conditions(access: access_option.Access) -> collections.abc.Iterator[AccessRule]:
    if access.deny:
        yield _listed("deny", access.deny)
    if access.allow:
        yield _listed("allow", access.allow)
    for one in access.countries:
        yield _listed("countries_deny", one.deny) if one.deny else _listed("countries_allow", one.allow)
    if access.basic_auth is not None:
        users = tuple(name for name, _ in access.basic_auth.known_users)
        yield _listed("basic_auth", users or ("htpasswd",))
    if access.login is not None:
        yield from _of_login(access.login)
    if access.forward_auth is not None:
        yield _listed("forward_auth", (str(access.forward_auth.proxy.targets[0]),))
    if access.needs_certificate and access.client_certificates is not None:
        yield _listed("client_certificate", (access.client_certificates.ca.path or "local",))


def _of_login(rule: login_rule_form.LoginRule) -> collections.abc.Iterator[AccessRule]:
    lists = (("login_users", rule.users), ("login_groups", rule.groups), ("login_emails", rule.emails))
    found = [_listed(kind, values) for kind, values in lists if values]
    yield from found or [AccessRule(kind="login")]


def _limits(access: access_option.Access) -> collections.abc.Iterator[AccessRule]:
    if access.rate_limit is not None:
        limit = access.rate_limit
        yield AccessRule(kind="rate_limit", values=(f"{limit.rate} by {limit.by}",))
    if access.connections is not None:
        yield AccessRule(kind="connections", values=(str(access.connections),))


def _maintenance(site: model.Site) -> collections.abc.Iterator[AccessRule]:
    held = maintenance_option.OPTION.of(site)
    if held.on:
        yield _listed("maintenance", held.allow) if held.allow else AccessRule(kind="maintenance_all")


def _listed(kind: str, values: tuple[str, ...]) -> AccessRule:
    return AccessRule(kind=kind, values=values[:MOST_VALUES], more=max(0, len(values) - MOST_VALUES))
