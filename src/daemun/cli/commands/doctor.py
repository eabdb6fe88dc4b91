"""`daemun doctor`."""

import typing

import typer

from daemun import settings
from daemun.cli import common_options, control_client, finding_lines, host_names, json_answer, stream_rows

Json = dict[str, typing.Any]

Host = typing.Annotated[
    str | None,
    typer.Argument(
        help="Look at this name alone; it need not be in the file yet. Default: everything.",
        autocompletion=host_names.complete,
    ),
]


@common_options.with_settings
def doctor(chosen: settings.Settings, host: Host = None, as_json: common_options.AsJson = False) -> None:
    """Look for what is wrong, or will be: names and DNS, port 80, CAA, the CA, the clock, nginx, containers, the disk,
    identity providers.

    What is looked at is what daemun looks at before it orders a certificate. Changes nothing, and costs nothing at a
    CA. Exits with 1 when there is something to do.
    """
    name = stream_rows.name_in(host) or host_names.normal(host) if host is not None else None
    daemon = control_client.ControlClient(chosen)
    absent = None
    found: list[Json] = []
    try:
        found = daemon.diagnose(name)
    except control_client.NotRunningError as error:
        absent = error
    if name is None or absent is not None:
        found = _look(chosen, daemon, absent, found)
    if as_json:
        is_good = finding_lines.all_good(found)
        json_answer.print_json({"ok": is_good, "running": absent is None, "findings": found})
    else:
        finding_lines.print_all(found)
    raise typer.Exit(0 if finding_lines.all_good(found) else 1)


def _look(
    chosen: settings.Settings,
    daemon: control_client.ControlClient,
    absent: control_client.NotRunningError | None,
    found: list[Json],
) -> list[Json]:
    """With what needs no daemon."""
    from daemun.cli import daemon_state, machine_findings, provider_findings
    from daemun.core import model
    from daemun.web import json_values

    own: list[model.Finding] = []
    if absent is not None:
        own += [machine_findings.split(str(absent), "daemun", model.Weight.BLOCKS)]
        own += [*machine_findings.look_at_file(chosen), *machine_findings.look_at_nginx(chosen)]
    own += machine_findings.look_at_weaknesses(chosen)
    own += machine_findings.look_at_disk(chosen)
    own += provider_findings.look_at_providers(daemon_state.with_daemons_file(chosen))
    if machine_findings.has_local_sites(chosen) if absent is not None else daemon.has_local_certificates():
        own += machine_findings.look_at_trust(chosen)
    return [*found, *json_values.findings_json(tuple(own))]
