"""A forecast as people see it, from the API's answer. Pure: the time is an argument."""

import datetime
import typing

from daemun.cli import certificate_table, output
from daemun.core.texts import durations

Json = dict[str, typing.Any]

MOST_ENTRIES = 40
"""Each on a line; more of them are counted by day."""
_MOST_HOSTS = 4

_WHAT = {"renew": "renews", "retry": "tries again", "issue": "is asked for", "end": "ends"}


def lines_of(forecast: Json) -> list[str]:
    now = certificate_table.instant(forecast["from"])
    until = certificate_table.instant(forecast["until"])
    assert now is not None and until is not None
    entries = forecast["entries"]
    if not entries:
        lines = [f"no certificate is renewed before {until:%Y-%m-%d}"]
    elif len(entries) <= MOST_ENTRIES:
        lines = output.lines_of(("WHEN (UTC)", "", "WHAT", "HOST"), [_row_of(entry, now) for entry in entries])
    else:
        lines = output.lines_of(("DAY (UTC)", "COUNT", "HOSTS"), [_day_of(day, entries) for day in forecast["days"]])
    if any(entry["estimated"] for entry in entries[:MOST_ENTRIES]) and len(entries) <= MOST_ENTRIES:
        lines.append("~: as far as can be known: of a certificate that is still to come")
    if forecast["unrenewed"]:
        lines += ["", "Not renewed by daemun, because they are files of yours:"]
        ends = [_row_of(entry, now) for entry in forecast["unrenewed"]]
        lines += output.lines_of(("WHEN (UTC)", "", "WHAT", "HOST"), ends)
    return lines


def _row_of(entry: Json, now: datetime.datetime) -> tuple[str, ...]:
    at = certificate_table.instant(entry["at"])
    assert at is not None
    is_over = entry["what"] == "end" and at <= now
    return (
        f"{at:%Y-%m-%d %H:%M}",
        durations.left(at, now) if is_over else durations.ahead(at, now),
        "is expired" if is_over else f"{'~' if entry['estimated'] else ''}{_WHAT[entry['what']]}",
        entry["host"],
    )


def _day_of(day: Json, entries: list[Json]) -> tuple[str, ...]:
    hosts = list(dict.fromkeys(entry["host"] for entry in entries if entry["at"].startswith(day["day"])))
    shown = ", ".join(hosts[:_MOST_HOSTS])
    if len(hosts) > _MOST_HOSTS:
        shown += f" and {len(hosts) - _MOST_HOSTS} more"
    return day["day"], str(day["count"]), shown
