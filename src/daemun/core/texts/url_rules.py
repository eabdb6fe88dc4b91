"""Rules for URLs and for the paths of routes, targets and redirects. Each returns the cause of a refusal, or None."""

import re
import urllib.parse

from daemun.core.texts import (
    cures,
    expressions,
    match_times,
    path_patterns,
    patterns,
    route_paths,
    rules,
    spellings,
    variable_rules,
    words,
)

MAX_PATH_BYTES = 255
"""Of a route: nginx keeps the length of a location's name in one byte in older versions (`ngx_http_core_module.h`)."""
REDIRECT_STATUSES = (301, 302, 303, 307, 308)

_CAPTURE = re.compile(r"\$(?:[1-9]|\{[1-9]\})")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]*\Z")
_AMBIGUOUS = re.compile("%(?:2f|3f|[01][0-9a-f]|7f|(?![0-9a-f]{2}))", re.IGNORECASE)
"""An encoded slash, question mark or control character, or a % that encodes nothing: decoding changes the meaning."""
_UNSAFE_IN_URL = re.compile(r"""["<>\\^`{|}]""")


def check_route_path(path: str, *, with_patterns: bool = False, used_in: str = "") -> str | None:
    """The path of a route, in the forms of `route_paths`; with_patterns: or a container's regular expression. nginx
    compares them with decoded paths. used_in: a text that uses groups of it."""
    cause = _find_path_cause(path, with_patterns=with_patterns, used_in=used_in)
    if cause is None or "; write " in cause:
        return cause
    return f"{cause}{cures.write(_find_path_cause, *spellings.paths(path), *spellings.expressions_of(path))}"


def _find_path_cause(path: str, *, with_patterns: bool = False, used_in: str = "") -> str | None:
    cause = rules.check_text(path)
    if cause is not None:
        return cause
    kind = route_paths.find_kind(path)
    if kind is route_paths.PathKind.SUFFIX:
        return route_paths.check_suffix(path)
    if kind is route_paths.PathKind.EXPRESSION and (with_patterns or route_paths.is_of_file(path)):
        before, expression = route_paths.split_expression(path)
        is_of_file = route_paths.is_of_file(path)
        if is_of_file:
            return expressions.check(expression, f"{before} ", used_in)
        return patterns.check(expression) or match_times.find_cause(expression)
    path = path.removeprefix("= ")
    size, decoded = len(path.encode()), urllib.parse.unquote(path)
    if not path.startswith("/"):
        cause = 'must start with "/"'
    elif path != path.strip():
        cause = "ends in white space"
    elif size > MAX_PATH_BYTES:
        cause = f"is too long: {size} bytes, at most {MAX_PATH_BYTES}"
    elif (sign := path_patterns.find(path)) is not None:
        cause = (
            f"holds {words.quoted(sign)}, which is a pattern in other tools; a route is a prefix, and this one "
            f"would never match{path_patterns.find_way(path)}"
        )
    elif "?" in path or "#" in path:
        cause = 'holds "?" or "#"; a query is a condition of a route: `when: {query: {name: value}}`'
    elif "//" in path or any(part in {".", ".."} for part in path.split("/")):
        cause = 'holds "//", "." or "..", which nginx resolves before it chooses a route, so it would never match'
    elif decoded != path:
        cause = "is percent-encoded, but nginx compares decoded paths"
    return cause


def check_target_path(path: str) -> str | None:
    """What replaces a matched prefix. nginx sends it as it is."""
    cause = _find_target_path_cause(path)
    return None if cause is None else f"{cause}{cures.write(_find_target_path_cause, *spellings.target_paths(path))}"


def _find_target_path_cause(path: str) -> str | None:
    cause = rules.check_text(path)
    if cause is not None:
        return cause
    bad = _AMBIGUOUS.search(path)
    if not path.startswith("/"):
        cause = f'path {words.quoted(path)} must start with "/"'
    elif "?" in path or "#" in path:
        cause = "a target cannot hold a query or a fragment; the request's own query is passed on"
    elif ".." in path.split("/"):
        cause = 'its path holds ".."'
    elif "$" in path:
        cause = "holds a $, and a target's path takes no variables: what follows the route's path is appended by itself"
    elif bad is not None:
        cause = f"holds {words.quoted(path[bad.start() :][:3])}, which nginx cannot send unchanged; remove it"
    elif "\ufffd" in urllib.parse.unquote(path):
        cause = "is not UTF-8 when it is decoded"
    else:
        cause = _check_url_characters(path)
    return cause


def check_redirect(to: str) -> str | None:
    """Where a redirect leads: an http(s) URL or a path, variables allowed."""
    cause = _find_redirect_cause(to)
    return None if cause is None else f"{cause}{cures.write(_find_redirect_cause, *spellings.redirects(to))}"


def _find_redirect_cause(to: str) -> str | None:
    cause = rules.check_text(to) or variable_rules.find_cause(to)
    if cause is not None:
        return cause
    if (capture := _CAPTURE.search(to)) is not None:
        return (
            f"holds {words.quoted(capture.group())}, a part of a regular expression, and there is none: "
            "`$request_uri` is the whole path and query of the request, `$uri` the path"
        )
    if (status := spellings.split_status(to)) is not None:
        return f"holds a status, which stands beside it, `status: {status[1]}`"
    scheme, separator, rest = to.partition("://")
    is_url = bool(separator) and scheme.lower() in {"http", "https"} and bool(rest.strip("/"))
    if not is_url and not to.startswith(("/", "$")):
        return 'is neither a URL ("https://example.com/x") nor a path ("/x")'
    return _check_url_characters(variable_rules.VARIABLE.sub("$", to))


def _check_url_characters(text: str) -> str | None:
    bad = next((char for char in text if not _VISIBLE_ASCII.match(char) or _UNSAFE_IN_URL.match(char)), None)
    if bad is None:
        return None
    return f"holds {words.quoted(bad)}, which a URL cannot"


def check_directory(text: str) -> str | None:
    """RFC 8555 section 6.1: ACME is spoken over HTTPS only."""
    return rules.check_text(text) or (None if _is_url(text, "https") else "is not an https URL")


def check_web_url(text: str) -> str | None:
    """What daemun itself sends requests to: http or https, without a user."""
    return rules.check_text(text) or (None if _is_url(text, "http", "https") else "is not an http or https URL")


def _is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
    return good and _VISIBLE_ASCII.match(text) is not None
