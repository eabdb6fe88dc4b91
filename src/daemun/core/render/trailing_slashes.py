"""Redirects to the path with a slash at its end, or without one (`trailing_slash`).

What is compared is the request as it came ($request_uri), so it is the same after an internal redirect. A path that
begins with two slashes, or with a slash and a backslash, is left alone: as a redirect it would be another host for
browsers. So are requests that browsers do not follow redirects for: WebSockets and preflights.
"""

import collections.abc

from daemun.core import arguments, directive, model
from daemun.core.access import dashboard_site, login_site, status_site
from daemun.core.directive import Expr
from daemun.core.options import redirect_status_option, trailing_slash_option
from daemun.core.render import effective_access, site_scope
from daemun.core.texts import names, route_paths

_METHODS = "GET|HEAD|POST|PUT|PATCH|DELETE"
_FIRST = r"/(?![/\\])"
_PATTERNS = {
    # What has a dot in its last part is a file.
    trailing_slash_option.Slash.ADD: (
        rf"(?<daemun_slash_path>{_FIRST}(?:[^?#]*/)?[^/?#.]+)(?<daemun_slash_query>\?.*)?\z",
        "$daemun_slash_path/$daemun_slash_query",
    ),
    trailing_slash_option.Slash.REMOVE: (
        rf"(?<daemun_slash_path>{_FIRST}[^?#]*?[^/?#])/+(?<daemun_slash_query>\?.*)?\z",
        "$daemun_slash_path$daemun_slash_query",
    ),
}


def is_on(scope: site_scope.Scope) -> bool:
    is_own = login_site.is_it(scope.site, scope.settings) or dashboard_site.is_it(scope.site)
    is_own = is_own or status_site.is_it(scope.site)
    return trailing_slash_option.OPTION.of(scope.site) in _PATTERNS and not is_own


def request_uri(scope: site_scope.Scope) -> str:
    """What a redirect of the whole site takes along, in place of $request_uri."""
    return _variable("path", scope) if is_on(scope) else "$request_uri"


def shared(scope: site_scope.Scope) -> tuple[directive.Node, ...]:
    """For the http level."""
    if not is_on(scope):
        return ()
    pattern, there = _PATTERNS[trailing_slash_option.OPTION.of(scope.site)]
    entries = [(rf"~^[^|]*\|[^|]*\|{one}", "") for one in _left_alone(scope)]
    entries.append((rf"~^(?:{_METHODS})\|\|{pattern}", there))
    slash = _variable("slash", scope)
    return (
        directive.Comment(
            "Where a path leads that should have a slash at its end, or none; for all but GET and HEAD too."
        ),
        arguments.map_to("$request_method|$http_upgrade|$request_uri", slash, *entries),
        arguments.map_to("$request_method", _variable("slash_other", scope), ("GET", ""), ("HEAD", ""), default=slash),
        arguments.map_to(slash, _variable("path", scope), ("", "$request_uri"), default=slash),
    )


def _left_alone(scope: site_scope.Scope) -> collections.abc.Iterator[str]:
    """Expressions for the paths that have to be as they are: what begins with a dot (.well-known), judges' own pages,
    paths of routes, gRPC, and folders of files and of PHP, whose slash nginx sets."""
    yield r"/\."
    judged = effective_access.find_judged(scope).values()
    judges = (one.forward_auth for one in judged if one.forward_auth is not None)
    for path in sorted({path for judge in judges for path in judge.protocol.open_paths}):
        yield arguments.in_regex(path)
    for route in scope.site.routes:
        literal = route_paths.find_literal(route.path)
        if literal is not None:
            every = "|".join(dict.fromkeys(arguments.in_regex(one) for one in (literal, arguments.encoded(literal))))
            yield f"(?:{every})" if _is_whole(route) else rf"(?:{every})(?:\?|\z)"


def _is_whole(route: model.Route) -> bool:
    """Whether all below the path is left alone, too."""
    if not route_paths.is_prefix(route.path):
        return False
    match route.action:
        case model.Files() | model.Proxy(php=model.Php()):
            return True
        case model.Proxy(targets=targets):
            return targets[0].scheme in {model.Scheme.GRPC, model.Scheme.GRPCS}
        case _:
            return False


def server_lines(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """First in a server that has the site's content."""
    if not is_on(scope):
        return ()
    slash, other = Expr(_variable("slash", scope)), Expr(_variable("slash_other", scope))
    status = str(redirect_status_option.OPTION.of(scope.site))
    return (
        arguments.line("if", other, block=(arguments.line("return", status, other),)),
        arguments.line("if", slash, block=(arguments.line("return", "301", slash),)),
    )


def _variable(name: str, scope: site_scope.Scope) -> str:
    return f"$daemun_{name}_{names.variable_suffix(scope.site.host, '')}"
