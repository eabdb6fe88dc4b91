"""Values of the model as arguments of directives. Each function names the field it refuses. Pure."""

import functools
import ipaddress
import math
import re
import urllib.parse

from daemun.core import directive, names, patterns, serialise, words
from daemun.core.directive import Expr, Text
from daemun.errors import RenderError

MOST_S = 10 * 366 * 86400.0

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z_][A-Za-z0-9_]*))")
_CLEANED = {"uri": "daemun_uri", "ssl_server_name": "daemun_server_name"}
"""What a client can put a line break into; `variables` has a cleaned form of each."""

_PLAIN_IN_REGEX = re.compile(r"[A-Za-z0-9_/\x80-\U0010ffff]")
_SENT_AS_IS = "/%:@!&'()*+,;=-._~"
_AMBIGUOUS = re.compile("%(2f|3f|[01][0-9a-f]|7f|(?![0-9a-f]{2}))", re.IGNORECASE)

Part = str | directive.Arg


def line(name: str, *args: Part, block: tuple[directive.Node, ...] | None = None) -> directive.Directive:
    """A directive. A str is a constant of the renderer and means literally itself; variables need an `Expr`."""
    return directive.Directive(name, tuple([_text(arg) if isinstance(arg, str) else arg for arg in args]), block)


_text = functools.lru_cache(maxsize=8192)(Text)
"""Sites are alike, and so are nearly all their words."""


def literal(value: str) -> str:
    """Text for inside an `Expr`: its `$` are dollar signs."""
    return value.replace("$", serialise.DOLLAR)


def expression(value: str) -> Expr:
    """An owner's text: `$name` is evaluated where `core.names` allows the variable, every other `$` is a dollar sign.

    Raises: RenderError when it holds a control character.
    """
    check_printable(value)
    return Expr(serialise_variables(value))


def serialise_variables(value: str) -> str:
    """The text with each `$` either a variable's or written as one that holds a dollar sign."""
    written, end = [], 0
    for match in _VARIABLE.finditer(value):
        name = match.group(1) or match.group(2)
        written.append(literal(value[end : match.start()]))
        written.append(f"${{{_CLEANED.get(name, name)}}}" if names.is_variable(name) else literal(match.group()))
        end = match.end()
    return "".join([*written, literal(value[end:])])


def check_printable(value: str) -> None:
    """Raises: RenderError."""
    bad = serialise.CONTROL.search(value)
    if bad is not None:
        raise RenderError(f"{words.quoted(value)} holds the control character U+{ord(bad.group()):04X}; remove it")


# --- numbers and times -----------------------------------------------------------------------------------------


def integer(value: int, field: str, *, least: int = 0, most: int = 65535) -> str:
    """Raises: RenderError."""
    if not least <= value <= most:
        raise RenderError(f"{field} {value} is not between {least} and {most}")
    return str(value)


def duration(value_s: float, field: str) -> str:
    """A time to the millisecond: "5s", "1500ms". Raises: RenderError when it is not above 0."""
    if not (0 < value_s <= MOST_S):
        raise RenderError(f"{field} of {value_s:g} s is not between 1 ms and {MOST_S:g} s")
    milliseconds = max(1, round(value_s * 1000))
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def whole_seconds(value_s: float, field: str) -> str:
    """For the directives that know no milliseconds; rounded up. Raises: RenderError."""
    if not (0 <= value_s <= MOST_S):
        raise RenderError(f"{field} of {value_s:g} s is not between 0 and {MOST_S:g} s")
    return f"{math.ceil(value_s)}s"


def size(value_bytes: int, field: str) -> str:
    """ "1g", "1500". Raises: RenderError."""
    if not 0 <= value_bytes <= 1 << 60:
        raise RenderError(f"{field} of {value_bytes} bytes is not between 0 and {1 << 60}")
    for unit, shift in (("g", 30), ("m", 20), ("k", 10)):
        if value_bytes and value_bytes % (1 << shift) == 0:
            return f"{value_bytes >> shift}{unit}"
    return str(value_bytes)


# --- names -----------------------------------------------------------------------------------------------------


def host(value: str) -> directive.Arg:
    """A name nginx compares with Host and SNI, or a pattern that `core.patterns` accepts. Raises: RenderError."""
    if value.startswith("~"):
        return Expr(f"~{_expression(value[1:], f'host {words.quoted(value)}')}")
    if value.endswith(".*") and names.is_host_name(value[:-2]):
        return Text(value)
    address = names.address_of(value)
    if address is None and not names.is_host_name(value.removeprefix("*.")):
        raise RenderError(f"host {words.quoted(value)} is neither a host name nor an IP address")
    if address is not None and (value != _in_host(address) or getattr(address, "scope_id", None)):
        raise RenderError(f"host {words.quoted(value)} is not how a browser writes this address")
    return Text(value)


_MAP_WORDS = frozenset({"default", "hostnames", "include", "volatile"})


def map_host(value: str) -> str:
    """A host as a key of a `map` of host names, where some words have a meaning. Raises: RenderError."""
    written = host(value).value
    return f"\\{written}" if written in _MAP_WORDS else written


def _in_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{address.compressed}]" if address.version == 6 else str(address)


def endpoint(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    """ "10.0.0.5:80", "[::1]:80". Raises: RenderError."""
    if getattr(address, "scope_id", None):
        raise RenderError(f"address {words.quoted(str(address))} has a zone, which nginx cannot use; remove it")
    return f"{_in_host(address)}:{integer(port, 'port', least=1)}"


def location(path: str, block: tuple[directive.Node, ...]) -> directive.Directive:
    """The location of a route, by prefix or by a regular expression. Raises: RenderError."""
    expression = patterns.split_path(path)
    if expression is None:
        return line("location", path, block=block)
    return line("location", expression[0], Expr(_expression(expression[1], f"path {words.quoted(path)}")), block=block)


def _expression(text: str, what: str) -> str:
    cause = patterns.check(text)
    if cause is not None:
        raise RenderError(f"{what} {cause}")
    return patterns.written(text)


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
    check_target_path(path)
    return urllib.parse.quote(path, safe=_SENT_AS_IS)


def decoded_path(path: str) -> str:
    """A target's path as nginx holds it after `rewrite`, before it encodes it again to send it."""
    check_target_path(path)
    try:
        return urllib.parse.unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise RenderError(f"path {words.quoted(path)} of the target is not UTF-8 when decoded") from error


def check_target_path(path: str) -> None:
    """Raises: RenderError for what `proxy_pass` and `rewrite` would not send alike."""
    if not path.startswith("/"):
        raise RenderError(f'path {words.quoted(path)} of the target does not start with "/"')
    if "?" in path or "#" in path:
        raise RenderError(f"path {words.quoted(path)} of the target holds a query; only paths are replaced")
    if _AMBIGUOUS.search(path):
        raise RenderError(
            f"path {words.quoted(path)} of the target holds an encoded slash, question mark or control character, "
            "or a % that encodes nothing; nginx cannot send it unchanged, remove it"
        )
    check_printable(path)
