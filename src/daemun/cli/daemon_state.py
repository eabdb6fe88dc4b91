"""Checks of commands for the running daemon: that it runs, and that it reads the file which the command names."""

import collections.abc
import dataclasses
import pathlib
import time
import typing

import typer

from daemun import errors, settings
from daemun.cli import control_client, output, verdict

Json = dict[str, typing.Any]
T = typing.TypeVar("T")

POLL_S = 0.5
"""How often it is looked whether a change still waits for nginx's old workers."""


def or_not_live(chosen: settings.Settings, request: collections.abc.Callable[[], T]) -> T:
    """The daemon's answer. When none runs, or none that answers, report that and exit as for something that is not
    live."""
    try:
        return request()
    except (control_client.NotRunningError, control_client.NotAnsweringError) as error:
        served = nginx_that_serves(chosen)
        output.fail(str(error) if served is None else f"{error}\n{served}")
        raise typer.Exit(verdict.NOT_LIVE) from error


def nginx_that_serves(chosen: settings.Settings) -> str | None:
    """What a person must know when daemun is gone and nginx is not; None: it is not there either."""
    from daemun.nginx import process

    master = process.find_master(chosen.layout)
    if master is None:
        return None
    return f"nginx (process {master.pid}) goes on serving what was live; the next `daemun up` takes it over"


def config_of(chosen: settings.Settings, status: Json) -> pathlib.Path:
    """The file that the running daemon reads.

    Raises: ConfigError when another one was named: it would be edited, or reported as applied, in vain.
    """
    file = pathlib.Path(status["config"])
    if chosen.config_was_chosen and not _is_same(chosen.config, file):
        raise errors.ConfigError(
            f'cannot use "{chosen.config}" (from {chosen.config_from}): the running daemun (process {status["pid"]}) '
            f'reads "{file}"; name that one, or the --state of the daemun you mean'
        )
    return file


def with_daemons_file(chosen: settings.Settings) -> settings.Settings:
    """The same, with the file that the running daemon reads when none was named: all commands are about one file."""
    if chosen.config_was_chosen:
        return chosen
    try:
        file = pathlib.Path(control_client.ControlClient(chosen).status("")["config"])
    except errors.DaemunError:
        return chosen
    return dataclasses.replace(chosen, config=file)


def daemon_of(chosen: settings.Settings) -> control_client.ControlClient | None:
    """The daemon that reads the chosen file; None when none runs, or one that reads another file."""
    daemon = control_client.ControlClient(chosen)
    try:
        file = pathlib.Path(daemon.status("")["config"])
    except control_client.NotRunningError:
        return None
    if chosen.config_was_chosen and not _is_same(chosen.config, file):
        return None
    return daemon


def apply_and_wait(daemon: control_client.ControlClient, *, file: str = "") -> Json:
    """Apply, and wait until nothing of it waits any more, which a line on standard error reports. file: as
    `Client.apply`. Raises: as `Client`."""
    report = daemon.apply(file=file)
    before = report["generation"]
    if report["waits"] is not None:
        output.complain(f"waiting: {report['waits']['reason']}")
    while report["waits"] is not None:
        time.sleep(POLL_S)
        if daemon.status("")["waiting_change"] is None:
            report = daemon.apply()
    return {**report, "reloaded": report["reloaded"] or report["generation"] != before}


def _is_same(one: pathlib.Path, other: pathlib.Path) -> bool:
    return one.resolve() == other.resolve()
