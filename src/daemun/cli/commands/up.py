"""`daemun up`."""

import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, daemon

LogFormat = typing.Annotated[
    settings.LogFormat,
    typer.Option("--log-format", help="auto: text on a terminal, else JSON.", case_sensitive=False),
]
Verbose = typing.Annotated[bool, typer.Option("-v", "--verbose", help="Log what is done in detail, too.")]


def up(
    context: typer.Context,
    *,
    config: common_options.Config = None,
    state: common_options.State = None,
    nginx: common_options.Nginx = None,
    log_format: LogFormat = settings.LogFormat.AUTO,
    verbose: Verbose = False,
    as_json: common_options.AsJson = False,
) -> None:
    """Run in the foreground: apply every change of the file, look after nginx and the certificates.

    SIGTERM and Ctrl-C end it together with nginx, after open requests had time to finish. --json is --log-format json,
    with the reason on standard output when it cannot start.
    """
    log_format = settings.LogFormat.JSON if as_json else log_format
    try:
        chosen = common_options.resolve(
            context, config=config, state=state, nginx=nginx, log_format=log_format, verbose=verbose
        )
    except errors.DaemunError as error:
        daemon.fail(error, log_format)
    daemon.become(chosen)
