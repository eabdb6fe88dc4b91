"""Takes and releases locks of the store in threads, for tasks of the event loop."""

import asyncio
import collections.abc
import contextlib

from daemun.control import ports
from daemun.control.lease import LEASE_S, Lease


@contextlib.asynccontextmanager
async def held(store: ports.Store, name: str, *, lease_s: float = LEASE_S) -> collections.abc.AsyncIterator[Lease]:
    """Raises: as `ports.Store.lock`."""
    loop, stack = asyncio.get_running_loop(), contextlib.ExitStack()
    entering = loop.run_in_executor(None, lambda: stack.enter_context(store.lock(name, lease_s=lease_s)))
    try:
        yield await asyncio.shield(entering)
    finally:
        if entering.done():
            await asyncio.shield(loop.run_in_executor(None, stack.close))
        else:  # cancelled before it had the lock
            entering.add_done_callback(lambda _: loop.run_in_executor(None, stack.close))
