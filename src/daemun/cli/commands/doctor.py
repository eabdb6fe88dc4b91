"""`daemun doctor`."""

import typing

import typer

from daemun import settings
from daemun.cli import client, findings, hosts, options, output

Json = dict[str, typing.Any]

Host = typing.Annotated[
    str | None,
    typer.Argument(
        help="Look at this name alone; it need not be in the file yet. Default: everything.",
        autocompletion=hosts.complete,
    ),
]


@options.with_settings
def doctor(chosen: settings.Settings, host: Host = None, as_json: options.AsJson = False) -> None:
    """Look for what is wrong, or will be: names and DNS, port 80, CAA, the CA, the clock, nginx, containers, the disk.

    What is looked at is what daemun looks at before it orders a certificate. Changes nothing, and costs nothing at a
    CA. Exits with 1 when there is something to do.
    """
    name = hosts.normal(host) if host is not None else None
    daemon = client.Client(chosen)
    absent = None
    found: list[Json] = []
    try:
        found = daemon.diagnose(name)
    except client.NotRunningError as error:
        absent = error
    if name is None or absent is not None:
        found = _look(chosen, daemon, absent, found)
    if as_json:
        is_good = findings.all_good(found)
        output.print_json({"ok": is_good, "running": absent is None, "findings": found})
    else:
        findings.print_all(found)
    raise typer.Exit(0 if findings.all_good(found) else 1)


def _look(
    chosen: settings.Settings, daemon: client.Client, absent: client.NotRunningError | None, found: list[Json]
) -> list[Json]:
    """With what needs no daemon."""
    from daemun.cli import machine
    from daemun.core import model
    from daemun.web import json as web_json

    own: list[model.Finding] = []
    if absent is not None:
        own += [machine.split(str(absent), "daemun", model.Weight.BLOCKS)]
        own += [*machine.look_at_file(chosen), *machine.look_at_nginx(chosen)]
    own += machine.look_at_disk(chosen)
    if machine.has_local_sites(chosen) if absent is not None else _has_local(daemon):
        own += machine.look_at_trust(chosen)
    return [*found, *web_json.findings_json(tuple(own))]


def _has_local(daemon: client.Client) -> bool:
    return daemon.has_local_certificates()
