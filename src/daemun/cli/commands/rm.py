"""`daemun rm`."""

import typing

import typer

from daemun import settings
from daemun.cli import common_options, editing, host_names

Path = typing.Annotated[
    str | None, typer.Option("--path", metavar="PREFIX", help="Remove this path alone; default: the whole site.")
]


@common_options.with_settings
def rm(chosen: settings.Settings, host: host_names.Site, path: Path = None) -> None:
    """Remove a site, or one path of it, from the file, and wait until it is gone."""
    from daemun.sources import yaml_edit, yaml_holder

    def edit(file: yaml_holder.Holder) -> bytes | None:
        return yaml_edit.remove_site(file, host) if path is None else yaml_edit.remove_route(file, host, path)

    editing.change(chosen, host=host, edit=edit, done="gone")
