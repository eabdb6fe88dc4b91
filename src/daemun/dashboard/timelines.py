"""Where things stand in pictures of what comes: days as bars, and the life of one thing as a line. Pure."""

import collections.abc
import dataclasses
import datetime
import math

from daemun.dashboard import figures

WIDTH, HEIGHT = 600, 96
"""Of a picture, in its own units."""
_BOTTOM = 26
"""Of bars, for the dates below them."""
_MOST_LABELS = 6
_ROWS, _ROOM = (24.0, 72.0), 30.0
"""Where numbers stand above and below a line, and how wide each is."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DayBar:
    """kind: of the most important thing of the day. label: the date where it is written below; ""."""

    day: datetime.date
    count: int
    kind: str
    x: float
    y: float
    width: float
    height: float
    label: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """number: of the thing in the list beside the picture, from 1. at: of its moment on the line; x, y: of the number,
    beside others."""

    number: int
    at: float
    x: float
    y: float
    is_past: bool


def draw_days(
    first: datetime.date,
    days: int,
    events: collections.abc.Iterable[tuple[datetime.date, str, int]],
    kinds: tuple[str, ...],
) -> tuple[DayBar, ...]:
    """A bar for each day that has something, and an empty one for each date that is written below.

    events: day, kind, and how many. kinds: the most important first. What is outside is left out.
    """
    counts: dict[datetime.date, int] = {}
    worst: dict[datetime.date, int] = {}
    for day, kind, count in events:
        if 0 <= (day - first).days < days:
            counts[day] = counts.get(day, 0) + count
            worst[day] = min(worst.get(day, len(kinds)), kinds.index(kind))
    step, highest = WIDTH / max(days, 1), max(counts.values(), default=1)
    labelled = max(1, -(-days // _MOST_LABELS))
    found = []
    for place in range(days):
        day = first + datetime.timedelta(days=place)
        label = f"{day:%m-%d}" if place % labelled == 0 else ""
        count = counts.get(day, 0)
        if count or label:
            height = max(6.0, count / highest * (HEIGHT - _BOTTOM - 4)) if count else 0.0
            found.append(
                DayBar(
                    day=day,
                    count=count,
                    kind=kinds[worst[day]] if count else "",
                    x=round(place * step, 1),
                    y=round(HEIGHT - _BOTTOM - height, 1),
                    width=round(max(step - 1, 1), 1),
                    height=round(height, 1),
                    label=label,
                )
            )
    return tuple(found)


def draw_line(moments: collections.abc.Sequence[str | None], now: datetime.datetime) -> tuple[tuple[Mark, ...], float]:
    """The marks of what happened and comes, and where now is. moments: of the API, in the order of time; None: now.

    Numbers that would stand upon each other stand in two rows, and further on.
    """
    known = [figures.moment(one) or now for one in moments]
    if not known:
        return (), WIDTH / 2
    first, last = min(*known, now), max(*known, now)
    span_s = max((last - first).total_seconds(), 1.0)

    def place(at: datetime.datetime) -> float:
        return round(15 + (at - first).total_seconds() / span_s * (WIDTH - 30), 1)

    marks: list[Mark] = []
    ends = dict.fromkeys(_ROWS, -math.inf)  # of what stands in each row so far
    for number, moment in enumerate(known, start=1):
        at = place(moment)
        y = next((row for row in _ROWS if ends[row] + _ROOM <= at), min(_ROWS, key=ends.__getitem__))
        x = min(max(at, ends[y] + _ROOM), WIDTH - 15.0)
        ends[y] = x
        marks.append(Mark(number=number, at=at, x=round(x, 1), y=y, is_past=moment <= now))
    return tuple(marks), place(now)
