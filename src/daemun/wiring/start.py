"""The start of the daemon (`daemun up`)."""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import sys

from daemun import errors, garbage, settings
from daemun.core import layout
from daemun.nginx import machine_limits, misplaced_files, pairs_folder, process, takeover, work_folder
from daemun.store import instance
from daemun.wiring import composition, nginx_environment

UMASK = 0o022
"""Whatever the umask of the shell is that starts daemun."""


def run(chosen: settings.Settings) -> int | None:
    """Run until a signal, or a request, to stop. Returns: the exit code; None: another daemon is to go on. Raises:
    DaemunError when it cannot start."""
    # Until the event loop listens to signals, a signal to stop means that nothing was begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Modes are chosen where files are made; all others (new parents of a folder) is as usual for a service.
    os.umask(UMASK)
    machine_limits.raise_open_files()
    misplaced_files.set_aside(dataclasses.replace(chosen.layout, work=None))
    with contextlib.ExitStack() as stack:
        lock = _lock(chosen, stack)
        with contextlib.suppress(OSError):  # the status says why, or that nothing can be written
            pairs_folder.make(str(chosen.state))
        stack.callback(lambda: process.leave_work_folder(chosen.layout))
        with contextlib.suppress(errors.EnvironmentProblemError):  # tried again with each round
            asyncio.run(takeover.settle(chosen.layout))
        # What serves judges changes, whichever was named: that one takes over from it with `daemun nginx upgrade`.
        binary = nginx_environment.find_serving(chosen) or nginx_environment.find_next(chosen)
        one = composition.Daemon(chosen, binary, lock)
        garbage.seek()
        begins_again = asyncio.run(one.live())
    return None if begins_again else 0


def _lock(chosen: settings.Settings, stack: contextlib.ExitStack) -> instance.HeldLock:
    """The lock of where nginx works, held beside that of the state directory: there is one daemun for it, wherever
    nginx works, and nothing is changed before that is known.

    Raises: LockHeldError, EnvironmentProblemError.
    """
    plain = pathlib.Path(layout.Layout(str(chosen.state)).lock)
    failure = None
    try:
        lock = stack.enter_context(instance.held_alone(plain))
    except errors.LockHeldError:
        if chosen.layout.work is not None:  # its lock has the number of the process also on a full disk
            stack.enter_context(instance.held_alone(pathlib.Path(chosen.layout.lock)))
        raise
    except errors.EnvironmentProblemError as error:  # there is nothing that could be locked: lost rights
        failure = error
    paths = _choose_layout(chosen)
    if paths.work is not None:
        return stack.enter_context(instance.held_alone(pathlib.Path(paths.lock)))
    if failure is not None:
        raise failure
    return lock


def _choose_layout(chosen: settings.Settings) -> layout.Layout:
    """Where nginx works. Nothing that runs is moved: an nginx that serves is adopted where it is."""
    paths, plain = chosen.layout, layout.Layout(str(chosen.state))
    if paths.work is not None and process.find_master(paths) is not None:
        return paths
    is_possible = work_folder.can_serve(plain) and process.find_master(plain) is None
    if is_possible and work_folder.find_refusal(plain) is not None:
        return work_folder.make(plain.state)
    if paths.work is not None:
        with instance.held_alone(pathlib.Path(paths.lock)):
            work_folder.remove(paths.work)
    return plain
