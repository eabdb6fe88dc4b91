"""`daemun domains`, `daemun domains add`, `daemun domains rm`."""

import typing

import typer

from daemun import settings
from daemun.cli import command_groups, common_options, control_client, host_names, json_answer, output

Host = typing.Annotated[str, typer.Argument(help="The name, such as shop.example.com.")]


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """The names that were added to a site with `on_demand`, a line each."""
    found = control_client.ControlClient(chosen).domains()
    if as_json:
        json_answer.print_json({"domains": found})
    else:
        output.print_line("\n".join(found) if found else "no name was added")


group = command_groups.make_group(
    "domains", show, about="Names that are added to a site while daemun runs (`on_demand`)."
)


@group.command()
@common_options.with_settings
def add(chosen: settings.Settings, host: Host) -> None:
    """Add a name. It is served when the command returns; its certificate of a CA follows."""
    name = host_names.normal(host)
    json_answer.note(host=name)
    control_client.ControlClient(chosen).add_domain(name)
    output.print_line(f"{name} is served; `daemun certs` tells when its certificate is there")


@group.command()
@common_options.with_settings
def rm(chosen: settings.Settings, host: Host) -> None:
    """Remove a name. Its certificate stays in the store, and is used again when the name comes back."""
    name = host_names.normal(host)
    json_answer.note(host=name)
    control_client.ControlClient(chosen).remove_domain(name)
    output.print_line(f"{name} is served no more")
