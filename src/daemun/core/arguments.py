"""Values of the model, which keep the rules, as arguments of directives. Pure."""

import collections.abc
import functools
import ipaddress
import math
import re
import urllib.parse

from daemun.core import directive, serialise
from daemun.core.directive import Expr, Text
from daemun.core.texts import expressions, names, patterns, route_paths, rules, words
from daemun.errors import RenderError

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z_][A-Za-z0-9_]*))")
_CLEANED = {"uri": "daemun_uri", "ssl_server_name": "daemun_server_name"}
"""What a client can put a line break into; `variables` has a cleaned form of each."""

_PLAIN_IN_REGEX = re.compile(r"[A-Za-z0-9_/\x80-\U0010ffff]")
_SENT_AS_IS = "/%:@!&'()*+,;=-._~"

Part = str | directive.Arg


def line(name: str, *args: Part, block: tuple[directive.Node, ...] | None = None) -> directive.Directive:
    """A directive. A str is a constant of the renderer and means literally itself; variables need an `Expr`."""
    return directive.Directive(name, tuple([_text(arg) if isinstance(arg, str) else arg for arg in args]), block)


def map_to(
    source: str, variable: str, *entries: tuple[str, str], default: str = "", volatile: bool = False
) -> directive.Directive:
    """A variable whose value depends on another's (nginx.org/r/map). Keys are literal; the source and
    the values are evaluated.

    volatile: worked out anew each time, for what a request changes on its way.
    """
    block = (
        *((line("volatile"),) if volatile else ()),
        line("default", Expr(default)),
        *[line(key, Expr(value)) for key, value in entries],
    )
    return line("map", Expr(source), Expr(variable), block=block)


_text = functools.lru_cache(maxsize=8192)(Text)
"""Sites are alike, and so are nearly all their words."""


def literal(value: str) -> str:
    """Text for inside an `Expr`: its `$` are dollar signs."""
    return value.replace("$", serialise.DOLLAR)


def expression(value: str, *, instead: collections.abc.Mapping[str, str] = _CLEANED) -> Expr:
    """An owner's text: `$name` is evaluated where `texts.names` allows the variable, every other `$` is a dollar sign.

    instead: variables that stand for others. Raises: RenderError when it holds a control character.
    """
    check_printable(value)
    return Expr(serialise_variables(value, instead))


def redirection(value: str, *, is_rewritten: bool) -> Expr:
    """The same for where a redirect leads: a path is written in it as it was sent, not as nginx decoded it.

    is_rewritten: an owner changes paths, so `$uri` is no longer what was sent.
    """
    return expression(value, instead=_CLEANED if is_rewritten else {**_CLEANED, "uri": "daemun_sent_uri"})


def serialise_variables(value: str, instead: collections.abc.Mapping[str, str] = _CLEANED) -> str:
    """The text with each `$` either a variable's or written as one that holds a dollar sign."""
    written, end = [], 0
    for match in _VARIABLE.finditer(value):
        name = match.group(1) or match.group(2)
        written.append(literal(value[end : match.start()]))
        written.append(f"${{{instead.get(name, name)}}}" if names.is_variable(name) else literal(match.group()))
        end = match.end()
    return "".join([*written, literal(value[end:])])


def check_printable(value: str) -> None:
    """Raises: RenderError."""
    bad = serialise.CONTROL.search(value)
    if bad is not None:
        raise RenderError(f"{words.quoted(value)} holds the control character U+{ord(bad.group()):04X}; remove it")


# --- times and sizes ---------------------------------------------------------------------------------------------


def duration(value_s: float) -> str:
    """A time to the millisecond: "5s", "1500ms"."""
    milliseconds = max(1, round(value_s * 1000))
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def whole_seconds(value_s: float) -> str:
    """For the directives that know no milliseconds; rounded up."""
    return f"{math.ceil(value_s)}s"


def size(value_bytes: int) -> str:
    """ "1g", "1500"."""
    for unit, shift in (("g", 30), ("m", 20), ("k", 10)):
        if value_bytes and value_bytes % (1 << shift) == 0:
            return f"{value_bytes >> shift}{unit}"
    return str(value_bytes)


# --- names -----------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=8192)
def host(value: str) -> directive.Arg:
    """A name nginx compares with Host and SNI, or a pattern. Raises: RenderError, as a site whose names are wrong may
    have to be written all the same, with a page that says so."""
    cause = rules.check_host(value, with_patterns=True)
    if cause is not None:
        raise RenderError(f"host {words.quoted(value)} {cause}")
    return Expr(f"~{patterns.written(value[1:])}") if value.startswith("~") else Text(value)


_MAP_WORDS = frozenset({"default", "hostnames", "include", "volatile"})


def map_host(value: str) -> str:
    """A host as a key of a `map` of host names, where some words have a meaning. Raises: RenderError."""
    written = host(value).value
    return f"\\{written}" if written in _MAP_WORDS else written


def _in_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{address.compressed}]" if address.version == 6 else str(address)


def endpoint(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    """ "10.0.0.5:80", "[::1]:80"."""
    return f"{_in_host(address)}:{port}"


def location(path: str, block: tuple[directive.Node, ...]) -> directive.Directive:
    """The location of a route, or a named one."""
    match route_paths.find_kind(path):
        case route_paths.PathKind.PREFIX:
            return line("location", path, block=block)
        case route_paths.PathKind.EXACT:
            return line("location", "=", path.removeprefix("= "), block=block)
        case route_paths.PathKind.SUFFIX:
            return line("location", "~*", Expr(route_paths.written_suffix(path)), block=block)
        case route_paths.PathKind.EXPRESSION:
            sign, expression = route_paths.split_expression(path)
            written = expressions.written if route_paths.is_of_file(path) else patterns.written
            return line("location", sign, Expr(written(expression)), block=block)


# --- paths -----------------------------------------------------------------------------------------------------


def prefix_pattern(path: str, capture: str) -> str:
    """A regular expression for a path under a route's prefix; the rest is captured by name, line breaks included."""
    return f"(?s)^{in_regex(path)}(?<{capture}>.*)\\z"


def in_regex(path: str) -> str:
    """A path as a regular expression that matches nothing else."""
    return "".join(char if _PLAIN_IN_REGEX.match(char) else f"\\{char}" for char in path)


def encoded(path: str) -> str:
    """A route's prefix as a client would send it; for inside an `Expr`."""
    return urllib.parse.quote(path, safe=_SENT_AS_IS.replace("%", ""))


def sent_path(path: str) -> str:
    """A target's path as nginx is to send it: what a request line cannot hold is percent-encoded."""
    return urllib.parse.quote(path, safe=_SENT_AS_IS)


def decoded_path(path: str) -> str:
    """A target's path as nginx holds it after `rewrite`, before it encodes it again to send it."""
    return urllib.parse.unquote(path)
