"""`daemun disable`."""

import typing

import typer

from daemun import settings
from daemun.cli import editing, options


@options.with_settings
def disable(chosen: settings.Settings, host: typing.Annotated[str, typer.Argument(help="The site.")]) -> None:
    """Stop serving a site, but keep it in the file, and wait until it is gone."""
    from daemun.sources import yaml_edit

    editing.change(chosen, host=host, edit=lambda file: yaml_edit.set_enabled(file, host, enabled=False))
