"""Whether a contestant shows two modes: some of its figures are far from the others, and none lies between. Pure.

Then a median tells of luck, and not of the contestant. What a figure should be follows from the others: the
contestant's usual figure for answers of that size, and how much the variation costs everybody.
"""

import collections.abc
import dataclasses
import itertools
import math
import statistics

_GAP = math.log(1.25)
"""Between two modes. Noise within a quiet run is a tenth; the slow mode of musl's allocator took 1.5 to 1.8 times."""
_STEPS = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """cell: what was asked for. group: of cells that cost much the same, answers of one size. figure: above 0."""

    cell: str
    group: str
    figure: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TwoModes:
    """times: how far the slow one is above the fast one. slow: the cells that were, of all its cells."""

    contestant: str
    times: float
    slow: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.contestant} takes {self.times:.2f} times as long with {'; with '.join(self.slow)}"


def find(seen: collections.abc.Mapping[str, collections.abc.Sequence[Seen]]) -> tuple[TwoModes, ...]:
    """seen: contestant -> its figures. At least three contestants are needed to tell luck from a costly variation."""
    rest = _take_out_what_is_shared(seen)
    return tuple(found for name, left in rest.items() if (found := _split(name, seen[name], left)) is not None)


def _take_out_what_is_shared(
    seen: collections.abc.Mapping[str, collections.abc.Sequence[Seen]],
) -> dict[str, list[float]]:
    """Logarithms of what is left of each figure by a median polish (Tukey, Exploratory Data Analysis): without what a
    cell costs all contestants, and without what the cells of its group cost the contestant at best. Of these the second
    lowest counts, for the lowest may be a disturbance."""
    left = {name: [math.log(one.figure) for one in series] for name, series in seen.items()}
    for _ in range(_STEPS):
        cells: dict[str, list[float]] = {}
        for name, series in seen.items():
            for one, value in zip(series, left[name], strict=True):
                cells.setdefault(one.cell, []).append(value)
        default = {cell: statistics.median(values) for cell, values in cells.items()}
        for name, series in seen.items():
            lower = [value - default[one.cell] for one, value in zip(series, left[name], strict=True)]
            groups: dict[str, list[float]] = {}
            for one, value in zip(series, lower, strict=True):
                groups.setdefault(one.group, []).append(value)
            own = {group: sorted(values)[:2][-1] for group, values in groups.items()}
            left[name] = [value - own[one.group] for one, value in zip(series, lower, strict=True)]
    return left


def _split(name: str, series: collections.abc.Sequence[Seen], left: collections.abc.Sequence[float]) -> TwoModes | None:
    """At the widest gap, where it is wide. A single figure is a disturbance, two are a mode."""
    ordered = sorted(left)
    gaps = [(above - below, number) for number, (below, above) in enumerate(itertools.pairwise(ordered), 1)]
    gaps = [(gap, number) for gap, number in gaps if 2 <= number <= len(ordered) - 2]
    if not gaps:
        return None
    gap, number = max(gaps)
    if gap < _GAP:
        return None
    slow = tuple(dict.fromkeys(one.cell for one, value in zip(series, left, strict=True) if value >= ordered[number]))
    times = math.exp(statistics.median(ordered[number:]) - statistics.median(ordered[:number]))
    return TwoModes(contestant=name, times=times, slow=slow)
