"""Routes that are closed to visitors whom the route around them lets in, and expressions for their paths that nginx has
room for. Pure."""

import collections.abc

from daemun.core import model
from daemun.core.options import access_option
from daemun.core.render import effective_access, site_scope
from daemun.core.texts import route_paths

END = r"(?![\s\S])"
_MOST_BYTES = 3900
"""nginx takes arguments of 4,096 bytes, in which some signs are written as two (`serialise`)."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def find_all(scope: site_scope.Scope) -> collections.abc.Iterator[str]:
    """The paths of routes that keep out whom the route around them lets in to the same server. Around a suffix is each
    prefix."""
    around = [one for one in scope.site.routes if route_paths.is_prefix(one.path) and passes_on(one)]
    for route in scope.site.routes if around else ():
        path = route_paths.find_literal(route.path)
        is_suffix = bool(route_paths.find_endings(route.path))
        if not is_suffix and (path is None or not path.strip("/")):
            continue
        outer = (
            one for one in around if is_suffix or (one.path != route.path and bare(route.path).startswith(one.path))
        )
        if any(is_more_open(scope, one, route) for one in outer):
            yield route.path


def passes_on(route: model.Route) -> bool:
    return isinstance(route.action, model.Proxy) and route.action.php is None


def is_more_open(scope: site_scope.Scope, outer: model.Route, route: model.Route) -> bool:
    if isinstance(route.action, model.Respond):
        return route.action.refuses
    if access_option.OPTION.of(route) is None and access_option.OPTION.of(outer) is None:
        return False  # that of the site holds for both
    access = effective_access.of_route(scope, route).access
    if not access.conditions or _lets_all_in(access) or not _share_server(outer.action, route.action):
        return False
    further_out = effective_access.of_route(scope, outer).access
    return any(getattr(access, name) != getattr(further_out, name) for name in (*access.conditions, "any"))


def _lets_all_in(access: access_option.Access) -> bool:
    """`allow: [public]`, as it stands beside limits: they alone would leave the conditions from further out."""
    networks = access_option.networks(access.allow, {})
    is_open = {*access_option.NAMED_NETWORKS[access_option.PUBLIC]} <= {*networks}
    return is_open and (access.any or access.conditions == ("allow",))


def _share_server(one: model.Action, other: model.Action) -> bool:
    """Whether they may. Of containers, whose addresses change, it is not known."""
    if not isinstance(one, model.Proxy) or not isinstance(other, model.Proxy):
        return False
    targets = (*one.targets, *other.targets)
    if any(target.pool is not None for target in targets):
        return True
    places = [{_place(target) for target in action.targets} for action in (one, other)]
    return bool(places[0] & places[1])


def _place(target: model.Target) -> tuple[str | None, int | None]:
    if target.socket is not None:
        return target.socket, None
    return "localhost" if target.host in _LOOPBACK else target.host, target.port


def bare(path: str) -> str:
    return path.removeprefix("= ")


def is_of_more_names(path: str) -> bool:
    """A prefix without a slash at its end: /admin is that of /administrator, too."""
    return route_paths.is_prefix(path) and not path.endswith("/")


def fit(path: str, write: collections.abc.Callable[[str], str]) -> str:
    """What is written of the path of a closed route, or of so much of its beginning as nginx has room for: it closes
    more spellings then, and never fewer."""
    expression = write(path)
    while _size(expression) >= _MOST_BYTES and len(bare(path)) > 2:
        path = bare(path)[: max(2, len(bare(path)) * 3 // 4)]
        expression = write(path)
    return expression


def join(alternatives: collections.abc.Iterable[str]) -> list[str]:
    """As few expressions as nginx has room for."""
    found: list[str] = []
    for one in alternatives:
        if found and _size(f"{found[-1]}|{one}") < _MOST_BYTES:
            found[-1] += f"|{one}"
        else:
            found.append(one)
    return found


def has_room(expression: str) -> bool:
    return _size(expression) < _MOST_BYTES


def _size(expression: str) -> int:
    return len(expression.encode()) + sum(expression.count(sign) for sign in "\\\"'")
