"""Headers that protect visitors, and those for search engines.

A header is added where the answer has none of that name: nginx's `add_header` would send a second one beside that of a
server. `$sent_http_NAME` is empty then: when the value is evaluated, what a server sent is among the headers of the
answer (ngx_http_headers_filter), and what nginx dropped of it, behind X-Accel-Redirect, is not.
"""

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.options import hsts_option, robots_option, security_headers_option
from daemun.core.options.security_headers_option import SecurityHeaders
from daemun.core.render import site_scope
from daemun.core.texts import route_paths

_STANDARD = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
)
_STRICT = (
    (
        "Content-Security-Policy",
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_HSTS = "Strict-Transport-Security"
_ROBOTS = "X-Robots-Tag"
ROBOTS_PATH = "/robots.txt"


def _variable(name: str) -> str:
    return f"$daemun_absent_{_variable_part(name)}"


def variables() -> tuple[directive.Node, ...]:
    """The values of headers that are absent."""
    found = [
        arguments.map_to(f"$sent_http_{_variable_part(name)}", _variable(name), ("", value))
        for name, value in (*_STANDARD, *_STRICT)
        if name != "X-Frame-Options"
    ]
    # Where `frame-ancestors` stands, browsers do not look at the older header (CSP 3 section 6.4.2).
    frames = arguments.map_to(
        "$sent_http_x_frame_options|$sent_http_content_security_policy",
        _variable("X-Frame-Options"),
        ("|", dict(_STANDARD)["X-Frame-Options"]),
        (r"~*^\|(?!.*frame-ancestors)", dict(_STANDARD)["X-Frame-Options"]),
    )
    # It holds for all ports of a name: on localhost, for whatever else its owner runs there.
    default = hsts_option.header_value(hsts_option.Hsts())
    promise = arguments.map_to(
        "$sent_http_strict_transport_security|$host",
        _variable(_HSTS),
        (r"~^\|(?!(?:.*\.)?localhost\z)", default),
    )
    return (directive.Comment("What answers carry that have no such header of their own."), *found, frames, promise)


def _variable_part(name: str) -> str:
    return name.lower().replace("-", "_")


def default_lines(settings: model.Globals) -> tuple[directive.Directive, ...]:
    """For answers to names that no site has."""
    return (*_protecting(security_headers_option.OPTION.of(settings)), *_robots(robots_option.OPTION.of(settings)))


def lines(scope: site_scope.Scope, route: model.Route | None, *, https: bool) -> tuple[directive.Directive, ...]:
    """For the answers of a site's server, or of a route."""
    holders = (scope.site, scope.settings) if route is None else (route, scope.site, scope.settings)
    promises = https and scope.site.http is not model.HttpMode.SERVE and hsts_option.OPTION.of(scope.site) is None
    return (
        *_protecting(security_headers_option.OPTION.of(*holders), promises_https=promises),
        *_robots(robots_option.OPTION.of(*holders)),
    )


def hidden(scope: site_scope.Scope, route: model.Route) -> tuple[str, ...]:
    """Headers of a server that give way to those here."""
    return (_ROBOTS,) if _robots(robots_option.OPTION.of(route, scope.site, scope.settings)) else ()


def _protecting(chosen: SecurityHeaders, *, promises_https: bool = False) -> tuple[directive.Directive, ...]:
    if chosen is SecurityHeaders.OFF:
        return ()
    names = [
        *((_HSTS,) if promises_https else ()),
        *(name for name, _ in (*_STANDARD, *(_STRICT if chosen is SecurityHeaders.STRICT else ()))),
    ]
    return tuple(arguments.line("add_header", name, Expr(_variable(name)), "always") for name in names)


def _robots(chosen: robots_option.Robots) -> tuple[directive.Directive, ...]:
    return (arguments.line("add_header", _ROBOTS, "none", "always"),) if chosen is robots_option.Robots.NONE else ()


def _as_in_robots(path: str) -> tuple[str, ...]:
    """A route's path in the words of RFC 9309 section 2.2.3; nothing for an expression, which it has no words for."""
    literal = route_paths.find_literal(path)
    if literal is None:
        return tuple(f"/*.{ending}$" for ending in route_paths.find_endings(path))
    encoded = arguments.encoded(literal)
    return (encoded if route_paths.is_prefix(path) else f"{encoded}$",)


def robots_file(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """The location of /robots.txt (RFC 9309 section 2.3), for a site that search engines are to leave alone."""
    if robots_option.OPTION.of(scope.site, scope.settings) is robots_option.Robots.ALL:
        return ()
    open_ = (one for one in scope.site.routes if dict(one.options).get("robots") is robots_option.Robots.ALL)
    places = (place for one in open_ for place in _as_in_robots(one.path))
    allowed = "".join(f"Allow: {arguments.literal(place)}\n" for place in places)
    answer = arguments.line("return", "200", Expr(f"User-agent: *\nDisallow: /\n{allowed}"))
    return (arguments.line("location", "=", ROBOTS_PATH, block=(arguments.line("default_type", "text/plain"), answer)),)
