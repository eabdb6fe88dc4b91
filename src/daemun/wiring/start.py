"""What `daemun up` calls."""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import sys

from daemun import errors, garbage
from daemun import settings as settings_
from daemun.core import layout as layout_
from daemun.nginx import machine_limits, misplaced, pairs_folder, process, takeover, work_folder
from daemun.store import instance
from daemun.wiring import composition, nginx_environment

UMASK = 0o022
"""Whatever the umask of the shell is that starts daemun."""


def run(settings: settings_.Settings) -> int:
    """Run until a signal, or a request, to stop. Returns: the exit code. Raises: DaemunError when it cannot start."""
    # Until the event loop listens to signals, a signal to stop means that nothing was begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Modes are chosen where files are made; all others (new parents of a folder) is as usual for a service.
    os.umask(UMASK)
    machine_limits.raise_open_files()
    misplaced.set_aside(dataclasses.replace(settings.layout, work=None))
    with contextlib.ExitStack() as stack:
        lock = _lock(settings, stack)
        with contextlib.suppress(OSError):  # the status says why, or that nothing can be written
            pairs_folder.make(str(settings.state))
        stack.callback(lambda: process.leave_work_folder(settings.layout))
        with contextlib.suppress(errors.EnvironmentProblemError):  # tried again with each round
            asyncio.run(takeover.settle(settings.layout))
        # What serves judges changes, whichever was named: that one takes over from it with `daemun nginx upgrade`.
        binary = nginx_environment.find_serving(settings) or nginx_environment.find_next(settings)
        one = composition.Daemon(settings, binary, lock)
        garbage.seek()
        asyncio.run(one.live())
    return 0


def _lock(settings: settings_.Settings, stack: contextlib.ExitStack) -> instance.HeldLock:
    """The lock of where nginx works, held beside that of the state directory: there is one daemun for it, wherever
    nginx works, and nothing is changed before that is known.

    Raises: LockHeldError, EnvironmentProblemError.
    """
    plain = pathlib.Path(layout_.Layout(str(settings.state)).lock)
    failure = None
    try:
        lock = stack.enter_context(instance.held_alone(plain))
    except errors.LockHeldError:
        if settings.layout.work is not None:  # its lock has the number of the process also on a full disk
            stack.enter_context(instance.held_alone(pathlib.Path(settings.layout.lock)))
        raise
    except errors.EnvironmentProblemError as error:  # there is nothing that could be locked: lost rights
        failure = error
    layout = _choose_layout(settings)
    if layout.work is not None:
        return stack.enter_context(instance.held_alone(pathlib.Path(layout.lock)))
    if failure is not None:
        raise failure
    return lock


def _choose_layout(settings: settings_.Settings) -> layout_.Layout:
    """Where nginx works. Nothing that runs is moved: an nginx that serves is adopted where it is."""
    layout, plain = settings.layout, layout_.Layout(str(settings.state))
    if layout.work is not None and process.find_master(layout) is not None:
        return layout
    is_possible = work_folder.can_serve(plain) and process.find_master(plain) is None
    if is_possible and work_folder.find_refusal(plain) is not None:
        return work_folder.make(plain.state)
    if layout.work is not None:
        with instance.held_alone(pathlib.Path(layout.lock)):
            work_folder.remove(layout.work)
    return plain
