"""All commands in one application: what `daemun --help` shows.

Only the module of the command that is run is imported: all of them, with what they import, would be a third of the
time that a short command takes (click.palletsprojects.com, "Lazily Loading Subcommands").
"""

import collections.abc
import contextlib
import importlib
import inspect
import sys
import typing

import typer
import typer.core

import daemun
from daemun import settings
from daemun.cli import common_options, json_answer, output

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""Click's, which Typer has a copy of in newer versions."""


_MEANT = {
    "delete": "rm",
    "list": "sites",
    "ls": "sites",
    "reload": "apply",
    "remove": "rm",
    "restart": "apply",
    "run": "up",
    "start": "up",
    "test": "check",
    "validate": "check",
}
"""Commands of other programs, and ours that does it; nothing of daemun's needs a restart for a change."""


_COMMANDS = {
    "Run": ("up", "stop", "trust", "demo"),
    "The file": (
        "check",
        "plan",
        "apply",
        "render",
        "schema",
        "add",
        "rm",
        "enable",
        "disable",
        "maintenance",
        "restore-file",
        "history",
        "diff",
        "rollback",
        "password",
    ),
    "What is live": (
        "status",
        "sites",
        "containers",
        "doctor",
        "why",
        "logs",
        "top",
        "traffic",
        "uptime",
        "bans",
        "ban",
        "unban",
        "audit",
    ),
}
"""Their names by panel of `--help`. Each is the function of its name in the module of its name."""

_GROUPS = (
    "certs",
    "clients",
    "domains",
    "apps",
    "cache",
    "alerts",
    "accounts",
    "nginx",
    "users",
    "sessions",
    "tokens",
    "dashboard",
    "fleet",
)
"""Commands that have commands: `group` in the module of its name."""

_ELSEWHERE = {"ban": "bans", "unban": "bans", "containers": "container_list"}
"""The module of a command that shares one, or has another name."""

_FURTHER = {
    "certs": {"import": "certs_import.import_", "revoke": "certs_revoke.revoke", "dns": "certs_dns.dns"},
    "fleet": {"status": "fleet_status.status"},
}
"""Commands of a group that have modules of their own."""


class _Commands(collections.abc.MutableMapping[str, typing.Any]):
    """Commands by name, each imported when it is looked up."""

    def __init__(self) -> None:
        panels = {name: panel for panel, names in _COMMANDS.items() for name in names}
        self._panels = {**panels, "version": "Run", **dict.fromkeys(_GROUPS, "What is live")}
        self._loaded: dict[str, typing.Any] = {}

    def __getitem__(self, name: str) -> typing.Any:
        if name not in self._loaded:
            self._loaded[name] = _make_command(name, self._panels[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: typing.Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._panels[name]

    def __iter__(self) -> collections.abc.Iterator[str]:
        return iter(self._panels)

    def __len__(self) -> int:
        return len(self._panels)


def _make_command(name: str, panel: str) -> typing.Any:
    with_one = typer.Typer()
    if name in _GROUPS:
        group = _find(f"{name}.group")
        for further, where in _FURTHER.get(name, {}).items():
            group.command(further)(_find(where))
        with_one.add_typer(group, name=name, rich_help_panel=panel)
    else:
        function = name.replace("-", "_")
        found = print_version if name == "version" else _find(f"{_ELSEWHERE.get(name, function)}.{function}")
        with_one.command(name, rich_help_panel=panel)(found)
    command = typer.main.get_group(with_one).commands[name]
    _join_lines(command)
    return command


def _join_lines(command: typing.Any) -> None:
    """Of paragraphs of the help, whose lines are as long as those of the code: Typer joins those of the first one."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(one.split()) for one in paragraphs)
    for inner in getattr(command, "commands", {}).values():
        _join_lines(inner)


def _find(where: str) -> typing.Any:
    """where: MODULE.NAME, of the package of commands."""
    module, _, name = where.partition(".")
    return getattr(importlib.import_module(f"daemun.cli.commands.{module}"), name)


class _Root(typer.core.TyperGroup):
    """Reports a command line that is wrong, or a question that was answered with no, in JSON, too."""

    def __init__(self, **values: typing.Any) -> None:
        super().__init__(**{**values, "commands": {}})
        self.commands = typing.cast(typing.Any, _Commands())

    def make_context(self, *args: typing.Any, **values: typing.Any) -> typing.Any:
        json_answer.begin()
        with _as_json():
            return super().make_context(*args, **values)

    def resolve_command(self, ctx: typing.Any, args: list[str]) -> typing.Any:
        if args and args[0] in _MEANT and args[0] not in self.commands:
            raise typer.BadParameter(f"No such command {args[0]!r}. Write `daemun {_MEANT[args[0]]}`.", ctx=ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: typing.Any) -> typing.Any:
        with _as_json():
            return super().invoke(ctx)


@contextlib.contextmanager
def _as_json() -> collections.abc.Iterator[None]:
    try:
        yield
    except (_UsageError, typer.Abort) as error:
        # The option itself may not have been read yet.
        if not json_answer.want("--json" in sys.argv[1:]):
            raise
        format_message: collections.abc.Callable[[], str] = getattr(error, "format_message", lambda: "aborted")
        output.fail(format_message())
        raise typer.Exit(2 if isinstance(error, _UsageError) else 1) from error


app = typer.Typer(
    cls=_Root,
    help="The front gate of one machine: domains, paths, WebSockets and HTTPS in front of many services.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"daemun {daemun.__version__}")
        raise typer.Exit


@app.callback()
def before(  # noqa: PLR0917 - Typer's
    context: typer.Context,
    config: common_options.Config = None,
    state: common_options.State = None,
    nginx: common_options.Nginx = None,
    version: typing.Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    as_json: common_options.AsJson = False,
) -> None:
    """What stands before a command's name; each command takes the same options after it."""
    context.obj = settings.GivenOptions(config=config, state=state, nginx=nginx)


def print_version(as_json: common_options.AsJson = False) -> None:
    """Print the version."""
    if as_json:
        json_answer.print_json({"version": daemun.__version__})
    else:
        _print_version(True)
