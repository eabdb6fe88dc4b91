"""The options that every command takes, before its name or after it."""

import collections.abc
import dataclasses
import functools
import inspect
import os
import pathlib
import typing

import typer

from daemun import settings
from daemun.cli import caller, json_answer, output

Config = typing.Annotated[
    pathlib.Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="The configuration; default: ./daemun.yaml, then, without root, ~/.config/daemun/daemun.yaml, "
        "then /etc/daemun/daemun.yaml.",
    ),
]
State = typing.Annotated[
    pathlib.Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="The state directory; default: /var/lib/daemun as root, else in your data directory.",
    ),
]
DemoState = typing.Annotated[
    pathlib.Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="The demo's own state directory; default: /var/lib/daemun-demo as root, else daemun-demo in your data "
        "directory.",
    ),
]
Nginx = typing.Annotated[
    pathlib.Path | None,
    typer.Option(
        "--nginx", metavar="PATH", help="The nginx to use; default: a good one on PATH, else the bundled one."
    ),
]
AsJson = typing.Annotated[bool, typer.Option("--json", help="Print JSON.", callback=json_answer.want)]

P = typing.ParamSpec("P")


def resolve(
    context: typer.Context,
    *,
    config: pathlib.Path | None,
    state: pathlib.Path | None,
    nginx: pathlib.Path | None,
    log_format: settings.LogFormat = settings.LogFormat.AUTO,
    verbose: bool = False,
) -> settings.Settings:
    """The settings for a command. Raises: ConfigError."""
    given = dataclasses.replace(
        combine(context, config=config, state=state, nginx=nginx), log_format=log_format, verbose=verbose
    )
    chosen = settings.resolve(
        given, environ=os.environ, is_root=os.geteuid() == 0, working_directory=pathlib.Path.cwd()
    )
    output.name_gate(chosen.options)
    return chosen


def combine(
    context: typer.Context, *, config: pathlib.Path | None, state: pathlib.Path | None, nginx: pathlib.Path | None
) -> settings.GivenOptions:
    """Options of the command line: what stands after a command's name wins over what stands before it."""
    before: settings.GivenOptions = context.find_root().obj or settings.GivenOptions()
    return settings.GivenOptions(
        config=config or before.config, state=state or before.state, nginx=nginx or before.nginx
    )


def with_settings(
    command: collections.abc.Callable[typing.Concatenate[settings.Settings, P], None],
) -> collections.abc.Callable[..., None]:
    """Give a command its settings as the first argument, and the options they are made of.

    Each command has `--json`, too. One without a parameter `as_json` has its answer made of what it prints
    (`json_answer`).
    """
    own = inspect.signature(command, eval_str=True)
    taken = list(own.parameters.values())[1:]
    added = {**_OWN, **({} if "as_json" in own.parameters else {"as_json": AsJson})}

    @functools.wraps(command)
    def run(context: typer.Context, *args: typing.Any, **values: typing.Any) -> None:
        given = {name: values.pop(name) for name in added}
        caller.name(context.command_path)
        command(resolve(context, **{name: given[name] for name in _OWN}), *args, **values)

    context_parameter = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    further = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "as_json" else None, annotation=annotation
        )
        for name, annotation in added.items()
    ]
    # Typer reads the signature and the annotations to make the options.
    parameters = [context_parameter, *taken, *further]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__  # or Typer would look at the command itself
    return run


_OWN: dict[str, typing.Any] = {"config": Config, "state": State, "nginx": Nginx}
