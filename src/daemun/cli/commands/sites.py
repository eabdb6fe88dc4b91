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

_NO_SITE = ""
"""Of this name: the daemon answers without all sites, which is quick."""

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
Origin = typing.Annotated[
    str | None,
    typer.Option(
        "--origin",
        metavar="SOURCE",
        help="Only those of a source (file, docker), or whose origin begins so (sites/shop.yaml).",
    ),
]
Kind = typing.Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only these: site or stream.")]
ByDomain = typing.Annotated[bool, typer.Option("--by-domain", help="Those of one registered domain stand together.")]
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
    origin: Origin = None,
    kind: Kind = None,
    by_domain: ByDomain = False,
    numbers: Numbers = False,
    sort: SortBy = None,
    reverse: Reverse = False,
    as_json: common_options.AsJson = False,
) -> None:
    """List the sites and streams: their names, where they come from, their state and their routes.

    With --numbers, or what it needs (--search, --origin, --kind, --by-domain, --sort, `--only trouble`): their lamps,
    requests, renewals and last changes instead of routes.

    Exits with 3 when something is not live, or when no daemon runs that could tell.
    """
    states = [site_filter.state_of(one) for one in only or ()]
    query = {
        "q": search,
        "origin": origin,
        "kind": kind,
        "group": "domain" if by_domain else None,
        "sort": sort,
        "order": "desc" if reverse else None,
    }
    given = {key: value for key, value in query.items() if value is not None}
    if numbers or given or site_filter.TROUBLE in states:
        _show_numbers(chosen, hosts, {**given, "state": ",".join(states)}, as_json=as_json)
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
    query: dict[str, str],
    *,
    as_json: bool,
) -> typing.NoReturn:
    """query: of the API. Ends the command, with the same exit codes as without numbers."""
    if hosts:
        raise errors.ConfigError("a table of numbers takes no names; `daemun sites --search NAME` finds them")
    client = control_client.ControlClient(chosen)
    found = daemon_state.or_not_live(chosen, lambda: client.find_rows(query))
    if as_json:
        json_answer.print_json(found)
    else:
        now = datetime.datetime.now(datetime.UTC)
        tables.print_table(overview_rows.TITLES, [overview_rows.row_of(one, now) for one in found["rows"]])
        for line in overview_rows.reasons_of(found["rows"]):
            output.print_line(line)
    gate = daemon_state.or_not_live(chosen, lambda: client.status(_NO_SITE))
    raise typer.Exit(0 if verdict.all_live(_with_rows(gate, found["rows"])) else verdict.NOT_LIVE)


def _with_rows(gate: Json, rows: list[Json]) -> Json:
    """The status of the gate as if it had these sites and streams alone, with the problems that concern them."""
    names = {name for one in rows for name in (one["name"], *one["aliases"])}
    problems = [one for one in gate["problems"] if one["host"] is None or one["host"] in names]
    return {**gate, "sites": rows, "streams": [], "problems": problems}


def rows_of(site: Json) -> list[tuple[str, ...]]:
    """A row for each route, and for each alias one that names the site it belongs to. Pure."""
    state = output.state_of_site(site)
    routes: list[tuple[str, ...]] = [
        (
            site["host"],
            state,
            _path_of(route),
            " ".join(route["to"]) or "(no server now)",
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
