"""Host names as people type them."""

import collections.abc
import os
import pathlib
import typing

import typer


def normal(host: str) -> str:
    """The name as the gate knows it: lower case, IDNA-encoded. What is no host name stays, for others to refuse."""
    from daemun.core import value_parsers

    try:
        return value_parsers.parse_host(host)
    except ValueError:
        return host


def complete(context: typer.Context, incomplete: str) -> collections.abc.Iterator[str]:
    """The hosts of the running daemon's sites that begin like this, for the shell. Never an error."""
    from daemun import errors, settings
    from daemun.cli import control_client

    before = context.find_root().params
    given = settings.GivenOptions(config=before.get("config"), state=before.get("state"))
    try:
        chosen = settings.resolve(
            given, environ=os.environ, is_root=os.geteuid() == 0, working_directory=pathlib.Path.cwd()
        )
        sites = control_client.ControlClient(chosen).status()["sites"]
    except errors.DaemunError:
        return
    yield from (site["host"] for site in sites if site["host"].startswith(incomplete))


Site = typing.Annotated[str, typer.Argument(help="The site.", autocompletion=complete)]
