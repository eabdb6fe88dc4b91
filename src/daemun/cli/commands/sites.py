"""`daemun sites`."""

import datetime
import sys
import typing

import typer

from daemun import errors, settings
from daemun.cli import (
    common_options,
    control_client,
    daemon_state,
    json_answer,
    output,
    overview_rows,
    problem_lines,
    site_filter,
    stream_rows,
    tables,
    verdict,
)

Json = dict[str, typing.Any]

Search = typing.Annotated[
    str | None,
    typer.Option("--search", metavar="TEXT", help="Only those with these words in their names, targets or origins."),
]
SortBy = typing.Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="With the numbers, in this order: worst, name, state, origin, servers, requests, p95, errors, bytes, "
        "certificate or changed.",
    ),
]
Reverse = typing.Annotated[bool, typer.Option("--reverse", help="The other way round.")]
Numbers = typing.Annotated[
    bool,
    typer.Option("--numbers", help="A row for each with its lamps and numbers, as the dashboard shows them."),
]


@common_options.with_settings
def sites(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    hosts: site_filter.Hosts = None,
    only: site_filter.States = None,
    search: Search = None,
    numbers: Numbers = False,
    sort: SortBy = None,
    reverse: Reverse = False,
    as_json: common_options.AsJson = False,
) -> None:
    """List the sites and streams: their names, where they come from, their state and their routes.

    With --numbers, --search or --sort: their lamps, requests, renewals and last changes instead of routes.

    Exits with 3 when something is not live, or when no daemon runs that could tell.
    """
    if numbers or search is not None or sort is not None or reverse:
        _show_numbers(chosen, hosts, only, search or "", sort, is_reversed=reverse, as_json=as_json)
    answer = site_filter.choose(
        daemon_state.or_not_live(chosen, control_client.ControlClient(chosen).status), hosts, only
    )
    if as_json:
        shown = {key: answer.get(key, []) for key in ("sites", "streams", "problems")}
        json_answer.print_json(shown)
    else:
        rows = [row for site in answer["sites"] for row in rows_of(site)]
        tables.print_table(("HOST", "STATE", "PATH", "TO", "FROM"), rows)
        if answer.get("streams"):
            of_streams = ("STREAM", "STATE", "LISTEN", "TO", "FROM")
            tables.print_table(of_streams, [stream_rows.row_of(one) for one in answer["streams"]])
        for line in verdict.reasons(answer):
            output.print_line(line)
        problem_lines.print_all(answer["problems"])
        if sys.stdout.isatty():  # rows alone for a pipe
            output.print_line(verdict.count_sites(answer))
    raise typer.Exit(0 if verdict.all_live(answer) else verdict.NOT_LIVE)


def _show_numbers(
    chosen: settings.Settings,
    hosts: list[str] | None,
    only: list[str] | None,
    search: str,
    sort: str | None,
    *,
    is_reversed: bool,
    as_json: bool,
) -> typing.NoReturn:
    """Ends the command."""
    if hosts:
        raise errors.ConfigError("a table of numbers takes no names; `daemun sites --search NAME` finds them")
    client = control_client.ControlClient(chosen)
    query = {
        "q": search,
        "state": ",".join(site_filter.state_of(one) for one in only or ()),
        "sort": sort or "worst",
        "order": "desc" if is_reversed else "asc",
    }
    found = daemon_state.or_not_live(chosen, lambda: client.find_rows(query))
    if as_json:
        json_answer.print_json(found)
    else:
        now = datetime.datetime.now(datetime.UTC)
        tables.print_table(overview_rows.TITLES, [overview_rows.row_of(one, now) for one in found["rows"]])
        for line in overview_rows.reasons_of(found["rows"]):
            output.print_line(line)
    is_live = all(one["state"] in verdict.AT_REST for one in found["rows"])
    raise typer.Exit(0 if is_live else verdict.NOT_LIVE)


def rows_of(site: Json) -> list[tuple[str, ...]]:
    """A row for each route, and for each alias one that names the site it belongs to. Pure."""
    state = output.state_of_site(site)
    routes: list[tuple[str, ...]] = [
        (
            site["host"],
            state,
            _path_of(route),
            " ".join(route["to"]) or "(nobody now)",
            _origin_of(site, route),
        )
        for route in site["routes"]
    ]
    aliases = [(alias, state, "", f"(alias of {site['host']})", _origin_of(site, site)) for alias in site["aliases"]]
    return routes + aliases


def _path_of(route: Json) -> str:
    """With what a request must have, where the path has several routes."""
    return str(route["path"]) if route["when"] is None else f"{route['path']} ({route['when']})"


def _origin_of(site: Json, part: Json) -> str:
    """The line of the file, or the site as another source names it ("chat.example.com@docker") with its place."""
    origin: str = part["origin"]
    return origin if site["source"] == "file" else f"{site['name']} ({origin})"
