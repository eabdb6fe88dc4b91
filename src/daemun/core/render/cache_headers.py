"""Cache-Control by `cache_control`: for good answers of routes whose server says nothing of how long they may be kept.

An answer that sets a cookie is left alone: it may be for one visitor. `$sent_http_NAME` is what a server sends when the
value is evaluated (`answer_headers`). A 304 has no type, so nginx looks at the path's ending for it.
"""

import collections.abc

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import cache_control_option, option
from daemun.core.render import site_scope
from daemun.core.texts import names

HEADER = "Cache-Control"
CHECKED = "no-cache"
"""What files have by themselves: a browser may keep them, but asks each time whether they changed."""

_SILENT, _ANY = "$daemun_cache_silent", "$daemun_cache_any"
_STATUSES = "(?:200|203|206|304)"


_GATE = "gate"
"""The place of the gate's own maps, which its sites share (`cors_headers`)."""


def variables(settings: model.Globals) -> tuple[directive.Node, ...]:
    """Those of the gate are always there: a site that is kept at its last good version may use them."""
    held = _find(settings)
    silent = "$status|$sent_http_cache_control$sent_http_expires$sent_http_set_cookie"
    return (
        directive.Comment("1 for a good answer of which its server does not say how long it may be kept."),
        arguments.map_to(silent, _SILENT, (rf"~^{_STATUSES}\|\z", "1")),
        directive.Comment("1 for any good answer."),
        arguments.map_to("$status", _ANY, (rf"~^{_STATUSES}\z", "1")),
        *(_map_of(held, _name(_GATE, is_of_files=is_), is_of_files=is_) for is_ in (False, True)),
    )


def find(scope: site_scope.Scope, route: model.Route) -> cache_control_option.CacheControl | None:
    return _find(route, scope.site, scope.settings)


def _find(*holders: option.HasOptions) -> cache_control_option.CacheControl | None:
    found = cache_control_option.OPTION.of(*holders)
    return None if found == cache_control_option.OFF else found


def lines(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """For a location of the route."""
    if find(scope, route) is None:
        return ()
    return (arguments.line("add_header", HEADER, Expr(_variable(scope, route)), "always"),)


def is_own(holder: model.Route | model.Site) -> bool:
    """Whether it is set there; that of a route counts before what its site sets as a header."""
    return any(name == cache_control_option.OPTION.name for name, _ in holder.options)


def hidden(scope: site_scope.Scope, route: model.Route) -> tuple[str, ...]:
    """Headers of a server that give way."""
    held = find(scope, route)
    return (HEADER,) if held is not None and held.override else ()


def shared(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The maps of a site's routes, for the http level."""
    own = [route for route in scope.site.routes if is_own(route) or is_own(scope.site)]
    found = {
        _variable(scope, route): _map_of(find(scope, route), _variable(scope, route), is_of_files=_is_files(route))
        for route in own
        if find(scope, route) is not None
    }
    return (directive.Comment("How long browsers may keep answers."), *found.values()) if found else ()


def _map_of(held: cache_control_option.CacheControl | None, variable: str, *, is_of_files: bool) -> directive.Directive:
    if held is None:
        return arguments.map_to("", variable)
    entries = [
        (key, arguments.literal(value))
        for rule in cache_control_option.find_rules(held)
        for key, value in _entries(*rule)
    ]
    if is_of_files:
        entries.append((r"~^1\|[^|]", CHECKED))
    source = f"{_ANY if held.override else _SILENT}|$sent_http_content_type|$uri"
    default = "$upstream_http_cache_control" if held.override else ""
    return arguments.map_to(source, variable, *entries, default=default)


def _entries(
    types: tuple[str, ...], suffixes: tuple[str, ...], value: str
) -> collections.abc.Iterator[tuple[str, str]]:
    if types:
        yield rf"~*^1\|(?:{'|'.join(types)})(?:;[^|]*)?\|", value
    if suffixes:
        endings = "|".join(arguments.in_regex(one) for one in suffixes)
        kind = "" if types else "[^|]*"
        yield rf"~*(?s)^1\|{kind}\|.*\.(?:{endings})\z", value
    if not types and not suffixes:
        yield r"~^1\|", value


def _variable(scope: site_scope.Scope, route: model.Route) -> str:
    """One for all routes of a site that have the site's, but for files, which have something by themselves."""
    host = scope.site.host
    if is_own(route):
        place = names.variable_suffix(host, route.name)
    else:
        place = names.variable_suffix(host, "") if is_own(scope.site) else _GATE
    return _name(place, is_of_files=_is_files(route))


def _name(place: str, *, is_of_files: bool) -> str:
    return f"$daemun_cache_{place}{'_files' if is_of_files else ''}"


def _is_files(route: model.Route) -> bool:
    return isinstance(route.action, model.Files)
