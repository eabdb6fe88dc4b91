"""`daemun alerts test`."""

import typer

from daemun import settings
from daemun.cli import client, options, output, running

group = typer.Typer(help="Whom daemun tells when a certificate is in danger.", no_args_is_help=True)


@group.callback()
def alerts(
    context: typer.Context,
    config: options.Config = None,
    state: options.State = None,
    nginx: options.Nginx = None,
    as_json: options.AsJson = False,
) -> None:
    """Whom daemun tells when a certificate is in danger."""
    context.find_root().obj = options.combine(context, config=config, state=state, nginx=nginx)


@group.command()
@options.with_settings
def test(chosen: settings.Settings, as_json: options.AsJson = False) -> None:
    """Send a test to everybody under `alerts` of the file, and say of each whether it was taken, and if not, why.

    Exits with 1 when somebody did not take it, or when nobody is told.
    """
    told = running.or_not_live(chosen, client.Client(chosen).test_alerts)
    if as_json:
        output.print_json({"told": told})
    for one in () if as_json else told:
        output.say(f"{one['target']}: {'not taken: ' + one['error'] if one['error'] else one['remark'] or 'taken'}")
    if not told and not as_json:
        output.fail("nobody is told: the file that daemun reads has no `alerts`; see docs/certificates.md")
    raise typer.Exit(0 if told and all(one["error"] is None for one in told) else 1)
