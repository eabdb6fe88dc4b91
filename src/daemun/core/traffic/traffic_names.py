"""How the line of a request names its site and route: `shop.example.com`, or `shop.example.com|/api/`. Pure.

What a line or a value of nginx's `set` cannot hold is written as in a URL. Behind that stands which rule refused the
request, where one did: `shop.example.com|/api/;rate_limit`.
"""

import urllib.parse
import zlib

_SAFE = "/:@!&()*+,=-._~^[]#<>?"
SEPARATOR, BY_RULE = "|", ";"
RULES = (
    *("allow", "deny", "countries", "rate_limit", "connections"),
    *("basic_auth", "forward_auth", "login", "client_certificates"),
    *("bans", "deny_route", "maintenance"),
)
"""By which a gate refuses requests: keys of `access`, bans (CrowdSec's decisions among them), routes with `deny`, and
sites in maintenance."""
OTHER_RULE = "other"
_MOST = 512
_UNKNOWN = frozenset({"", "_"})
"""The server for names that no site has."""


def encode(host: str, route: str | None = None) -> str:
    return _write(host) if route is None else f"{_write(host)}{SEPARATOR}{_write(route)}"


def _write(text: str) -> str:
    """What is too long is cut, and ends with a number of its own instead: nginx reads no word beyond 4096 signs."""
    written = urllib.parse.quote(text, safe=_SAFE)
    return written if len(written) <= _MOST else f"{written[:_MOST]}...{zlib.crc32(text.encode()):08x}"


def decode(name: str) -> tuple[str, str]:
    """Site and route; "" when it is no site's, or the site's own answer."""
    host, _, route = name.partition(BY_RULE)[0].partition(SEPARATOR)
    return ("", "") if host in _UNKNOWN else (urllib.parse.unquote(host), urllib.parse.unquote(route))


def decode_rule(name: str) -> str:
    """Which rule refused the request, the first that did; "": none."""
    rules = name.split(BY_RULE)[1:]
    return "" if not rules else rules[0] if rules[0] in RULES else OTHER_RULE
