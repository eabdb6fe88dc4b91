"""`daemun why`."""

import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, control_client, daemon_state, json_answer, why_lines

if typing.TYPE_CHECKING:
    from daemun.core.why import url_facts

Json = dict[str, typing.Any]

Subject = typing.Annotated[
    str,
    typer.Argument(
        metavar="URL|REQUEST",
        help="A URL (ws:// and wss:// try a WebSocket; a host alone is meant with https), the id of a request, which "
        "error pages and logs show, or as much of it as no other has, or the name of a stream. A path alone, or a name "
        "without a dot, is no URL: write https:// before it.",
    ),
]
Method = typing.Annotated[
    str,
    typer.Option("--method", "-X", metavar="METHOD", help="Only GET, HEAD and OPTIONS are sent."),
]
Headers = typing.Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="A header of the request; may be repeated."),
]
Address = typing.Annotated[
    str | None, typer.Option("--from", metavar="ADDRESS", help="Whom `access` and bans judge; default: this machine.")
]


@common_options.with_settings
def why(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    subject: Subject,
    method: Method = "GET",
    header: Headers = None,
    address: Address = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Why a URL answers as it does, or what happened to a request: the cause, what to do, and the chain from the name
    to the server.

    Asks DNS, the gate and the servers as a visitor would, and reads the logs. Changes nothing, and needs no running
    daemon. Exits with 1 when something is wrong.
    """
    story = tell(chosen, subject, method=method, headers=header or [], address=address)
    if as_json:
        json_answer.print_json(why_lines.json_of(story))
    else:
        why_lines.print_story(story)
    raise typer.Exit(1 if story.causes else 0)


def tell(
    chosen: settings.Settings, subject: str, *, method: str = "GET", headers: list[str], address: str | None = None
) -> "url_facts.Story":
    """The whole story. Raises: DaemunError."""
    chosen = daemon_state.with_daemons_file(chosen)
    from daemun.wiring.offline import why_stories

    question = why_stories.WhyQuestion(
        subject=subject, method=method, headers=tuple(map(why_lines.read_header, headers)), address=address
    )
    return why_stories.make_story(chosen, _Daemon(chosen), question)


class _Daemon:
    """What a running daemon reports; None: none runs, or it does not answer."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._client = control_client.ControlClient(chosen)

    def report(self) -> Json | None:
        try:
            return self._client.status()
        except errors.DaemunError:
            return None

    def bans(self) -> tuple[tuple[str, str], ...]:
        try:
            found = self._client.bans()
        except errors.DaemunError:
            return ()
        return tuple((one["address"], one["note"] or one["reason"]) for one in found)
