"""`daemun nginx`: which nginx there are, and others beside the system's."""

import datetime
import pathlib
import time
import typing

import typer

from daemun import errors, settings
from daemun.cli import command_groups, common_options, control_client, daemon_state, json_answer, output, tables
from daemun.core.texts import durations

if typing.TYPE_CHECKING:
    from daemun.nginx.builds import build_list, installed_builds

Json = dict[str, typing.Any]

_TWO_MONTHS = datetime.timedelta(days=60)

Version = typing.Annotated[str, typer.Argument(metavar="VERSION", help="As `daemun nginx list` shows it.")]
Shared = typing.Annotated[
    bool, typer.Option("--shared", help="Beside daemun itself, for all state directories, instead of into this one.")
]


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """Every nginx that is there. The first is the one that serves, or would."""
    from daemun.wiring import nginx_builds

    listed = nginx_builds.list_builds(chosen)
    if as_json:
        json_answer.print_json({"nginx": [_json_of(one) for one in listed]})
        return
    if not listed:
        output.print_line("there is no nginx; `daemun nginx install` gets one, and so does pip install 'daemun[nginx]'")
        return
    titles = ("NGINX", "FROM", "STATE", "LIBC", "OPENSSL", "KEY EXCHANGE", "HTTP/3", "AGE", "KNOWN WEAKNESSES")
    now = datetime.datetime.now(datetime.UTC)
    tables.print_table(titles, [_row_of(one, now) for one in listed])
    for line in _remarks(listed):
        output.print_line(line)


group = command_groups.make_group("nginx", show, about="Show which nginx there are, and install others beside them.")


@group.command()
@common_options.with_settings
def install(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    further: typing.Annotated[
        list[pathlib.Path] | None, typer.Argument(metavar="FILE", help="Further packages behind --from.")
    ] = None,
    files: typing.Annotated[
        list[pathlib.Path] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A package (.deb) of nginx or of a library it needs, instead of Debian's newest. "
            "Their signatures are yours to check. Needs no network.",
        ),
    ] = None,
    shared: Shared = False,
    best: typing.Annotated[
        bool,
        typer.Option(
            "--best",
            help="Only where the system has none that is new enough; where that fails, the bundled one is used.",
        ),
    ] = False,
    mirror: typing.Annotated[
        str | None, typer.Option("--mirror", metavar="URL", help="Of Debian; default: the one that apt uses.")
    ] = None,
    suite: typing.Annotated[
        str | None, typer.Option("--suite", metavar="SUITE", help="Of Debian; default: sid, then testing.")
    ] = None,
    accept_expired: typing.Annotated[
        bool, typer.Option("--accept-expired", help="Also take packages of a mirror that was not renewed for days.")
    ] = False,
) -> None:
    """Install Debian's newest nginx with its libraries beside the system's, which stays as it is, and choose it.

    apt fetches and verifies the packages, in folders of its own; that needs no root, but Debian's keyring. Beside an
    nginx that serves it waits for `daemun nginx upgrade`. What fails leaves what was there.
    """
    from daemun.wiring import nginx_builds

    if best:
        output.print_line(nginx_builds.install_best(chosen, is_shared=shared))
        return
    packages = [*(files or ()), *(further or ())]
    if packages:
        made = nginx_builds.install_files(chosen, tuple(file.absolute() for file in packages), is_shared=shared)
    else:
        made = nginx_builds.install_debian(
            chosen, is_shared=shared, mirror=mirror, suite=suite, accept_expired=accept_expired
        )
    _print_used(chosen, made, "installed")
    _print_running(chosen, made)


@group.command()
@common_options.with_settings
def use(chosen: settings.Settings, version: Version) -> None:
    """Choose an installed nginx. It takes over from one that serves, and no connection is lost.

    Where it does not, the one that served goes on, and is the chosen one again.
    """
    from daemun.wiring import nginx_builds

    before = nginx_builds.read_choices(chosen)
    made = nginx_builds.use(chosen, version)
    _print_used(chosen, made, "chosen")
    try:
        report = _take_over(chosen)
    except control_client.NotRunningError:
        _print_running(chosen, made)
        return
    except errors.DaemunError:
        nginx_builds.restore_choices(before)
        raise
    if not report["ok"]:
        nginx_builds.restore_choices(before)
    _print_upgrade(report)
    if report["ok"] and report["path"] != made.path:
        output.complain(f"{made.path} is not taken: the daemon was started with --nginx, or $DAEMUN_NGINX")


@group.command()
@common_options.with_settings
def upgrade(chosen: settings.Settings) -> None:
    """Let another nginx take over from the one that serves, and no connection is lost.

    It is the one that would be started now: that of --nginx, the installed one that was chosen, the system's, also
    where an update has replaced it, or the bundled one. Where it cannot take over, the one that served goes on.
    """
    _print_upgrade(_take_over(chosen))


@group.command()
@common_options.with_settings
def rm(chosen: settings.Settings, version: Version) -> None:
    """Remove an installed nginx. One that serves stays."""
    from daemun.wiring import nginx_builds

    gone = nginx_builds.remove(chosen, version)
    json_answer.note(nginx={"name": gone.name, "path": gone.path})
    output.print_line(f"removed: nginx {gone.name} ({gone.folder})")


def _take_over(chosen: settings.Settings) -> Json:
    """Raises: as `control_client.ControlClient`."""
    daemon = control_client.ControlClient(chosen)
    report = daemon.upgrade_nginx()
    if report["waits"] is not None:
        output.complain(f"waiting: {report['waits']['reason']}")
    while report["waits"] is not None:
        time.sleep(daemon_state.POLL_S)
        if daemon.status("")["waiting_change"] is None:
            report = {**daemon.upgrade_nginx(), "former": report["former"]}
    return report


def _print_upgrade(report: Json) -> None:
    """Exits with 1 where the other nginx did not take over."""
    json_answer.note(upgrade=report)
    if not report["ok"]:
        output.fail(report["error"])
        raise typer.Exit(1)
    where = f"nginx {report['version']} ({report['path']})"
    if report["former"] is None:
        output.print_line(f"{where} serves")
    else:
        output.print_line(f"{where} took over from nginx {report['former']}, and no connection was lost")


def _print_used(chosen: settings.Settings, made: "installed_builds.Installed", verb: str) -> None:
    from daemun.core.nginx_builds import nginx_weaknesses
    from daemun.wiring import nginx_builds

    json_answer.note(nginx={"name": made.name, "path": made.path})
    output.print_line(f"{verb}: nginx {made.name} ({made.path})")
    if chosen.nginx is not None:
        output.print_line(f"it is not taken as long as {chosen.nginx_from} names {chosen.nginx}")
    laid_open = [one for one in nginx_builds.list_weaknesses(chosen, made.path) if one.applies]
    if laid_open:
        output.complain(f"it has {nginx_weaknesses.describe(laid_open)}; `daemun nginx list` shows all")


def _print_running(chosen: settings.Settings, made: "installed_builds.Installed") -> None:
    from daemun.wiring import nginx_builds

    running = nginx_builds.find_running(chosen)
    if running is not None and running != made.path:
        output.print_line(f"{running} goes on serving; to let this one take over: daemun nginx upgrade")


def _row_of(one: "build_list.Listed", now: datetime.datetime) -> tuple[str, ...]:
    origin = f"{one.origin.value}: {one.path}"
    if one.build is None or one.refusal is not None:
        version = one.build.text if one.build is not None else "?"
        return (one.name or version, origin, f"cannot be used: {one.refusal}", *([""] * 6))
    laid_open = [weakness.severity for weakness in one.weaknesses if weakness.applies]
    severities = [f"{laid_open.count(word)} {word}" for word in dict.fromkeys(laid_open)]
    return (
        one.name or one.build.text,
        origin,
        _state_of(one),
        one.build.libc,
        one.build.openssl or "another library",
        ", ".join(one.key_exchange) or "classical",
        "yes" if one.http3 else "no",
        _age_of(one.made, now),
        ", ".join(severities) or "none that is laid open",
    )


def _state_of(one: "build_list.Listed") -> str:
    if one.serves:
        return "serves" if one.is_next else "serves, until another takes over"
    return "is taken by `daemun nginx upgrade`, or at the next start" if one.is_next else ""


def _age_of(made: datetime.datetime | None, now: datetime.datetime) -> str:
    if made is None:
        return ""
    days = (now - made).days
    return f"{days // 30} months" if now - made > _TWO_MONTHS else output.count(days, "day")


def _remarks(listed: tuple["build_list.Listed", ...]) -> list[str]:
    """What each is known for and would bring, below the table. Pure."""
    lines = []
    for one in listed:
        if one.refusal is not None:
            continue
        name = one.name or (one.build.text if one.build is not None else one.path)
        lines += [
            f"{name}: {weakness.name} ({weakness.severity}): {weakness.title}{_fix_of(weakness.fixed)}"
            for weakness in one.weaknesses
            if weakness.applies
        ]
        if one.gains:
            lines.append(f"{name} would bring: {', '.join(one.gains)}")
    usable = [one for one in listed if one.refusal is None]
    if usable and all(any(weakness.applies for weakness in one.weaknesses) for one in usable):
        lines.append("`daemun nginx install` gets the newest that Debian has, beside these")
    return lines


def _fix_of(fixed: tuple[str, ...]) -> str:
    return f"; fixed in {' and '.join(fixed)}" if fixed else ""


def _json_of(one: "build_list.Listed") -> Json:
    from daemun.web import nginx_json

    build = one.build
    return {
        "name": one.name,
        "origin": one.origin.value,
        "path": one.path,
        "version": build.text if build is not None else None,
        "libc": build.libc if build is not None else None,
        "openssl": build.openssl if build is not None else None,
        "modules": list(build.modules) if build is not None else [],
        "http3": one.http3,
        "key_exchange": list(one.key_exchange),
        "made_at": durations.instant(one.made) if one.made is not None else None,
        "refusal": one.refusal,
        "serves": one.serves,
        "next": one.is_next,
        "gains": list(one.gains),
        "weaknesses": nginx_json.weaknesses_json(one.weaknesses),
    }
