"""All commands in one application: what `daemun --help` shows."""

import collections.abc
import contextlib
import sys
import typing

import typer
import typer.core

import daemun
from daemun import settings
from daemun.cli import common_options, json_answer, output
from daemun.cli.commands import (
    accounts,
    add,
    alerts,
    apply,
    apps,
    bans,
    cache,
    certs,
    certs_dns,
    certs_import,
    certs_revoke,
    check,
    clients,
    demo,
    diff,
    disable,
    doctor,
    domains,
    enable,
    history,
    logs,
    maintenance,
    nginx,
    password,
    plan,
    render,
    restore_file,
    rm,
    rollback,
    schema,
    sessions,
    sites,
    status,
    stop,
    tokens,
    traffic,
    trust,
    up,
    users,
    why,
)

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


class _Root(typer.core.TyperGroup):
    """Reports a command line that is wrong, or a question that was answered with no, in JSON, too."""

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
    context.obj = settings.Given(config=config, state=state, nginx=nginx)


def print_version(as_json: common_options.AsJson = False) -> None:
    """Print the version."""
    if as_json:
        json_answer.print_json({"version": daemun.__version__})
    else:
        _print_version(True)


_COMMANDS = {
    "Run": (up.up, stop.stop, trust.trust, demo.demo),
    "The file": (
        check.check,
        plan.plan,
        apply.apply,
        render.render,
        schema.schema,
        add.add,
        rm.rm,
        enable.enable,
        disable.disable,
        maintenance.maintenance,
        restore_file.restore_file,
        history.history,
        diff.diff,
        rollback.rollback,
        password.password,
    ),
    "What is live": (
        status.status,
        sites.sites,
        doctor.doctor,
        why.why,
        logs.logs,
        traffic.traffic,
        bans.bans,
        bans.ban,
        bans.unban,
    ),
}
_GROUPS = {
    "certs": certs.group,
    "clients": clients.group,
    "domains": domains.group,
    "apps": apps.group,
    "cache": cache.group,
    "alerts": alerts.group,
    "accounts": accounts.group,
    "nginx": nginx.group,
    "users": users.group,
    "sessions": sessions.group,
    "tokens": tokens.group,
}

for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.command("version", rich_help_panel="Run")(print_version)
certs.group.command("import")(certs_import.import_)
certs.group.command()(certs_revoke.revoke)
certs.group.command()(certs_dns.dns)
for _name, _group in _GROUPS.items():
    app.add_typer(_group, name=_name, rich_help_panel="What is live")
