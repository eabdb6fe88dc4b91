"""`daemun uptime`."""

import dataclasses
import datetime
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, host_names, json_answer, known_names, output, tables, uptime_lines
from daemun.core.texts import words

Host = typing.Annotated[
    str | None, typer.Argument(help="The days and incidents of this site.", autocompletion=host_names.complete)
]
Days = typing.Annotated[
    int, typer.Option("--days", metavar="NUMBER", min=1, max=90, help="Of so many days, of which today is the last.")
]


Search = typing.Annotated[
    str | None, typer.Option("--search", metavar="TEXT", help="Only sites with this in their names.")
]


@common_options.with_settings
def uptime(
    chosen: settings.Settings,
    host: Host = None,
    days: Days = 90,
    search: Search = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Show how long each site was up, the worst first, with a bar for each day. Needs no daemon.

    A site is down while no server answers, or visitors get a wrong certificate or a 503 page; disturbed, which
    counts as up, while some of it is not served or many requests got a 5xx. Maintenance does not count. While
    daemun did not run nothing was watched: that is never an outage.
    """
    from daemun.uptime import uptime_reader

    now = datetime.datetime.now(datetime.UTC)
    name = None if host is None else host_names.normal(host)
    today = now.astimezone().date()
    found = uptime_reader.read(chosen.layout, today, days, sites=None if name is None else [name])
    if name is not None and not found.sites:
        _explain_unknown(chosen, name)
    if search is not None:
        wanted = search.strip().lower()
        found = dataclasses.replace(found, sites=tuple(one for one in found.sites if wanted in one.site))
    if as_json:
        from daemun.core.uptime import uptime_sums
        from daemun.web import json_values, uptime_json

        sites = (
            [uptime_json.site_json(*one) for one in uptime_sums.worst_first(found.sites)]
            if name is None
            else [uptime_json.details_json(one) for one in found.sites]
        )
        json_answer.print_json({"days": days, "seen_at": json_values.instant_json(found.seen_at), "sites": sites})
        return
    if found.seen_at is None:
        output.print_line("no site was watched yet; `daemun up` begins with it once each site had a first look")
        return
    if name is None:
        tables.print_table(("SITE", "UPTIME", "DOWN", "DAYS"), uptime_lines.rows_of(found.sites))
        output.print_line(uptime_lines.LEGEND)
    else:
        for line in uptime_lines.details_of(found.sites[0]):
            output.print_line(line)
        rows = uptime_lines.incident_rows(found.sites[0].incidents, None)
        if rows:
            output.print_line()
            tables.print_table(("FROM", "LASTED", "WHAT", "CAUSE"), rows)
    since_s = (now - found.seen_at).total_seconds()
    if since_s > _LATE_S:
        output.print_line(f"not watched for {uptime_lines.span(since_s)}: daemun does not run, or cannot store it")


_LATE_S = 900.0
"""It is stored each five minutes while nothing changes."""


def _explain_unknown(chosen: settings.Settings, name: str) -> typing.NoReturn:
    if known_names.is_stream(name, known_names.read(chosen).streams):
        raise errors.ConfigError(
            f"cannot show the uptime of {words.quoted(name)}: it is a stream, which is not watched for this; "
            "`daemun status` shows whether it is live"
        )
    raise errors.ConfigError(
        f"no site {words.quoted(name)} was watched; `daemun uptime` lists those that were, by their first names"
    )
