"""Contestants that are loaded in turn, and the rows of the report that follow."""

import collections.abc

from bench import figures, loads, modes, variations
from bench.proxies import place

Turns = list[tuple[str, loads.Loaded]]
"""Whose turn it was, in the order of the turns."""


def take(
    load: loads.Load, proxies: collections.abc.Sequence[place.Proxy], amount: loads.Amount, *, again: tuple[str, ...]
) -> Turns:
    """One after another, there and back, so that a machine that gets slower or faster meanwhile does so for all.

    again: who is loaded on the way back, too."""
    back = (proxy for proxy in reversed(proxies) if proxy.name in again)
    return [(proxy.name, load(proxy, amount)) for proxy in (*proxies, *back)]


def together(turns: Turns) -> dict[str, loads.Loaded]:
    """All turns of a contestant as one."""
    parts: dict[str, list[loads.Loaded]] = {}
    for name, loaded in turns:
        parts.setdefault(name, []).append(loaded)
    return {name: loads.together(found) for name, found in parts.items()}


def find_modes(
    what: str, measured: collections.abc.Mapping[variations.Variation, Turns]
) -> collections.abc.Iterator[str]:
    """Who shows two modes, see `figures.Section`."""
    seen: dict[str, list[modes.Seen]] = {}
    for variation, turns in measured.items():
        for name, loaded in turns:
            cell = modes.Seen(cell=str(variation), group=variation.size, figure=loaded.cpu_us)
            seen.setdefault(name, []).append(cell)
    return (f"{what}: {one}" for one in modes.find(seen))


def row_of_requests(
    what: str,
    measured: collections.abc.Mapping[variations.Variation, Turns],
    targets: tuple[figures.Target, ...],
) -> figures.Row:
    series: dict[str, list[loads.Loaded]] = {}
    for turns in measured.values():
        for name, loaded in together(turns).items():
            series.setdefault(name, []).append(loaded)
    return row(what, "µs CPU a request", "requests/s", series, targets)


def row(
    what: str,
    unit: str,
    rate: str,
    found: collections.abc.Mapping[str, collections.abc.Sequence[loads.Loaded]],
    targets: tuple[figures.Target, ...],
) -> figures.Row:
    """unit: of the CPU time. rate: name of what a second brought. found: contestant -> its loads, one a round."""
    return figures.Row(
        what=what,
        unit=unit,
        series={name: tuple(one.cpu_us for one in loaded) for name, loaded in found.items()},
        beside={
            rate: {name: tuple(one.rate for one in loaded) for name, loaded in found.items()},
            "p99 ms": {name: tuple(one.p99_ms for one in loaded) for name, loaded in found.items()},
        },
        targets=targets,
    )
