"""`daemun stop`."""

import time
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, control_client, json_answer, output

KeepTraffic = typing.Annotated[
    bool, typer.Option("--keep-traffic", help="Leave nginx serving; the next `daemun up` adopts it (for upgrades).")
]

Force = typing.Annotated[
    bool, typer.Option("--force", help="End a daemon that does not answer, too: first with SIGTERM, then with SIGKILL.")
]

PATIENCE_S = 60.0
"""Longer than the daemon gives open requests."""
POLL_S = 0.05
GRACE_S = 10.0
FORCE_GRACE_S = 15.0
"""Longer than the daemon gives open requests (`control.lifecycle.STOP_GRACE_S`)."""


@common_options.with_settings
def stop(chosen: settings.Settings, keep_traffic: KeepTraffic = False, force: Force = False) -> None:
    """Stop the daemon and nginx gracefully, as SIGTERM does; returns when they have ended.

    Without a daemon, an nginx that was left serving is stopped. With --force a daemon that does not answer is ended,
    and then nginx, unless it is to keep serving.
    """
    daemon = control_client.ControlClient(chosen)
    try:
        pid = int(daemon.status("")["pid"])
        daemon.stop(keep_traffic=keep_traffic)
    except control_client.NotAnsweringError:
        if not force:
            raise
        _end_by_force(chosen, keep_traffic=keep_traffic)
        if not keep_traffic:
            _stop_nginx(chosen)
        json_answer.note(nginx_serves=keep_traffic)
        output.print_line(
            "ended the daemon by force; " + ("nginx goes on serving" if keep_traffic else "nginx is stopped")
        )
        return
    except control_client.NotRunningError:
        if keep_traffic or not _stop_left_nginx(chosen):
            raise
        json_answer.note(nginx_serves=False)
        output.print_line("no daemon was running; stopped the nginx that went on serving")
        return
    _wait_until_gone(pid)
    json_answer.note(nginx_serves=keep_traffic)
    output.print_line("stopped; nginx goes on serving" if keep_traffic else "stopped")


def _end_by_force(chosen: settings.Settings, *, keep_traffic: bool) -> None:
    """End the process that holds the state directory. Raises: EnvironmentProblemError when it cannot be found."""
    import contextlib
    import pathlib

    import psutil

    from daemun.store import instance

    pid = instance.read_owner(pathlib.Path(chosen.layout.lock))
    if pid is None:
        raise errors.EnvironmentProblemError(
            f"cannot end the daemon: {chosen.layout.lock} does not say which process it is; find it with `ps`"
        )
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        try:
            if not keep_traffic:  # SIGTERM ends nginx, too
                process.terminate()
                process.resume()
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(FORCE_GRACE_S)
            process.kill()
        except psutil.AccessDenied as error:
            raise errors.EnvironmentProblemError(f"cannot end process {pid}: it is another user's; use sudo") from error
    _wait_until_gone(pid)


def _stop_nginx(chosen: settings.Settings) -> bool:
    """End the nginx of the state directory. Returns: whether there was one.

    Raises: LockHeldError when a daemon is just starting.
    """
    import asyncio
    import contextlib
    import pathlib

    from daemun.judge import judge_process
    from daemun.nginx import process
    from daemun.store import instance

    if not chosen.state.exists():
        return False
    if process.find_master(chosen.layout) is None:
        if pathlib.Path(chosen.layout.judge_pid).exists():  # it outlives daemun and nginx, however these ended
            with contextlib.suppress(errors.LockHeldError), instance.held_alone(pathlib.Path(chosen.layout.lock)):
                asyncio.run(judge_process.end_left(chosen.layout))
        return False
    with instance.held_alone(pathlib.Path(chosen.layout.lock)):
        asyncio.run(process.stop(chosen.layout, grace_s=GRACE_S))
        asyncio.run(judge_process.end_left(chosen.layout))
        process.leave_work_folder(chosen.layout)
    return True


def _stop_left_nginx(chosen: settings.Settings) -> bool:
    """As `_stop_nginx`, for who found no daemon."""
    try:
        return _stop_nginx(chosen)
    except errors.LockHeldError as error:
        raise errors.EnvironmentProblemError(
            f"cannot stop daemun: one runs on {chosen.state} that does not listen at {chosen.layout.control_socket} "
            "(yet); try again, and see its log"
        ) from error


def _wait_until_gone(pid: int) -> None:
    """A daemon whose parent does not collect it stays a zombie, which has ended, too."""
    import psutil

    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(POLL_S)
    raise errors.EnvironmentProblemError(
        f"cannot wait any longer: daemun (process {pid}) is still stopping; see its log"
    )
