"""`daemun apps`, `daemun apps show`."""

import typing

import typer

from daemun import errors, settings
from daemun.cli import app_texts, command_groups, common_options, host_names, json_answer, output, tables

Name = typing.Annotated[str, typer.Argument(help="The name of an application, such as nextcloud.")]
Host = typing.Annotated[
    str | None, typer.Argument(metavar="[HOST]", help="The host under which visitors reach it, for the texts.")
]


def show_all(chosen: settings.Settings, *, as_json: bool) -> None:
    """Every application that a site can name with `app`, a line each."""
    from daemun.sources import known_apps

    known = known_apps.read(chosen.config)
    found = [one for name in known.names() if (one := known.find(name)) is not None]
    if as_json:
        json_answer.print_json({"apps": [app_texts.to_json(one) for one in found]})
        return
    # The places where presets come from are too long for a table; `show` has them.
    rows = [(one.name, one.title, "" if one.port is None else str(one.port)) for one in found]
    tables.print_table(("APP", "NAME", "PORT"), rows)


group = command_groups.make_group("apps", show_all, about="Applications whose needs of a proxy daemun knows (`app`).")


@group.command()
@common_options.with_settings
def show(chosen: settings.Settings, name: Name, host: Host = None, as_json: common_options.AsJson = False) -> None:
    """Show what `app: NAME` sets in the gate, and what is to be set in the application itself."""
    from daemun.sources import known_apps

    known = known_apps.read(chosen.config)
    preset = known.find(name.strip().lower())
    if preset is None:
        raise errors.ConfigError(known.explain(name))
    normal = None if host is None else host_names.normal(host)
    if as_json:
        json_answer.print_json(app_texts.to_json(preset, normal))
        return
    for line in app_texts.lines_of(preset, normal):
        output.print_line(line)
