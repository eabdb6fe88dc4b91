"""`daemun apply`."""

import datetime
import typing

import typer

from daemun import errors, settings
from daemun.cli import caller, common_options, control_client, daemon_state, json_answer, output, problem_lines

Json = dict[str, typing.Any]


Confirm = typing.Annotated[
    str | None,
    typer.Option(
        "--confirm",
        metavar="TIME",
        help="Undo it after this time (60s, 10m), unless `daemun apply --confirmed` comes before.",
    ),
]
Confirmed = typing.Annotated[bool, typer.Option("--confirmed", help="Keep what is on trial.")]
Undo = typing.Annotated[bool, typer.Option("--undo", help="Undo what is on trial now.")]
Back = typing.Annotated[
    int | None,
    typer.Option("--to", metavar="NUMBER", min=1, help="With --confirm: of `daemun history`, where it goes back to."),
]


@common_options.with_settings
def apply(
    chosen: settings.Settings,
    *,
    confirm: Confirm = None,
    confirmed: Confirmed = False,
    undo: Undo = False,
    to: Back = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Apply the file now and wait until all of it is live, or say what is not.

    A running daemon applies each change by itself; this tells when it is done, and whether it went well. With --confirm
    the last change of the files, if it came within ten minutes, is undone at the end of that time, also when daemun or
    your connection ended meanwhile; what others write until then stays. Where nothing was changed yet, all that comes
    until then is undone.
    """
    daemon = control_client.ControlClient(chosen)
    daemon_state.config_of(chosen, daemon.status(""))
    if confirmed or undo:
        if (confirm, to) != (None, None) or (confirmed and undo):
            raise errors.ConfigError(f"cannot apply: `--{'undo' if undo else 'confirmed'}` goes with no other option")
        _end_trial(daemon, undo=undo)
        return
    seconds = None if confirm is None else _parse(confirm)
    if to is not None and seconds is None:
        raise errors.ConfigError("cannot apply: `--to` belongs to `--confirm`; to go back now, write `daemun rollback`")
    report, trial = put_live(daemon, seconds, to)
    if as_json:
        json_answer.print_json(report if trial is None else {**report, "trial": trial})
    else:
        for line in [*lines_of(report), *([] if trial is None else trial_lines(trial, str(confirm)))]:
            output.print_line(line)
    raise typer.Exit(0 if report["ok"] else 1)


def put_live(daemon: control_client.ControlClient, trial_s: float | None, to: int | None) -> tuple[Json, Json | None]:
    """How it went, and what is on trial. What to go back to is recorded first, so that it is undone also when this
    command ends before all is live. Raises: as `Client`."""
    trial = None if trial_s is None else daemon.begin_trial(trial_s, to)
    return daemon_state.apply_and_wait(daemon), trial


def _end_trial(daemon: control_client.ControlClient, *, undo: bool) -> None:
    if undo:
        caller.add_subject("--undo")
    trial = daemon.undo_trial() if undo else daemon.confirm_trial()
    json_answer.note(trial=trial)
    if undo:
        output.print_line(f"undone: the files are as they were before, at number {trial['number']}")
    else:
        output.print_line(f"confirmed: what is live stays, and nothing goes back to number {trial['number']}")


def _parse(text: str) -> float:
    from daemun.core import value_parsers

    try:
        return value_parsers.parse_duration(float(text) if text.isdecimal() else text)
    except ValueError as error:
        raise errors.ConfigError(f'cannot wait for a confirmation for "{text}": {error}') from error


def trial_lines(trial: Json, within: str) -> list[str]:
    """What happens next, for people. Pure."""
    at = datetime.datetime.fromisoformat(trial["until"]).strftime("%H:%M:%SZ")
    taken = trial["taken"]
    secrets = [f"secrets stay those of now: {', '.join(taken)}"] if taken else []
    return [
        f"on trial for {within}: at {at} everything goes back to number {trial['number']} of `daemun history`",
        "keep it with `daemun apply --confirmed`, or go back at once with `daemun apply --undo`",
        *secrets,
    ]


def lines_of(report: Json) -> list[str]:
    """How it went, for people. Pure."""
    messages = [problem["message"] for problem in report["problems"]]
    lines = problem_lines.lines_of(report["problems"])
    if report["error"] and report["error"] not in messages:
        lines.append(f"error: {report['error']}")
    generation = "nothing" if report["generation"] is None else f"generation {report['generation']}"
    if not report["ok"]:
        return [*lines, f"not everything is live; nginx runs {generation}"]
    since = report.get("live_since")
    if report["reloaded"]:
        how = "after a reload"
    elif since is not None:  # a round that noticed the change before this command may have reloaded for it
        how = f"as it was already, since {since}"
    else:
        how = "nginx was not touched"
    others = f"; also on {', '.join(report['nodes'])}" if report.get("nodes") else ""
    return [*lines, f"live: {generation}, {how}{others}"]
