"""What `daemun up` calls."""

import asyncio
import os
import pathlib
import signal
import sys

from daemun import garbage
from daemun import settings as settings_
from daemun.nginx import machine as nginx_machine
from daemun.store import instance
from daemun.wiring import daemon, machine

UMASK = 0o022
"""Whatever the umask of the shell is that starts daemun."""


def run(settings: settings_.Settings) -> int:
    """Run until told to stop. Returns: the exit code. Raises: DaemunError when it cannot start."""
    # Until the event loop listens to signals, being told to stop means that nothing was begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    layout = settings.layout
    # Modes are chosen where files are made; what nobody chose (new parents of a folder) is as usual for a service.
    os.umask(UMASK)
    nginx_machine.raise_open_files()
    with instance.held_alone(pathlib.Path(layout.lock)) as lock:
        one = daemon.Daemon(settings, machine.find_nginx(settings), lock)
        garbage.seek()
        asyncio.run(one.live())
    return 0
