"""`daemun sessions`: who is signed in (`login`)."""

import json
import typing

import typer

from daemun import errors, settings
from daemun.cli import command_groups, common_options, json_answer, lifetimes, output, tables
from daemun.core.texts import durations

Json = dict[str, typing.Any]


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """Who is signed in, a line for each browser. Works while the daemon is away, too."""
    _show(chosen, None, as_json=as_json)


def list_(
    chosen: settings.Settings,
    user: typing.Annotated[str | None, typer.Option("--user", metavar="NAME", help="Only those of a user.")] = None,
    as_json: common_options.AsJson = False,
) -> None:
    """The same as `daemun sessions`, of one user. Works while the daemon is away, too."""
    _show(chosen, user, as_json=as_json)


def _show(chosen: settings.Settings, user: str | None, *, as_json: bool) -> None:
    every = _request(chosen, "GET", "/sessions")["sessions"]
    found = [one for one in every if user in {None, one["user"]}]
    if as_json:
        json_answer.print_json(
            {"sessions": [{**one, "created": durations.instant_of(one["created_s"])} for one in found]}
        )
    elif found:
        rows = [
            (
                one["id"],
                _name(one),
                lifetimes.moment(one["created_s"]),
                lifetimes.moment(one["seen_s"]),
                one["address"],
                one["agent"][:40],
            )
            for one in found
        ]
        tables.print_table(("ID", "USER", "SINCE", "LAST USED", "ADDRESS", "BROWSER"), rows)
    else:
        output.print_line(f"there is no session{f' of {user}' if user else ''}")


group = command_groups.make_group(
    "sessions", show, about="The sessions of daemun's own sign-in (`login`).", lists=list_
)


@group.command()
@common_options.with_settings
def end(
    chosen: settings.Settings,
    session: typing.Annotated[str | None, typer.Argument(metavar="[ID]", help="One session, as listed.")] = None,
    user: typing.Annotated[str | None, typer.Option("--user", metavar="NAME", help="All sessions of a user.")] = None,
) -> None:
    """End a session, or all of a user, on every site within ten seconds."""
    if (session is None) is (user is None):
        raise errors.ConfigError("cannot end a session: name one by its ID, or a user by --user NAME")
    found = _request(chosen, "POST", "/sessions/end", json.dumps({"user": user, "id": session}).encode())
    ended = found["ended"]
    json_answer.note(ended=ended)
    if not ended:
        raise errors.ConfigError("there is no such session; `daemun sessions` lists them")
    if not found["saved"]:
        raise errors.EnvironmentProblemError(
            f"{ended} sessions are over, but that cannot be written: they come back when the judge of sign-ins starts "
            f"anew; make room on the disk of {chosen.layout.store}, where it is tried again every few seconds"
        )
    output.print_line(f"{ended} session{'s are' if ended != 1 else ' is'} over")


def _request(chosen: settings.Settings, method: str, path: str, content: bytes = b"") -> Json:
    """Of the judge, which outlives the daemon."""
    import asyncio

    from daemun.judge import judge_process

    if judge_process.find_left(chosen.layout) is None:
        raise errors.EnvironmentProblemError(
            "there are no sessions: the sign-in does not run; it does while a site is served that asks for it "
            "(`login: {host: ...}` in daemun.yaml, and `access: {login: true}` of the site)"
        )
    return asyncio.run(judge_process.request(chosen.layout, method, path, content))


def _name(session: Json) -> str:
    """Of an account at a provider, whose number says little, with the address."""
    return f"{session['user']} ({session['email']})" if session["email"] else str(session["user"])
