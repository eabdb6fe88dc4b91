"""`daemun accounts`, `daemun accounts rollover`, `daemun accounts deactivate`."""

import typing

import typer

from daemun import errors, settings
from daemun.cli import command_groups, common_options, confirmation, control_client, json_answer, output, tables

Json = dict[str, typing.Any]


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """The account at every CA that was used so far, also without a running daemon."""
    found = _fetch(chosen)
    if as_json:
        json_answer.print_json(found)
        return
    if found["accounts"]:
        tables.print_table(("CA", "ACCOUNT", "EMAIL", "KEY", "STATE"), [row_of(each) for each in found["accounts"]])
    else:
        output.print_line("there is no account at any CA yet; the first order makes one")
    if found["rolling"]:
        output.print_line("a change of the shared key is not finished: `daemun accounts rollover` goes on with it")


group = command_groups.make_group("accounts", show, about="Show the accounts at CAs, or change them.")


@group.command()
@common_options.with_settings
def rollover(
    chosen: settings.Settings,
    everything: typing.Annotated[
        bool, typer.Option("--all", help="Accounts with keys of their own (imported ones) get the shared key, too.")
    ] = False,
) -> None:
    """Replace the shared account key at every CA that knows it. The accounts stay the same.

    When a CA cannot be reached, the others use the new key already; the same command goes on later.
    """
    turns = control_client.ControlClient(chosen).roll_over(everything=everything)
    json_answer.note(accounts=turns)
    for turn in turns:
        output.print_line(f"{turn['directory']}: {turn['error'] or 'knows the new key'}")
    if not turns:
        output.print_line("no CA knows the key yet; a new one is in use")
    if any(turn["error"] for turn in turns):
        raise errors.EnvironmentProblemError(
            "the new key is not known everywhere; accounts that do not know it go on with the old one. "
            "Run the same command again to go on"
        )


@group.command()
@common_options.with_settings
def deactivate(
    chosen: settings.Settings,
    ca: typing.Annotated[str, typer.Argument(metavar="CA", help="Its name, or the URL of its directory.")],
    yes: confirmation.Yes = False,
) -> None:
    """Close the account at a CA, for good. Certificates stay valid; the next order there gets a new account."""
    from daemun.core.options import ordering_forms

    try:
        directory = ordering_forms.parse_directory(ca)
    except ValueError as error:
        raise errors.ConfigError(f"cannot deactivate an account: {error}") from error
    daemon = control_client.ControlClient(chosen)
    daemon.accounts()  # before any question: is there a daemon?
    confirmation.confirm(f"Deactivate the account at {directory} for good?", yes=yes)
    daemon.deactivate(directory)
    json_answer.note(directory=directory)
    output.print_line(f"deactivated the account at {directory}; what is ordered there from now on gets a new one")


def row_of(account: Json) -> tuple[str, ...]:
    """Pure."""
    return (account["directory"], account["url"] or "", account["email"] or "", account["key"], account["state"])


def _fetch(chosen: settings.Settings) -> Json:
    try:
        return control_client.ControlClient(chosen).accounts()
    except control_client.NotRunningError:
        from daemun.web import accounts_api
        from daemun.wiring.offline import offline_accounts

        return accounts_api.accounts_json(offline_accounts.list_accounts(chosen))
