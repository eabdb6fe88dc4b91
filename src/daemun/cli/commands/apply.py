"""`daemun apply`."""

import typing

import typer

from daemun import settings
from daemun.cli import common_options, control_client, daemon_state, json_answer, output, problem_lines

Json = dict[str, typing.Any]


@common_options.with_settings
def apply(chosen: settings.Settings, as_json: common_options.AsJson = False) -> None:
    """Apply the file now and wait until all of it is live, or say what is not.

    A running daemon applies each change by itself; this tells when it is done, and whether it went well.
    """
    daemon = control_client.Client(chosen)
    daemon_state.config_of(chosen, daemon.status(""))
    report = daemon_state.apply_and_wait(daemon)
    if as_json:
        json_answer.print_json(report)
    else:
        for line in lines_of(report):
            output.print_line(line)
    raise typer.Exit(0 if report["ok"] else 1)


def lines_of(report: Json) -> list[str]:
    """How it went, for people. Pure."""
    messages = [problem["message"] for problem in report["problems"]]
    lines = problem_lines.lines_of(report["problems"])
    if report["error"] and report["error"] not in messages:
        lines.append(f"error: {report['error']}")
    generation = "nothing" if report["generation"] is None else f"generation {report['generation']}"
    if not report["ok"]:
        return [*lines, f"not everything is live; nginx runs {generation}"]
    how = "after a reload" if report["reloaded"] else "nginx was not touched"
    return [*lines, f"live: {generation}, {how}"]
