"""`daemun rollback`."""

import collections.abc
import pathlib
import typing

import typer

from daemun import settings
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
    from daemun.core import model
    from daemun.sources.history import guarded_apply, rollback_plan, written_files

Json = dict[str, typing.Any]

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
    from daemun.sources.history import compared_entries, guarded_apply, rollback_plan, written_files

    caller.add_subject(number)
    history = history_access.open_history(chosen)
    entry = compared_entries.find(history, number)
    rollback_plan.check(entry)
    daemon, main = find_daemon(chosen)
    with edited_file.alone(main):
        plan = rollback_plan.find(history, entry, main, is_running=daemon is not None, force=force)
        if plan.is_done:
            output.print_line(f"nothing to do: {main} is as it was at number {entry.number}")
            return
        files = written_files.plan(main, plan.find_wanted())
        guarded_apply.apply(main, files, LiveAlone(chosen, main) if daemon is None else LiveDaemon(daemon))
    _report(plan, rollback_plan.report_json(plan, history, is_running=daemon is not None), files)


def find_daemon(chosen: settings.Settings) -> tuple[control_client.ControlClient | None, pathlib.Path]:
    """The daemon, if one runs, and the file that it reads."""
    daemon = control_client.ControlClient(chosen)
    try:
        return daemon, daemon_state.config_of(chosen, daemon.status(""))
    except control_client.NotRunningError:
        return None, chosen.config


class LiveDaemon:
    """The daemon that reads the files. Implements `guarded_apply.FileApplier`."""

    def __init__(self, daemon: control_client.ControlClient) -> None:
        self._daemon = daemon

    def find_known(self) -> collections.abc.Collection[str]:
        return [one["message"] for one in problem_lines.errors_of(self._daemon.status("")["problems"])]

    def apply(self, version: str) -> "guarded_apply.AppliedFiles":
        from daemun.sources.history import guarded_apply

        report = daemon_state.apply_and_wait(self._daemon, file=version)
        errors = {one["message"]: problem_lines.describe(one) for one in problem_lines.errors_of(report["problems"])}
        return guarded_apply.AppliedFiles(errors=errors, error=report["error"], unread=report["unread"])

    def apply_again(self) -> None:
        self._daemon.apply()


class LiveAlone:
    """Without a daemon: whether the files could be live. Implements `guarded_apply.FileApplier`."""

    def __init__(self, chosen: settings.Settings, main: pathlib.Path) -> None:
        self._chosen = chosen
        self._main = main

    def find_known(self) -> collections.abc.Collection[str]:
        return self._check().keys() if self._main.exists() else ()

    def apply(self, version: str) -> "guarded_apply.AppliedFiles":
        from daemun.sources.history import guarded_apply

        return guarded_apply.AppliedFiles(errors=self._check())

    def apply_again(self) -> None:
        """Nothing is live."""

    def _check(self) -> dict[str, "model.Problem"]:
        from daemun.sources.history import guarded_apply
        from daemun.wiring.offline import checking

        return guarded_apply.find_errors(checking.check(self._chosen))


def _report(plan: "rollback_plan.RollbackPlan", report: Json, files: "written_files.WrittenFiles") -> None:
    from daemun.sources.history import past_files, rollback_plan, written_files

    json_answer.note(**report)
    is_running, apart = report["running"], report["not_undone"]
    end = "live" if is_running else "saved; no daemon is running, so it becomes live with the next `daemun up`"
    output.print_line(f"{end}: {plan.main} is as it was at number {plan.entry.number}")
    for name in plan.others:
        held = files[name].before if name in files else None
        if isinstance(held, written_files.IncludedLink):
            output.print_line(f"{name}, a link to {held.target}, was not included then and is deleted; that file stays")
        else:
            copy = written_files.name_copy(plan.main, name, plan.past.files.get(plan.main.name, b""), held)
            output.print_line(f"{name} was not included then and is deleted; {copy} has what it held")
    if plan.past.taken:
        output.print_line(f"secrets are those of now, not of then: {rollback_plan.name_places(plan.past.taken)}")
    if plan.past.blanks:
        output.print_line(
            f"in comments, {past_files.NOT_KEPT} stands for: {rollback_plan.name_places(plan.past.blanks)}"
        )
    for what in apart[: rollback_plan.MOST_NAMED]:
        output.print_line(f"not undone, as containers are what they are now: {what}")
    if len(apart) > rollback_plan.MOST_NAMED:
        output.print_line(f"and {len(apart) - rollback_plan.MOST_NAMED} more of containers")
