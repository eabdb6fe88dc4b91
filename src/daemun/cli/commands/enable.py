"""`daemun enable`."""

from daemun import settings
from daemun.cli import common_options, editing, host_names


@common_options.with_settings
def enable(chosen: settings.Settings, host: host_names.Site) -> None:
    """Serve a site again that was disabled, and wait until it is live."""
    from daemun.sources import yaml_edit

    editing.change(chosen, host=host, edit=lambda file: yaml_edit.set_enabled(file, host, enabled=True), done="live")
