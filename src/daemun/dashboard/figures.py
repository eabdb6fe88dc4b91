"""Numbers, times and lines as pages write and draw them. Pure."""

import collections.abc
import datetime
import typing

from daemun.core.texts import durations

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

MAX_ROWS = 24
"""Of the table beside a graph."""


def number(value: float | None) -> str:
    """1234567 -> 1.23 M; None, which is unknown, is a dash."""
    if value is None:
        return "–"
    size = abs(value)
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            step = limit if unit != "k" else 1e3
            return f"{_short(value / step)} {unit}"
    return _short(value)


def _short(value: float) -> str:
    if value == int(value) and abs(value) < 10_000:
        return str(int(value))
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{places}f}"


def size(value: float | None) -> str:
    """Bytes, in powers of 1024."""
    if value is None:
        return "–"
    step = 0
    while abs(value) >= 1024 and step < len(_BINARY) - 1:
        value /= 1024
        step += 1
    return f"{_short(value)} {_BINARY[step]}"


def percent(share: float | None) -> str:
    """0.0123 -> 1.2 %. What is above zero is never written as zero."""
    if share is None:
        return "–"
    value = share * 100
    if 0 < value < 0.1:
        return "< 0.1 %"
    return f"{value:.1f} %" if value % 1 and value < 99.95 else f"{value:.0f} %"


def seconds(value: float | None) -> str:
    """A time that something took: 0.0123 -> 12 ms, 1.5 -> 1.5 s."""
    if value is None:
        return "–"
    if value < 0.0995:
        return f"{value * 1000:.0f} ms" if value >= 0.0095 or value == 0 else f"{value * 1000:.1f} ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{_short(value)} s"


def span(value: float) -> tuple[str, int]:
    """How long something lasts, in the largest fitting unit: the key of its text, and n."""
    total = max(0, int(value))
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if total >= 2 * length or (unit == "days" and total >= length):
            return f"base.{unit}", total // length
    return "base.seconds", total


def moment(value: datetime.datetime | str | None) -> datetime.datetime | None:
    """An instant of the API (RFC 3339); None when it is none."""
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if value is None or value.tzinfo else value.replace(tzinfo=datetime.UTC)


def stamp(value: datetime.datetime) -> str:
    """As machines read it: 2026-11-30T09:10:11Z."""
    return durations.instant(value)


def polylines(
    values: collections.abc.Sequence[float | None], width: float, height: float, highest: float | None = None
) -> tuple[str, ...]:
    """The points of an SVG's lines, one for each stretch without a gap (None). highest: what stands at the top."""
    known = [value for value in values if value is not None]
    if not known:
        return ()
    top = max(highest if highest is not None else max(known), 1e-9)
    step = width / max(1, len(values) - 1)
    lines: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        y = height - 1 - min(max(value, 0) / top, 1) * (height - 2)
        lines[-1].append(f"{place * step:.1f},{y:.1f}")
    # A single point is no line: it is drawn as a short one.
    return tuple(" ".join(line if len(line) > 1 else [line[0], line[0]]) for line in lines if line)


def graph_rows(
    times: collections.abc.Sequence[float], series: collections.abc.Sequence[collections.abc.Mapping[str, typing.Any]]
) -> tuple[dict[str, typing.Any], ...]:
    """Rows of the table beside a graph, the newest first: at most MAX_ROWS of them, at equal distances."""
    step = max(1, -(-len(times) // MAX_ROWS))
    return tuple(
        {
            "time": datetime.datetime.fromtimestamp(times[place], datetime.UTC),
            "values": [one["values"][place] for one in series],
        }
        for place in range(len(times) - 1, -1, -step)
    )
