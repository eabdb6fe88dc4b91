"""A site's routes as a picture: host, paths, who may come in, servers, with a lamp on each link. Pure.

Everything that is drawn is worked out here, in the units of an SVG's view box: a template writes attributes alone. The
same is there as rows, for those who do not see it.
"""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.access import built_in_sites
from daemun.core.dashboard import access_rules, lamps
from daemun.core.options import when_option

MOST_ROUTES, MOST_SERVERS = 40, 8
"""Of a picture; what is beyond is counted, and the list has all of it."""
WIDTH = 1180
_COLUMNS = {"host": (0, 210), "path": (260, 230), "rule": (540, 270), "server": (860, 320)}
"""The left edge of each, and its width."""
ROW, _HEIGHT, _MARGIN = 44, 30, 7
_SIGN_WIDTH, _PADDING = 7.3, 24
"""Of a sign of the font, at most; and what of a box is no text."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PicturedServer:
    """text: as in the file, or with its address. is_judge: it decides who may come in."""

    text: str
    lamp: lamps.Light
    cause: str | None = None
    is_judge: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PicturedRoute:
    """kind: "proxy", "php", "redirect", "files", "respond", or "own": daemun's own page. lamp: of its servers
    together. when: what a request must have; None: nothing."""

    path: str
    when: str | None
    kind: str
    rules: tuple[access_rules.AccessRule, ...]
    servers: tuple[PicturedServer, ...]
    lamp: lamps.Light


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """kind: a column of the picture. text: short enough for it; whole: all of it."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    text: str
    whole: str
    lamp: lamps.Light | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """path: of SVG."""

    path: str
    lamp: lamps.Light


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RoutePicture:
    """left_out: routes that are not in it."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    left_out: int = 0


Pools = collections.abc.Mapping[str, model.Pool]


def find_routes(
    site: model.Site, settings: model.Globals, look: model.SiteLook | None, pools: Pools
) -> tuple[PicturedRoute, ...]:
    """look: None: nothing was looked at yet."""
    seen = {one.path: one for one in look.routes} if look is not None else {}
    return tuple(_find_route(route, site, settings, seen.get(route.name), pools) for route in site.routes)


def _find_route(
    route: model.Route, site: model.Site, settings: model.Globals, look: model.RouteLook | None, pools: Pools
) -> PicturedRoute:
    servers = tuple(_find_servers(route, look, pools))
    judges = tuple(_of_look(one, is_judge=True) for one in (look.judges if look is not None else ()))
    lamp = _together([one.lamp for one in servers])
    if judges and _together([one.lamp for one in judges]) is lamps.Light.BAD:
        lamp = lamps.Light.BAD  # nobody is let in
    return PicturedRoute(
        path=route.name,
        when=when_option.describe(when_option.OPTION.of(route)),
        kind="own" if built_in_sites.find(route) is not None else _kind_of(route.action),
        rules=tuple(one for one in access_rules.of_route(route, site, settings).rules if one.kind != "public"),
        servers=(*servers, *judges),
        lamp=lamp,
    )


def _find_servers(
    route: model.Route, look: model.RouteLook | None, pools: Pools
) -> collections.abc.Iterator[PicturedServer]:
    action, built_in = route.action, built_in_sites.find(route)
    match action:
        case _ if built_in is not None:
            yield PicturedServer(text=built_in.short, lamp=lamps.Light.GOOD)
        case model.Redirect():
            yield PicturedServer(text=action.to, lamp=lamps.Light.GOOD)
        case model.Files():
            yield PicturedServer(text=action.folder, lamp=lamps.Light.GOOD)
        case model.Respond():
            yield PicturedServer(text=str(action.status), lamp=lamps.Light.GOOD)
        case model.Proxy():
            if look is not None and look.servers:
                yield from map(_of_look, look.servers)
                return
            for target in action.targets:
                if target.pool is not None and target.pool in pools and not pools[target.pool].endpoints:
                    yield PicturedServer(text=str(target), lamp=lamps.Light.BAD)
                else:
                    yield PicturedServer(text=str(target), lamp=lamps.Light.UNKNOWN)


def _of_look(one: model.ServerLook, *, is_judge: bool = False) -> PicturedServer:
    lamp = lamps.Light.GOOD if one.trouble is None else lamps.Light.BAD
    return PicturedServer(text=one.server, lamp=lamp, cause=one.cause, is_judge=is_judge)


def _kind_of(action: model.Action) -> str:
    match action:
        case model.Proxy():
            return "php" if action.php is not None else "proxy"
        case model.Redirect():
            return "redirect"
        case model.Files():
            return "files"
        case model.Respond():
            return "respond"


def _together(lights: collections.abc.Sequence[lamps.Light]) -> lamps.Light:
    """Of several servers: one that answers is enough to be served, and not enough to be good."""
    if not lights or all(one is lamps.Light.UNKNOWN for one in lights):
        return lamps.Light.UNKNOWN
    if all(one is lamps.Light.BAD for one in lights):
        return lamps.Light.BAD
    return lamps.Light.WARNING if lamps.Light.BAD in lights else lamps.Light.GOOD


def draw(host: str, routes: collections.abc.Sequence[PicturedRoute]) -> RoutePicture:
    """From left to right; a route takes a row for each of its servers, and the host stands in the middle."""
    shown = routes[:MOST_ROUTES]
    heights = [max(1, min(len(one.servers), MOST_SERVERS)) for one in shown]
    height = max(1, sum(heights)) * ROW
    host_box = _box("host", (height - ROW) / 2, host)
    boxes, links, row = [host_box], list[Link](), 0
    for one, rows in zip(shown, heights, strict=True):
        further = _boxes_of(one, row, rows)
        boxes += further
        links += _links_of(one, host_box, further)
        row += rows
    return RoutePicture(
        width=WIDTH, height=height, boxes=tuple(boxes), links=tuple(links), left_out=len(routes) - len(shown)
    )


def _boxes_of(one: PicturedRoute, row: int, rows: int) -> list[Box]:
    """The path, its rules where it has some, and its servers."""
    middle = (row + (rows - 1) / 2) * ROW
    found = [_box("path", middle, one.path if one.when is None else f"{one.path} ({one.when})")]
    if one.rules:
        found.append(_box("rule", middle, ", ".join(map(access_rules.describe, one.rules))))
    shown = one.servers[:rows]
    for place, server in enumerate(shown):
        is_last = place == len(shown) - 1 and len(one.servers) > rows
        text = f"{server.text} + {len(one.servers) - rows}" if is_last else server.text
        whole = f"{text}: {server.cause}" if server.cause else text
        found.append(_box("server", (row + place) * ROW, text, server.lamp, whole=whole))
    return found


def _links_of(one: PicturedRoute, host: Box, boxes: list[Box]) -> collections.abc.Iterator[Link]:
    path, before = boxes[0], boxes[0]
    yield _link(host, path, one.lamp)
    if one.rules:
        before = boxes[1]
        yield _link(path, before, _of_judges(one))
    for box in boxes:
        if box.kind == "server":
            yield _link(before, box, box.lamp or lamps.Light.UNKNOWN)


def _of_judges(one: PicturedRoute) -> lamps.Light:
    judges = [server.lamp for server in one.servers if server.is_judge]
    return _together(judges) if judges else lamps.Light.GOOD


def _box(kind: str, top: float, text: str, lamp: lamps.Light | None = None, *, whole: str | None = None) -> Box:
    x, width = _COLUMNS[kind]
    most = int((width - _PADDING - (16 if lamp is not None else 0)) / _SIGN_WIDTH)
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    return Box(
        kind=kind, x=x, y=round(top) + _MARGIN, width=width, height=_HEIGHT, text=short, whole=whole or text, lamp=lamp
    )


def _link(left: Box, right: Box, lamp: lamps.Light) -> Link:
    """A curve that leaves and arrives level."""
    x1, y1 = left.x + left.width, left.y + left.height // 2
    x2, y2 = right.x, right.y + right.height // 2
    middle = max((x1 + x2) // 2, x2 - 40)
    return Link(path=f"M{x1} {y1} H{middle - 20} C{middle} {y1} {middle} {y2} {x2} {y2}", lamp=lamp)
