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

_ALONE = "this daemun is in no fleet; docs/fleet.md shows how to begin one"
_ASIDE = (
    "this machine belongs to a fleet, and the daemun that runs takes no part in it: `daemun status` says why; if "
    "`fleet` was written since it started, "
)


@common_options.with_settings
def status(chosen: settings.Settings, as_json: common_options.AsJson = False) -> None:
    """Show the nodes of the fleet: which live, since when others are silent, and whether the database is reached.

    It is what this node sees. Exits with 3 when a node is down, or the database is not reached.
    """
    from daemun.fleet import fleet_signs
    from daemun.wiring.offline import offline_fleet

    daemon = control_client.ControlClient(chosen)
    answer = daemon_state.or_not_live(chosen, daemon.read_fleet)
    fleet = answer["fleet"]
    is_aside = fleet is None and offline_fleet.is_member(chosen)
    if as_json:
        json_answer.print_json(answer)
    elif fleet is None:
        output.print_line(_ASIDE + fleet_signs.START_AGAIN if is_aside else _ALONE)
    else:
        output.print_line(fleet_rows.describe(fleet))
        tables.print_table(fleet_rows.TITLES, fleet_rows.rows_of(fleet))
        problem_lines.print_all(answer["problems"])
    is_whole = not is_aside if fleet is None else fleet_rows.is_whole(fleet)
    raise typer.Exit(0 if is_whole else verdict.NOT_LIVE)
