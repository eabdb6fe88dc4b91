"""What a request carries to where an answer leads it, as browsers and curl have it: that may be a site of somebody
else. Pure."""

import collections.abc
import dataclasses
import re

from daemun.core.why import condition_match, requested_url, url_facts

Cookies = collections.abc.Mapping[tuple[str, str], str]
"""Values by where they go and name: to one host, or, beginning with a dot, to a domain with all below it."""

_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
_DOMAIN = re.compile(r"\s*domain\s*=", re.IGNORECASE)
_MOST_COOKIES = 20


def follow(
    url: requested_url.RequestedUrl,
    first: requested_url.RequestedUrl,
    request: condition_match.SentRequest,
    cookies: Cookies,
) -> condition_match.SentRequest:
    """The request for `url`, to which answers of `first` led.

    request: that for `first`, with the headers that the owner gave for it: they go to its host alone, and in the clear
    only if they did so before. Cookies go where RFC 6265 section 5.4 sends them."""
    is_first = url.host == first.host and (url.is_https or not first.is_https)
    given = request.headers if is_first else tuple(pair for pair in request.headers if pair[0].lower() in _HARMLESS)
    fitting = [f"{name}={value}" for (scope, name), value in cookies.items() if _is_within(url.host, scope)]
    if fitting:
        own = [value for name, value in given if name.lower() == "cookie"]
        others = tuple(pair for pair in given if pair[0].lower() != "cookie")
        given = (*others, ("Cookie", "; ".join([*own, *fitting])))
    return dataclasses.replace(request, headers=given)


def read_cookies(answer: url_facts.HttpAnswer, host: str, *, is_https: bool = True) -> dict[tuple[str, str], str]:
    """Those that an answer of the host sets, as far as a browser would take them (RFC 6265bis section 5.7)."""
    found: dict[tuple[str, str], str] = {}
    for line in answer.every("set-cookie")[:_MOST_COOKIES]:
        pair, *attributes = line.split(";")
        name, mark, value = pair.partition("=")
        domains = [one.partition("=")[2].strip().lower() for one in attributes if _DOMAIN.match(one)]
        scope = f".{domains[-1].lstrip('.')}" if domains and domains[-1] else host
        is_wide = scope.count(".") < 2 and scope != host  # as .com is
        if not is_https and any(one.strip().lower() == "secure" for one in attributes):
            continue
        if mark and name.strip().isprintable() and _is_within(host, scope) and not is_wide:
            found[scope, name.strip()] = value.strip()
    return found


def _is_within(host: str, scope: str) -> bool:
    return host == scope or (scope.startswith(".") and f".{host}".endswith(scope))
