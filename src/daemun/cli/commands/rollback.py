"""`daemun rollback`."""

import collections.abc
import pathlib
import typing

import typer

from daemun import errors, settings
from daemun.cli import (
    caller,
    common_options,
    control_client,
    daemon_state,
    history_access,
    json_answer,
    output,
    problem_lines,
)

if typing.TYPE_CHECKING:
    from daemun.sources.history import past_files, way_back

Json = dict[str, typing.Any]

_RECORDED_WITHIN_S = 10.0

Number = typing.Annotated[str, typer.Argument(help="Of `daemun history`.")]
Force = typing.Annotated[
    bool, typer.Option("--force", help="Also when the files hold something that is nowhere else, which is lost then.")
]


@common_options.with_settings
def rollback(chosen: settings.Settings, number: Number, force: Force = False) -> None:
    """Put daemun.yaml, and the files that it includes, back as they were at a number of `daemun history`.

    It waits until that is live.

    When it cannot go live, the files are put back as they are now. Containers are as they are.
    """
    from daemun.sources import edited_file
    from daemun.sources.history import compared_entries, way_back

    caller.add_subject(number)
    book = history_access.open_book(chosen)
    entry = compared_entries.find(book, number)
    way_back.check(entry)
    daemon, main = _find_daemon(chosen)
    with edited_file.alone(main):
        within_s = _RECORDED_WITHIN_S if daemon is not None else 0.0
        way = way_back.find(book, entry, main, recorded_within_s=within_s, force=force)
        if way.is_done:
            output.print_line(f"nothing to do: {main} is as it was at number {entry.number}")
            return
        replaced = _go_alone(chosen, way) if daemon is None else _go(daemon, way)
    _report(way, way_back.report_json(way, book, is_running=daemon is not None), replaced)


def _find_daemon(chosen: settings.Settings) -> tuple[control_client.ControlClient | None, pathlib.Path]:
    """The daemon, if one runs, and the file that it reads."""
    daemon = control_client.ControlClient(chosen)
    try:
        return daemon, daemon_state.config_of(chosen, daemon.status(""))
    except control_client.NotRunningError:
        return None, chosen.config


def _go(daemon: control_client.ControlClient, way: "way_back.WayBack") -> "dict[str, past_files.Replaced]":
    """With the daemon that reads the file. Returns: what was replaced."""
    from daemun.sources import edited_file
    from daemun.sources.history import way_back

    before = daemon.status("")["problems"]
    replaced = way.write()
    # The daemon's version is that of daemun.yaml: another file that changed is in what is read from now on.
    version = edited_file.find_version(way.main) if [*replaced] == [way.main.name] else ""
    try:
        report = daemon_state.apply_and_wait(daemon, file=version)
        refusal = way_back.find_refusal(
            _describe(report["problems"]), _describe(before).keys(), error=report["error"], unread=report["unread"]
        )
    except errors.DaemunError as error:
        way.put_back(replaced)
        raise errors.DaemunError(f"{error}\n{way.as_before}") from error
    except BaseException:
        way.put_back(replaced)
        raise
    if refusal is not None:
        way.put_back(replaced)
        daemon.apply()
        raise errors.DaemunError(f"{refusal}\n{way.as_before}")
    return replaced


def _describe(problems: collections.abc.Iterable[Json]) -> dict[str, str]:
    return {one["message"]: problem_lines.describe(one) for one in problem_lines.errors_of(problems)}


def _go_alone(chosen: settings.Settings, way: "way_back.WayBack") -> "dict[str, past_files.Replaced]":
    """Without a daemon. Returns: what was replaced."""
    from daemun.sources.history import way_back
    from daemun.web import json_values
    from daemun.wiring.offline import checking

    def check() -> dict[str, str]:
        return _describe(json_values.problems_json(checking.check(chosen)))

    before = check() if way.main.exists() else {}
    replaced = way.write()
    try:
        refusal = way_back.find_refusal(check(), before.keys())
    except BaseException:
        way.put_back(replaced)
        raise
    if refusal is not None:
        way.put_back(replaced)
        raise errors.ConfigError(f"{refusal}\n{way.as_before}")
    return replaced


def _report(
    way: "way_back.WayBack", report: Json, replaced: "collections.abc.Mapping[str, past_files.Replaced]"
) -> None:
    from daemun.sources.history import past_files, way_back

    json_answer.note(**report)
    is_running, apart = report["running"], report["not_undone"]
    end = "live" if is_running else "saved; no daemon is running, so it becomes live with the next `daemun up`"
    output.print_line(f"{end}: {way.main} is as it was at number {way.entry.number}")
    for name in way.others:
        held = replaced.get(name)
        if isinstance(held, past_files.IncludedLink):
            output.print_line(f"{name}, a link to {held.target}, was not included then and is deleted; that file stays")
        else:
            copy = past_files.name_copy(way.main, name, way.past.files)
            output.print_line(f"{name} was not included then and is deleted; {copy} has what it held")
    if way.past.taken:
        output.print_line(f"secrets are those of now, not of then: {way_back.name_places(way.past.taken)}")
    if way.past.blanks:
        output.print_line(f"in comments, {past_files.NOT_KEPT} stands for: {way_back.name_places(way.past.blanks)}")
    for what in apart[: way_back.MOST_NAMED]:
        output.print_line(f"not undone, as containers are what they are now: {what}")
    if len(apart) > way_back.MOST_NAMED:
        output.print_line(f"and {len(apart) - way_back.MOST_NAMED} more of containers")
