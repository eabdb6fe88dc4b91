"""The rule of docs/CONFIGURATION.md by which a request finds its route, written down once more, and routes to try it
with: independent of what daemun makes of it."""

import dataclasses
import random
import re
import urllib.parse

SEGMENTS = ("a", "b", "ab", "aa", "x.js", "y.css", "z.JS", "1", "22", "a%20b", "c%0a", "가", "d.js%0a", "x=", "b~")
EXPRESSIONS = (
    "^/a",
    "^/a/.*$",
    "/[0-9]+$",
    "^/(?<name>[a-z]+)/b$",
    r"\.js$",
    "b/(?:1|22)$",
    "^/$",
    "a{2}",
    "^/a b",
    "^/(?!a).*b",
)
ENDINGS = ("*.js", "*.css", "*.{js,css}", "*.{css,png}")


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """The paths of the routes of a site, in the order of its file."""

    paths: tuple[str, ...]


def make_tree(chance: random.Random, tries: int | None = None) -> Tree:
    """tries: how many paths are drawn, of which some are the same."""
    paths: dict[str, None] = {}
    for _ in range(chance.randint(1, 9) if tries is None else tries):
        literal = "/" + "/".join(chance.choices(SEGMENTS, k=chance.randint(0, 3)))
        literal = urllib.parse.unquote(literal).replace("\n", "")
        literal += "/" if literal != "/" and chance.random() < 0.4 else ""
        kinds = (
            literal,
            literal,
            f"= {literal}",
            chance.choice(ENDINGS),
            f"~ {chance.choice(EXPRESSIONS)}".replace("a b", r"a\sb"),
            f"~* {chance.choice(EXPRESSIONS)}".replace("a b", r"a\sb"),
        )
        paths[chance.choice(kinds)] = None
    return Tree(tuple(paths))


def make_request(chance: random.Random, tree: Tree) -> str:
    """A path as a client sends it: any, or one that is near to a route."""
    some = "/" + "/".join(chance.choices(SEGMENTS, k=chance.randint(0, 4)))
    if chance.random() < 0.5:
        literal = chance.choice(tree.paths).removeprefix("= ")
        if literal.startswith("/"):
            some = literal + chance.choice(("", "", some.lstrip("/"), "/x.js"))
    some = re.sub("//+", "/", some)
    return urllib.parse.quote(urllib.parse.unquote(some)) + chance.choice(
        ("", "", "/" if some != "/" else "", "?a=/b.js")
    )


def find_route(tree: Tree, requested: str) -> str | None:
    """Exact, then suffixes and expressions in the file's order, then the longest prefix."""
    path = re.sub("//+", "/", urllib.parse.unquote(requested.partition("?")[0]))
    if f"= {path}" in tree.paths:
        return f"= {path}"
    for one in tree.paths:
        if find_ordered(one, path):
            return one
    prefixes = [one for one in tree.paths if one.startswith("/") and path.startswith(one)]
    return max(prefixes, key=len, default=None)


def find_ordered(one: str, path: str) -> bool:
    """Whether it is a suffix or an expression that is for a path."""
    if one.startswith("*"):
        return re.search(_ending(one), path, re.IGNORECASE) is not None
    sign, _, expression = one.partition(" ")
    flags = re.DOTALL | (re.IGNORECASE if sign == "~*" else 0)
    return sign in {"~", "~*"} and re.search(expression.replace("(?<", "(?P<"), path, flags) is not None


def _ending(suffix: str) -> str:
    inside = suffix.removeprefix("*.").strip("{}").replace(",", "|")
    return rf"\.(?:{inside})$"
