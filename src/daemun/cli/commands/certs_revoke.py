"""`daemun certs revoke`."""

import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, confirmation, control_client, host_names, json_answer, output
from daemun.control import account_port

Reason = typing.Annotated[
    str, typer.Option("--reason", metavar="REASON", help=f"One of {', '.join(account_port.REASONS)}.")
]


@common_options.with_settings
def revoke(
    chosen: settings.Settings,
    host: typing.Annotated[str, typer.Argument(help="The site whose certificate it is.")],
    reason: Reason = "unspecified",
    yes: confirmation.Yes = False,
) -> None:
    """Declare a certificate invalid at its CA, for good, and order another one, with a new key, at once.

    For a key that others may have seen: --reason keycompromise. The old one is served until the new one is there.
    """
    if reason not in account_port.REASONS:
        raise errors.ConfigError(
            f'cannot revoke for the reason "{reason}"; expected one of {", ".join(account_port.REASONS)}'
        )
    host = host_names.normal(host)
    json_answer.note(host=host, reason=reason)
    daemon = control_client.ControlClient(chosen)
    daemon.certificates()  # before any question: is there a daemon?
    confirmation.confirm(f"Revoke the certificate of {host} for good?", yes=yes)
    daemon.revoke(host, reason=reason)
    output.print_line(
        f"revoked the certificate of {host}; another one is being ordered, `daemun certs` tells when it is there"
    )
