"""`daemun check`."""

import pathlib
import typing

import typer

from daemun import settings
from daemun.cli import options, output, problems, running

File = typing.Annotated[
    pathlib.Path | None, typer.Argument(metavar="[FILE]", help="The configuration, as with -c.", show_default=False)
]


@options.with_settings
def check(chosen: settings.Settings, file: File = None, as_json: options.AsJson = False) -> None:
    """Validate the file and print every problem. Needs no daemon and changes nothing.

    Exits with 0 when it is good (warnings are no reason to refuse it), else with 1.
    """
    from daemun.web import json as web_json
    from daemun.wiring.offline import checking, wishes

    if file is not None:
        chosen = settings.with_config(chosen, pathlib.Path.cwd() / file.expanduser())
    chosen = running.with_daemons_file(chosen)
    wishes.check_can_start(chosen)
    found = web_json.problems_json(checking.check(chosen))
    is_good = not problems.errors_of(found)
    subject = wishes.name_source(chosen)
    if as_json:
        output.print_json({"ok": is_good, "config": str(chosen.config), "problems": found})
    else:
        problems.print_all(found)
        if is_good:
            output.say(f"{subject}: good")
        else:
            output.complain(f"{subject}: {output.count(len(problems.errors_of(found)), 'error')}")
    raise typer.Exit(0 if is_good else 1)
