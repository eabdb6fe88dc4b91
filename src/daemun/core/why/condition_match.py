"""Whether a request is one of those that the `when` of a route is for. Pure.

What only nginx knows (a share of the visitors, the country of an address that is not read) is None: perhaps.
"""

import collections.abc
import dataclasses
import ipaddress
import re
import urllib.parse

from daemun.core.options import access_option, when_option
from daemun.core.texts import expressions


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """headers: as sent, in their order. address: of the visitor; None: not known."""

    method: str = "GET"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    address: str | None = None

    def header(self, name: str) -> str:
        """Several lines of a name are one list (RFC 9110 section 5.2); of Cookie nginx makes one line."""
        between = "; " if name.lower() == "cookie" else ", "
        return between.join(value.strip(" ") for one, value in self.headers if one.lower() == name.lower())


def holds(when: when_option.When | None, request: SentRequest) -> bool | None:
    """None: it depends on what is not known here."""
    if when is None:
        return True
    found = tuple(_each(when, request))
    if False in found:
        return False
    return None if None in found else True


def is_in(address: str | None, networks: collections.abc.Iterable[str]) -> bool | None:
    """Whether an address is in one of these networks; None: it is not known."""
    if address is None:
        return None
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return any((mapped or found) in ipaddress.ip_network(one, strict=False) for one in networks)


def _each(when: when_option.When, request: SentRequest) -> collections.abc.Iterator[bool | None]:
    if when.method:
        yield request.method in when.method
    if when.address:
        yield is_in(request.address, access_option.networks(when.address))
    if when.country is not None or (when.probability is not None and when.probability < when_option.CERTAIN):
        yield None
    for one in when.header:
        value = request.header(one.name)
        yield _is_wanted(one, value or None, value)
    for one in when.cookie:
        found = _find_cookie(request.header("Cookie"), one.name)
        yield _is_wanted(one, found, found or "")
    for one in when.query:
        sent = _find_parameter(request.query, one.name)
        yield _is_wanted(one, sent, _decode(sent or ""))


def _is_wanted(one: when_option.NamedValue, raw: str | None, plain: str) -> bool:
    if one.is_absent or not one.patterns:
        return (raw is not None) is not one.is_absent
    return bool(raw) and any(_fits(pattern, raw or "", plain) for pattern in one.patterns)


def _fits(pattern: str, raw: str, plain: str) -> bool:
    sign, _, expression = pattern.partition(" ")
    if sign in {"~", "~*"} and expression:
        return expressions.matches(expression, raw, of_either_case=sign == "~*")
    written = ".*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(written, plain, re.DOTALL) is not None


def _find_cookie(line: str, name: str) -> str | None:
    for pair in line.split(";"):
        one, mark, value = pair.lstrip(" \t").partition("=")
        if mark and one == name:
            return value
    return None


def _find_parameter(query: str, name: str) -> str | None:
    for pair in query.split("&"):
        one, _, value = pair.partition("=")
        if _decode(one) == name:
            return value
    return None


def _decode(text: str) -> str:
    return urllib.parse.unquote(text.replace("+", " "))
