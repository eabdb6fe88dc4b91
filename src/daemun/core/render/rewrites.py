"""Whether an owner's `rewrite` lines change the paths of a route. Where that cannot be excluded, they may.

What a site rewrites concerns a route when a request for one of its paths ends at another of them: some line takes it
from there, and one, the same or another, leads there. Who comes from elsewhere is known by what the visitor requested.
"""

import re

from daemun.core import directive, model
from daemun.core.texts import route_paths

_ENDING = frozenset({"redirect", "permanent"})
_PLAIN = re.compile(r"\^?((?:[A-Za-z0-9/_~%@!,:;=&-]|\\[./-])*)")
_ENDS = frozenset({"$", "\\z", "\\Z"})
_REPEATED = frozenset("*?{")


def may_change(route: model.Route, site: model.Snippet) -> bool:
    """site: what stands beside the route's location."""
    if _changes_itself(route):
        return True
    lines = _find_moving(route, site)
    path = route_paths.find_literal(route.path)
    if path is None:
        return bool(lines)
    return any(_takes(line, path) for line in lines) and any(_leads_to(line, path) for line in lines)


def may_lead_to(route: model.Route, site: model.Snippet) -> bool:
    """The same, also of requests for other paths."""
    lines, path = _find_moving(route, site), route_paths.find_literal(route.path)
    return _changes_itself(route) or any(path is None or _leads_to(line, path) for line in lines)


def _changes_itself(route: model.Route) -> bool:
    return any(_is_internal(line) for line in _split(route.snippet)[0])


def _find_moving(route: model.Route, site: model.Snippet) -> list[directive.Directive]:
    """The lines that may lead from one location to another."""
    beside, others = _split(site)
    lines = [line for line in beside if _is_internal(line)]
    # `break` in a location leaves a request there.
    inner = _split(route.snippet)[1]
    lines += (line for line in (*others, *inner) if _is_internal(line) and _flag(line) != "break")
    return lines


def _split(nodes: model.Snippet) -> tuple[list[directive.Directive], list[directive.Directive]]:
    """The `rewrite` lines of a level, and those of locations in it."""
    here: list[directive.Directive] = []
    inside: list[directive.Directive] = []
    for node in nodes:
        if isinstance(node, directive.Directive):
            below, deeper = _split(node.block or ())
            own = (node, *below) if node.name == "rewrite" else tuple(below)
            (inside if node.name == "location" else here).extend(own)
            inside += deeper
    return here, inside


def _is_internal(line: directive.Directive) -> bool:
    """Not an answer that sends the visitor elsewhere."""
    to = line.args[1].value if len(line.args) > 1 else ""
    return _flag(line) not in _ENDING and not to.startswith(("http://", "https://", "$scheme"))


def _flag(line: directive.Directive) -> str:
    return line.args[2].value if len(line.args) > 2 else ""


def _takes(line: directive.Directive, path: str) -> bool:
    """Whether it may be for a path below this one."""
    expression = line.args[0].value if line.args else ""
    plain = _PLAIN.match(expression)
    if plain is None or not expression.startswith("^") or _has_choice(expression):
        return True
    begin, rest = plain[1], expression[plain.end() :]
    begin = begin[:-1] if rest[:1] in _REPEATED else begin
    return _may_be_below(begin.removesuffix("\\").replace("\\", ""), path, is_complete=rest in _ENDS)


def _leads_to(line: directive.Directive, path: str) -> bool:
    to = line.args[1].value if len(line.args) > 1 else ""
    begin, sign = re.match(r"([^$?]*)(.?)", to, re.DOTALL).groups()  # type: ignore[union-attr]  # it matches anything
    return _may_be_below(begin, path, is_complete=sign != "$")


def _may_be_below(begin: str, path: str, *, is_complete: bool) -> bool:
    """begin: how a path begins, or the whole of it."""
    return begin.startswith(path) or (not is_complete and path.startswith(begin))


def _has_choice(expression: str) -> bool:
    """Outside of any group: "^/a|^/b"."""
    depth = 0
    for sign in re.sub(r"\\.|\[[^\]]*\]", "", expression):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth == 0:
            return True
    return False
