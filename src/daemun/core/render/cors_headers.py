"""The headers of `cors`: which other sites' scripts may read an answer.

What a server sends of that kind gives way: two headers of one name mean to a browser that nobody may. An answer that
depends on who requests it carries `Vary: Origin`, also where no `Origin` came (fetch.spec.whatwg.org, "CORS protocol
and HTTP caches"). A preflight is what a browser sends ahead: OPTIONS with the method that it means to use.
"""

import collections.abc

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import cors_option, option
from daemun.core.render import site_scope
from daemun.core.texts import names

PREFLIGHT = "$daemun_preflight"
_SENT_HEADERS = "$daemun_preflight_headers"
_ORIGIN, _CREDENTIALS, _EXPOSE = (
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
)
_METHODS, _HEADERS, _MAX_AGE = (
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Max-Age",
)
_EVERY = (_ORIGIN, _CREDENTIALS, _EXPOSE, _METHODS, _HEADERS, _MAX_AGE)
VARY = arguments.line("add_header", "Vary", "Origin", "always")


_GATE = "gate"
"""The place of the gate's own maps, which its sites share: each map costs nginx a millisecond of every reload
(`plan.variable_definitions`)."""


def variables(settings: model.Globals) -> tuple[directive.Node, ...]:
    """Those of the gate are always there: a site that is kept at its last good version may use them."""
    return (
        directive.Comment("1 for what a browser sends ahead of another site's request."),
        arguments.map_to(
            "$request_method|$http_origin|$http_access_control_request_method",
            PREFLIGHT,
            (r"~^OPTIONS\|[^|]+\|[^|]", "1"),
        ),
        directive.Comment("The headers that it means to send."),
        arguments.map_to(
            "$http_access_control_request_headers",
            _SENT_HEADERS,
            (r"~^(?<daemun_sent_headers>[A-Za-z0-9!#$%&'*+.^_`~, -]{1,2000})\z", "$daemun_sent_headers"),
        ),
        *(
            arguments.map_to("", _variable(name, _GATE))
            for name in ("origin", "credentials", "expose", "methods", "headers", "max_age")
        ),
        *_maps(_find(settings), _GATE),
    )


def held(scope: site_scope.Scope, route: model.Route | None) -> tuple[cors_option.Cors | None, str]:
    """What holds, and what distinguishes where it was set."""
    if route is not None and _is_set(route):
        return _find(route), names.variable_suffix(scope.site.host, route.name)
    place = names.variable_suffix(scope.site.host, "") if _is_set(scope.site) else _GATE
    return _find(scope.site, scope.settings), place


def _find(*holders: option.HasOptions) -> cors_option.Cors | None:
    found = cors_option.OPTION.of(*holders)
    return None if found == cors_option.OFF else found


def _is_set(holder: model.Route | model.Site) -> bool:
    return any(name == cors_option.OPTION.name for name, _ in holder.options)


def shared(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """The maps of a site and of its routes, for the http level."""
    own = (None,) if _is_set(scope.site) else ()
    holders = (*own, *(route for route in scope.site.routes if _is_set(route)))
    return tuple(node for route in holders for node in _maps(*held(scope, route)))


def lines(scope: site_scope.Scope, route: model.Route | None) -> tuple[directive.Directive, ...]:
    """What answers carry, but `VARY`."""
    cors, place = held(scope, route)
    return () if cors is None else tuple(_lines(cors, place))


def varies(scope: site_scope.Scope, route: model.Route | None) -> bool:
    """Whether answers depend on the site whose script requests them."""
    cors, _ = held(scope, route)
    return cors is not None and not cors.is_for_all


def hidden(scope: site_scope.Scope, route: model.Route) -> tuple[str, ...]:
    """Headers of a server that give way."""
    return () if held(scope, route)[0] is None else _EVERY


def _lines(cors: cors_option.Cors, place: str) -> collections.abc.Iterator[directive.Directive]:
    yield _add(_ORIGIN, _origin(cors, place))
    if cors.credentials:
        yield _add(_CREDENTIALS, _variable("credentials", place))
    if cors.expose:
        yield _add(_EXPOSE, _variable("expose", place))
    for name, header in (("methods", _METHODS), ("headers", _HEADERS), ("max_age", _MAX_AGE)):
        yield _add(header, _variable(name, place))


def _maps(cors: cors_option.Cors | None, place: str) -> collections.abc.Iterator[directive.Node]:
    if cors is None:
        return
    yield directive.Comment("Whose scripts may read answers, and what they may send.")
    origin = _origin(cors, place)
    if not cors.is_for_all:
        every = ((f"~{_pattern(one)}", "$http_origin") for one in cors.origins)
        yield arguments.map_to("$http_origin", origin, *every)
    if cors.credentials:
        yield arguments.map_to(origin, _variable("credentials", place), ("~.", "true"))
    if cors.expose:
        yield arguments.map_to(f"{PREFLIGHT}|{origin}", _variable("expose", place), (r"~^\|.", ", ".join(cors.expose)))
    headers = ", ".join(cors.headers) or _SENT_HEADERS
    further = {"methods": ", ".join(cors.methods), "headers": headers, "max_age": str(round(cors.max_age_s))}
    for name, value in further.items():
        yield arguments.map_to(f"{PREFLIGHT}|{origin}", _variable(name, place), (r"~^1\|.", value))


def _origin(cors: cors_option.Cors, place: str) -> str:
    return cors_option.ANY if cors.is_for_all else _variable("origin", place)


def _pattern(origin: str) -> str:
    """With any names in place of `*`, and any letters of those a browser writes in a host."""
    scheme, _, host = origin.partition("://")
    if not host.startswith("*."):
        return rf"^{arguments.in_regex(origin)}\z"
    below = r"(?:[a-z0-9_-]+\.)+"
    return rf"^{arguments.in_regex(scheme)}\://{below}{arguments.in_regex(host.removeprefix('*.'))}\z"


def _variable(name: str, place: str) -> str:
    return f"$daemun_cors_{name}_{place}"


def _add(header: str, value: str) -> directive.Directive:
    return arguments.line("add_header", header, Expr(value), "always")
