"""Uptime as JSON, for `daemun uptime --json` and the API. Keys may be added, never renamed."""

import collections.abc
import typing

from daemun.core.options import status_page_option
from daemun.core.uptime import uptime_sums
from daemun.web import json_values

Json = dict[str, typing.Any]


def site_json(one: uptime_sums.SiteUptime, total: uptime_sums.DayUptime) -> Json:
    """total: of its days."""
    return {
        "site": one.site,
        "state": one.condition.value,
        **figures_json(total),
        "from_day": one.days[0].day.isoformat(),
        "bars": uptime_sums.draw_bars(one.days, len(one.days)),
    }


def details_json(one: uptime_sums.SiteUptime) -> Json:
    """With the figures of each day, and what happened."""
    return {
        **site_json(one, one.total),
        "incidents": incidents_json(one.incidents),
        "days": [{"day": day.day.isoformat(), "state": day.condition.value, **figures_json(day)} for day in one.days],
    }


def incidents_json(incidents: collections.abc.Iterable[uptime_sums.Incident]) -> list[Json]:
    return [
        {
            "site": one.site,
            "state": one.condition.value,
            "from": json_values.instant_json(one.began),
            "to": json_values.instant_json(one.ended),
            "watched_s": round(one.seconds, 1),
            "cause": one.cause,
        }
        for one in incidents
    ]


def figures_json(day: uptime_sums.DayUptime) -> Json:
    return {
        "uptime_percent": uptime_sums.percent_up(day),
        "watched_s": round(day.watched_s, 1),
        "up_s": round(day.up_s, 1),
        "down_s": round(day.down_s, 1),
        "degraded_s": round(day.degraded_s, 1),
        "maintenance_s": round(day.maintenance_s, 1),
        "longest_outage_s": round(day.longest_outage_s, 1),
    }


def page_json(page: status_page_option.StatusPage) -> Json:
    """As it is written in the file. `groups` is empty where all sites are shown."""
    return {
        "host": page.host,
        "title": page.title,
        "notice": page.notice,
        "days": page.days,
        "language": page.language.value,
        "groups": [
            {
                "title": entry.title,
                "sites": [{"host": one.host, "name": one.name} for one in entry.listed],
            }
            for entry in page.sites
        ],
    }
