"""Groups of commands, which may show something by themselves, and as `list`."""

import collections.abc
import typing

import typer

from daemun import settings
from daemun.cli import common_options


class Show(typing.Protocol):
    def __call__(self, chosen: settings.Settings, *, as_json: bool) -> None: ...


def make_group(
    name: str, show: Show | None = None, *, about: str, lists: collections.abc.Callable[..., None] | None = None
) -> typer.Typer:
    """To which further commands are added. show: what it does without one; None: print the help. about: the help.
    lists: the command `list`, where it has options of its own; None: the same as without a command."""
    group = typer.Typer(help=about, invoke_without_command=show is not None, no_args_is_help=show is None)

    @group.callback()
    def by_itself(
        context: typer.Context,
        config: common_options.Config = None,
        state: common_options.State = None,
        nginx: common_options.Nginx = None,
        as_json: common_options.AsJson = False,
    ) -> None:
        context.find_root().obj = common_options.combine(context, config=config, state=state, nginx=nginx)
        if show is not None and context.invoked_subcommand is None:
            show(common_options.resolve(context, config=config, state=state, nginx=nginx), as_json=as_json)

    if lists is not None:
        group.command("list")(common_options.with_settings(lists))
    if show is None or lists is not None:
        return group

    @group.command("list", help=f"The same as `daemun {name}`.")
    @common_options.with_settings
    def list_(chosen: settings.Settings, as_json: common_options.AsJson = False) -> None:
        show(chosen, as_json=as_json)

    return group
