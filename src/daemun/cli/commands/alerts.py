"""`daemun alerts test`."""

import typer

from daemun import settings
from daemun.cli import command_groups, common_options, control_client, daemon_state, json_answer, output

group = command_groups.make_group("alerts", about="Who gets alerts, of certificates, sites, the disk and more.")


@group.command()
@common_options.with_settings
def test(chosen: settings.Settings, as_json: common_options.AsJson = False) -> None:
    """Send a test to everybody under `alerts` of the file, and say of each whether it was taken, and if not, why.

    Exits with 1 when a target did not take it, or when there is none.
    """
    sent = daemon_state.or_not_live(chosen, control_client.ControlClient(chosen).test_alerts)
    if as_json:
        json_answer.print_json({"results": sent})
    for one in () if as_json else sent:
        output.print_line(
            f"{one['target']}: {'not taken: ' + one['error'] if one['error'] else one['remark'] or 'taken'}"
        )
    if not sent and not as_json:
        output.fail("cannot send a test: the file that daemun reads has no `alerts`; see docs/certificates.md")
    raise typer.Exit(0 if sent and all(one["error"] is None for one in sent) else 1)
