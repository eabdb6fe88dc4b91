"""What the public status page shows, as values: chosen sites by the names that visitors know, and nothing of others.
No causes: they name servers. Pure."""

import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.access import built_in_sites
from daemun.core.options import maintenance_option, status_page_option
from daemun.core.uptime import uptime_sums
from daemun.core.uptime.site_condition import BAD, Condition

MOST_INCIDENTS = 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """page: None: there is none. made_at: when its files were written last; None: they are not there. failure: why they
    cannot be written now."""

    page: status_page_option.StatusPage | None
    made_at: datetime.datetime | None = None
    failure: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportedSite:
    """conditions: of the days. until: when maintenance ends by itself; None: not known."""

    name: str
    condition: Condition
    days: tuple[uptime_sums.DayUptime, ...]
    conditions: tuple[Condition, ...]
    percent: float | None
    until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportedGroup:
    """title: None: sites that are in no group."""

    title: str | None
    sites: tuple[ReportedSite, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportedIncident:
    number: int
    name: str
    condition: Condition
    began: datetime.datetime
    ended: datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """host: the page's. title: None: the page's own words. made: in the zone that times are shown in. incidents: newest
    first."""

    host: str
    title: str | None
    notice: str | None
    days: int
    made: datetime.datetime
    groups: tuple[ReportedGroup, ...]
    incidents: tuple[ReportedIncident, ...]

    @property
    def condition(self) -> Condition:
        """The worst of all."""
        found = {one.condition for group in self.groups for one in group.sites}
        return next((one for one in (*BAD, Condition.UP) if one in found), Condition.UNWATCHED)

    def names(self, condition: Condition) -> tuple[str, ...]:
        return tuple(one.name for group in self.groups for one in group.sites if one.condition is condition)


def choose(
    page: status_page_option.StatusPage, statuses: collections.abc.Iterable[model.SiteStatus]
) -> tuple[tuple[str | None, tuple[status_page_option.ShownSite, ...]], ...]:
    """Titles and sites of the page. statuses: of all sites, for a page that shows them all."""
    if not page.sites:
        hosts = sorted(
            one.site.host
            for one in statuses
            if one.state is not model.SiteState.DISABLED and built_in_sites.find(one.site) is None
        )
        return (
            (None, tuple(status_page_option.ShownSite(host=host) for host in hosts[: status_page_option.MOST_SITES])),
        )
    found: list[tuple[str | None, tuple[status_page_option.ShownSite, ...]]] = []
    for entry in page.sites:
        if entry.title is None and found and found[-1][0] is None:
            found[-1] = (None, (*found[-1][1], *entry.listed))
        else:
            found.append((entry.title, entry.listed))
    return tuple(found)


def make(
    page: status_page_option.StatusPage,
    chosen: collections.abc.Iterable[tuple[str | None, tuple[status_page_option.ShownSite, ...]]],
    uptime: uptime_sums.Uptime,
    statuses: collections.abc.Iterable[model.SiteStatus],
    made: datetime.datetime,
) -> StatusReport:
    """chosen: see `choose`. uptime: of these sites at least. made: in the zone that times are shown in."""
    by_host = {one.site: one for one in uptime.sites}
    untils = {one.site.host: maintenance_option.OPTION.of(one.site).until for one in statuses}
    figures = _Figures(made.date(), page.days)
    groups = tuple(
        ReportedGroup(
            title=title,
            sites=tuple(_site(one, by_host.get(one.host), untils.get(one.host), figures, made) for one in sites),
        )
        for title, sites in chosen
    )
    names = {one.host: one.shown for _, sites in chosen for one in sites}
    incidents = sorted(
        (
            ReportedIncident(number=one.number, name=name, condition=one.condition, began=one.began, ended=one.ended)
            for host, name in names.items()
            if host in by_host
            for one in by_host[host].incidents
            if one.ended is None or (one.ended - one.began).total_seconds() >= uptime_sums.NOTICED_S
        ),
        key=lambda one: (one.began, one.number),
        reverse=True,
    )
    return StatusReport(
        host=page.host,
        title=page.title,
        notice=page.notice,
        days=page.days,
        made=made,
        groups=groups,
        incidents=tuple(incidents[:MOST_INCIDENTS]),
    )


def _site(
    shown: status_page_option.ShownSite,
    found: uptime_sums.SiteUptime | None,
    until: datetime.datetime | None,
    figures: "_Figures",
    made: datetime.datetime,
) -> ReportedSite:
    if found is None:
        days = figures.unknown
        conditions = (Condition.UNWATCHED,) * len(days)
        return ReportedSite(
            name=shown.shown, condition=Condition.UNWATCHED, days=days, conditions=conditions, percent=None
        )
    conditions, percent = figures.find(found)
    is_closed = found.condition is Condition.MAINTENANCE
    return ReportedSite(
        name=shown.shown,
        condition=found.condition,
        days=found.days,
        conditions=conditions,
        percent=percent,
        until=until if is_closed and until is not None and until > made else None,
    )


class _Figures:
    """Of each site; many have the very same days. unknown: the days of a site of which nothing is known."""

    def __init__(self, today: datetime.date, count: int) -> None:
        dates = (today - datetime.timedelta(days=number) for number in reversed(range(count)))
        self.unknown = tuple(uptime_sums.DayUptime(day=day) for day in dates)
        self._found: dict[int, tuple[tuple[Condition, ...], float | None]] = {}

    def find(self, one: uptime_sums.SiteUptime) -> tuple[tuple[Condition, ...], float | None]:
        found = self._found.get(id(one.days))
        if found is None:
            conditions = tuple(day.condition for day in one.days)
            found = self._found[id(one.days)] = (conditions, uptime_sums.percent_up(one.total))
        return found
