"""`daemun plan`."""

import typing

import typer

from daemun import settings
from daemun.cli import options, output, problems, running

Json = dict[str, typing.Any]

SIGNS = {"added": "+", "changed": "~", "removed": "-"}


@options.with_settings
def plan(chosen: settings.Settings, as_json: options.AsJson = False) -> None:
    """Show what applying the file would change, and whether nginx would reload. Changes nothing."""
    daemon = running.daemon_of(chosen)
    report = daemon.plan() if daemon else _plan_alone(chosen)
    is_good = not problems.errors_of(report["problems"])
    if as_json:
        output.print_json(report)
    else:
        if daemon is None:
            output.complain(f"no daemon runs {chosen.config}: this is what `daemun up` would do")
        for line in lines_of(report):
            output.say(line)
    raise typer.Exit(0 if is_good else 1)


def lines_of(report: Json) -> list[str]:
    """A plan for people. Pure."""
    lines = [
        line
        for change in report["changes"]
        for line in (f"{SIGNS[change['kind']]} {change['host']}", *(f"    {one}" for one in change.get("lines", ())))
    ]
    if report["reload"]:
        lines += [f"  {number}. {step}" for number, step in enumerate(report["steps"], start=1)]
    elif not report["changes"]:
        is_good = not problems.errors_of(report["problems"])
        lines.append("nothing to do: " + ("everything is live as it is written" if is_good else "what runs is kept"))
    return lines + problems.lines_of(report["problems"])


def _plan_alone(chosen: settings.Settings) -> Json:
    from daemun.web import json as web_json
    from daemun.wiring.offline import planning, wishes

    wishes.check_can_start(chosen)
    return web_json.plan_json(planning.plan(chosen))
