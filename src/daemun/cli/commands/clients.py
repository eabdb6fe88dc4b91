"""`daemun clients`, `daemun clients add`, `daemun clients revoke`."""

import io
import os
import pathlib
import sys
import typing

import typer

from daemun import causes, errors, settings
from daemun.cli import (
    command_groups,
    common_options,
    control_client,
    daemon_state,
    json_answer,
    lifetimes,
    output,
    tables,
)
from daemun.core.texts import durations

if typing.TYPE_CHECKING:
    from daemun.certs.served import client_ca

Json = dict[str, typing.Any]

Name = typing.Annotated[str, typer.Argument(metavar="NAME", help="Of the person or device; servers receive it.")]


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """Every certificate that was made, also without a running daemon."""
    from daemun.wiring.offline import offline_clients

    found = offline_clients.list_clients(chosen)
    rows = [_as_json(one, _state(one, is_over=offline_clients.is_over(one))) for one in found]
    if as_json:
        json_answer.print_json({"clients": rows})
    elif rows:
        columns = ("name", "state", "made_at", "expires_at")
        tables.print_table(("NAME", "STATE", "MADE", "ENDS"), [tuple(row[key][:10] for key in columns) for row in rows])
    else:
        output.print_line("there is no client yet; `daemun clients add NAME` makes one")


group = command_groups.make_group(
    "clients", show, about="Certificates of visitors, for `access: {client_certificates: local}`."
)


@group.command()
@common_options.with_settings
def add(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    name: Name,
    days: typing.Annotated[int, typer.Option(help="How long it is valid.", min=1, max=7300)] = 730,
    out: typing.Annotated[
        pathlib.Path | None, typer.Option("--out", metavar="FILE", help="Where to write it; NAME.p12 in this folder.")
    ] = None,
    link: typing.Annotated[
        bool, typer.Option("--link", help="Print a link and its QR code for the device instead of writing a file.")
    ] = False,
    host: typing.Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="The site of the link; the first that has one.")
    ] = None,
    expires: typing.Annotated[
        str, typer.Option("--expires", metavar="TIME", help="How long the link is good (30m, 12h).")
    ] = "1h",
) -> None:
    """Make a certificate for a visitor: a file to install on the device, and a password that is shown once.

    The file holds the only copy of its key. Delete it once it is installed. With --link, the gate hands it over, once.
    """
    from daemun.certs.served import client_ca
    from daemun.wiring.offline import offline_clients

    client_ca.check_name(name)
    if link:
        if out is not None:
            raise errors.ConfigError("cannot use --out beside --link: a link writes no file; leave one of them out")
        _add_by_link(chosen, name, days=days, host=host, expires=expires)
        return
    if host is not None:
        raise errors.ConfigError("cannot use --host without --link; add that")
    path = pathlib.Path(f"{name}.p12") if out is None else out
    descriptor = _create(path)
    try:
        issued = offline_clients.add(chosen, name, days=days)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(issued.p12)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    state = _state(issued.client, is_over=False)
    json_answer.note(**_as_json(issued.client, state), file=str(path.absolute()), password=issued.password)
    for line in (
        f"made {path}, valid until {issued.client.expires_at:%Y-%m-%d}",
        f"password: {issued.password}",
        "",
        "Take the file to the device by a way that you trust (a cable, AirDrop, a private message), open it there, and",
        "type the password, which is not shown again. Then delete the file: it holds the key.",
    ):
        output.print_line(line)


def _add_by_link(chosen: settings.Settings, name: str, *, days: int, host: str | None, expires: str) -> None:
    from daemun.wiring.offline import offline_clients

    lifetime_s = lifetimes.read(expires, "let a link end")
    page = offline_clients.find_page(daemon_state.with_daemons_file(chosen), host)
    issued = offline_clients.add(chosen, name, days=days)
    secret, ends_at = offline_clients.offer(chosen, issued, lifetime_s=lifetime_s)
    address = f"{page}?token={secret}"
    state = _state(issued.client, is_over=False)
    json_answer.note(
        **_as_json(issued.client, state), link=address, ends=durations.instant(ends_at), password=issued.password
    )
    for line in (
        f"a certificate for {name}, until {lifetimes.moment(ends_at.timestamp())}, and once, by this link:",
        f"  {address}",
        *_draw(address),
        f"password: {issued.password}",
        "",
        "Open the link on the device, download, and type the password, which is not shown again. Send link and",
        "password to somebody else by different ways. If the link was used before the device could:",
        f"`daemun clients revoke {name}`.",
    ):
        output.print_line(line)
    if not _is_running(chosen):
        output.print_line("daemun does not run: the link is good once `daemun up` does")


def _is_running(chosen: settings.Settings) -> bool:
    try:
        control_client.ControlClient(chosen).status("")
    except errors.DaemunError:
        return False
    return True


def _draw(address: str) -> tuple[str, ...]:
    """As a QR code of half blocks, light on dark; none for programs and terminals without these."""
    if json_answer.is_wanted():
        return ()
    import segno

    drawn = io.StringIO()
    segno.make(address, error="l", micro=False).terminal(drawn, border=2, compact=True)
    try:
        drawn.getvalue().encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ()
    return ("", drawn.getvalue().rstrip("\n"), "")


@group.command()
@common_options.with_settings
def revoke(chosen: settings.Settings, name: Name) -> None:
    """Withdraw every certificate of a client. A running gate applies that at once."""
    from daemun.wiring.offline import offline_clients

    found = offline_clients.revoke(chosen, name)
    json_answer.note(name=name, serials=[one.serial for one in found])
    how = f"withdrawn: {name}" if found else f"{name} was withdrawn already"
    try:
        report = daemon_state.apply_and_wait(control_client.ControlClient(chosen))
    except control_client.NotRunningError:
        output.print_line(f"{how}; daemun does not run: the gate takes it until `daemun up` runs again")
        return
    if not report["ok"]:
        raise errors.EnvironmentProblemError(
            f"{how}, but not everything of the configuration is live; `daemun status` says why, and `daemun apply` "
            "tries again"
        )
    output.print_line(f"{how}; the gate does not take it any more. WebSockets that are open stay until they end")


def _create(path: pathlib.Path) -> int:
    """For its owner alone, and never over another file. Raises: ConfigError."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise errors.ConfigError(f"cannot write {path}: it is there already; name another file with --out") from None
    except OSError as error:
        raise errors.ConfigError(
            f"cannot write {path}: {causes.describe(error)}; name another file with --out"
        ) from error


def _state(one: "client_ca.ClientCertificate", *, is_over: bool) -> str:
    if one.revoked_at is not None:
        return "revoked"
    return "ended" if is_over else "valid"


def _as_json(one: "client_ca.ClientCertificate", state: str) -> Json:
    return {
        "name": one.name,
        "state": state,
        "serial": one.serial,
        "made_at": durations.instant(one.made_at),
        "expires_at": durations.instant(one.expires_at),
        "revoked_at": None if one.revoked_at is None else durations.instant(one.revoked_at),
    }
