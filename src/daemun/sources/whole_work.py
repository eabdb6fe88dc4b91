"""Work in a thread that needs the event loop now and then, and is never left in the middle by whoever waits for it."""

import asyncio
import collections.abc
import concurrent.futures
import contextlib
import threading
import typing

_T = typing.TypeVar("_T")
EndedError = concurrent.futures.CancelledError
"""In the thread: nobody waits for the work any more."""


class WorkingThread:
    """What the work gets. Thread-safe."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._is_over = False
        self._waits_for: concurrent.futures.Future[typing.Any] | None = None

    def check(self) -> None:
        """Raises: EndedError."""
        if self._is_over:
            raise EndedError

    def wait(self, begin: collections.abc.Callable[[], collections.abc.Coroutine[typing.Any, typing.Any, _T]]) -> _T:
        """Let the event loop run a coroutine, and wait for it. Raises: what it raises; EndedError."""
        with self._lock:
            self.check()
            future = asyncio.run_coroutine_threadsafe(begin(), self._loop)
            self._waits_for = future
        return future.result()

    def end(self) -> None:
        """What it waits for is cancelled, and nothing more begins."""
        with self._lock:
            self._is_over = True
            if self._waits_for is not None:
                self._waits_for.cancel()


async def run(work: collections.abc.Callable[[WorkingThread], _T]) -> _T:
    """Also where the caller is cancelled, it returns when the thread has ended."""
    loop = asyncio.get_running_loop()
    thread = WorkingThread(loop)
    job = loop.run_in_executor(None, work, thread)
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        thread.end()
        while not job.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([job])
        with contextlib.suppress(Exception):  # of what was cancelled
            job.result()
        raise
