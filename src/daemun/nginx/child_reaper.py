"""As the first process of a container, daemun is given every process whose parent has ended, nginx's master among them,
and has to wait for each: until then it stays as a zombie. Source: wait(2), pid_namespaces(7).
"""

import asyncio
import contextlib
import os
import signal

import psutil

FIRST_PROCESS = 1
OWN_S = 1.0
"""A process that daemun itself started is waited for by its starter, well within this time."""


async def reap_orphans() -> None:
    """Never returns. Does nothing unless daemun is the first process."""
    ended = asyncio.Event()
    if os.getpid() == FIRST_PROCESS:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, ended.set)
    while True:
        await ended.wait()
        ended.clear()
        seen = await asyncio.to_thread(find_zombies)
        await asyncio.sleep(OWN_S)
        await asyncio.to_thread(_reap, seen)


def _reap(seen: set[psutil.Process]) -> None:
    """Those that were not waited for since they were seen."""
    for zombie in seen & find_zombies():
        with contextlib.suppress(ChildProcessError):
            os.waitpid(zombie.pid, os.WNOHANG)


def find_zombies() -> set[psutil.Process]:
    """Children of this process that ended and that were not waited for. Blocking, milliseconds."""
    found: set[psutil.Process] = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.status() == psutil.STATUS_ZOMBIE:
                found.add(child)
    return found
