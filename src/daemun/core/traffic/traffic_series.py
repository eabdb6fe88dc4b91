"""Requests over time: sums by minute or hour joined into steps of equal length, as columns of numbers. Pure.

What a graph is drawn of, and a table is made of. A step without requests has 0 where something is counted, and None
where there is nothing to state: percentiles of no request.
"""

import collections.abc
import dataclasses
import enum

from daemun.core.traffic import time_buckets, traffic_sums

Row = tuple[int, traffic_sums.Series, traffic_sums.Sums]
"""The start of a minute or an hour, in seconds since the epoch, and what was counted in it."""

CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
HIT, MISS, BYPASS = "cache_hit", "cache_miss", "cache_bypass"
_HITS = frozenset({"HIT", "STALE", "UPDATING", "REVALIDATED"})
"""Answered from what is kept (ngx_http_upstream_module, $upstream_cache_status)."""
_PERCENTILES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}
COUNTED = ("requests", *CLASSES, "bytes_in", "bytes_out", "refused", "held", "retries", HIT, MISS, BYPASS)
TIMED = (*_PERCENTILES, *(f"server_{name}" for name in _PERCENTILES))


class GraphSpan(enum.Enum):
    """As the API and `daemun traffic` name it."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "30d"
    QUARTER = "90d"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """length_s: of the whole span. fine_s: of a step of a graph; coarse_s: of a row of a table."""

    length_s: int
    fine_s: int
    coarse_s: int


_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 24 * 3600
STEPS = {
    GraphSpan.HOUR: Steps(length_s=_HOUR_S, fine_s=_MINUTE_S, coarse_s=5 * _MINUTE_S),
    GraphSpan.DAY: Steps(length_s=_DAY_S, fine_s=5 * _MINUTE_S, coarse_s=_HOUR_S),
    GraphSpan.MONTH: Steps(length_s=30 * _DAY_S, fine_s=_HOUR_S, coarse_s=_DAY_S),
    GraphSpan.QUARTER: Steps(length_s=90 * _DAY_S, fine_s=4 * _HOUR_S, coarse_s=7 * _DAY_S),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TimeSeries:
    """begin_s: of the first step, since the epoch. columns: by name, a number for each step; in `TIMED` None."""

    begin_s: int
    step_s: int
    columns: dict[str, tuple[float | None, ...]]

    @property
    def count(self) -> int:
        return len(self.columns["requests"])


def bounds(span: GraphSpan, step_s: int, now_s: float) -> tuple[int, int]:
    """The begin of the first step and the end of the last one, which is the one under way. A step of a day or less
    begins at a multiple of itself since the epoch, in UTC."""
    end_s = int(now_s) - int(now_s) % step_s + step_s
    count = -(-STEPS[span].length_s // step_s)
    return end_s - count * step_s, end_s


def join(rows: collections.abc.Iterable[Row], begin_s: int, end_s: int, step_s: int) -> TimeSeries:
    """The steps from `begin_s` to `end_s`; rows of other times are left out."""
    count = (end_s - begin_s) // step_s
    steps: dict[int, traffic_sums.Sums] = {}
    for start_s, _, sums in rows:
        place = (start_s - begin_s) // step_s
        if 0 <= place < count:
            steps.setdefault(place, traffic_sums.Sums()).add(sums)
    nothing = traffic_sums.Sums()
    found = [_values(steps.get(place, nothing)) for place in range(count)]
    columns = {name: tuple(one[name] for one in found) for name in (*COUNTED, *TIMED)}
    return TimeSeries(begin_s=begin_s, step_s=step_s, columns=columns)


def _values(sums: traffic_sums.Sums) -> dict[str, float | None]:
    values: dict[str, float | None] = dict.fromkeys(COUNTED, 0)
    values |= {
        "requests": sums.requests,
        "bytes_in": sums.bytes_in,
        "bytes_out": sums.bytes_out,
        "held": sums.counts.get(traffic_sums.HELD, 0),
        "retries": sums.counts.get(traffic_sums.RETRIES, 0),
    }
    for name, count in sums.counts.items():
        if name.isdigit() and name[0] in "12345":
            key = f"{name[0]}xx"
        elif name.startswith(traffic_sums.REFUSED):
            key = "refused"
        elif name.startswith(traffic_sums.CACHE):
            key = _cache_key(name.removeprefix(traffic_sums.CACHE))
        else:
            continue
        values[key] = (values[key] or 0) + count
    return values | _times("", sums, traffic_sums.TIME) | _times("server_", sums, traffic_sums.UPSTREAM_TIME)


def _cache_key(word: str) -> str:
    return HIT if word in _HITS else BYPASS if word == "BYPASS" else MISS


def _times(prefix: str, sums: traffic_sums.Sums, kind: str) -> dict[str, float | None]:
    buckets = {int(name[1:]): n for name, n in sums.counts.items() if name[0] == kind and name[1:].isdigit()}
    found = {name: time_buckets.percentile_ms(buckets, share) for name, share in _PERCENTILES.items()}
    return {f"{prefix}{name}": None if value is None else value / 1000 for name, value in found.items()}
