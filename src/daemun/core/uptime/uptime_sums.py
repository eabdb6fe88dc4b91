"""What is known of a site's days, added up; as bars; and what happened to it. Pure."""

import collections.abc
import dataclasses
import datetime
import math

from daemun.core.uptime import site_condition

_DAY_S = 86400.0
BARS = {
    site_condition.Condition.UP: "|",
    site_condition.Condition.DEGRADED: "!",
    site_condition.Condition.DOWN: "X",
    site_condition.Condition.MAINTENANCE: "m",
    site_condition.Condition.UNWATCHED: ".",
}
"""A letter for each day, which a terminal without colours shows, too."""
NOTICED_S = 60.0
"""A day with a shorter outage or disturbance is shown as up: its figures have it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DayUptime:
    """Seconds of a day. watched_s: all that is known of, maintenance among it. degraded_s: of up_s. longest_outage_s:
    the longest outage that was under way, with what it had lasted before that day."""

    day: datetime.date
    watched_s: float = 0.0
    up_s: float = 0.0
    degraded_s: float = 0.0
    maintenance_s: float = 0.0
    longest_outage_s: float = 0.0

    @property
    def down_s(self) -> float:
        return max(self.watched_s - self.up_s - self.maintenance_s, 0.0)

    @property
    def condition(self) -> site_condition.Condition:
        """The worst that lasted."""
        return find_worst(self.watched_s, self.down_s, self.degraded_s, self.maintenance_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """number: grows. began, ended: aware UTC; ended: None: it goes on; where daemun did not see it end, when it was
    seen last. seconds: of it that were watched. cause: in daemun's words; None: there is none."""

    number: int
    site: str
    condition: site_condition.Condition
    began: datetime.datetime
    ended: datetime.datetime | None
    seconds: float
    cause: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteUptime:
    """days: of the span that was queried, oldest first, without gaps. incidents: newest first. condition: at the last
    look; UNWATCHED: the site is not served any more, too."""

    site: str
    condition: site_condition.Condition
    days: tuple[DayUptime, ...]
    incidents: tuple[Incident, ...] = ()

    @property
    def total(self) -> DayUptime:
        """Of all days, as one that begins with the first."""
        return DayUptime(
            day=self.days[0].day,
            watched_s=math.fsum(one.watched_s for one in self.days),
            up_s=math.fsum(one.up_s for one in self.days),
            degraded_s=math.fsum(one.degraded_s for one in self.days),
            maintenance_s=math.fsum(one.maintenance_s for one in self.days),
            longest_outage_s=max(one.longest_outage_s for one in self.days),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """seen_at: when the gate was watched last; None: never. sites: by name."""

    seen_at: datetime.datetime | None
    sites: tuple[SiteUptime, ...] = ()


def find_worst(watched_s: float, down_s: float, degraded_s: float, maintenance_s: float) -> site_condition.Condition:
    if watched_s <= 0:
        return site_condition.Condition.UNWATCHED
    least_s = min(NOTICED_S, watched_s / 2)
    if down_s >= least_s:
        return site_condition.Condition.DOWN
    if degraded_s >= least_s:
        return site_condition.Condition.DEGRADED
    if maintenance_s >= least_s:
        return site_condition.Condition.MAINTENANCE
    return site_condition.Condition.UP


def percent_up(one: DayUptime) -> float | None:
    """Of the time without maintenance, in hundredths, rounded down: 100 is all of it. None: nothing was watched."""
    counted_s = one.watched_s - one.maintenance_s
    if counted_s < 0.5:
        return None
    if one.down_s < 0.0005:
        return 100.0
    return min(math.floor(10_000 * (1 - one.down_s / counted_s)) / 100, 99.99)


def worst_first(sites: collections.abc.Iterable[SiteUptime]) -> list[tuple[SiteUptime, DayUptime]]:
    """Each with the total of its days; those of which nothing is known come last."""
    totals: dict[int, DayUptime] = {}  # many sites have the very same days
    found = []
    for one in sites:
        total = totals.get(id(one.days))
        if total is None:
            total = totals[id(one.days)] = one.total
        found.append((one, total))
    return sorted(found, key=_badness)


def _badness(one: tuple[SiteUptime, DayUptime]) -> tuple[float, str]:
    percent = percent_up(one[1])
    return (101.0 if percent is None else percent, one[0].site)


def show_percent(percent: float | None) -> str:
    """ "99.98 %"."""
    return "-" if percent is None else "100 %" if percent >= 100 else f"{percent:.2f} %"


def draw_bars(days: collections.abc.Sequence[DayUptime], most: int) -> str:
    """A letter for each day, or for so many days that there are not more letters than that."""
    per = max(math.ceil(len(days) / most), 1)
    first = len(days) % per  # the newest days have whole letters
    groups = [days[:first]] if first else []
    groups += [days[at : at + per] for at in range(first, len(days), per)]
    return "".join(BARS[_worst_of(group)] for group in groups)


def _worst_of(days: collections.abc.Sequence[DayUptime]) -> site_condition.Condition:
    found = {one.condition for one in days}
    order = (*site_condition.BAD, site_condition.Condition.UP)
    return next((one for one in order if one in found), site_condition.Condition.UNWATCHED)


def make_day(
    day: datetime.date,
    watched_s: float,
    *,
    degraded_s: float = 0.0,
    down_s: float = 0.0,
    maintenance_s: float = 0.0,
    longest_outage_s: float = 0.0,
) -> DayUptime:
    """Of seconds that were counted. A clock that was set back lets a day pass twice: then they are made fewer."""
    watched_s = max(watched_s, down_s + maintenance_s, 0.0)
    part = min(1.0, _DAY_S / watched_s) if watched_s else 1.0
    down_s, maintenance_s = down_s * part, maintenance_s * part
    up_s = max(watched_s * part - down_s - maintenance_s, 0.0)
    return DayUptime(
        day=day,
        watched_s=watched_s * part,
        up_s=up_s,
        degraded_s=min(degraded_s * part, up_s),
        maintenance_s=maintenance_s,
        longest_outage_s=longest_outage_s,
    )
