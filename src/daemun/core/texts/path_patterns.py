"""Paths of routes that are patterns in other tools, and what to write instead: a route here is a prefix. Pure."""

import re

from daemun.core.texts import expressions, words

_PATTERN = re.compile(
    r"\A/?[~=]\S* |\(\?|\.[*+]|\$\Z|(?<=/):(?=[A-Za-z_])|\*|\{[^{}]+\}|[|^\\]|\[[^\[\]]+\]"
    r"|<(?:[A-Za-z_]+:)?[A-Za-z_][A-Za-z0-9_]*>|,(?=\s*/)"
)
"""What stands for other texts in nginx's expressions, in paths of Caddy, Traefik, Express and Flask, or for several."""
_STAR = re.compile(r"(/[^*{}|^\\\[\]()$]*)\*{1,2}")
_EITHER = re.compile(r"(/[^()|]*)\(([^()|]+(?:\|[^()|]+)+)\)([^()|]*)")
_SEPARATOR = re.compile(r"[,|](?=\s*/)")
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
    several = _find_several(path)
    if several:
        return f"; write a route for each of {words.listed(map(words.quoted, several), last='and')}"
    suffix = _SUFFIX.fullmatch(path)
    if suffix is not None:
        return f"; write {words.quoted(f'*.{suffix[1]}')} for every path that ends so"
    exact = _EXACT.fullmatch(path)
    if exact is not None:
        return f"; write {words.quoted(f'= {exact[1]}')} for that path alone"
    everything = _PART.fullmatch(path, 1) if path.startswith("/") else None
    if everything is not None and everything["all"]:
        return '; write "/"'
    expression = _find_expression(path)
    if expression is None:
        return ""
    folder = path[: path.rfind("/", 0, path.index(str(find(path)))) + 1]
    way = words.quoted(f"~ {expression}")
    return f"; write {way}" if len(folder) < 2 else f"; write {words.quoted(folder)} for all below it, or {way}"


def _find_several(path: str) -> list[str]:
    """The prefixes of "/a, /b", "/a|/b" and "/(a|b)"; none: it is something else."""
    either = _EITHER.fullmatch(path)
    if either is not None:
        return [f"{either[1]}{one}{either[3]}" for one in either[2].split("|")]
    parts = [part.strip() for part in _SEPARATOR.split(path)]
    are_prefixes = len(parts) > 1 and all(part.startswith("/") and find(part) is None for part in parts)
    return parts if are_prefixes else []


_PART = re.compile(
    r"(?P<all>\*\*|\(\.\*\)|\.\*|\{\*\w+\}|\{\w+\.\.\.\}|\{\w+:\.[*+]\}|<path:\w+>)"
    r"|(?P<one>\*|\{\w+\}|<(?:[A-Za-z_]+:)?\w+>|(?<=/):\w+)|(?P<expression>\{\w+:(?P<inner>[^{}]+)\})"
)
"""What stands for anything, for one part of a path, and for what fits an expression."""


def _find_expression(path: str) -> str | None:
    """The expression that a pattern means which is no prefix: "/api/*.json" is `^/api/[^/]+\\.json$`. None: it is a
    prefix, or nothing that is known."""
    last = None
    pieces = ["^"]
    end = 0
    for match in _PART.finditer(path):
        pieces.append(_escaped(path[end : match.start()]))
        pieces.append(".*" if match["all"] else "[^/]+" if match["one"] else f"(?:{match['inner']})")
        last, end = match, match.end()
    is_of_folder = last is not None and end == len(path) and path.rfind("/", 0, last.start()) > 0
    if last is None or not path.startswith("/") or is_of_folder or (last["all"] and end == len(path)):
        return None
    expression = "".join([*pieces, _escaped(path[end:]), "" if path.endswith("/") else "$"])
    rest = _PART.sub("", path)
    return expression if find(rest) is None and expressions.check(expression) is None else None


def _escaped(text: str) -> str:
    return re.sub(r"([.+?()\[\]{}|^$*\\])", r"\\\1", text)
