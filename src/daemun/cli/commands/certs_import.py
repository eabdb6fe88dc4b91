"""`daemun certs import`."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, control_client, json_answer, output
from daemun.core.texts import durations

if typing.TYPE_CHECKING:
    from daemun.certs.importing import found_items

Json = dict[str, typing.Any]

Folders = typing.Annotated[
    list[pathlib.Path],
    typer.Argument(metavar="DIR...", help="As /etc/letsencrypt, ~/.acme.sh, /etc/acme.sh, /etc/nginx/certs."),
]
DryRun = typing.Annotated[bool, typer.Option("--dry-run", help="Change nothing; tell what would be done.")]

REFUSED = "refused"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Adopter:
    """Who takes over: a running daemon, or this process. Each takes and returns what the API does."""

    account: collections.abc.Callable[[Json], Json]
    certificate: collections.abc.Callable[[Json], Json]
    is_live: bool


@common_options.with_settings
def import_(chosen: settings.Settings, folders: Folders, dry_run: DryRun = False) -> None:
    """Take over certificates and accounts of certbot, acme.sh or acme-companion, without asking a CA for anything.

    Works beside a running daemon, at once, and without one, for the next start. Nothing is changed in the folders, nor
    in daemun.yaml: the lines that keep other settings are printed.
    """
    import datetime

    from daemun.certs.importing import gather, import_advice

    found = gather.read_folders(folders, datetime.datetime.now(datetime.UTC))
    output.print_line(f"{found.client}, in {', '.join(map(str, folders))}:")
    with _adopting(chosen, dry=dry_run) as adopter:
        accounts = [_show_account(adopter, one) for one in found.accounts]
        certificates = [_show_certificate(adopter, one) for one in found.certificates]
        is_live = adopter.is_live
    json_answer.note(
        client=found.client,
        running=is_live,
        dry_run=dry_run,
        accounts=accounts,
        certificates=certificates,
        left=[{"place": one.place, "reason": one.reason} for one in found.refusals],
        snippet=import_advice.snippet(found),
    )
    for refusal in found.refusals:
        output.print_line(f"  left         {refusal.place}: {refusal.reason}")
    _print_section("How daemun does it from now on:", import_advice.remarks(found))
    _print_section(
        "Lines for daemun.yaml that keep these settings (nothing is written there):", import_advice.snippet(found)
    )
    output.print_line()
    output.print_line(_end(dry=dry_run, is_live=is_live))
    if found.refusals and all(one["verdict"] == REFUSED for one in (*accounts, *certificates)):
        raise typer.Exit(1)


def _show_account(adopter: _Adopter, one: "found_items.FoundAccount") -> Json:
    found = one.found
    key = found.key_pem.decode()
    value = {"directory": found.directory, "url": found.url, "email": found.email, "key": key}
    answer = _request(adopter.account, value)
    output.print_line(f"  account      at {found.directory}: {answer['text']}")
    return {"directory": found.directory, **answer}


def _show_certificate(adopter: _Adopter, one: "found_items.FoundCertificate") -> Json:
    found = one.foreign
    pair = {"fullchain": found.fullchain_pem.decode(), "key": found.key_pem.decode()}
    answer = _request(adopter.certificate, {"directory": found.directory, **pair})
    names = one.bundle.names()
    output.print_line(f"  certificate  {', '.join(names)} (until {one.bundle.not_after:%Y-%m-%d}): {answer['text']}")
    return {"names": list(names), "not_after": durations.instant(one.bundle.not_after), **answer}


def _request(adopt: collections.abc.Callable[[Json], Json], value: Json) -> Json:
    """What is refused for one item does not end the import of the others."""
    try:
        return adopt(value)
    except errors.EnvironmentProblemError:
        raise
    except errors.DaemunError as error:
        return {"verdict": REFUSED, "text": str(error)}


def _print_section(title: str, lines: list[str]) -> None:
    if lines:
        output.print_line()
        output.print_line(title)
        for line in lines:
            output.print_line(f"  {line}")


def _end(*, dry: bool, is_live: bool) -> str:
    if dry:
        return "nothing was changed: this was a dry run"
    if not is_live:
        return "no daemun is running: what was taken over is used with the next `daemun up`"
    return "what was taken over is in use; `daemun certs` shows it. Let the old client renew no more"


@contextlib.contextmanager
def _adopting(chosen: settings.Settings, *, dry: bool) -> collections.abc.Iterator[_Adopter]:
    daemon = control_client.ControlClient(chosen)
    try:
        daemon.accounts()
    except control_client.NotRunningError:
        with _adopting_alone(chosen, dry=dry) as adopter:
            yield adopter
        return
    yield _Adopter(
        account=lambda found: daemon.adopt_account(found, dry=dry),
        certificate=lambda found: daemon.adopt_certificate(found, dry=dry),
        is_live=True,
    )


@contextlib.contextmanager
def _adopting_alone(chosen: settings.Settings, *, dry: bool) -> collections.abc.Iterator[_Adopter]:
    from daemun.web import accounts_api
    from daemun.wiring.offline import offline_accounts

    with offline_accounts.adopting(chosen, dry=dry) as alone:
        yield _Adopter(
            account=lambda found: accounts_api.adoption_json(
                alone.adopt_account(accounts_api.account_from(found), dry=dry)
            ),
            certificate=lambda found: accounts_api.adoption_json(
                alone.adopt_certificate(accounts_api.certificate_from(found), dry=dry)
            ),
            is_live=False,
        )
