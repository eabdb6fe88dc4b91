"""`daemun plan`."""

import collections.abc
import types
import typing

import typer

from daemun import settings
from daemun.cli import app_texts, common_options, daemon_state, json_answer, output, problem_lines

Json = dict[str, typing.Any]

SIGNS = {"added": "+", "changed": "~", "removed": "-"}


@common_options.with_settings
def plan(chosen: settings.Settings, as_json: common_options.AsJson = False) -> None:
    """Show what applying the file would change, and whether nginx would reload. Changes nothing."""
    daemon = daemon_state.daemon_of(chosen)
    report = daemon.plan() if daemon else _plan_alone(chosen)
    is_good = not problem_lines.errors_of(report["problems"])
    if as_json:
        json_answer.print_json(report)
    else:
        if daemon is None:
            output.complain(f"no daemon runs {chosen.config}: this is what `daemun up` would do")
        for line in lines_of(report, _describe_apps(chosen, report)):
            output.print_line(line)
    raise typer.Exit(0 if is_good else 1)


def _describe_apps(chosen: settings.Settings, report: Json) -> dict[str, str]:
    """What the presets of changed sites set, by the names of the applications."""
    names = {name for change in report["changes"] for name in change.get("apps", ())}
    if not names:
        return {}
    from daemun.sources import known_apps

    known = known_apps.read(chosen.config)
    return {name: app_texts.sets(preset) for name in names if (preset := known.find(name)) is not None}


def lines_of(report: Json, apps: collections.abc.Mapping[str, str] = types.MappingProxyType({})) -> list[str]:
    """A plan for people. apps: what their presets set, by their names. Pure."""
    lines = [
        line
        for change in report["changes"]
        for line in (
            f"{SIGNS[change['kind']]} {change['host']}",
            *(f"    app {one} sets, beneath the site's own keys: {apps[one]}" for one in _named(change, apps)),
            *(f"    {one}" for one in change.get("lines", ())),
        )
    ]
    lines += [
        line
        for change in report.get("streams", ())
        for line in (
            f"{SIGNS[change['kind']]} stream {change['name']}",
            *(f"    {one}" for one in change.get("lines", ())),
        )
    ]
    if report["reload"]:
        lines += [f"  {number}. {step}" for number, step in enumerate(report["steps"], start=1)]
    elif not report["changes"] and not report.get("streams"):
        is_good = not problem_lines.errors_of(report["problems"])
        lines.append("nothing to do: " + ("everything is live as it is written" if is_good else "what runs is kept"))
    return lines + problem_lines.lines_of(report["problems"])


def _named(change: Json, apps: collections.abc.Mapping[str, str]) -> list[str]:
    return [one for one in change.get("apps", ()) if apps.get(one)]


def _plan_alone(chosen: settings.Settings) -> Json:
    """What the next `daemun up` would do. Raises: DaemunError when nothing can be planned."""
    from daemun.web import json_values
    from daemun.wiring.offline import configuration, rendering

    configuration.check_can_start(chosen)
    return json_values.plan_json(rendering.plan(chosen))
