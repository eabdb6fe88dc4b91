"""Adds up the seconds between two checks of all sites, by day and site. Pure: times are arguments.

Only what differs from "up" is noted by site; that the gate was watched is noted once. A time of which nothing was seen
belongs to no site: daemun did not run, the machine slept, or the clock jumped.
"""

import collections.abc
import dataclasses
import datetime

from daemun.core.uptime import site_condition

MOST_PARTS = 100_000
"""Of days and sites that wait to be stored; of more nothing is kept, as if the gate had not been watched."""


@dataclasses.dataclass(slots=True)
class SiteSeconds:
    """Seconds of a day in which a site was not simply up."""

    degraded: float = 0.0
    down: float = 0.0
    maintenance: float = 0.0
    unwatched: float = 0.0

    def add(self, condition: site_condition.Condition, seconds: float) -> None:
        match condition:
            case site_condition.Condition.DEGRADED:
                self.degraded += seconds
            case site_condition.Condition.DOWN:
                self.down += seconds
            case site_condition.Condition.MAINTENANCE:
                self.maintenance += seconds
            case site_condition.Condition.UNWATCHED:
                self.unwatched += seconds


class WatchAccount:
    """What was seen since it was stored last. Days are numbered as by `datetime.date.toordinal`."""

    def __init__(self) -> None:
        self.days: dict[int, float] = {}
        self.parts: dict[tuple[int, str], SiteSeconds] = {}

    def add(
        self,
        seen: collections.abc.Mapping[str, site_condition.SiteVerdict],
        ended: datetime.datetime,
        elapsed_s: float,
    ) -> None:
        """seen: the sites that were not simply up for the last seconds. ended: when they were over, in the zone that
        days are of."""
        for day, seconds in split(ended, elapsed_s):
            self.days[day] = self.days.get(day, 0.0) + seconds
            for site, one in seen.items():
                part = self.parts.get((day, site))
                if part is None:
                    part = self.parts[day, site] = SiteSeconds()
                part.add(one.condition, seconds)

        if len(self.parts) > MOST_PARTS:
            self.clear()

    def clear(self) -> None:
        self.days.clear()
        self.parts.clear()


def split(ended: datetime.datetime, elapsed_s: float) -> tuple[tuple[int, float], ...]:
    """The last seconds by day. A span that began before the last midnight belongs to two."""
    if elapsed_s <= 0:
        return ()
    midnight = ended.replace(hour=0, minute=0, second=0, microsecond=0)
    today_s = min(max((ended - midnight).total_seconds(), 0.0), elapsed_s)
    day = ended.toordinal()
    before = ((day - 1, elapsed_s - today_s),) if elapsed_s > today_s and day > 1 else ()
    return (*before, (day, today_s)) if today_s > 0 or not before else before
