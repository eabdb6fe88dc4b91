"""`daemun maintenance`."""

import enum
import typing

import typer

from daemun import settings
from daemun.cli import common_options, editing, host_names


class Switch(enum.Enum):
    ON = "on"
    OFF = "off"


@common_options.with_settings
def maintenance(
    chosen: settings.Settings,
    host: host_names.Site,
    switch: typing.Annotated[Switch, typer.Argument(help="on: visitors get 503; off: the site is open again.")],
) -> None:
    """Close a site for a while, or open it again, and wait until it is so. What `maintenance` says besides stays."""
    from daemun.sources import yaml_edit, yaml_holder

    is_on = switch is Switch.ON

    def edit(file: yaml_holder.Holder) -> bytes | None:
        return yaml_edit.set_maintenance(file, host, is_on=is_on)

    done = "closed for maintenance" if is_on else "open again"
    editing.change(chosen, host=host, edit=edit, done=done, lies_over=is_on)
