"""`daemun rollback`."""

import collections.abc
import dataclasses
import pathlib
import time
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
    from daemun.sources.history import history_book, history_entry, kept_secrets, past_files

Json = dict[str, typing.Any]

_RECORDED_WITHIN_S = 10.0
_FILE = "file"
_MOST_NAMED = 10

Number = typing.Annotated[str, typer.Argument(help="Of `daemun history`.")]
Force = typing.Annotated[
    bool, typer.Option("--force", help="Also when the files hold something that is nowhere else, which is lost then.")
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """The way back. main: daemun.yaml. present: what the files hold now. others: those that were not included then."""

    main: pathlib.Path
    entry: "history_entry.HistoryEntry"
    present: dict[str, bytes]
    past: "past_files.Past"

    @property
    def others(self) -> list[str]:
        return [name for name in self.present if name not in self.past.files]

    @property
    def is_done(self) -> bool:
        return self.past.files == self.present


@common_options.with_settings
def rollback(chosen: settings.Settings, number: Number, force: Force = False) -> None:
    """Put daemun.yaml, and the files that it includes, back as they were at a number of `daemun history`.

    It waits until that is live.

    When it cannot go live, the files are put back as they are now. Containers are as they are.
    """
    from daemun.sources import edited_file

    caller.add_subject(number)
    book = history_access.open_book(chosen)
    entry = history_access.find(book, number)
    if not entry.can_be_restored:
        raise errors.ConfigError(
            f"cannot go back to number {entry.number}: what the file held then was not kept; it was "
            f"{'no YAML that can be read' if entry.files else 'not there'}"
        )
    daemon, main = _find_daemon(chosen)
    with edited_file.alone(main):
        way = _find_way(book, entry, main, is_served=daemon is not None, force=force)
        if way.is_done:
            output.print_line(f"nothing to do: {main} is as it was at number {entry.number}")
            return
        replaced = _go_alone(chosen, way) if daemon is None else _go(daemon, way)
    _report(way, book, replaced, is_running=daemon is not None)


def _find_daemon(chosen: settings.Settings) -> tuple[control_client.ControlClient | None, pathlib.Path]:
    """The daemon, if one runs, and the file that it reads."""
    daemon = control_client.ControlClient(chosen)
    try:
        return daemon, daemon_state.config_of(chosen, daemon.status(""))
    except control_client.NotRunningError:
        return None, chosen.config


def _find_way(
    book: "history_book.Book", entry: "history_entry.HistoryEntry", main: pathlib.Path, *, is_served: bool, force: bool
) -> _Way:
    """Raises: ConfigError when something would be lost, or a secret is nowhere any more."""
    from daemun.sources.history import kept_secrets, past_files

    files = history_access.read_files(main)
    mask_all = kept_secrets.Masker().mask_all  # most sites are the same in all of them
    present = mask_all(files)
    names, kept = book.find_secrets(main.name, mask_all), book.read_kept(main.name, mask_all)
    past = past_files.find_past(entry, present, names, kept)
    what = f"cannot go back to number {entry.number}"
    if past.missing:
        raise errors.ConfigError(
            f"{what}: secrets are not kept, and these are in the files no more: {_named(past.missing)}; write them at "
            f"their places into {main}, and try again, or write the file by hand from `daemun history {entry.number}`"
        )
    if not force and past.files != files:
        lost = [*_find_unrecorded(book, present, is_served=is_served), *past_files.find_lost(present, past, mask_all)]
        if lost:
            raise errors.ConfigError(
                f"{what}: this would be lost, as the history does not have it: {_named(tuple(lost))}; "
                f"note it and say `daemun rollback {entry.number} --force`"
            )
    return _Way(main=main, entry=entry, present=files, past=past)


def _find_unrecorded(book: "history_book.Book", present: "kept_secrets.MaskedFiles", *, is_served: bool) -> list[str]:
    """The files of which the content of now is not in the history. is_served: a daemon is about to keep it."""
    deadline = time.monotonic() + (_RECORDED_WITHIN_S if is_served else 0.0)
    while True:
        newest = list(book.newest())
        found = [
            f"{name}, as it is now"
            for name, one in present.items()
            if one is None
            or not any((kept := entry.find_file(name)) is not None and kept.text == one.text for entry in newest)
        ]
        is_readable = all(one is not None for one in present.values())
        if not found or not is_readable or time.monotonic() > deadline:
            return found
        time.sleep(daemon_state.POLL_S)


def _go(daemon: control_client.ControlClient, way: _Way) -> "dict[str, past_files.Replaced]":
    """With the daemon that reads the file. Returns: what was replaced."""
    from daemun.sources import edited_file
    from daemun.sources.history import past_files

    before = daemon.status("")["problems"]
    replaced = past_files.write(way.main, way.past.files, others=way.others)
    # The daemon's version is that of daemun.yaml: another file that changed is in what is read from now on.
    version = edited_file.find_version(way.main) if [*replaced] == [way.main.name] else ""
    try:
        report = daemon_state.apply_and_wait(daemon, file=version)
        refusal = _refusal_of(report, before)
    except errors.DaemunError as error:
        past_files.put_back(way.main, replaced)
        raise errors.DaemunError(f"{error}\n{_as_before(way)}") from error
    except BaseException:
        past_files.put_back(way.main, replaced)
        raise
    if refusal is not None:
        past_files.put_back(way.main, replaced)
        daemon.apply()
        raise errors.DaemunError(f"{refusal}\n{_as_before(way)}")
    return replaced


def _refusal_of(report: Json, before: list[Json]) -> str | None:
    """Why it is not live; None: it is."""
    known = {one["message"] for one in problem_lines.errors_of(before)}
    found = [one for one in problem_lines.errors_of(report["problems"]) if one["message"] not in known]
    if found:
        return "\n".join(map(problem_lines.describe, found))
    if report["error"]:
        return str(report["error"])
    if _FILE in report["unread"]:
        return "the file cannot be read as it was at that time; `daemun check` says why"
    return None


def _go_alone(chosen: settings.Settings, way: _Way) -> "dict[str, past_files.Replaced]":
    """Without a daemon. Returns: what was replaced."""
    from daemun.sources.history import past_files
    from daemun.web import json_values
    from daemun.wiring.offline import checking

    def check() -> list[Json]:
        return json_values.problems_json(checking.check(chosen))

    before = check() if way.main.exists() else []
    replaced = past_files.write(way.main, way.past.files, others=way.others)
    try:
        known = {one["message"] for one in before}
        found = [one for one in problem_lines.errors_of(check()) if one["message"] not in known]
    except BaseException:
        past_files.put_back(way.main, replaced)
        raise
    if found:
        past_files.put_back(way.main, replaced)
        raise errors.ConfigError("\n".join([*map(problem_lines.describe, found), _as_before(way)]))
    return replaced


def _as_before(way: _Way) -> str:
    return f"{way.main} is as it was before"


def _report(
    way: _Way,
    book: "history_book.Book",
    replaced: "collections.abc.Mapping[str, past_files.Replaced]",
    *,
    is_running: bool,
) -> None:
    from daemun.sources.history import file_changes, past_files

    newest = next(iter(book.newest()), way.entry)
    apart = [what for sign, what in file_changes.compare_routes(way.entry, newest)]
    json_answer.note(
        number=way.entry.number,
        config=str(way.main),
        running=is_running,
        taken=list(way.past.taken),
        blanks=list(way.past.blanks),
        deleted=way.others,
        not_undone=apart,
    )
    end = "live" if is_running else "saved; no daemon is running, so it becomes live with the next `daemun up`"
    output.print_line(f"{end}: {way.main} is as it was at number {way.entry.number}")
    for name in way.others:
        held = replaced.get(name)
        if isinstance(held, past_files.IncludedLink):
            output.print_line(f"{name}, a link to {held.target}, was not included then and is deleted; that file stays")
        else:
            output.print_line(f"{name} was not included then and is deleted; the history has it")
    if way.past.taken:
        output.print_line(f"secrets are those of now, not of then: {_named(way.past.taken)}")
    if way.past.blanks:
        output.print_line(f"in comments, {past_files.NOT_KEPT} stands for: {_named(way.past.blanks)}")
    for what in apart[:_MOST_NAMED]:
        output.print_line(f"not undone, as containers are what they are now: {what}")
    if len(apart) > _MOST_NAMED:
        output.print_line(f"and {len(apart) - _MOST_NAMED} more of containers")


def _named(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    return ", ".join(places[:_MOST_NAMED]) + more
