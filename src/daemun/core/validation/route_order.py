"""Routes seen together: which can never be reached, and which open what another one guards. Pure.

An exact path, a suffix or an expression is taken before a prefix, whatever that prefix guards.
"""

import collections.abc

from daemun.core import model, problem_report
from daemun.core.options import access_option
from daemun.core.texts import route_paths, words

_EVERYTHING = frozenset({"^", "/", "^/", ".", ".*", ".*$", "^.*", "^.*$", "^/.*", "^/.*$", "^.", "/.*", "/.*$"})
"""Expressions that are found in every path."""


def check(site: model.Site, report: problem_report.ProblemReport) -> None:
    if all(route_paths.is_prefix(route.path) for route in site.routes):
        return
    for route, cause in (*_find_unreachable(site.routes), *_find_opening(site.routes)):
        report.at(route.origin).add(cause, *route.field, severity=model.Severity.WARNING)


Found = collections.abc.Iterator[tuple[model.Route, str]]


def _find_unreachable(routes: tuple[model.Route, ...]) -> Found:
    before: list[model.Route] = []
    for route in routes:
        if route_paths.is_ordered(route.path):
            others = (one for one in before if one.path != route.path)
            taker = next((one for one in others if _takes_all_of(one.path, route.path)), None)
            if taker is not None:
                yield route, f"can never be reached: {words.quoted(taker.path)} comes before it and takes its requests"
            before.append(route)
    taker = next((one for one in before if _takes_everything(one.path)), None)
    if taker is not None:
        cause = f"can never be reached: {words.quoted(taker.path)} takes every request before prefixes are looked at"
        yield from ((route, cause) for route in routes if route_paths.is_prefix(route.path))
        return
    for route in filter(lambda one: route_paths.is_prefix(one.path), routes):
        # Of a container, its owner cannot change the file's, and the message has nothing of it.
        others = (one for one in before if one.origin.source == route.origin.source)
        taker = next((one for one in others if _takes_all_below(one.path, route.path)), None)
        if taker is not None:
            better = "".join(sign if sign.isalnum() or sign in "/_-" else f"\\{sign}" for sign in route.path)
            yield (
                route,
                f"can never be reached: {words.quoted(taker.path)} takes its requests before prefixes are looked at; "
                f"write it as the expression {words.quoted(f'~ ^{better}')} above that",
            )


def _takes_all_below(path: str, prefix: str) -> bool:
    """Whether an expression is found in every path that begins with the prefix: in the prefix itself, and it does not
    look at what follows."""
    if not route_paths.is_of_file(path) or any(one in path for one in ("$", r"\b", r"\B", "(?=", "(?!")):
        return False
    return route_paths.matches(path, prefix)


def _takes_everything(path: str) -> bool:
    return route_paths.find_kind(path) is route_paths.PathKind.EXPRESSION and (
        route_paths.split_expression(path)[1] in _EVERYTHING
    )


def _takes_all_of(path: str, later: str) -> bool:
    if _takes_everything(path):
        return True
    if {route_paths.find_kind(path), route_paths.find_kind(later)} == {route_paths.PathKind.SUFFIX}:
        return all(route_paths.matches(path, f"/x.{ending}") for ending in route_paths.find_endings(later))
    return (
        route_paths.is_ordered(later)
        and route_paths.split_expression(path)[1] == (route_paths.split_expression(later)[1])
    )


def _find_opening(routes: tuple[model.Route, ...]) -> Found:
    """Suffixes and expressions without an access of their own beside prefixes that have one."""
    guarded = [
        route
        for route in routes
        if route_paths.is_prefix(route.path) and (access := _own_access(route)) is not None
        if access.conditions
    ]
    for route in routes:
        if not route_paths.is_ordered(route.path) or _own_access(route) is not None or _refuses(route):
            continue
        for one in guarded:
            if (example := _find_example(route.path, one.path)) is not None:
                yield (
                    route,
                    f"is taken before {words.quoted(one.path)}, whose `access` does not hold here: a request for "
                    f"{words.quoted(example)} comes in as everywhere on the site; give this route that `access`, or "
                    "`access: public` if it is meant",
                )
                break


def _own_access(route: model.Route) -> access_option.Access | None:
    return access_option.OPTION.of(route)


def _refuses(route: model.Route) -> bool:
    return isinstance(route.action, model.Respond) and route.action.refuses


def _find_example(path: str, prefix: str) -> str | None:
    """A request for both: of a suffix any, of an expression one that it may be found in, as far as can be known."""
    begin = prefix if prefix.endswith("/") else f"{prefix}/"
    if endings := route_paths.find_endings(path):
        return f"{begin}x.{endings[0]}"
    expression = route_paths.split_expression(path)[1]
    start = _find_start(expression)
    if start is not None and not (start.startswith(prefix) or prefix.startswith(start)):
        return None
    tries = (f"{begin}x", f"{begin}1", begin, prefix, f"{begin}x.js", f"{begin}x.php", f"{begin}x/1")
    return next((one for one in tries if route_paths.matches(path, one)), begin)


def _find_start(expression: str) -> str | None:
    """The characters with which every path begins that an expression is found in; None: any."""
    if not expression.startswith("^"):
        return None
    plain = ""
    for sign in expression[1:]:
        if sign in "\\[](){}*+?|^$.":
            return plain[:-1] if sign in "*?{" else ("" if sign == "|" else plain)
        plain += sign
    return plain
