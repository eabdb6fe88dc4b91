"""The rule of docs/nginx.md by which one of several routes of a path is taken, written down once more, and lists of
routes with requests to try it with: independent of what daemun makes of it.

All texts are bytes as latin-1, as HTTP carries them.
"""

import dataclasses
import ipaddress
import random
import re
import typing
import urllib.parse

PATHS = {"/": "/other", "/a/": "/a/x", "= /e": "/e", "*.js": "/b/x.js", "~ ^/x(?<n>[0-9])$": "/x7"}
"""With a request for each."""
METHODS = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "PROPFIND")
NAMES = {
    "header": ("Accept", "X-A", "x-b", "User-Agent", "X-Requested-With"),
    "cookie": ("sid", "SID", "a.b", "x-y", "a", "__Host-t"),
    "query": ("a", "A", "ab", "a.b", "f[x]", "q"),
}
VALUES = (
    *(
        "a",
        "b",
        "ab",
        "abc",
        "A",
        "1",
        "application/json, text/html",
        "text/html",
        "json",
        "a b",
        "a+b",
        "a%20b",
        "%61",
    ),
    *(
        "",
        "*",
        "a*b",
        "$host",
        "${daemun_dollar}",
        "a'b\"c",
        "a\\b",
        "a,b",
        "a/b?c",
        "=",
        "a=b",
        "가",
        "x" * 300,
        "%",
        "%zz",
    ),
)
PATTERNS = (
    *("a", "b", "ab", "A", "1", "json", "a b", "a+b", "text/html", "*json*", "a*", "*b", "a*b", "*a*b*", "*", "**c"),
    *(
        "~ ^a",
        "~ b$",
        "~* ^A",
        "~ ^[0-9]+$",
        "~ json|b",
        "~ ^a(?<x>b)?c$",
        "~ %",
        "가",
        "*가*",
        "$host",
        "a'b\"c",
        "a\\b",
    ),
)
ADDRESSES = ("127.0.0.1", "192.0.2.7", "192.0.2.200", "198.51.100.1", "2001:db8::1", "2001:db8:1::9", "10.1.2.3")
NETWORKS = ("192.0.2.0/25", "192.0.2.7", "2001:db8::/48", "10.0.0.0/8", "198.51.100.0/24", "0.0.0.0/0")

When = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """query: as it is sent. headers, cookies: each a line of its own."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]
    address: str


def make_list(chance: random.Random) -> list[When | None]:
    """The conditions of each route; None: none."""
    found: list[When | None] = [make_when(chance) for _ in range(chance.randint(1, 5))]
    return [*found, None] if chance.random() < 0.6 else found


def make_when(chance: random.Random) -> When:
    keys = chance.sample(("method", "header", "query", "cookie", "address"), k=chance.choice((1, 1, 1, 2, 2, 3)))
    return {key: _make_condition(chance, key) for key in keys}


def _make_condition(chance: random.Random, key: str) -> object:
    if key == "method":
        return chance.sample(METHODS, k=chance.randint(1, 3))
    if key == "address":
        return chance.sample(NETWORKS, k=chance.randint(1, 2))
    names = {
        name.lower() if key == "header" else name: name for name in chance.sample(NAMES[key], k=chance.randint(1, 2))
    }
    return {name: _make_value(chance) for name in names.values()}


def _make_value(chance: random.Random) -> object:
    kind = chance.random()
    if kind < 0.3:
        return kind < 0.2
    return chance.choice(PATTERNS) if kind < 0.7 else chance.sample(PATTERNS, k=chance.randint(1, 4))


def make_request(chance: random.Random, path: str) -> Request:
    pairs = [_make_pair(chance) for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))]
    cookies = [
        chance.choice(("; ", ";", "; ; ")).join(
            f"{chance.choice(NAMES['cookie'])}={_cookie_value(chance)}" for _ in range(chance.randint(1, 3))
        )
        for _ in range(chance.choice((0, 0, 1, 1, 2)))
    ]
    headers = [
        (chance.choice((name, name.upper())), _sent(chance.choice(VALUES)))
        for name in chance.choices(NAMES["header"], k=chance.choice((0, 1, 2, 4)))
    ]
    return Request(
        method=chance.choice(METHODS),
        path=path,
        query="&".join(pairs),
        headers=tuple(headers),
        cookies=tuple(map(_sent, cookies)),
        address=chance.choice(ADDRESSES),
    )


def _make_pair(chance: random.Random) -> str:
    """A parameter: as a browser sends it, raw, or in an odd encoding."""
    name, value = chance.choice(NAMES["query"]), chance.choice(VALUES)
    if chance.random() < 0.15:
        return chance.choice((name, "", f"={name}", f"{name}x", name.upper()))
    encode = chance.choice((urllib.parse.quote, urllib.parse.quote_plus, _encode_all, _encode_some))
    sent = encode(value)
    return f"{chance.choice((name, urllib.parse.quote(name), _encode_all(name)))}={sent}"


def _encode_all(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def _encode_some(text: str) -> str:
    """What a request line must not hold, and no more."""
    return "".join(f"%{byte:02X}" if byte in b' #&"\x00' or byte > 126 else chr(byte) for byte in text.encode())


def _cookie_value(chance: random.Random) -> str:
    return chance.choice([value for value in VALUES if ";" not in value])


def _sent(text: str) -> str:
    return text.encode().decode("latin-1")


# --- the rule --------------------------------------------------------------------------------------------------


def choose(conditions: list[When | None], request: Request) -> int | None:
    """The first route whose conditions all hold. None: there is none."""
    for index, when in enumerate(conditions):
        if when is None or all(_holds(key, value, request) for key, value in when.items()):
            return index
    return None


def _holds(key: str, value: typing.Any, request: Request) -> bool:
    if key == "method":
        return request.method in value
    if key == "address":
        address = ipaddress.ip_address(request.address)
        return any(address in ipaddress.ip_network(network) for network in value)
    return all(_has(key, name, wanted, request) for name, wanted in value.items())


def _has(key: str, name: str, wanted: object, request: Request) -> bool:
    is_there, raw, plain = {"header": _header, "cookie": _cookie, "query": _query}[key](name, request)
    if isinstance(wanted, bool):
        return is_there is wanted
    patterns = wanted if isinstance(wanted, list) else [wanted]
    return bool(raw) and any(_fits(str(pattern), raw, plain) for pattern in patterns)


def _header(name: str, request: Request) -> tuple[bool, str, str]:
    """Several lines of a name are one list (RFC 9110 section 5.2); an empty one is none."""
    lines = [value.strip(" ") for one, value in request.headers if one.lower() == name.lower()]
    whole = ", ".join(lines)
    return bool(whole), whole, whole


def _cookie(name: str, request: Request) -> tuple[bool, str, str]:
    """The first of a name."""
    for pair in "; ".join(line.strip(" ") for line in request.cookies).split(";"):
        one, mark, value = pair.lstrip(" \t").partition("=")
        if mark and one == name:
            return True, value, value
    return False, "", ""


def _query(name: str, request: Request) -> tuple[bool, str, str]:
    """The first of a name, decoded; an expression is for what was sent."""
    for pair in request.query.split("&"):
        one, _, value = pair.partition("=")
        if _decode(one) == name:
            return True, value, _decode(value)
    return False, "", ""


def _decode(text: str) -> str:
    return urllib.parse.unquote_to_bytes(text.replace("+", " ")).decode("latin-1")


def _fits(pattern: str, raw: str, plain: str) -> bool:
    sign, _, expression = pattern.partition(" ")
    if sign in {"~", "~*"} and expression:
        flags = re.DOTALL | (re.IGNORECASE if sign == "~*" else 0)
        return re.search(expression.replace("(?<", "(?P<"), raw, flags) is not None
    written = ".*".join(map(re.escape, _sent(pattern).split("*")))
    return re.fullmatch(written, plain, re.DOTALL) is not None
