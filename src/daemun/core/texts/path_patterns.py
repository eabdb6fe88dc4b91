"""Paths of routes that are patterns in other tools, and what to write instead: a route here is a prefix. Pure."""

import re

from daemun.core.texts import words

_PATTERN = re.compile(
    r"\A/?[~=]\S* |\(\?|\.[*+]|\$\Z|(?<=/):(?=[A-Za-z_])|\*|\{[^{}]+\}|[|^\\]|\[[^\[\]]+\]"
    r"|<(?:[A-Za-z_]+:)?[A-Za-z_][A-Za-z0-9_]*>|,(?=\s*/)"
)
"""What stands for other texts in nginx's expressions, in paths of Caddy, Traefik, Express and Flask, or for several."""
_STAR = re.compile(r"(/[^*{}|^\\\[\]()$]*)\*{1,2}")
_EITHER = re.compile(r"(/[^()|]*)\(([^()|]+(?:\|[^()|]+)+)\)([^()|]*)")
_COMMA = re.compile(r",(?=\s*/)")
_SUFFIX = re.compile(r"/?\*{1,2}(?:/\*)?\.([A-Za-z0-9]+)\$?")
_EXACT = re.compile(r"(/[^*{}|^\\\[\]()$]*)\$")


def find(path: str) -> str | None:
    """The first part of a path that stands for other texts; None: it is what it is."""
    sign = _PATTERN.search(path)
    return None if sign is None else sign.group()


def find_prefix(path: str) -> str:
    """The prefix that a path with a star at its end means in other tools: "/api/*" is "/api/"."""
    match = _STAR.fullmatch(path)
    prefix = None if match is None else match.group(1)
    if prefix is None or prefix.endswith((".", "?")) or find(prefix) is not None:
        return path  # of another pattern the star is a part
    return prefix


def find_way(path: str) -> str:
    """What to write instead of a pattern, where that is no prefix."""
    several = [part.strip() for part in _COMMA.split(path)]
    if len(several) > 1 and all(part.startswith("/") and find(part) is None for part in several):
        return f"; write a route for each of {words.listed(map(words.quoted, several), last='and')}"
    either = _EITHER.fullmatch(path)
    if either is not None:
        each = (words.quoted(f"{either[1]}{one}{either[3]}") for one in either[2].split("|"))
        return f"; write a route for each of {words.listed(each, last='and')}"
    suffix = _SUFFIX.fullmatch(path)
    if suffix is not None:
        return f"; write {words.quoted(f'*.{suffix[1]}')} for every path that ends so"
    exact = _EXACT.fullmatch(path)
    if exact is not None:
        return f"; write {words.quoted(f'= {exact[1]}')} for that path alone"
    return ""
