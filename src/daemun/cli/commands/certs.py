"""`daemun certs`, and its further commands."""

import datetime
import shutil
import sys
import typing

import typer

from daemun import errors, settings
from daemun.cli import (
    certificate_table,
    command_groups,
    common_options,
    control_client,
    daemon_state,
    forecast_table,
    host_names,
    json_answer,
    output,
    tables,
    verdict,
)
from daemun.core.texts import words

_LAMPS = ("bad", "warning", "good")


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """Every certificate: what is served, until when, and what happens next.

    Exits with 3 when a site is not served with the certificate that it should have, or when no daemon runs.
    """
    _show(chosen, {}, as_json=as_json)


def list_(
    chosen: settings.Settings,
    search: typing.Annotated[str, typer.Option("--search", metavar="TEXT", help="Only with this in a name.")] = "",
    only: typing.Annotated[
        str | None, typer.Option("--only", metavar="LAMP", help="Only those that are bad, warning or good.")
    ] = None,
    as_json: common_options.AsJson = False,
) -> None:
    """The same as `daemun certs`, of those that are looked for.

    Exits as `daemun certs` does, for those alone.
    """
    if only is not None and only not in _LAMPS:
        raise errors.ConfigError(
            f"cannot list certificates that are {words.quoted(only)}; expected {words.listed(_LAMPS)}"
        )
    _show(chosen, {"q": search.strip(), "lamp": only or ""}, as_json=as_json)


def _show(chosen: settings.Settings, query: dict[str, str], *, as_json: bool) -> None:
    """query: of the daemon's API."""
    given = {key: value for key, value in query.items() if value}
    client = control_client.ControlClient(chosen)
    found = daemon_state.or_not_live(chosen, lambda: client.certificates(given))
    if as_json:
        json_answer.print_json({"certificates": found})
    elif not found:
        output.print_line(
            "there is no such certificate; `daemun certs` lists all" if given else "no site needs a certificate"
        )
    elif sys.stdout.isatty():
        output.print_lines(certificate_table.lines_of(found, _now(), shutil.get_terminal_size().columns))
    else:
        titles = ("HOST", "STATE", "ISSUER", "EXPIRES", "LEFT", "RENEWS", "NOTE")
        tables.print_table(titles, [certificate_table.row_of(each, _now()) for each in found])
    raise typer.Exit(0 if verdict.all_served(found) else verdict.NOT_LIVE)


group = command_groups.make_group(
    "certs", show, about="Show the certificates and what comes, or renew one.", lists=list_
)


@group.command()
@common_options.with_settings
def renew(
    chosen: settings.Settings,
    host: typing.Annotated[str, typer.Argument(help="The site whose certificate it is.")],
    force: typing.Annotated[bool, typer.Option("--force", help="Also before the CA's Retry-After is over.")] = False,
) -> None:
    """Ask the CA for a new certificate now, forgetting earlier failures. Returns before the CA answers."""
    json_answer.note(host=host_names.normal(host))
    control_client.ControlClient(chosen).renew(host_names.normal(host), force=force)
    output.print_line(f"asked for a new certificate of {host}; `daemun certs` tells when it is there")


@group.command("show")
@common_options.with_settings
def detail(
    chosen: settings.Settings,
    host: typing.Annotated[str, typer.Argument(help="The site, or any name of the certificate.")],
    as_json: common_options.AsJson = False,
) -> None:
    """Show all that is known of one certificate. Exits as `daemun certs` does."""
    wanted = host_names.normal(host)
    every = daemon_state.or_not_live(chosen, control_client.ControlClient(chosen).certificates)
    found = [each for each in every if wanted == each["host"] or wanted in each["names"]]
    if not found:
        raise errors.ConfigError(f'cannot show the certificate of "{host}": no site has one; `daemun certs` lists all')
    if as_json:
        json_answer.print_json({"certificates": found})
    for number, each in enumerate(() if as_json else found):
        if number:
            output.print_line()
        width = max(len(name) for name, _ in certificate_table.detail_of(each, _now()))
        for name, value in certificate_table.detail_of(each, _now()):
            output.print_line(f"{name.ljust(width)}  {value}")
    raise typer.Exit(0 if verdict.all_served(found) else verdict.NOT_LIVE)


@group.command()
@common_options.with_settings
def forecast(
    chosen: settings.Settings,
    days: typing.Annotated[int, typer.Option("--days", min=1, max=3650, help="How far to look ahead.")] = 30,
    as_json: common_options.AsJson = False,
) -> None:
    """Show the coming renewals in order of time, and which certificates daemun does not renew, with their end."""
    answer = daemon_state.or_not_live(chosen, lambda: control_client.ControlClient(chosen).forecast(days))
    if as_json:
        json_answer.print_json(answer)
        return
    for line in forecast_table.lines_of(answer):
        output.print_line(line)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
