"""`daemun fleet status`."""

import typer

from daemun import settings
from daemun.cli import (
    common_options,
    control_client,
    daemon_state,
    fleet_rows,
    json_answer,
    output,
    problem_lines,
    tables,
    verdict,
)


@common_options.with_settings
def status(chosen: settings.Settings, as_json: common_options.AsJson = False) -> None:
    """Show the nodes of the fleet: which live, since when others are silent, and whether the database is reached.

    It is what this node sees. Exits with 3 when a node is down, or the database is not reached.
    """
    daemon = control_client.ControlClient(chosen)
    answer = daemon_state.or_not_live(chosen, daemon.read_fleet)
    fleet = answer["fleet"]
    if as_json:
        json_answer.print_json(answer)
    elif fleet is None:
        output.print_line("this daemun is in no fleet; docs/fleet.md shows how to begin one")
    else:
        output.print_line(fleet_rows.describe(fleet))
        tables.print_table(fleet_rows.TITLES, fleet_rows.rows_of(fleet))
        problem_lines.print_all(answer["problems"])
    raise typer.Exit(0 if fleet is None or fleet_rows.is_whole(fleet) else verdict.NOT_LIVE)
