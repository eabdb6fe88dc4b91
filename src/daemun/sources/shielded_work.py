"""Runs work in a thread that can use the event loop, and that is completed even when its caller is cancelled."""

import asyncio
import collections.abc
import concurrent.futures
import contextlib
import threading
import typing

_T = typing.TypeVar("_T")
EndedError = concurrent.futures.CancelledError
"""Raised in the thread when the caller has stopped waiting for the work."""


class WorkingThread:
    """The thread that does the work, as the work itself sees it. `end` may be called by any thread, all else by this
    one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._is_over = False
        self._stop: collections.abc.Callable[[], object] = lambda: None
        """Ends what the thread waits for."""

    def check(self) -> None:
        """Raises: EndedError."""
        if self._is_over:
            raise EndedError

    def wait(self, begin: collections.abc.Callable[[], collections.abc.Coroutine[typing.Any, typing.Any, _T]]) -> _T:
        """Let the event loop run a coroutine, and wait for it. Raises: what it raises; EndedError."""
        with self._lock:
            self.check()
            future = asyncio.run_coroutine_threadsafe(begin(), self._loop)
            self._stop = future.cancel
        return future.result()

    def run_apart(self, work: collections.abc.Coroutine[typing.Any, typing.Any, _T]) -> _T:
        """Run a coroutine in an event loop of this thread's own. Raises: what it raises; EndedError."""

        async def run() -> _T:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            assert task is not None
            with self._lock:
                is_over = self._is_over
                self._stop = lambda: loop.call_soon_threadsafe(task.cancel)
            try:
                if is_over:
                    task.cancel()
                return await work
            finally:
                with self._lock:  # the loop is closed after this
                    self._stop = lambda: None

        try:
            return asyncio.run(run())
        except asyncio.CancelledError:
            raise EndedError from None

    def end(self) -> None:
        """What it waits for is cancelled, and nothing more begins."""
        with self._lock:
            self._is_over = True
            self._stop()


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


async def run_for(
    longest_s: float,
    work: collections.abc.Callable[[WorkingThread], _T],
    *,
    ended: collections.abc.Callable[[], None],
) -> _T:
    """ended: called when the thread has ended, which may be after this has. Raises: TimeoutError, and what the work
    raises."""
    loop = asyncio.get_running_loop()
    thread = WorkingThread(loop)
    job = loop.run_in_executor(None, work, thread)
    job.add_done_callback(lambda _: ended())
    try:
        done, _ = await asyncio.wait([job], timeout=longest_s)
    finally:
        if not job.done():
            thread.end()
            job.add_done_callback(lambda one: one.exception())  # nobody waits for it
    if not done:
        raise TimeoutError
    return job.result()
