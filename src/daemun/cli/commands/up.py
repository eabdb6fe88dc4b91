"""`daemun up`."""

import typing

import typer

from daemun import errors, settings
from daemun.cli import options

LogFormat = typing.Annotated[
    settings.LogFormat,
    typer.Option("--log-format", help="auto: text on a terminal, else JSON.", case_sensitive=False),
]
Verbose = typing.Annotated[bool, typer.Option("-v", "--verbose", help="Log what is done in detail, too.")]


def up(
    context: typer.Context,
    *,
    config: options.Config = None,
    state: options.State = None,
    nginx: options.Nginx = None,
    log_format: LogFormat = settings.LogFormat.AUTO,
    verbose: Verbose = False,
) -> None:
    """Run in the foreground: apply every change of the file, look after nginx and the certificates.

    SIGTERM and Ctrl-C end it together with nginx, after open requests had time to finish.
    """
    # Here, so that other commands need not import structlog, which takes as long as all else that they do.
    import structlog

    from daemun import log

    log.configure(log_format, verbose=verbose)
    try:
        chosen = options.resolve(
            context, config=config, state=state, nginx=nginx, log_format=log_format, verbose=verbose
        )
        from daemun.wiring import start
        from daemun.wiring.offline import wishes

        wishes.check_can_start(chosen)
        code = start.run(chosen)
    except errors.DaemunError as error:
        if not log.is_json(log_format):
            raise
        # Whoever collects the lines of a daemon expects each of them in the same form.
        structlog.get_logger().error(str(error))
        code = 1
    raise typer.Exit(code)
