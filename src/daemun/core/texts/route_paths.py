r"""How the path of a route is written, which requests it is for, and which of several routes is taken. Pure.

    /api/            a prefix
    = /exact         this path alone
    *.jpg            a suffix, of either case; *.{css,js}: one of several
    ~ ^/u/[0-9]+$    a regular expression; ~* of either case

One rule: an exact path is taken first, then the first suffix or expression in the order of the file, then the longest
prefix. nginx's is the same, where no prefix has `^~`.
"""

import collections.abc
import enum
import re

from daemun.core.texts import expressions, path_patterns, words

_EXACT = re.compile(r"=\s*(/.*)\Z", re.DOTALL)
_EXPRESSION = re.compile(r"~(\*?)\s*(\S.*)\Z", re.DOTALL)
_SUFFIX = re.compile(r"\*\.(?:([A-Za-z0-9._-]+)|\{([A-Za-z0-9._, -]+)\})\Z")
_ENDING = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?\Z")
MOST_ENDINGS = 40


class PathKind(enum.Enum):
    PREFIX = "prefix"
    EXACT = "exact path"
    SUFFIX = "suffix"
    EXPRESSION = "expression"


def find_kind(path: str) -> PathKind:
    if path.startswith("= "):
        return PathKind.EXACT
    if path.startswith("~"):
        return PathKind.EXPRESSION
    return PathKind.SUFFIX if path.startswith("*") else PathKind.PREFIX


def is_prefix(path: str) -> bool:
    return find_kind(path) is PathKind.PREFIX


def is_ordered(path: str) -> bool:
    """Whether its place among others decides."""
    return find_kind(path) in {PathKind.SUFFIX, PathKind.EXPRESSION}


def is_written(text: str) -> bool:
    """Whether a key is the path of a route, good or not."""
    return text.startswith(("/", "*.", "~ ", "~*", "~^")) or _EXACT.match(text) is not None


def normal(text: str) -> str:
    """A path as it is kept: "=/x" is "= /x", "/api/*" is "/api/"."""
    if (exact := _EXACT.match(text)) is not None:
        return f"= {exact[1]}"
    if (expression := _EXPRESSION.match(text)) is not None:
        return f"~{expression[1]} {expression[2]}"
    if (suffix := _SUFFIX.match(text)) is not None:
        every = [one.strip() for one in (suffix[1] or suffix[2]).split(",")]
        return f"*.{every[0]}" if len(every) == 1 else f"*.{{{','.join(every)}}}"
    return path_patterns.find_prefix(text)


def find_literal(path: str) -> str | None:
    """The path that a prefix or an exact path names; None for the others."""
    match find_kind(path):
        case PathKind.PREFIX:
            return path
        case PathKind.EXACT:
            return path.removeprefix("= ")
        case _:
            return None


def find_endings(path: str) -> tuple[str, ...]:
    """Of a suffix: "css", "js"."""
    match = _SUFFIX.match(path)
    return () if match is None else tuple(one.strip() for one in (match[1] or match[2]).split(","))


def check_suffix(path: str) -> str | None:
    endings = find_endings(path)
    if not endings or not all(map(_ENDING.match, endings)):
        return 'is no suffix; expected a form such as "*.jpg" or "*.{css,js}"'
    if len(endings) > MOST_ENDINGS:
        return f"holds {len(endings)} suffixes, at most {MOST_ENDINGS}"
    twice = next((one for index, one in enumerate(endings) if one in endings[:index]), None)
    return None if twice is None else f"holds {words.quoted(twice)} twice"


def split_expression(path: str) -> tuple[str, str]:
    """nginx's sign ("~" or "~*") and the expression of such a path."""
    sign = "~*" if path.startswith("~*") else "~"
    return sign, path.removeprefix(sign).strip()


def is_of_file(path: str) -> bool:
    """Whether an expression is in the form of daemun.yaml, with named groups; else it is a container's."""
    return path.startswith(("~ ", "~* "))


def find_groups(path: str) -> tuple[str, ...]:
    """The groups that the texts of a route may use."""
    return expressions.find_groups(split_expression(path)[1]) if is_of_file(path) else ()


def written_suffix(path: str) -> str:
    """The expression of a suffix. As "$" may stand before a line break at the end, `%0A` gets around no guard."""
    endings = "|".join(one.replace(".", r"\.").replace("-", r"\-") for one in find_endings(path))
    return rf"(?s)\.(?:{endings})$"


def matches(path: str, requested: str) -> bool:
    """Whether a route of this path is for a request, were it alone."""
    match find_kind(path):
        case PathKind.PREFIX:
            return requested.startswith(path)
        case PathKind.EXACT:
            return requested == path.removeprefix("= ")
        case PathKind.SUFFIX:
            return re.search(written_suffix(path), requested, re.IGNORECASE) is not None
        case PathKind.EXPRESSION:
            sign, expression = split_expression(path)
            return expressions.matches(expression, requested, of_either_case=sign == "~*")


def takes(path: str, requested: str) -> bool:
    """Whether a route of this path goes before a location that daemun makes for exactly this path beside a prefix."""
    return path == requested if is_prefix(path) else matches(path, requested)


def choose(paths: collections.abc.Sequence[str], requested: str) -> int | None:
    """Which of these paths is taken, by its place; None: none is for the request."""
    found = [index for index, path in enumerate(paths) if matches(path, requested)]
    ranks = {PathKind.EXACT: 0, PathKind.SUFFIX: 1, PathKind.EXPRESSION: 1, PathKind.PREFIX: 2}

    def rank(index: int) -> tuple[int, int]:
        kind = find_kind(paths[index])
        return ranks[kind], -len(paths[index]) if kind is PathKind.PREFIX else index

    return min(found, key=rank, default=None)


def order(path: str) -> tuple[bool, str]:
    """A key by which routes are sorted: those whose order counts stay as they are, behind the others."""
    return (True, "") if is_ordered(path) else (False, path)
