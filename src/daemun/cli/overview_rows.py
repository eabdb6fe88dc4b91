"""Sites and streams with their lamps and numbers, as the dashboard has them, for `daemun sites`. Pure: the time is an
argument."""

import datetime
import typing

from daemun.cli import output, traffic_cells, verdict
from daemun.core.texts import durations

Json = dict[str, typing.Any]

TITLES = (
    "NAME",
    "STATE",
    "SETTINGS",
    "CERTIFICATE",
    "SERVERS",
    "REQ/S",
    "P95",
    "5XX",
    "OUT/S",
    "RENEWAL",
    "CHANGED",
    "FROM",
)


def row_of(one: Json, now: datetime.datetime) -> tuple[str, ...]:
    """A lamp is a word; of servers it is how many of them answer, too."""
    rates = one["requests_per_s"] is not None
    lamps = {name: lamp["lamp"] for name, lamp in one["lamps"].items()}
    servers = f"{one['servers_up']}/{one['servers']} {lamps['server']}" if one["servers"] else lamps["server"]
    return (
        one["name"] if one["kind"] == "site" else f"{one['name']} ({', '.join(one['listen'])})",
        output.state_of_site(one),
        lamps["settings"],
        lamps["certificate"],
        servers,
        f"{one['requests_per_s']:.3g}" if rates else "-",
        traffic_cells.time(one["p95_s"]),
        "-" if one["error_share"] is None else f"{one['error_share']:.1%}",
        traffic_cells.size(one["bytes_out_per_s"]) if rates else "-",
        _renewal(one["certificate"], now),
        "-" if one["changed"] is None else f"{_ago(one['changed']['at'], now)} ({one['changed']['number']})",
        one["origin"],
    )


def reasons_of(rows: list[Json]) -> list[str]:
    """Why sites are not live, each with its cure."""
    return [
        f"{one['name']}: {one['reason']}" + (f"; {one['cure']}" if one["cure"] else "")
        for one in rows
        if one["reason"] and one["state"] not in verdict.AT_REST
    ]


def _renewal(certificate: Json | None, now: datetime.datetime) -> str:
    if certificate is None:
        return "-"
    at = certificate["renew_at"]
    ahead = durations.ahead(datetime.datetime.fromisoformat(at), now) if at else ""
    match certificate["renewal"]:
        case "ordered":
            return "ordered now"
        case "retried":
            return f"tries {ahead}"
        case "yours":
            return f"you, {ahead}" if ahead else "you"
    return ahead or "-"


def _ago(at: str, now: datetime.datetime) -> str:
    return f"{durations.describe(now - datetime.datetime.fromisoformat(at))} ago"
