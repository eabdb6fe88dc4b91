"""`daemun dashboard`: a link to it, who is signed in by one, and tokens of its API."""

import typing

import typer

from daemun import errors, settings
from daemun.cli import command_groups, common_options, control_client, json_answer, lifetimes, output, tables

_EVER = "ever"
_LOCAL = ".localhost"

group = typer.Typer(
    help="Print a link to the dashboard, which lets one browser in, once, within ten minutes.",
    invoke_without_command=True,
)


@group.callback()
def by_itself(  # noqa: PLR0917 - Typer's
    context: typer.Context,
    opens: typing.Annotated[bool, typer.Option("--open", help="Open it in your browser, too.")] = False,
    config: common_options.Config = None,
    state: common_options.State = None,
    nginx: common_options.Nginx = None,
    as_json: common_options.AsJson = False,
) -> None:
    context.find_root().obj = common_options.combine(context, config=config, state=state, nginx=nginx)
    if context.invoked_subcommand is None:
        chosen = common_options.resolve(context, config=config, state=state, nginx=nginx)
        _show_link(chosen, opens=opens, as_json=as_json)


def _show_link(chosen: settings.Settings, *, opens: bool, as_json: bool) -> None:
    from daemun.cli import browser_window

    made = control_client.ControlClient(chosen).make_dashboard_link()
    if as_json:
        json_answer.print_json(made)
    else:
        output.print_line(made["url"])
        output.complain("it lets one browser in, once, within ten minutes; the link before it is no good any more")
        if made["url"].partition("#")[0].split("/")[2].partition(":")[0].endswith(_LOCAL):
            output.complain(
                "it opens on this machine alone; `dashboard: {host: gate.example.com}` in daemun.yaml is for browsers "
                "elsewhere"
            )
    if opens:
        browser_window.open_secret(made["url"])


# --- who is signed in ------------------------------------------------------------------------------------------------


def _show_sessions(chosen: settings.Settings, *, as_json: bool) -> None:
    """Who is signed in to the dashboard by a link, a line for each browser; `daemun sessions` has users of `login`."""
    found = control_client.ControlClient(chosen).dashboard_sessions()
    if as_json:
        json_answer.print_json({"sessions": found})
    elif found:
        rows = [
            (
                one["number"],
                one["name"],
                _moment(one["created_at"]),
                _moment(one["seen_at"]),
                one["address"],
                one["agent"][:40],
            )
            for one in found
        ]
        tables.print_table(("ID", "BY", "SINCE", "LAST USED", "ADDRESS", "BROWSER"), rows)
    else:
        output.print_line("nobody is signed in by a link; `daemun dashboard` makes one")


sessions = command_groups.make_group(
    "dashboard sessions", _show_sessions, about="Who is signed in to the dashboard by a link."
)
group.add_typer(sessions, name="sessions")


@sessions.command()
@common_options.with_settings
def end(
    chosen: settings.Settings,
    session: typing.Annotated[str | None, typer.Argument(metavar="[ID]", help="One session, as listed.")] = None,
    everything: typing.Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """End a session of the dashboard, or all, at once."""
    if (session is None) is not everything:
        raise errors.ConfigError("cannot end a session: name one by its ID, or write --all")
    found = control_client.ControlClient(chosen).end_dashboard_sessions(session)
    ended = found["ended"]
    json_answer.note(ended=ended)
    if not ended and not everything:
        raise errors.ConfigError("there is no such session; `daemun dashboard sessions` lists them")
    if not found["saved"]:
        raise errors.EnvironmentProblemError(
            f"{ended} sessions are over, but that cannot be written: they are back when daemun starts again; make room "
            f"on the disk of {chosen.layout.store}, where it is tried again every few seconds"
        )
    output.print_line(f"{ended} session{'s are' if ended != 1 else ' is'} over")


# --- tokens ----------------------------------------------------------------------------------------------------------


def _show_tokens(chosen: settings.Settings, *, as_json: bool) -> None:
    """Every token of the dashboard's API, a line each; none is shown itself."""
    found = control_client.ControlClient(chosen).dashboard_tokens()
    if as_json:
        json_answer.print_json({"tokens": found})
    elif found:
        rows = [
            (
                one["name"],
                one["role"],
                " ".join(one["networks"]) or "everywhere",
                _moment(one["created_at"]),
                _moment(one["seen_at"]) if one["seen_at"] else "never",
                "over" if one["is_over"] else _moment(one["ends_at"]) if one["ends_at"] else "no end",
            )
            for one in found
        ]
        tables.print_table(("TOKEN", "ROLE", "FROM", "SINCE", "LAST USED", "UNTIL"), rows)
    else:
        output.print_line("there are no tokens; `daemun dashboard tokens add NAME --role look` makes one")


tokens = command_groups.make_group(
    "dashboard tokens", _show_tokens, about="Tokens by which programs use the dashboard's API."
)
group.add_typer(tokens, name="tokens")

Name = typing.Annotated[str, typer.Argument(metavar="NAME", help="What the token is for: grafana, deploy.")]


@tokens.command()
@common_options.with_settings
def add(
    chosen: settings.Settings,
    name: Name,
    role: typing.Annotated[
        str,
        typer.Option(
            "--role", metavar="ROLE", help="look: read; change: change sites, too; own: all, others' access too."
        ),
    ],
    lifetime: typing.Annotated[
        str, typer.Option("--for", metavar="TIME", help="After how long it ends: 12h, 90d; ever: it does not end.")
    ] = "90d",
    networks: typing.Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="NETWORK",
            help="An address or a network that it is good from; may be given several times.",
        ),
    ] = None,
) -> None:
    """Make a token, and show it this once: `Authorization: Bearer TOKEN` with requests to /api/v1/ of the dashboard."""
    wanted: dict[str, typing.Any] = {"name": name, "role": role, "networks": networks or []}
    wanted["lifetime_s"] = None if lifetime.strip() == _EVER else lifetimes.read(lifetime, "let a token end")
    made = control_client.ControlClient(chosen).add_dashboard_token(wanted)
    json_answer.note(**made)
    end_ = f"until {_moment(made['ends_at'])}" if made["ends_at"] else "without an end"
    from_ = f" from {' '.join(made['networks'])}" if made["networks"] else ""
    output.print_line(f"{name} may {made['role']}{from_} {end_}:")
    output.print_line(f"  Authorization: Bearer {made['token']}")
    output.print_line("it is shown this once")


@tokens.command()
@common_options.with_settings
def rm(chosen: settings.Settings, name: Name) -> None:
    """Withdraw a token. It opens nothing any more at once."""
    control_client.ControlClient(chosen).remove_dashboard_token(name)
    json_answer.note(name=name)
    output.print_line(f"the token {name} is withdrawn")


def _moment(text: str) -> str:
    """As people read it."""
    return text.replace("T", " ")
