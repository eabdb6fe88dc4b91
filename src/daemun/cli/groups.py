"""Groups of commands that show something by themselves, and as `list`."""

import typing

import typer

from daemun import settings
from daemun.cli import options


class Show(typing.Protocol):
    def __call__(self, chosen: settings.Settings, *, as_json: bool) -> None: ...


def make_group(name: str, show: Show, *, about: str) -> typer.Typer:
    """To which further commands are added. about: what the help says of the group."""
    group = typer.Typer(help=about, invoke_without_command=True, no_args_is_help=False)

    @group.callback()
    def by_itself(
        context: typer.Context,
        config: options.Config = None,
        state: options.State = None,
        nginx: options.Nginx = None,
        as_json: options.AsJson = False,
    ) -> None:
        context.find_root().obj = options.combine(context, config=config, state=state, nginx=nginx)
        if context.invoked_subcommand is None:
            show(options.resolve(context, config=config, state=state, nginx=nginx), as_json=as_json)

    @group.command("list", help=f"The same as `daemun {name}`.")
    @options.with_settings
    def list_(chosen: settings.Settings, as_json: options.AsJson = False) -> None:
        show(chosen, as_json=as_json)

    return group
