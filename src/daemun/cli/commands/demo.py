"""`daemun demo`."""

import contextlib
import dataclasses
import pathlib
import typing

import typer

from daemun import errors
from daemun.cli import common_options, control_client, json_answer


def demo(  # noqa: PLR0917 - Typer's
    context: typer.Context,
    http: typing.Annotated[int, typer.Option("--http", min=1, max=65535, help="The port of plain HTTP.")] = 8080,
    https: typing.Annotated[int, typer.Option("--https", min=1, max=65535, help="The port of HTTPS.")] = 8443,
    state: common_options.DemoState = None,
    nginx: common_options.Nginx = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Serve the chat demo on this machine until Ctrl-C: a page and a WebSocket server behind real HTTPS.

    It keeps its own state directory, so it never meets a daemun that serves this machine.
    """
    from daemun import demo as chat

    chosen = common_options.combine(context, config=None, state=state, nginx=nginx)

    def announce(live: chat.Live) -> None:
        config, place = pathlib.Path(live.config), pathlib.Path(live.state)
        found = common_options.resolve(context, config=config, state=place, nginx=None)
        link: str | None = None
        with contextlib.suppress(errors.DaemunError):  # the chat is there without it
            link = control_client.ControlClient(found).make_dashboard_link()["url"]
        if as_json:
            json_answer.print_json({**dataclasses.asdict(live), "dashboard_link": link}, is_line=True)
        else:
            print(chat.welcome(live, link), flush=True)

    code = chat.run(http_port=http, https_port=https, state=chosen.state, nginx=chosen.nginx, announce=announce)
    raise typer.Exit(code)
