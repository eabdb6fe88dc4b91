"""Numbers and names of requests as cells of tables, and which requests are wanted, of the commands that count. Pure."""

import collections.abc
import textwrap
import typing

from daemun.cli import host_names

if typing.TYPE_CHECKING:
    from daemun.core.traffic import traffic_sums

    Found = tuple[tuple[traffic_sums.Series, traffic_sums.Sums], ...]

UNKNOWN, OTHER_PATHS, OTHER_SITES = "(unknown names)", "(other paths)", "(sites with few requests)"


def name(site: str, route: str | None) -> str:
    """route: None: the row is of a site."""
    if route is None:
        return OTHER_SITES if site == "*" else site or UNKNOWN
    return route or OTHER_PATHS


def add_up(parts: "collections.abc.Iterable[Found]") -> "Found":
    """Of several machines as one."""
    from daemun.core.traffic import traffic_sums

    found: dict[traffic_sums.Series, traffic_sums.Sums] = {}
    for series, sums in (one for part in parts for one in part):
        found.setdefault(series, traffic_sums.Sums()).add(sums)
    return tuple(found.items())


def by_machine(own: str, found: "Found", others: "collections.abc.Mapping[str, Found]") -> "dict[str, Found]":
    """found: of this machine, named `own`. others: by their names, maybe also by this one's."""
    return {**others, own: add_up((found, others.get(own, ())))}


def name_nodes(own: str, nodes: collections.abc.Iterable[str]) -> list[str]:
    """Whose requests were added up."""
    names = ", ".join((f"{own} (this one)", *sorted({*nodes} - {own})))
    return textwrap.wrap(f"of machines: {names}", 80, subsequent_indent="  ", break_on_hyphens=False)


def parse_place(text: str) -> tuple[str, str]:
    """Site and path of `HOST[/PATH]`; the path may be empty."""
    from daemun.core.logged import request_filter

    host, path = request_filter.parse_place(text)
    return host_names.normal(host), path


def of_place(found: "Found", site: str, path: str) -> "Found":
    """What belongs to the routes of a site below a path."""
    return tuple(one for one in found if one[0].site == site and _is_below(one[0].route, path))


def with_only_route(found: "Found") -> "Found":
    """Of a site whose only route is `/`: its requests are counted without a name of it. With other routes among them,
    which it had before, that name is not all that they were counted for."""
    if any(series.route for series, _ in found):
        return found
    return tuple((series._replace(route="/"), sums) for series, sums in found)


def _is_below(route: str, path: str) -> bool:
    return route.startswith(path) or route == path.removesuffix("/")


def size(count: float) -> str:
    """Bytes, for people: "12 B", "1.5 MB", "310 GB"."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 1 if unit != "B" and value < 9.95 else 0
    return f"{value:.{digits}f} {unit}"


def time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return "<1ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 99.5 else f"{seconds:.0f}s"
