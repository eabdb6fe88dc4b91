"""`daemun plan`."""

import collections.abc
import contextlib
import types
import typing

import typer

from daemun import errors, settings
from daemun.cli import (
    app_texts,
    common_options,
    daemon_state,
    history_access,
    history_lines,
    json_answer,
    nginx_lines,
    output,
    problem_lines,
)

if typing.TYPE_CHECKING:
    from daemun.sources.history import file_changes
    from daemun.wiring.offline import past_diff

Json = dict[str, typing.Any]

SIGNS = history_lines.SIGNS
_MOST_LINES = 20
"""Of a site's lines of daemun.yaml."""

NginxFiles = typing.Annotated[bool, typer.Option("--nginx-files", help="Show what would differ in nginx's files, too.")]


@common_options.with_settings
def plan(chosen: settings.Settings, nginx_files: NginxFiles = False, as_json: common_options.AsJson = False) -> None:
    """Show what applying the file would change, and whether nginx would reload. Changes nothing.

    With --nginx-files also what the file's changes since it was applied last would change in nginx's files.
    """
    daemon = daemon_state.daemon_of(chosen)
    report = daemon.plan() if daemon else _plan_alone(chosen)
    report = _hide_secrets(chosen, report)
    is_good = not problem_lines.errors_of(report["problems"])
    main, changes = _find_file_changes(chosen)
    found = _compare_nginx(chosen) if nginx_files else None
    if as_json:
        from daemun.sources.history import compared_entries
        from daemun.wiring.offline import past_diff

        of_nginx = {} if found is None else past_diff.diff_json(found)
        json_answer.print_json(
            {**report, **of_nginx, "file_changes": [compared_entries.change_json(one) for one in changes]}
        )
    else:
        if daemon is None:
            output.complain(f"no daemon runs {chosen.config}: this is what `daemun up` would do")
        for line in lines_of(report, _describe_apps(chosen, report)):
            output.print_line(line)
        if changes:
            output.print_line(f"in {main}, since what was applied last (`daemun diff` shows all of it):")
        for line in history_lines.lines_of(changes, main=main, most=_MOST_LINES):
            output.print_line(f"  {line}")
        for line in () if found is None else nginx_lines.lines_of(found):
            output.print_line(line)
    raise typer.Exit(0 if is_good else 1)


def _compare_nginx(chosen: settings.Settings) -> "past_diff.NginxDiff":
    from daemun.wiring.offline import past_diff

    try:
        history = history_access.open_history(chosen)
    except errors.ConfigError:
        history = None
    return past_diff.compare_with_file(chosen, history, history_access.file_of(chosen))


def _hide_secrets(chosen: settings.Settings, report: Json) -> Json:
    """The report without secrets in nginx's lines, such as those of `request_headers`."""
    if not any(change.get("lines") for change in (*report["changes"], *report.get("streams", ()))):
        return report
    from daemun.sources import yaml_holder
    from daemun.sources.history import hidden_secrets

    known: list[hidden_secrets.MaskedFiles] = []
    with contextlib.suppress(errors.DaemunError):
        file = history_access.file_of(chosen)
        known.append(hidden_secrets.mask_all(yaml_holder.read_all(file)))
        known.append(history_access.open_history(chosen).read_last_good(file.name))
    written = {secret.written for files in known for one in files.values() if one is not None for secret in one.secrets}

    return hide(report, written)


def hide(report: Json, written: collections.abc.Set[str]) -> Json:
    """The report with lines that hold none of these secrets, nor what has the form of one. Pure."""
    from daemun.sources.history import secret_masks

    def of(change: Json) -> Json:
        lines = [secret_masks.hide(line, written) for line in change.get("lines", ())]
        return {**change, "lines": lines} if lines else change

    found: Json = {key: [of(change) for change in report[key]] for key in ("changes", "streams") if key in report}
    return {**report, **found}


def _find_file_changes(chosen: settings.Settings) -> "tuple[str, tuple[file_changes.FileChange, ...]]":
    """The name of daemun.yaml, and what of it and the files that it includes was not applied yet. Nothing is, where the
    history cannot tell: what is wrong with the file is among the problems."""
    from daemun.sources.history import compared_entries

    try:
        history, main = history_access.open_history(chosen), history_access.file_of(chosen)
        found = compared_entries.compare(history, compared_entries.NOW, compared_entries.FILE, main)
    except errors.DaemunError:
        return chosen.config.name, ()
    return next(iter(found.after.files), chosen.config.name), found.changes


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
    if (report["changes"] or report.get("streams")) and report.get("nodes"):
        nodes = ", ".join(report["nodes"])
        lines.append(f"then on the fleet's other machines, one after another, where each could serve it: {nodes}")
        lines.append("whether they could is found when it is applied: this plan is of this machine alone")
    return lines + problem_lines.lines_of(report["problems"])


def _named(change: Json, apps: collections.abc.Mapping[str, str]) -> list[str]:
    return [one for one in change.get("apps", ()) if apps.get(one)]


def _plan_alone(chosen: settings.Settings) -> Json:
    """What the next `daemun up` would do. Raises: DaemunError when nothing can be planned."""
    from daemun.web import json_values
    from daemun.wiring.offline import configuration, rendering

    configuration.check_can_start(chosen)
    return json_values.plan_json(rendering.plan(chosen))
