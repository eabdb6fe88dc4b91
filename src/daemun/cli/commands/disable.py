"""`daemun disable`."""

from daemun import settings
from daemun.cli import common_options, editing, host_names


@common_options.with_settings
def disable(chosen: settings.Settings, host: host_names.Site) -> None:
    """Stop serving a site, but keep it in the file, and wait until it is gone. One of containers is written into it."""
    from daemun.sources import yaml_edit, yaml_holder

    def edit(file: yaml_holder.Holder) -> bytes | None:
        return yaml_edit.set_enabled(file, host, enabled=False)

    editing.change(chosen, host=host, edit=edit, done="switched off", lies_over=True)
