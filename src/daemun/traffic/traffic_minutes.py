"""What the first screen shows of requests, from the stored sums: rates of the last minutes, and requests by minute.
Blocking; nothing is written."""

import collections.abc
import pathlib
import sqlite3

from daemun import sqlite_files
from daemun.core.traffic import traffic_rates, traffic_sums, traffic_usage
from daemun.traffic import traffic_store

RATES_S = 5 * traffic_sums.MINUTE_S
_MOST_AT_ONCE = 500
_MOST_S = 2.0
_COUNTED = """
SELECT series.site, span.start, SUM(sums.requests) FROM series CROSS JOIN span
JOIN sums ON sums.span = span.id AND sums.series = series.id
WHERE series.site IN ({}) AND span.seconds = ? AND span.start BETWEEN ? AND ? GROUP BY series.site, span.start
"""
"""Each row is found by its key: there are sixty minutes of few sites."""


def read_rates(path: pathlib.Path, now_s: float) -> tuple[dict[str, traffic_rates.TrafficRate], float] | None:
    """By site, and of how many seconds; None: that cannot be read now."""
    since_s = now_s - now_s % traffic_sums.MINUTE_S - RATES_S
    span_s = now_s - since_s
    try:
        stored = traffic_store.read(path, since_s, now_s)
    except FileNotFoundError:
        return {}, span_s
    except (sqlite3.Error, OSError):
        return None
    return {one.site: traffic_rates.make(one, span_s) for one in traffic_usage.by_site(stored.sums)}, span_s


def count_minutes(
    path: pathlib.Path, sites: collections.abc.Collection[str], now_s: float, minutes: int
) -> dict[str, tuple[int, ...]]:
    """Requests in each of the last minutes, the last one is now; sites without any are left out. sites: no more than
    a page of them. Empty, too, when that cannot be read now."""
    wanted = list(sites)[:_MOST_AT_ONCE]
    first = int(now_s) // traffic_sums.MINUTE_S - minutes + 1
    found: dict[str, list[int]] = {}
    try:
        with sqlite_files.reading(path, most_s=_MOST_S) as database:
            if database is not None:
                _count(database, wanted, first, minutes, found)
    except (sqlite3.Error, OSError):
        return {}
    return {site: tuple(counts) for site, counts in found.items()}


def _count(
    database: sqlite3.Connection, wanted: list[str], first: int, minutes: int, found: dict[str, list[int]]
) -> None:
    query = _COUNTED.format(",".join("?" * len(wanted)))
    within = (traffic_sums.MINUTE_S, first * traffic_sums.MINUTE_S, (first + minutes) * traffic_sums.MINUTE_S)
    for site, start, count in database.execute(query, (*wanted, *within)):
        place = int(start) // traffic_sums.MINUTE_S - first
        if isinstance(site, str) and 0 <= place < minutes:
            found.setdefault(site, [0] * minutes)[place] = int(count)
