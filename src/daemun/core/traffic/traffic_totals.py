"""Sums of requests since the daemon started, in a form that only ever grows, and in a bounded number of rows. Pure.

Who comes first has a row of its own until the daemon ends; those that come when all rows are taken share one, so that
no row ever becomes less. Of times there are a few buckets, which the fine ones fall into by their middle.
"""

import bisect
import collections.abc
import dataclasses

from daemun.core.traffic import time_buckets, traffic_sums

MOST_SITES = 10_000
MOST_ROUTES = 2_000
"""With a row of their own for each pair of site and route."""
MOST_TIMED = 1_000
"""Sites with times of their own, each of which takes 26 lines."""
MOST_CODES = 16
"""Of one row: a server answers with any number."""
OTHER = "other"
"""The site, route or code of what shares a row."""
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The longest time of each bucket; one more holds what took longer."""


@dataclasses.dataclass(slots=True)
class TimeHistogram:
    """buckets: how many requests took as long; not cumulative. sum_s: of all times."""

    buckets: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, bucket: int, count: int) -> None:
        middle_s = time_buckets.middle_ms(bucket) / 1000
        self.buckets[bisect.bisect_left(BOUNDS_S, middle_s)] += count
        self.sum_s += middle_s * count


@dataclasses.dataclass(slots=True)
class RouteTotals:
    """Of a site and route. codes: requests by status. refused: by rule, of which there are few."""

    codes: dict[str, int] = dataclasses.field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    retries: int = 0
    held: int = 0
    refused: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class SiteTimes:
    whole: TimeHistogram = dataclasses.field(default_factory=TimeHistogram)
    upstream: TimeHistogram = dataclasses.field(default_factory=TimeHistogram)


class Totals:
    """Not thread-safe. rows: by site and route. times: by site. A site of "" has the requests for no site's name."""

    def __init__(
        self, *, most_sites: int = MOST_SITES, most_routes: int = MOST_ROUTES, most_timed: int = MOST_TIMED
    ) -> None:
        self._most_sites = most_sites
        self._most_routes = most_routes
        self._most_timed = most_timed
        self.clear()

    def clear(self) -> None:
        """Begin anew, as a reader of counters expects it of a program that started."""
        self.rows: dict[tuple[str, str], RouteTotals] = {}
        self.times: dict[str, SiteTimes] = {}
        self._sites: set[str] = set()
        self._routes = 0

    def add(self, sums: collections.abc.Mapping[traffic_sums.Key, traffic_sums.Sums]) -> None:
        for (_, series), one in sums.items():
            site = self._choose_site(series.site)
            self._add(self._choose_row(site, series.route), self._choose_times(site), one)

    def _choose_site(self, site: str) -> str:
        if site not in self._sites:
            if len(self._sites) >= self._most_sites:
                return OTHER
            self._sites.add(site)
        return site

    def _choose_row(self, site: str, route: str) -> RouteTotals:
        """A route "" is a site's own answer, or its only route: it is no further row of the site."""
        if site == OTHER:
            route = OTHER
        elif route and (site, route) not in self.rows:
            if self._routes >= self._most_routes:
                route = OTHER
            else:
                self._routes += 1
        return self.rows.setdefault((site, route), RouteTotals())

    def _choose_times(self, site: str) -> SiteTimes:
        if site not in self.times and len(self.times) >= self._most_timed:
            site = OTHER
        return self.times.setdefault(site, SiteTimes())

    @staticmethod
    def _add(row: RouteTotals, times: SiteTimes, one: traffic_sums.Sums) -> None:
        row.bytes_in += one.bytes_in
        row.bytes_out += one.bytes_out
        for name, count in one.counts.items():
            kind, bucket = name[0], name[1:]
            if name.isdigit():
                code = name if name in row.codes or len(row.codes) < MOST_CODES else OTHER
                row.codes[code] = row.codes.get(code, 0) + count
            elif name == traffic_sums.RETRIES:
                row.retries += count
            elif name == traffic_sums.HELD:
                row.held += count
            elif name.startswith(traffic_sums.REFUSED):
                rule = name.removeprefix(traffic_sums.REFUSED)
                row.refused[rule] = row.refused.get(rule, 0) + count
            elif kind == traffic_sums.TIME and bucket.isdigit():
                times.whole.add(int(bucket), count)
            elif kind == traffic_sums.UPSTREAM_TIME and bucket.isdigit():
                times.upstream.add(int(bucket), count)
