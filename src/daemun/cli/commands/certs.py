"""`daemun certs`, `daemun certs renew`."""

import typing

import typer

from daemun import settings
from daemun.cli import client, hosts, options, output, running, verdict

Json = dict[str, typing.Any]

group = typer.Typer(help="Show the certificates, or renew one.", invoke_without_command=True, no_args_is_help=False)


@group.callback()
def certs(
    context: typer.Context,
    config: options.Config = None,
    state: options.State = None,
    nginx: options.Nginx = None,
    as_json: options.AsJson = False,
) -> None:
    """Show every certificate: what is served, until when, and what happens next.

    Exits with 3 when a site is not served with the certificate that was asked for, or when no daemon runs.
    """
    context.find_root().obj = options.combine(context, config=config, state=state, nginx=nginx)
    if context.invoked_subcommand is None:
        show(options.resolve(context, config=config, state=state, nginx=nginx), as_json=as_json)


@group.command("list")
@options.with_settings
def list_(chosen: settings.Settings, as_json: options.AsJson = False) -> None:
    """The same as `daemun certs`."""
    show(chosen, as_json=as_json)


@group.command()
@options.with_settings
def renew(
    chosen: settings.Settings, host: typing.Annotated[str, typer.Argument(help="The site whose certificate it is.")]
) -> None:
    """Ask the CA for a new certificate now, forgetting earlier failures. Returns before the CA answers."""
    client.Client(chosen).renew(hosts.normal(host))
    output.say(f"asked for a new certificate of {host}; `daemun certs` tells when it is there")


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """Print, and exit as the help says."""
    found = running.or_not_live(client.Client(chosen).certificates)
    if as_json:
        output.print_json({"certificates": found})
    elif found:
        output.print_table(("HOST", "STATE", "ISSUER", "EXPIRES", "RENEWS", "NOTE"), [row_of(each) for each in found])
    else:
        output.say("no site needs a certificate")
    raise typer.Exit(0 if verdict.all_served(found) else verdict.NOT_LIVE)


def row_of(certificate: Json) -> tuple[str, ...]:
    """Pure."""
    note = certificate["reason"] or ""
    if certificate["next_attempt"]:
        note = f"{note}; " if note else ""
        note += f"next try {certificate['next_attempt']}"
    return (
        ", ".join(certificate["names"]),
        certificate["state"],
        certificate["issuer"] or "",
        (certificate["not_after"] or "")[:10],
        (certificate["renew_at"] or "")[:10],
        note,
    )
