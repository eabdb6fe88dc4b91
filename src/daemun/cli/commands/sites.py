"""`daemun sites`."""

import sys
import typing

import typer

from daemun import settings
from daemun.cli import (
    common_options,
    control_client,
    daemon_state,
    json_answer,
    output,
    problem_lines,
    site_filter,
    stream_rows,
    tables,
    verdict,
)

Json = dict[str, typing.Any]


@common_options.with_settings
def sites(
    chosen: settings.Settings,
    hosts: site_filter.Hosts = None,
    only: site_filter.States = None,
    as_json: common_options.AsJson = False,
) -> None:
    """List the sites and streams: their names, where they come from, their state and their routes.

    Exits with 3 when something is not live, or when no daemon runs that could tell.
    """
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
