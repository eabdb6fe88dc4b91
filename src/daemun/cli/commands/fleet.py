"""`daemun fleet`: several machines that serve the same, and share what is kept."""

import getpass
import sys
import typing

import typer

from daemun import errors, settings
from daemun.cli import command_groups, common_options, confirmation, json_answer, output

if typing.TYPE_CHECKING:
    from daemun.wiring.offline import offline_fleet

Name = typing.Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Of this machine in the fleet; its host name.")
]

_MOST_SITES = 10
"""That are named in a question."""

group = command_groups.make_group("fleet", about="Several machines with one front, which share a database.")


@group.command()
@common_options.with_settings
def init(
    chosen: settings.Settings,
    database: typing.Annotated[
        str | None,
        typer.Argument(
            metavar="DATABASE_URL",
            help="Such as postgresql://daemun:PASSWORD@db.lan/daemun; left out: it is read from standard input.",
        ),
    ] = None,
    name: Name = None,
) -> None:
    """Begin a fleet with what this machine has, in a PostgreSQL database, and show a token by which another joins.

    The key that encrypts everything is made in the state directory: a backup of the database is of no use without it.
    """
    from daemun.wiring.offline import offline_fleet

    entered = offline_fleet.init(chosen, _read("Database URL: ", database), name)
    json_answer.note(node=entered.node, is_live=entered.is_done)
    output.print_line(f"a fleet began with this machine, {entered.node}; keep a copy of its key:")
    output.print_line(f"  {offline_fleet.files_of(chosen)[0]}")
    _print_restart(entered)
    if entered.is_done:
        _print_token(offline_fleet.invite(chosen))
    else:
        output.print_line("then `daemun fleet invite` makes a token by which another machine joins")


@group.command()
@common_options.with_settings
def invite(chosen: settings.Settings) -> None:
    """Make a token by which one machine joins within an hour, and show it this once."""
    from daemun.wiring.offline import offline_fleet

    _print_token(offline_fleet.invite(chosen))


@group.command()
@common_options.with_settings
def join(
    chosen: settings.Settings,
    token: typing.Annotated[
        str | None,
        typer.Argument(metavar="TOKEN", help="Of `daemun fleet invite`; left out: it is read from standard input."),
    ] = None,
    database: typing.Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="Where this machine reaches the database otherwise."),
    ] = None,
    name: Name = None,
    *,
    again: typing.Annotated[
        bool,
        typer.Option("--again", help="Back into the fleet that this machine left, by the key that it kept: no token."),
    ] = False,
    yes: confirmation.Yes = False,
) -> None:
    """Join a fleet. What this machine had of its own is kept beside, and that of the fleet takes its place: its sites,
    too, which it asks about first."""
    from daemun.wiring.offline import offline_fleet

    if again and token is not None:
        raise errors.ConfigError(
            "cannot join: `--again` goes back by the key that this machine kept, and a token is for a machine that has "
            "none; leave out one of them"
        )
    given = None if again else _read("Token: ", token)
    lost = offline_fleet.find_replaced(chosen)
    if lost is not None:
        sites = f" ({', '.join(lost[:_MOST_SITES])}{', ...' if len(lost) > _MOST_SITES else ''})" if lost else ""
        confirmation.confirm(
            f"{chosen.config} has sites of its own{sites}, which this machine serves no more where the fleet has them "
            f"not; a copy is kept beside, {chosen.config.name}.before-fleet. Join?",
            yes=yes,
        )
    if given is None:
        entered = offline_fleet.join_again(chosen, url=database, name=name)
    else:
        entered = offline_fleet.join(chosen, given, url=database, name=name)
    json_answer.note(node=entered.node, is_live=entered.is_done, kept=entered.kept and str(entered.kept))
    output.print_line(f"this machine is in the fleet, as {entered.node}")
    if entered.kept is not None:
        output.print_line(f"what it had before is kept in {entered.kept}")
    _print_restart(entered)


@group.command()
@common_options.with_settings
def leave(
    chosen: settings.Settings,
    node: typing.Annotated[
        str | None, typer.Argument(metavar="NAME", help="Another machine, which is gone for good; left out: this one.")
    ] = None,
) -> None:
    """Leave the fleet. This machine keeps what it knows, and goes on with it alone."""
    from daemun.wiring.offline import offline_fleet

    entered = offline_fleet.leave(chosen, node)
    json_answer.note(node=entered.node, is_live=entered.is_done)
    when = "is in the fleet no more" if entered.is_done else "leaves the fleet when the daemun that runs has ended"
    output.print_line(f"{entered.node} {when}")
    if entered.is_listed:
        output.print_line(
            "it could not tell the others, which see it as down: run "
            f"`daemun fleet leave {entered.node}` on one of them"
        )
    if node is None or not entered.is_done:
        key, database = offline_fleet.files_of(chosen)
        output.print_line(f"the fleet's key and database stay in {key} and {database}; delete them if they need not")
    _print_restart(entered)


@group.command("rotate-key")
@common_options.with_settings
def rotate_key(chosen: settings.Settings) -> None:
    """Give the fleet a new key, and encrypt with it all that the database has. Every machine must run."""
    from daemun.wiring.offline import offline_fleet

    count = offline_fleet.rotate_key(chosen)
    json_answer.note(values=count)
    output.print_line(f"{output.count(count, 'value')} encrypted with a new key; keep a copy of the file again")


@group.command("adopt-database")
@common_options.with_settings
def adopt_database(chosen: settings.Settings, yes: confirmation.Yes = False) -> None:
    """Go on with the fleet's database where it was restored into another PostgreSQL. Run it on each machine."""
    from daemun.wiring.offline import offline_fleet

    confirmation.confirm(
        "What is done by the database of before from now on is not seen here, so it must not run any more. Of what was "
        "changed after the copy was made, the fleet has what a machine brings back: certificates may be ordered once "
        "more. Go on with the database that `fleet.database` names?",
        yes=yes,
    )
    offline_fleet.adopt_database(chosen)
    json_answer.note(is_live=True)
    output.print_line("this machine uses the database that `fleet.database` names from now on")
    output.print_line("run `daemun fleet adopt-database` on each machine; `daemun fleet status` shows who lacks it")
    output.print_line("for about a minute edits and orders wait, until what was locked in the one before has ended")


@group.command("promote-file")
@common_options.with_settings
def promote_file(
    chosen: settings.Settings,
    file: typing.Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="Such as daemun.yaml.conflict; left out: daemun.yaml as it is."),
    ] = None,
) -> None:
    """Make this machine's file, or another one, what the whole fleet serves, whatever others wrote meanwhile.

    It waits until that is live on all machines. Where one of them cannot serve it, the file is what it was.
    """
    from daemun.cli.commands import rollback
    from daemun.sources import edited_file
    from daemun.sources.history import guarded_apply, written_files
    from daemun.wiring.offline import promoted_file

    daemon, main = rollback.find_daemon(chosen)
    if daemon is None:
        raise errors.ConfigError("cannot promote a file: no daemun runs here; start it with `daemun up` first")
    with edited_file.alone(main):
        wanted = promoted_file.prepare(chosen, main, file)
        files = written_files.plan(main, {main.name: wanted})
        live = rollback.LiveDaemon(daemon)
        if files:
            guarded_apply.apply(main, files, live)
        elif errors_left := live.apply("").errors:
            raise errors.ConfigError("\n".join(map(str, errors_left.values())))
    json_answer.note(config=str(main))
    output.print_line(f"live on all machines: {file or main}")


def _print_token(token: str) -> None:
    json_answer.note(token=token)
    # Not as an argument: each account of a machine can read those of others, and a shell keeps them.
    output.print_line("within an hour one machine joins by this token, which is shown this once and has the database's")
    output.print_line("password: run `daemun fleet join` there, and paste it when it asks")
    output.print_line(f"  {token}")


def _print_restart(entered: "offline_fleet.Entered") -> None:
    from daemun.fleet import fleet_signs

    if not entered.is_done:
        output.print_line(f"the daemun that runs does not know of it yet: {fleet_signs.START_AGAIN}")


def _read(prompt: str, given: str | None) -> str:
    """Raises: ConfigError."""
    text = given or (getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.read())
    if not text.strip():
        raise errors.ConfigError("nothing was given on standard input, and nothing was written behind the command")
    return text.strip()
