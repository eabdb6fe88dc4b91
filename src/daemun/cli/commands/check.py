"""`daemun check`."""

import contextlib
import os
import pathlib
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, daemon_state, json_answer, output, problem_lines
from daemun.core.texts import words

File = typing.Annotated[
    pathlib.Path | None, typer.Argument(metavar="[FILE]", help="The configuration, as with -c.", show_default=False)
]


@common_options.with_settings
def check(chosen: settings.Settings, file: File = None, as_json: common_options.AsJson = False) -> None:
    """Validate the file and print every problem. Needs no daemon and changes nothing.

    Exits with 0 when it is good (warnings are no reason to refuse it), else with 1.
    """
    from daemun.core.access import login_providers
    from daemun.web import json_values
    from daemun.wiring.offline import checking, configuration

    if file is not None:
        _refuse_missing(file)
        chosen = settings.with_config(chosen, pathlib.Path.cwd() / file.expanduser())
        output.name_gate(chosen.options)
    chosen = daemon_state.with_daemons_file(chosen)
    configuration.check_can_start(chosen)
    problems, desired = checking.look(chosen)
    callbacks = login_providers.find_callbacks(desired.globals) if desired is not None else {}
    found = json_values.problems_json(problems)
    is_good = not problem_lines.errors_of(found)
    subject = configuration.name_source(chosen)
    if as_json:
        json_answer.print_json({"ok": is_good, "config": str(chosen.config), "problems": found, "callbacks": callbacks})
    else:
        problem_lines.print_all(found)
        if is_good:
            for key, uri in callbacks.items():
                output.print_line(f"identity provider {key}: its redirect URI is {uri}")
            output.print_line(f"{subject}: good")
        else:
            output.complain(f"{subject}: {output.count(len(problem_lines.errors_of(found)), 'error')}")
    raise typer.Exit(0 if is_good else 1)


def _refuse_missing(file: pathlib.Path) -> None:
    """Raises: ConfigError. What is kept in the state directory is another file's."""
    path = pathlib.Path.cwd() / file.expanduser()
    if os.path.lexists(path):
        return
    others: list[str] = []
    with contextlib.suppress(OSError):
        others = sorted(one.name for one in path.parent.iterdir() if one.suffix in {".yaml", ".yml"})
    guess = words.guess(path.name, others)
    raise errors.ConfigError(f"cannot check {path}: no such file or directory; correct the path{guess}")
