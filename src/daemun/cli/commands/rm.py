"""`daemun rm`."""

import typing

import typer

from daemun import settings
from daemun.cli import editing, options

Path = typing.Annotated[
    str | None, typer.Option("--path", metavar="PREFIX", help="Remove this path alone; default: the whole site.")
]


@options.with_settings
def rm(
    chosen: settings.Settings, host: typing.Annotated[str, typer.Argument(help="The site.")], path: Path = None
) -> None:
    """Remove a site, or one path of it, from the file, and wait until it is gone."""
    from daemun.sources import yaml_edit

    editing.change(chosen, host=host, edit=lambda file: yaml_edit.remove(file, host=host, path=path))
