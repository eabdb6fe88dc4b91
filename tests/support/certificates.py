"""A certificate manager in a test: running beside it, waited for by what its status says."""

import asyncio
import collections.abc
import contextlib

from daemun.certs import certificate_manager
from daemun.core import model

_PATIENCE_S = 60.0


class Watched:
    """A manager whose changes a test can wait for."""

    def __init__(self, watched: certificate_manager.Manager) -> None:
        self.manager = watched
        self._changed = asyncio.Event()
        watched.subscribe(self._changed.set)

    def status(self, host: str) -> model.CertificateStatus:
        return next(status for status in self.manager.status() if status.host == host)

    async def until(self, is_reached: collections.abc.Callable[[], bool]) -> None:
        """Wait until the condition holds. Raises: TimeoutError, naming the last status, after a minute."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not is_reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"not reached; the status is {self.manager.status()}") from None

    async def until_state(self, host: str, state: model.CertificateState) -> model.CertificateStatus:
        await self.until(lambda: self.status(host).state is state)
        return self.status(host)


@contextlib.asynccontextmanager
async def running(watched: certificate_manager.Manager) -> collections.abc.AsyncIterator[Watched]:
    """`Manager.run` while the block runs, for what was prepared before. It must not end by itself."""
    result = Watched(watched)
    await watched.confirm()
    task = asyncio.create_task(watched.run())
    try:
        yield result
    finally:
        assert not task.done(), f"run() ended: {task}"
        # A thread that still talks to a CA would go on beside the next test.
        await result.until(lambda: not watched.busy)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
