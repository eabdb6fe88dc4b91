"""`daemun demo`."""

import typing

import typer

from daemun.cli import options


def demo(
    context: typer.Context,
    http: typing.Annotated[int, typer.Option("--http", min=1, max=65535, help="The port of plain HTTP.")] = 8080,
    https: typing.Annotated[int, typer.Option("--https", min=1, max=65535, help="The port of HTTPS.")] = 8443,
    state: options.DemoState = None,
    nginx: options.Nginx = None,
) -> None:
    """Serve the chat demo on this machine until Ctrl-C: a page and a WebSocket server behind real HTTPS.

    It keeps its own state directory, so it never meets a daemun that serves this machine.
    """
    from daemun import demo as chat

    chosen = options.combine(context, config=None, state=state, nginx=nginx)
    raise typer.Exit(chat.run(http_port=http, https_port=https, state=chosen.state, nginx=chosen.nginx))
