"""Notice at once that nginx's master ended, at no cost while it lives. One that another took over from is no loss."""

import asyncio
import os

import psutil

from daemun.core import layout
from daemun.nginx import process

POLL_S = 1.0


async def wait_until_gone(paths: layout.Layout) -> None:
    """Return when no master of ours runs (any more)."""
    while (master := await asyncio.to_thread(process.find_master, paths)) is not None:
        await _wait_for_end(master)


async def _wait_for_end(master: psutil.Process) -> None:
    try:
        descriptor = os.pidfd_open(master.pid)
    except ProcessLookupError:
        return
    except OSError:  # a kernel, or a sandbox, without pidfd_open(2)
        await _poll(master)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _poll(master: psutil.Process) -> None:
    while master.is_running():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(POLL_S)
