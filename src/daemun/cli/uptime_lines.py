"""Uptime as lines for people. Pure."""

import collections.abc
import datetime
import typing

from daemun.cli import output

if typing.TYPE_CHECKING:
    from daemun.core.uptime import uptime_sums

WIDTH = 80
LEGEND = "| up   ! disturbed   X down   m maintenance   . not watched"
_BARS_OF_LIST = 30


def rows_of(sites: "collections.abc.Iterable[uptime_sums.SiteUptime]") -> list[output.Row]:
    """Of the table of all sites, the worst first."""
    from daemun.core.uptime import uptime_sums

    return [
        (
            one.site,
            uptime_sums.show_percent(uptime_sums.percent_up(total)),
            span(total.down_s),
            uptime_sums.draw_bars(one.days, _BARS_OF_LIST),
        )
        for one, total in uptime_sums.worst_first(sites)
    ]


def details_of(one: "uptime_sums.SiteUptime") -> collections.abc.Iterator[str]:
    """What is known of one site, without its incidents."""
    from daemun.core.uptime import uptime_sums

    total = one.total
    now = "" if one.condition.value == "up" else f", now {one.condition.value}"
    yield f"{one.site}: {uptime_sums.show_percent(uptime_sums.percent_up(total))} up{now}"
    for start in range(0, len(one.days), WIDTH - 20):
        days = one.days[start : start + WIDTH - 20]
        yield f"  {days[0].day:%Y-%m-%d}  {uptime_sums.draw_bars(days, len(days))}"
    yield f"  {LEGEND}"
    yield f"  watched {span(total.watched_s)}, down {span(total.down_s)}, longest outage {span(total.longest_outage_s)}"
    yield f"  disturbed {span(total.degraded_s)}, maintenance {span(total.maintenance_s)}"


def incident_rows(
    incidents: "collections.abc.Iterable[uptime_sums.Incident]", zone: datetime.tzinfo | None
) -> list[output.Row]:
    """FROM, LASTED, WHAT, CAUSE; newest first."""
    return [
        (
            f"{one.began.astimezone(zone):%Y-%m-%d %H:%M}",
            "goes on" if one.ended is None else span((one.ended - one.began).total_seconds()),
            one.condition.value,
            one.cause or "",
        )
        for one in incidents
    ]


def span(seconds: float) -> str:
    """ "0", "12s", "3m", "2h 5m", "4d 2h"."""
    total = round(seconds)
    if total < 1:
        return "0"
    if total < 60:
        return f"{total}s"
    days, hours, minutes = total // 86400, total % 86400 // 3600, total % 3600 // 60
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m"
