"""What `daemun up` calls."""

import asyncio
import pathlib
import signal
import sys

from daemun import garbage
from daemun import settings as settings_
from daemun.store import instance
from daemun.wiring import daemon, machine


def run(settings: settings_.Settings) -> int:
    """Run until told to stop. Returns: the exit code. Raises: DaemunError when it cannot start."""
    # Until the event loop listens to signals, being told to stop means that nothing was begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    layout = settings.layout
    with instance.held_alone(pathlib.Path(layout.lock)):
        one = daemon.Daemon(settings, machine.find_nginx(settings))
        garbage.seek()
        asyncio.run(one.live())
    return 0
