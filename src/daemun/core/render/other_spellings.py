r"""Spellings of a closed path that servers read as that path, and nginx as another one, which would lead past it.

nginx decodes a path, resolves its dots and merges its slashes, and then compares it letter by letter. Servers are more
lenient: those of Java drop ";..." of each part, ASP.NET, Express and Windows do not distinguish capitals, Windows drops
dots and spaces behind a name and takes "\" for "/", and many take "/metrics/" for "/metrics". Which of these a server
does cannot be known, so such a spelling of a path that is closed is refused where the route that nginx finds for it
leads to the same server and lets more visitors in. One that a route has as its own path is that route's.
"""

import collections.abc
import re

from daemun.core import arguments, directive, model
from daemun.core.access import access_levels
from daemun.core.directive import Expr
from daemun.core.options import access_option
from daemun.core.render import effective_access, site_scope
from daemun.core.texts import names, route_paths

_DOT, _SLASH, _PART_END = r"(?:\.|%2e)", r"(?:/|%2f|%5c)", r"(?:[/;?]|%2f|%3b|%5c|$)"
_TWO_READINGS = "|".join(
    (
        "#",
        rf"^[^?]*(?:\\|(?:/|%2f){_DOT}{{1,2}}(?:;|%3b|%5c)|%5c{_DOT}{{1,2}}{_PART_END})",
        rf"^(?>[^?]*?{_SLASH}(?:;|%3b))[^?]*{_SLASH}{_DOT}{{2}}{_PART_END}",
    )
)
"""What no browser sends, and what servers read as another path than nginx does, which passes it on as it came: for
nginx a path ends at "#"; Java's servers drop ";..." of each part before they resolve "..", so that ";x" is no part for
them which ".." could take back, and for some "\\" is "/", on either side of "..". "#" and "\\" may not stand in a path
(RFC 9112 section 3.2, RFC 3986 section 3.3); browsers do send "\\" in a query."""

_SLASHES = r"(?:[/\\]++(?:;[^/\\]*+)?)++"
_BEHIND_NAME = r"[.\x01-\x20\x85\xa0]*+(?:;[^/\\]*+)?"
"""With what Express and servers of Python take for a space, too, and drop."""
_END = r"(?![\s\S])"
_SLASHES_IN_URL = r"(?:/++(?:(?:;|%3b)[^/?#]*+)?)++"
_BEHIND_IN_URL = r"(?:\.|%2e|%20)*+(?:(?:;|%3b)[^/?#]*+)?"
_ORIGIN = r"(?:[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*+)?"
_ODD = r"(?i:.*(?:\\|//|/(?:\.|%2e){1,2}(?:[/?#;]|%3b|$)|%(?:00|2f|5c)))"
"""In the path of a URL: slashes that are none for nginx, and dots that lead elsewhere."""
_MOST_BYTES = 3900
"""nginx takes arguments of 4,096 bytes, in which some signs are written as two (`serialise`). Only a path of some fifty
parts, or one of quotation marks, needs more."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def refusals(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """For a server."""
    closed = tuple(_find_closed(scope))
    if not closed and not access_levels.is_guarded(scope.site, scope.settings):
        return ()
    refused = (arguments.line("return", "400"),)
    own = {text for one in scope.site.routes if (text := route_paths.find_literal(one.path)) is not None}
    spellings = _joined([written(path, own) for path in dict.fromkeys(closed)])
    return (
        arguments.line("if", Expr("$request_uri"), "~*", Expr(_TWO_READINGS), block=refused),
        *(arguments.line("if", Expr("$uri"), "~", Expr(f"^(?:{one})"), block=refused) for one in spellings),
    )


def find_meant(site: model.Site, path: str) -> str | None:
    """The path of a route that is closed, or may be, of which this one is another spelling."""
    own = {text for one in site.routes if (text := route_paths.find_literal(one.path)) is not None}
    closed = (
        one.path
        for one in site.routes
        if _bare(one.path).strip("/") and route_paths.find_literal(one.path) is not None
        if access_option.OPTION.of(one) is not None or (isinstance(one.action, model.Respond) and one.action.refuses)
    )
    return next((one for one in closed if re.match(written(one, own), path)), None)


def _joined(alternatives: list[str]) -> list[str]:
    """As few expressions as have room for all of them."""
    found: list[str] = []
    for one in alternatives:
        if found and _size(f"{found[-1]}|{one}") < _MOST_BYTES:
            found[-1] += f"|{one}"
        elif _size(one) < _MOST_BYTES:
            found.append(one)
    return found


def _size(expression: str) -> int:
    return len(expression.encode()) + sum(expression.count(sign) for sign in "\\\"'")


def destination_refusals(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """For the locations of a route that passes requests on: WebDAV's `COPY` and `MOVE` name the path that they write to
    in a header (RFC 4918 section 10.3), of which nginx knows nothing. It must be one of a route that lets in no fewer
    visitors, and its dots lead nowhere else."""
    variable, entries = _destinations(scope, route)
    refused = (arguments.line("return", "400"),)
    return (arguments.line("if", Expr(variable), block=refused),) if entries else ()


def destinations(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """The variables that decide on it, for the http level."""
    found = dict(_destinations(scope, route) for route in scope.site.routes)
    return tuple(
        arguments.map_to("$http_destination", variable, *entries, default="1")
        for variable, entries in found.items()
        if entries
    )


def _destinations(scope: site_scope.Scope, route: model.Route) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The variable and what it depends on; routes that are open to the same visitors share one."""
    closed: set[str] = set()
    if _passes_on(route):
        others = [one for one in scope.site.routes if route_paths.find_literal(one.path) is not None]
        closed = {one.path for one in others if _is_more_open(scope, route, one)}
    if not closed:
        return "", ()
    prefixes = sorted({one.path for one in others if route_paths.is_prefix(one.path)} - closed)
    as_open = [one for one in prefixes if not any(one != other and one.startswith(other) for other in prefixes)]
    inside = sorted(one for one in closed if any(_bare(one).startswith(other) for other in as_open))
    entries = (
        ("", ""),
        *((f"~*^{_ORIGIN}(?:{one})", "1") for one in _joined([_closed_in_url(path) for path in inside])),
        *((f"~^{_ORIGIN}(?!{_ODD})(?:{one})", "") for one in _joined([_in_url(path) for path in as_open])),
    )
    place = names.variable_suffix(scope.site.host, " ".join(key for key, _ in entries))
    return f"$daemun_closed_{place}", entries


def _bare(path: str) -> str:
    return path.removeprefix("= ")


def _closed_in_url(path: str) -> str:
    parts = f"{_BEHIND_IN_URL}{_SLASHES_IN_URL}".join(
        _in_url(one, of_either_case=True) for one in _bare(path).split("/") if one
    )
    end = "" if _is_of_more_names(path) else f"(?:{_END}|[/?#])"
    return f"{_SLASHES_IN_URL}{parts}{_BEHIND_IN_URL}{end}"


def _is_of_more_names(path: str) -> bool:
    """A prefix without a slash at its end: /admin is that of /administrator, too."""
    return route_paths.is_prefix(path) and not path.endswith("/")


def _in_url(path: str, *, of_either_case: bool = False) -> str:
    """A path as an expression for every way in which a client may encode it."""
    return "".join("/" if char == "/" else _char_in_url(char, of_either_case) for char in path)


def _char_in_url(char: str, of_either_case: bool) -> str:
    chars = (char, char.swapcase()) if of_either_case else (char,)
    encoded = dict.fromkeys("".join(f"%{byte:02x}" for byte in one.encode()) for one in chars)
    hexadecimal = f"(?i:{'|'.join(encoded)})"
    is_plain = char.isascii() and char.isprintable() and char != " "
    return f"(?:{arguments.in_regex(char)}|{hexadecimal})" if is_plain else hexadecimal


def _find_closed(scope: site_scope.Scope) -> collections.abc.Iterator[str]:
    """The paths of routes that keep out whom the route around them lets in to the same server."""
    around = [one for one in scope.site.routes if route_paths.is_prefix(one.path) and _passes_on(one)]
    for route in scope.site.routes if around else ():
        path = route_paths.find_literal(route.path)
        if path is None or not path.strip("/"):
            continue
        outer = (one for one in around if one.path != route.path and path.startswith(one.path))
        if any(_is_more_open(scope, one, route) for one in outer):
            yield route.path


def _passes_on(route: model.Route) -> bool:
    return isinstance(route.action, model.Proxy) and route.action.php is None


def _is_more_open(scope: site_scope.Scope, outer: model.Route, route: model.Route) -> bool:
    if isinstance(route.action, model.Respond):
        return route.action.refuses
    if access_option.OPTION.of(route) is None and access_option.OPTION.of(outer) is None:
        return False  # that of the site holds for both
    access = effective_access.of_route(scope, route).access
    if not access.conditions or _lets_all_in(access) or not _share_server(outer.action, route.action):
        return False
    further_out = effective_access.of_route(scope, outer).access
    return any(getattr(access, name) != getattr(further_out, name) for name in (*access.conditions, "any"))


def _lets_all_in(access: access_option.Access) -> bool:
    """`allow: [public]`, as it stands beside limits: they alone would leave the conditions from further out."""
    networks = access_option.networks(access.allow, {})
    is_open = {*access_option.NAMED_NETWORKS[access_option.PUBLIC]} <= {*networks}
    return is_open and (access.any or access.conditions == ("allow",))


def _share_server(one: model.Action, other: model.Action) -> bool:
    """Whether they may. Of containers, whose addresses change, it is not known."""
    if not isinstance(one, model.Proxy) or not isinstance(other, model.Proxy):
        return False
    targets = (*one.targets, *other.targets)
    if any(target.pool is not None for target in targets):
        return True
    places = [{_place(target) for target in action.targets} for action in (one, other)]
    return bool(places[0] & places[1])


def _place(target: model.Target) -> tuple[str | None, int | None]:
    if target.socket is not None:
        return target.socket, None
    return "localhost" if target.host in _LOOPBACK else target.host, target.port


def written(path: str, own: collections.abc.Collection[str]) -> str:
    """An expression for the other spellings of a prefix or an exact path. own: all paths that routes have, whose
    spelling is meant. It takes time in proportion to the path of a request: no part of it gives back what it took."""
    text, is_prefix = route_paths.find_literal(path), route_paths.is_prefix(path)
    assert text is not None
    bare = text.rstrip("/")
    parts = f"{_BEHIND_NAME}{_SLASHES}".join(arguments.in_regex(one) for one in text.split("/") if one)
    end = rf"(?:{_END}|[/\\])" if is_prefix else rf"[/\\]{'*' if bare == text else '+'}+{_END}"
    end = "" if _is_of_more_names(path) else end
    other = f"(?i:{_SLASHES}{parts}{_BEHIND_NAME}{end})"
    meant = [arguments.in_regex(text) + ("" if is_prefix else _END)]
    if is_prefix and bare != text:
        meant.append(arguments.in_regex(bare) + _END)  # leads to the path with its slash
    beside = (one for one in sorted(own) if one != text and not (is_prefix and one.startswith(bare)))
    meant += [arguments.in_regex(one) for one in beside if re.match(other, one)]
    return f"(?!{'|'.join(meant)}){other}"
