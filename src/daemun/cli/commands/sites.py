"""`daemun sites`."""

import typing

import typer

from daemun import settings
from daemun.cli import client, options, output, problems, running, verdict

Json = dict[str, typing.Any]


@options.with_settings
def sites(chosen: settings.Settings, as_json: options.AsJson = False) -> None:
    """List the sites: their names, where they come from, their state and their routes.

    Exits with 3 when something is not live, or when no daemon runs that could tell.
    """
    answer = running.or_not_live(client.Client(chosen).status)
    if as_json:
        output.print_json({"sites": answer["sites"], "problems": answer["problems"]})
    else:
        rows = [row for site in answer["sites"] for row in rows_of(site)]
        output.print_table(("HOST", "STATE", "PATH", "TO", "FROM"), rows)
        for line in verdict.reasons(answer):
            output.say(line)
        problems.print_all(answer["problems"])
    raise typer.Exit(0 if verdict.all_live(answer) else verdict.NOT_LIVE)


def rows_of(site: Json) -> list[tuple[str, ...]]:
    """A row for each route, and for each alias one that names the site it belongs to. Pure."""
    routes: list[tuple[str, ...]] = [
        (site["host"], site["state"], route["path"], " ".join(route["to"]), route["origin"]) for route in site["routes"]
    ]
    aliases = [(alias, site["state"], "", f"(alias of {site['host']})", site["origin"]) for alias in site["aliases"]]
    return routes + aliases
