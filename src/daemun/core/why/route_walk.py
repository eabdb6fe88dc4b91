"""Which route of a site takes a request, and which were near. Pure.

The rule is that of `texts.route_paths`; of several routes of one path the first whose `when` holds.
"""

import dataclasses

from daemun.core import model
from daemun.core.options import when_option
from daemun.core.texts import route_paths, words
from daemun.core.why import condition_match

MOST_NEAR = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RouteWalk:
    """route: None: none takes it. path: of the routes that were looked at; None: no path is for it. perhaps: the route
    is taken only where something holds that is not known here. passed: entries of the path whose `when` does not hold.
    beside: other paths that are for the request, too, and count less. near: paths that may be meant."""

    route: model.Route | None = None
    path: str | None = None
    perhaps: bool = False
    passed: tuple[model.Route, ...] = ()
    beside: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


def walk(site: model.Site, path: str, request: condition_match.SentRequest) -> RouteWalk:
    """path: as `RequestedUrl.path`."""
    paths = tuple(dict.fromkeys(route.path for route in site.routes))
    index = route_paths.choose(paths, path)
    if index is None:
        return RouteWalk(near=find_near(paths, path))
    taken = paths[index]
    beside = tuple(one for one in paths if one != taken and route_paths.matches(one, path))
    passed: list[model.Route] = []
    perhaps: model.Route | None = None
    for route in (one for one in site.routes if one.path == taken):
        found = condition_match.holds(when_option.OPTION.of(route), request)
        if found:
            chosen = perhaps or route
            return RouteWalk(
                route=chosen, path=taken, perhaps=perhaps is not None, passed=tuple(passed), beside=beside[:MOST_NEAR]
            )
        if found is None:
            perhaps = perhaps or route
        else:
            passed.append(route)
    return RouteWalk(
        route=perhaps, path=taken, perhaps=perhaps is not None, passed=tuple(passed), beside=beside[:MOST_NEAR]
    )


def find_near(paths: tuple[str, ...], path: str) -> tuple[str, ...]:
    """Paths that a slip keeps from being for a request: a slash, capitals, a letter."""
    literal = {one: text for one in paths if (text := route_paths.find_literal(one)) is not None}
    same = [one for one, text in literal.items() if text.rstrip("/").lower() == path.rstrip("/").lower()]
    below = [
        one
        for one, text in literal.items()
        if one not in same
        and len(text.strip("/")) > 1
        and f"{path.lower()}/".startswith(f"{text.rstrip('/').lower()}/")
    ]
    slips = [
        one
        for one, text in literal.items()
        if one not in {*same, *below} and words.nearest(_begin(path, text), (text.rstrip("/"),)) and text != "/"
    ]
    return (*same, *below, *slips)[:MOST_NEAR]


def _begin(path: str, like: str) -> str:
    """As many parts of a path as another one has."""
    return "/".join(path.split("/")[: len(like.rstrip("/").split("/"))])
