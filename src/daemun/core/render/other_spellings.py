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
from daemun.core.render import closed_paths, site_scope
from daemun.core.texts import route_paths

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
_SPACES = r"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2(?:\x80[\x80-\x8a\xa8\xa9\xaf]|\x81\x9f)|\xe3\x80\x80|\xef\xbb\xbf"
_BEHIND_NAME = rf"(?:[.\x01-\x20\x85\xa0]|{_SPACES})*+(?:;[^/\\]*+|::?+\$[^/\\]*+)?"
"""With what Express and servers of Python take for a space, too, and drop, in Latin-1 and UTF-8; and the streams of a
file or folder on Windows, of which "::$DATA" and ":$I30:$INDEX_ALLOCATION" are the file and the folder itself."""


def refusals(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """For a server."""
    closed = tuple(closed_paths.find_all(scope))
    if not closed and not access_levels.is_guarded(scope.site, scope.settings):
        return ()
    refused = (arguments.line("return", "400"),)
    own = {text for one in scope.site.routes if (text := route_paths.find_literal(one.path)) is not None}
    spellings = closed_paths.join(
        closed_paths.fit(path, lambda some: _fit(some, own)) for path in dict.fromkeys(closed)
    )
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
        if closed_paths.bare(one.path).strip("/") and route_paths.find_literal(one.path) is not None
        if access_option.OPTION.of(one) is not None or (isinstance(one.action, model.Respond) and one.action.refuses)
    )
    return next((one for one in closed if _is_match(written(one, own), path)), None)


def _fit(path: str, own: collections.abc.Collection[str]) -> str:
    """Where so many routes have an other spelling as their path that nginx has no room for them, none is meant."""
    expression = written(path, own)
    return expression if closed_paths.has_room(expression) else written(path, ())


def written(path: str, own: collections.abc.Collection[str]) -> str:
    """An expression for the other spellings of a prefix or an exact path. own: all paths that routes have, whose
    spelling is meant. It takes time in proportion to the path of a request: no part of it gives back what it took."""
    if endings := route_paths.find_endings(path):
        return _written_suffix(endings, own)
    text, is_prefix = route_paths.find_literal(path), route_paths.is_prefix(path)
    assert text is not None
    bare = text.rstrip("/")
    parts = f"{_BEHIND_NAME}{_SLASHES}".join(_of_either_case(one) for one in text.split("/") if one)
    end = rf"(?:{closed_paths.END}|[/\\])" if is_prefix else rf"[/\\]{'*' if bare == text else '+'}+{closed_paths.END}"
    end = "" if closed_paths.is_of_more_names(path) else end
    other = f"(?i:{_SLASHES}{parts}{_BEHIND_NAME}{end})"
    meant = [arguments.in_regex(text) + ("" if is_prefix else closed_paths.END)]
    if is_prefix and bare != text:
        meant.append(arguments.in_regex(bare) + closed_paths.END)  # leads to the path with its slash
    beside = (one for one in sorted(own) if one != text and not (is_prefix and one.startswith(bare)))
    meant += [arguments.in_regex(one) for one in beside if _is_match(other, one)]
    return f"(?!{'|'.join(meant)}){other}"


def _written_suffix(endings: collections.abc.Iterable[str], own: collections.abc.Collection[str]) -> str:
    """Of the last part of a path."""
    expression = _of_endings("|".join(arguments.in_regex(one) for one in endings))
    if not closed_paths.has_room(expression):
        expression = _of_endings("[a-z0-9._-]+")
    meant = [arguments.in_regex(one) for one in sorted(own) if _is_match(expression, one)]
    among = f"(?!(?:{'|'.join(meant)}){closed_paths.END}){expression}" if meant else expression
    return among if closed_paths.has_room(among) else expression


def _of_endings(some: str) -> str:
    before = r"(?:[/\\]++[^/\\]++(?=[/\\]++[^/\\]))*+[/\\]++"
    as_written = rf"[^/\\]*\.(?:{some}){closed_paths.END}"
    return rf"(?i:{before}(?!{as_written})[^/\\;]*?\.(?:{some}){_BEHIND_NAME}[/\\]*+{closed_paths.END})"


def _of_either_case(part: str) -> str:
    """nginx compares bytes, so that for it letters beyond ASCII have no other case."""
    return "".join(_letter(char) for char in part)


def _letter(char: str) -> str:
    plain = arguments.in_regex(char)
    other = char.swapcase()
    return plain if char.isascii() or other == char else f"(?:{plain}|{arguments.in_regex(other)})"


def _is_match(expression: str, path: str) -> bool:
    """As nginx sees it, which compares bytes."""
    return re.match(expression.encode(), path.encode()) is not None
