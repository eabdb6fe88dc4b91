"""The paths that applications want answered, at the paths of a site that lead to them. Pure.

Behind "/" these are all answers of the preset. Behind a prefix the application lies in a folder of its own, and what
its preset closes is closed below that prefix; where it leads elsewhere is for the root of a host ("/.well-known/").
"""

import collections.abc
import dataclasses

from daemun.core import arguments, model
from daemun.core.options import app_option
from daemun.core.texts import expressions, patterns, route_paths, words
from daemun.sources import app_preset


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppRoute:
    """A route that leads to an application of its own, not to a part of the one around it."""

    route: model.Route
    app: app_preset.Preset


class UnplacedPathError(ValueError):
    """A path of a preset that cannot be written below a prefix. The text follows the name of the application's key."""


def find(
    routes: collections.abc.Iterable[model.Route],
    choose: collections.abc.Callable[[str | None], app_preset.Preset | None],
) -> collections.abc.Iterator[AppRoute]:
    """routes: of a site. choose: the preset that a route names, or does not."""
    found: dict[str, AppRoute] = {}
    for route in routes:
        if not route_paths.is_prefix(route.path) or not isinstance(route.action, model.Proxy):
            continue
        app = choose(app_option.OPTION.of(route.action))
        if app is not None:  # of several of a path, the last is the one without a condition
            found[route.path] = AppRoute(route=route, app=app)
    for one in found.values():
        if not any(_is_around(outer, one) for outer in found.values()):
            yield one


def _is_around(outer: AppRoute, inner: AppRoute) -> bool:
    path, whole = outer.route.path, inner.route.path
    is_within = path != whole and whole.startswith(path) and outer.app.name == inner.app.name
    is_named = isinstance(inner.route.action, model.Proxy) and app_option.OPTION.of(inner.route.action) is not None
    return is_within and (not is_named or _servers(outer.route) == _servers(inner.route))


def _servers(route: model.Route) -> frozenset[tuple[object, ...]]:
    targets = route.action.targets if isinstance(route.action, model.Proxy) else ()
    return frozenset((one.host, one.port, one.socket, one.pool) for one in targets)


def make_routes(
    found: AppRoute, written: collections.abc.Collection[model.Route]
) -> collections.abc.Iterator[model.Route]:
    """written: of the site, whose paths are its own. Raises: UnplacedPathError."""
    prefix, taken = found.route.path, {one.path for one in written}
    for answer in found.app.make_routes((), found.route.origin):
        paths: tuple[str, ...] = (answer.path,)
        if prefix != "/":
            is_closed = isinstance(answer.action, model.Respond) and answer.action.refuses
            paths = place(answer.path, prefix, is_replaced=_is_replaced(found.route)) if is_closed else ()
        yield from (dataclasses.replace(answer, path=path) for path in paths if path not in taken)


def _is_replaced(route: model.Route) -> bool:
    """Whether another path stands for the prefix: /cloud of `to: http://app/` leads /cloudx to /x."""
    return isinstance(route.action, model.Proxy) and any(target.path is not None for target in route.action.targets)


def place(path: str, prefix: str, *, is_replaced: bool) -> tuple[str, ...]:
    """The path of a preset below a prefix, as the site's visitors send it. Raises: UnplacedPathError."""
    bare = prefix.rstrip("/")
    text = route_paths.find_literal(path)
    if text is not None:
        sign = "" if route_paths.is_prefix(path) else "= "
        beside = f"{bare}{text.removeprefix('/')}"
        more = (f"{sign}{beside}",) if is_replaced and bare == prefix and beside != bare else ()
        return (f"{sign}{bare}{text}", *more)
    sign, expression = "~*", rf"\.(?:{'|'.join(map(arguments.in_regex, route_paths.find_endings(path)))})$"
    if route_paths.find_kind(path) is route_paths.PathKind.EXPRESSION:
        sign, expression = route_paths.split_expression(path)
    is_glued = is_replaced and bare == prefix
    placed = f"^{arguments.in_regex(bare)}{_behind(expression, is_glued=is_glued)}"
    if (cause := expressions.check(placed)) is not None or "^" in _anchors(placed[1:]):
        cause = cause or 'has "^" in one of several places; write it at the start of each'
        where = f"closes {words.quoted(path)}, which cannot be written below {words.quoted(prefix)}"
        raise UnplacedPathError(f"{where}: it {cause}")
    return (f"{sign} {placed}",)


def _behind(expression: str, *, is_glued: bool) -> str:
    """An expression that is looked for behind the prefix. is_glued: the prefix stands for the first slash, too."""
    begins = expressions.begins_at_start(expression)
    rest, depth, is_several = [], 0, False
    for kind, text in patterns.tokens(expression):
        depth += {"open": 1, "close": -1}.get(kind, 0)
        is_several = is_several or (kind == "either" and depth == 0)
        rest += [] if begins and text == "^" and depth == 0 else [text]
    if is_glued and rest[:1] == ["/"] and not is_several:
        return f"{'/?' if begins else '(?:.*/)?'}{''.join(rest[1:])}"
    return f"{'' if is_glued else '(?=/)'}{'' if begins else '.*'}(?:{''.join(rest)})"


def _anchors(expression: str) -> set[str]:
    return {text for kind, text in patterns.tokens(expression) if kind == "anchor"}
