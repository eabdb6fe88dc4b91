"""The effective access of a route: its own, else that of its site, else that of the gate. Pure.

One that holds limits and no condition leaves the conditions of the level further out as they are: who limits how often
visitors come does not mean to let everybody in.
"""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.options import access_option, streams_option
from daemun.core.texts import names


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveAccess:
    """access: what holds. place: what distinguishes where it was set, [a-z0-9]."""

    access: access_option.Access
    place: str


NOTHING = EffectiveAccess(access=access_option.Access(), place="")
_OPEN_GATE = EffectiveAccess(access=access_option.Access(), place="gate")


def of_gate(settings: model.Globals) -> EffectiveAccess:
    access = access_option.OPTION.of(settings)
    return _OPEN_GATE if access is None else EffectiveAccess(access=access, place="gate")


def without_judges(settings: model.Globals) -> access_option.Access:
    """Of a site that daemun serves itself: what holds at the gate but for the conditions of judges."""
    outer = of_gate(settings).access
    kept = dataclasses.replace(outer, basic_auth=None, forward_auth=None, login=None)
    if kept.any or (kept.is_limited and not kept.conditions):
        # To have signed in is enough. Limits alone would leave the conditions of the gate, this site's among them.
        open_to = (access_option.PUBLIC,) if kept.is_limited else ()
        kept = access_option.Access(allow=open_to, rate_limit=outer.rate_limit, connections=outer.connections)
    return kept


def of_site(site: model.Site, settings: model.Globals) -> EffectiveAccess:
    nearer, outer = access_option.OPTION.of(site), of_gate(settings)
    return outer if nearer is None else _within(nearer, outer, names.variable_suffix(site.host, ""))


def of_route(route: model.Route, site: model.Site, settings: model.Globals) -> EffectiveAccess:
    nearer, outer = access_option.OPTION.of(route), of_site(site, settings)
    return outer if nearer is None else _within(nearer, outer, names.variable_suffix(site.host, route.name))


def wants_own_certificates(site: model.Site, settings: model.Globals) -> bool:
    """Whether visitors of a part of the site show certificates of daemun's own authority."""
    effective = (of_site(site, settings), *(of_route(one, site, settings) for one in site.routes))
    return any((wanted := one.access.client_certificates) is not None and wanted.ca.path is None for one in effective)


def _within(nearer: access_option.Access, outer: EffectiveAccess, place: str) -> EffectiveAccess:
    if nearer.is_limited and not nearer.conditions and nearer.client_certificates is None:
        nearer = dataclasses.replace(outer.access, rate_limit=nearer.rate_limit, connections=nearer.connections)
    return EffectiveAccess(access=nearer, place=place)


def is_other(one: model.Route, other: model.Route) -> bool:
    """Whether a request may be treated otherwise by one route than by another that passes it on: refused, counted, or
    by an owner's own lines."""
    differs = access_option.OPTION.of(one) != access_option.OPTION.of(other) or one.is_internal != other.is_internal
    return differs or not isinstance(one.action, model.Proxy) or one.entry is not None or one.snippet != other.snippet


def is_guarded(site: model.Site, settings: model.Globals) -> bool:
    """Whether anything of the site is not for everybody."""
    effective = (of_site(site, settings), *(of_route(route, site, settings) for route in site.routes))
    return any(one.access.conditions for one in effective)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamingPlace:
    """Where a host name is written, as of `model.Problem`."""

    origin: model.Origin = model.NOWHERE
    host: str | None = None
    field: tuple[str | int, ...]


def find_names(desired: model.Desired) -> dict[str, NamingPlace]:
    """The host names of `allow` and `deny`, whose addresses have to be known, and where each stands first."""
    found: dict[str, NamingPlace] = {}
    for access, place in _find_written(desired):
        for key, listed in (("allow", access.allow), ("deny", access.deny)):
            for one in filter(access_option.is_name, listed):
                found.setdefault(one, dataclasses.replace(place, field=(*place.field, key)))
    return found


def _find_written(desired: model.Desired) -> collections.abc.Iterator[tuple[access_option.Access, NamingPlace]]:
    """What a level takes over of the one further out stands there."""
    option = access_option.OPTION
    if (access := option.of(desired.globals)) is not None:
        yield access, NamingPlace(field=(option.name,))
    for stream in streams_option.find_enabled(desired.globals):
        yield stream.stream.access, NamingPlace(field=(streams_option.OPTION.name, stream.name))
    for site in desired.enabled:
        if (access := option.of(site)) is not None:
            yield access, NamingPlace(origin=site.origin, host=site.host, field=(option.name,))
        for route in site.routes:
            if (access := option.of(route)) is not None:
                origin = site.origin if route.origin == model.NOWHERE else route.origin
                yield access, NamingPlace(origin=origin, host=site.host, field=(*route.field, option.name))


def find_names_of_site(site: model.Site, settings: model.Globals) -> tuple[str, ...]:
    """Those of them that decide at this site, sorted."""
    effective = (of_site(site, settings), *(of_route(route, site, settings) for route in site.routes))
    found = {one for each in effective for one in (*each.access.allow, *each.access.deny) if access_option.is_name(one)}
    return tuple(sorted(found))


def find_all(desired: model.Desired) -> collections.abc.Iterator[EffectiveAccess]:
    """The gate's, and those that sites and routes set."""
    settings = desired.globals
    yield of_gate(settings)
    for site in desired.enabled:
        if access_option.OPTION.of(site) is not None:
            yield of_site(site, settings)
        yield from (of_route(one, site, settings) for one in site.routes if access_option.OPTION.of(one) is not None)
