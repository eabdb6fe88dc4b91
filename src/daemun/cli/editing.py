"""Edits of the file, live or undone: nothing is ever reported as saved that is not live (DESIGN.md decision 7)."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import typing

from daemun import errors, settings
from daemun.cli import (
    caller,
    control_client,
    daemon_state,
    host_names,
    json_answer,
    lost_file,
    output,
    problem_lines,
    verdict,
)

Json = dict[str, typing.Any]

if typing.TYPE_CHECKING:
    from daemun.sources import yaml_holder

Edit = collections.abc.Callable[["yaml_holder.Holder"], bytes | None]
"""Changes the file and returns what it held before; None: it did not exist. Raises: ConfigError, the file untouched."""


_MOST_MISTAKES = 5
_MOST_TRIES = 5
FILE = "file"
"""The name of the source that is edited (`sources.yaml_context.SOURCE`, whose import takes longer than an edit)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Edited:
    """A file with its content before and after the edit. old: None: it did not exist. name: how problems call it.
    version: of daemun.yaml, where that is what was edited; else ""."""

    file: pathlib.Path
    name: str
    old: bytes | None
    new: bytes
    version: str


class _RefusedError(errors.DaemunError):
    """The edit is not live, and the file is what it was."""

    def __init__(self, message: str, edited: _Edited) -> None:
        super().__init__(message)
        self.edited = edited


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """refusal: why the edit is not live; None: it is. problems: of everything, after it."""

    refusal: str | None
    problems: list[Json]


def change(
    chosen: settings.Settings,
    *,
    host: str,
    edit: Edit,
    done: str,
    is_new: bool = False,
    into: str | None = None,
    lies_over: bool = False,
) -> bool:
    """Edit the file that holds the site `host`, which is daemun.yaml or one that it includes, and wait until the site
    is as the file has it. Without a daemon, the edited file is validated.

    host: as a person wrote it. done: what holds then, "live". Returns: whether a daemon runs it.
    is_new: a file that is gone is begun anew; else that is refused. into: the file for a site that is new; None:
    daemun.yaml. lies_over: a site that only containers have gets it, too: the file has it over theirs from
    then on (`from`).
    Raises: DaemunError with the reason, after the file was put back as it was.
    """
    from daemun.sources import edited_file

    host = host_names.normal(host)
    caller.add_subject(host)
    daemon = control_client.ControlClient(chosen)
    planned = _Edit(
        edit=edit,
        into=into,
        last_good_included={} if is_new else lost_file.read_included_last_good(chosen),
        lies_over=lies_over,
    )
    try:
        file = daemon_state.config_of(chosen, daemon.status(host))
    except control_client.NotRunningError:
        if not is_new:
            lost_file.refuse_if_lost(chosen, chosen.config)
        with edited_file.alone(chosen.config):
            _change_alone(chosen, host=host, edit=planned)
        return False
    if not is_new:
        lost_file.refuse_if_lost(chosen, file)
    for _ in range(_MOST_TRIES):
        try:
            with edited_file.alone(file):
                _change_live(daemon, file, host=host, edit=planned, done=done)
        except _RefusedError as error:
            refused = error
            if not _has_followed(daemon, error.edited):
                raise
        else:
            return True
    raise refused


def _has_followed(daemon: control_client.ControlClient, edited: _Edited) -> bool:
    """Whether the machine is in a fleet and its file has become another one since it was put back, by what other nodes
    wrote while this edit was judged: then it was most likely refused because of that, and is made again there."""
    with contextlib.suppress(errors.DaemunError, OSError):
        if daemon.read_fleet()["fleet"] is not None:
            daemon.apply()  # which ends when the file is what the fleet serves
            return edited.file.read_bytes() != edited.old
    return False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """An edit, and where a site that is new is written (`into` of `change`). last_good_included: of `lost_file`.
    lies_over: as of `change`."""

    edit: Edit
    into: str | None
    last_good_included: collections.abc.Mapping[str, bytes]
    lies_over: bool = False


def _change_live(
    daemon: control_client.ControlClient, file: pathlib.Path, *, host: str, edit: _Edit, done: str
) -> None:
    """With the daemon that reads the file."""
    before = daemon.status(host)
    is_of_containers = any(one["host"] == host and one["source"] == "docker" for one in before["sites"])
    edited = _edit(file, host, edit, lays_over=edit.lies_over and is_of_containers)
    result = _judge(edited, lambda: _apply(daemon, edited, host=host, before=before["problems"]))
    if result.refusal is not None:
        undone = _put_back(edited)
        daemon.apply()
        raise _RefusedError(f"{result.refusal}\n{undone}", edited)
    json_answer.note(host=host, config=str(edited.file), running=True)
    output.print_line(f"{done}, and saved in {edited.file}")
    _mention_mistakes(edited, result.problems)


def _change_alone(chosen: settings.Settings, *, host: str, edit: _Edit) -> None:
    """Without a daemon."""
    before = _check(chosen) if chosen.config.exists() else []
    edited = _edit(chosen.config, host, edit)

    def judge() -> _Result:
        after = _check(chosen)
        found = verdict.new_errors(host=host, before=before, after=after)
        return _Result(refusal="\n".join(map(problem_lines.describe, found)) or None, problems=after)

    result = _judge(edited, judge)
    if result.refusal is not None:
        raise errors.ConfigError(f"{result.refusal}\n{_put_back(edited)}")
    json_answer.note(host=host, config=str(edited.file), running=False)
    output.print_line(f"saved in {edited.file}; no daemon is running, so it becomes live with the next `daemun up`")
    _mention_mistakes(edited, result.problems)


def _mention_mistakes(edited: _Edited, found: list[Json]) -> None:
    """What else is wrong with the file, which was so before: it must not seem good."""
    mistakes = [one for one in problem_lines.errors_of(found) if one["origin"].startswith(f"{edited.name}:")]
    json_answer.note(mistakes=mistakes)
    if not mistakes:
        return
    output.print_line(
        "but the file has a mistake elsewhere:" if len(mistakes) == 1 else "but the file has mistakes elsewhere:"
    )
    for one in mistakes[:_MOST_MISTAKES]:
        output.print_line(f"  {problem_lines.describe(one)}")
    if len(mistakes) > _MOST_MISTAKES:
        output.print_line(f"  and {len(mistakes) - _MOST_MISTAKES} more; `daemun check` tells all")


def _apply(daemon: control_client.ControlClient, edited: _Edited, *, host: str, before: list[Json]) -> _Result:
    report = daemon_state.apply_and_wait(daemon, file=edited.version)
    return _Result(refusal=_refusal_of(daemon, report, host=host, before=before), problems=report["problems"])


def _refusal_of(daemon: control_client.ControlClient, report: Json, *, host: str, before: list[Json]) -> str | None:
    """Why the edit is not live; None: it is."""
    sites = [site for site in daemon.status(host)["sites"] if site["host"] == host]
    waiting = [site for site in sites if site["state"] in verdict.NOT_YET]
    is_served = bool(sites) and not waiting
    found = verdict.new_errors(host=host, before=before, after=report["problems"], is_served=is_served)
    if found:
        return "\n".join(map(problem_lines.describe, found))
    if report["error"]:
        return str(report["error"])
    if FILE in report["unread"]:
        return "\n".join(map(problem_lines.describe, problem_lines.errors_of(report["problems"])))
    return f"{host} is {output.state_of(waiting[0]['state'])}: {waiting[0]['reason']}" if waiting else None


def _check(chosen: settings.Settings) -> list[Json]:
    from daemun.web import json_values
    from daemun.wiring.offline import checking

    return json_values.problems_json(checking.check(chosen))


def _edit(main: pathlib.Path, host: str, edit: _Edit, *, lays_over: bool = False) -> _Edited:
    """lays_over: a site that the file does not have is first laid over that of containers."""
    from daemun.sources import edited_file, yaml_edit, yaml_holder

    holder = yaml_holder.find(main, host, file=edit.into)
    if edit.last_good_included:
        lost_file.refuse_if_included_lost(edit.last_good_included, holder, host)
    file = holder.path
    if lays_over:
        old = yaml_edit.lay_over_containers(holder, host)
        edit.edit(holder)
    else:
        old = edit.edit(holder)
    # The daemon's version is that of daemun.yaml: an edit of another file is in what is read from now on.
    version = "" if holder.is_included else edited_file.find_version(file)
    return _Edited(file=file, name=holder.name, old=old, version=version, new=file.read_bytes())


def _judge(edited: _Edited, judge: collections.abc.Callable[[], _Result]) -> _Result:
    """What came of it. When it cannot even be found out (the daemon ended, Ctrl-C), the file is put back first."""
    try:
        return judge()
    except errors.DaemunError as error:
        raise errors.DaemunError(f"{error}\n{_put_back(edited)}") from error
    except BaseException:
        _put_back(edited)
        raise


def _put_back(edited: _Edited) -> str:
    """Make the file what it was. What others wrote in between stays. Returns: what was done."""
    if edited.file.read_bytes() != edited.new:
        return f"{edited.file} is left as it is: somebody else changed it meanwhile"
    from daemun.sources import edited_file

    edited_file.restore(edited.file, edited.old)
    return f"{edited.file} is as it was before"
