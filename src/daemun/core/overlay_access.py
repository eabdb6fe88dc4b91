"""Who may come in where a site of the file lies over one of containers (`core.site_overlays`). Pure.

No label lets anybody in where the file does not: a route of containers is guarded by all that holds in the file for the
requests that it takes. Where that cannot be said in one `access`, the route is closed.
"""

import collections.abc
import dataclasses

from daemun.core import directive, model
from daemun.core.options import access_option, when_option
from daemun.core.texts import route_paths, words

_PUBLIC = access_option.Access()
_LEAST_ERROR = 400
_INHERITED_GUARDS = frozenset({"allow", "auth_basic", "auth_jwt", "auth_request", "deny", "satisfy"})
"""With which an owner's own lines (`nginx`) may keep visitors out of all locations that have none of their own."""
_GUARDS = _INHERITED_GUARDS | {"if", "include", "internal", "limit_except", "return"}
_Found = access_option.Access | None


def find_around(route: model.Route, site: model.Site) -> tuple[model.Route, ...]:
    """The routes of the file from which one of containers takes requests: of an exact path, those that this one would
    go to. Exact paths, suffixes and expressions of the file are taken before the prefixes of containers, which take
    from prefixes alone; as do their suffixes and expressions, from any."""
    prefixes = tuple(one for one in site.routes if route_paths.is_prefix(one.path))
    literal = route_paths.find_literal(route.path)
    if literal is None:
        return prefixes
    among = prefixes if route_paths.is_prefix(route.path) else site.routes
    index = route_paths.choose([one.path for one in among], literal)
    return () if index is None else tuple(one for one in among if one.path == among[index].path)


def why_closed(around: collections.abc.Sequence[model.Route]) -> str | None:
    """Where and how one of these routes of the file keeps visitors out in a way that no `access` of another says."""
    return next((f"{one.origin} {why}" for one in around if (why := _why_closed(one, around)) is not None), None)


def _why_closed(route: model.Route, around: collections.abc.Sequence[model.Route]) -> str | None:
    name = words.quoted(route.path)
    if isinstance(route.action, model.Respond) and route.action.status >= _LEAST_ERROR:
        return f"denies {name}"
    entries = [one for one in around if one.path == route.path]
    if route.entry is not None and all(when_option.OPTION.of(one) is not None for one in entries):
        return f"answers 404 at {name} where no `when` holds"
    if (line := _find_guard(route.snippet)) is not None:
        return f"may guard {name} by `{line}` in its `nginx:`"
    return None


def _find_guard(snippet: model.Snippet, names: frozenset[str] = _GUARDS) -> str | None:
    return next((one.name for one in snippet if isinstance(one, directive.Directive) and one.name in names), None)


def hold(
    settings: model.Globals,
    site: model.Site,
    below: model.Route,
    over: model.Route | None,
    around: collections.abc.Sequence[model.Route],
) -> _Found:
    """The access of a route of containers (below) beneath one of the file (over), or with those that it takes requests
    from (around); None: that of the site. Raises: ValueError with what cannot be combined, and where it is."""
    own = None if over is None else access_option.OPTION.of(over)
    of_site = access_option.OPTION.of(site)
    theirs = access_option.OPTION.of(below)
    if theirs == _PUBLIC or _stack(of_site, own) == _PUBLIC:
        theirs = None  # no label opens what the file guards, and what the file says is public is
    lines = (*settings.snippet, *site.snippet, *(() if over is None else over.snippet))
    if theirs is not None and (line := _find_guard(lines, _INHERITED_GUARDS)) is not None:
        raise ValueError(_apart(f"`{line}` in `nginx:` would not hold beside it", below, site.origin))
    of_site = _stack(access_option.OPTION.of(settings), of_site)
    guard = _stack(of_site, own) if over is not None else _hold_all(of_site, site, below, around)
    if theirs is not None and guard is not None and guard.rate_limit is not None:
        theirs = dataclasses.replace(theirs, rate_limit=None)
    if theirs is None or theirs == _PUBLIC:
        effective = own if over is not None else None if guard == of_site else guard
    else:
        effective = _add(of_site if guard is None else guard, theirs, below, site.origin)
    if below.is_internal and effective is not None and effective.conditions:
        raise ValueError(_apart("cannot stand beside NETWORK_ACCESS=internal", below, site.origin))
    return effective


def _hold_all(
    of_site: _Found, site: model.Site, below: model.Route, around: collections.abc.Sequence[model.Route]
) -> _Found:
    """All that holds in the file for the requests that the route takes. Raises: ValueError."""
    guards = [(_stack(of_site, access_option.OPTION.of(one)), one.origin) for one in around]
    if not around or (route_paths.is_ordered(below.path) and not any(one.path == "/" for one in around)):
        guards.insert(0, (of_site, site.origin))
    effective: _Found = None
    for access, origin in guards:
        if access is None or access in {_PUBLIC, effective}:
            continue
        try:
            effective = access if effective is None else _tighten(effective, access)
        except ValueError as error:
            raise ValueError(_apart(str(error), below, origin)) from None
    return effective


def _tighten(outer: access_option.Access, inner: access_option.Access) -> access_option.Access:
    """Both at once, where both may have one from further out. Raises: ValueError."""
    if not outer.any and not inner.any:
        fields = [one.name for one in dataclasses.fields(inner) if getattr(outer, one.name) == getattr(inner, one.name)]
        inner = dataclasses.replace(inner, **{name: getattr(_PUBLIC, name) for name in fields})
    return outer if inner == _PUBLIC else access_option.tighten(outer, inner)


def _add(guard: _Found, theirs: access_option.Access, below: model.Route, origin: model.Origin) -> _Found:
    """What the labels demand besides. Raises: ValueError."""
    if guard is None or guard == _PUBLIC:
        return theirs
    try:
        return access_option.tighten(guard, theirs)
    except ValueError as error:
        raise ValueError(_apart(str(error), below, origin)) from None


def _apart(cause: str, below: model.Route, guard: model.Origin) -> str:
    return f"{cause}; {below.origin} cannot be combined with {guard}: change one of them"


def _stack(outer: _Found, inner: _Found) -> _Found:
    """What holds of two levels of the file: limits alone leave the conditions from further out as they are."""
    if inner is None or outer is None:
        return outer if inner is None else inner
    if inner.conditions or inner.client_certificates is not None or not inner.is_limited:
        return inner
    return dataclasses.replace(
        outer,
        rate_limit=inner.rate_limit or outer.rate_limit,
        connections=inner.connections or outer.connections,
    )
