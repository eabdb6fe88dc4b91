"""WebDAV's `COPY` and `MOVE` name the path that they write to in a header (RFC 4918 section 10.3), of which nginx knows
nothing: it must be one of a route that lets in no fewer visitors, and its dots lead nowhere else."""

from daemun.core import arguments, directive, model
from daemun.core.directive import Expr
from daemun.core.render import closed_paths, site_scope
from daemun.core.texts import names, route_paths

_SLASHES_IN_URL = r"(?:/++(?:(?:;|%3b)[^/?#]*+)?)++"
_BEHIND_IN_URL = r"(?:\.|%2e|%20)*+(?:(?:;|%3b)[^/?#]*+|(?::|%3a){1,2}+(?:\$|%24)[^/?#]*+)?"
_NO_URL = r"[\x01-\x20\x7f\\]"
"""What stands in no URL (RFC 3986). Servers drop a tab, and take a backslash for a slash, also as the end of the host;
between two headers of this name nginx puts a comma and a space, and a server takes one of them."""
_SPACES = "|".join(
    (
        "%[01][0-9a-f]",
        r"(?:(?<!%[89a-f].)(?<![\x80-\xff])|\xc2|%c2)(?:[\x85\xa0]|%85|%a0)",
        *(r"\xe1\x9a\x80", "%e1%9a%80", r"\xe2\x81\x9f", "%e2%81%9f", r"\xe3\x80\x80", "%e3%80%80", r"\xef\xbb\xbf"),
        *("%ef%bb%bf", r"\xe2\x80[\x80-\x8a\xa8\xa9\xaf]", "%e2%80%(?:8[0-9a]|a[89f])"),
    )
)
_ODD_END = rf"(?:{_SPACES})(?:\.|%2e|%20)*+(?:[/;?#]|%3b|{closed_paths.END})"
"""A name behind which servers of Python and JavaScript drop a sign as a space (`other_spellings`)."""
_ORIGIN = r"(?:[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*+)?"
_ODD = r"(?i:.*(?:\\|//|/(?:\.|%2e){1,2}(?:[/?#;]|%3b|$)|%(?:00|2f|5c)))"
"""In the path of a URL: slashes that are none for nginx, and dots that lead elsewhere."""


def refusals(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """For the locations of a route that passes requests on."""
    variable, entries = _destinations(scope, route)
    refused = (arguments.line("return", "400"),)
    return (arguments.line("if", Expr(variable), block=refused),) if entries else ()


def variables(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
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
    endings: dict[str, None] = {}
    if closed_paths.passes_on(route):
        others = [one for one in scope.site.routes if route_paths.find_literal(one.path) is not None]
        closed = {one.path for one in others if closed_paths.is_more_open(scope, route, one)}
        suffixes = [one for one in scope.site.routes if route_paths.find_endings(one.path)]
        endings = dict.fromkeys(
            ending
            for one in suffixes
            if closed_paths.is_more_open(scope, route, one)
            for ending in route_paths.find_endings(one.path)
        )
    if not closed and not endings:
        return "", ()
    prefixes = sorted({one.path for one in others if route_paths.is_prefix(one.path)} - closed)
    as_open = [one for one in prefixes if not any(one != other and one.startswith(other) for other in prefixes)]
    inside = sorted(one for one in closed if any(closed_paths.bare(one).startswith(other) for other in as_open))
    entries = (
        ("", ""),
        (f"~{_NO_URL}", "1"),
        (f"~*{_ODD_END}", "1"),
        *(
            (f"~*^{_ORIGIN}(?:{one})", "1")
            for one in closed_paths.join(closed_paths.fit(path, _closed_in_url) for path in inside)
        ),
        *((f"~*^{_ORIGIN}(?:{one})", "1") for one in closed_paths.join(map(_ending_in_url, endings))),
        *(
            (f"~^{_ORIGIN}(?!{_ODD})(?:{one})", "")
            for one in closed_paths.join(filter(closed_paths.has_room, map(_in_url, as_open)))
        ),
    )
    place = names.variable_suffix(scope.site.host, " ".join(key for key, _ in entries))
    return f"$daemun_closed_{place}", entries


def _closed_in_url(path: str) -> str:
    parts = f"{_BEHIND_IN_URL}{_SLASHES_IN_URL}".join(
        _in_url(one, of_either_case=True) for one in closed_paths.bare(path).split("/") if one
    )
    end = "" if closed_paths.is_of_more_names(path) else f"(?:{closed_paths.END}|[/?#])"
    return f"{_SLASHES_IN_URL}{parts}{_BEHIND_IN_URL}{end}"


def _ending_in_url(ending: str) -> str:
    written = rf"(?:\.|%2e){_in_url(ending, of_either_case=True)}"
    end = f"/*+(?:[?#]|{closed_paths.END})"
    return f"[^?#]*?{written}{end}|(?:[^/?#]*+/++(?=[^/?#]))*+[^/?#;]*?{written}{_BEHIND_IN_URL}{end}"


def _in_url(path: str, *, of_either_case: bool = False) -> str:
    """A path as an expression for every way in which a client may encode it."""
    return "".join("/" if char == "/" else _char_in_url(char, of_either_case) for char in path)


def _char_in_url(char: str, of_either_case: bool) -> str:
    chars = (char, char.swapcase()) if of_either_case else (char,)
    encoded = dict.fromkeys("".join(f"%{byte:02x}" for byte in one.encode()) for one in chars)
    hexadecimal = f"(?i:{'|'.join(encoded)})"
    is_plain = char.isascii() and char.isprintable() and char != " "
    return f"(?:{arguments.in_regex(char)}|{hexadecimal})" if is_plain else hexadecimal
