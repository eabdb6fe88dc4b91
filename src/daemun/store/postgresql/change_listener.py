"""Wakes those who wait for changes of the database: at once by NOTIFY, and now and then regardless.

A connection that listens may be dead unseen, a pooler may pass nothing on, and what was sent before LISTEN or while it
was connected anew never comes. So what changed is always read by its revision; a notice is only the moment to look.
"""

import asyncio
import collections.abc
import contextlib
import threading

import structlog

from daemun.store.postgresql import database_connections

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_S = 30.0
"""How often is looked without a notice."""
_CONNECT_AGAIN_S = 1.0
_STOP_S = 2.0
"""How soon it notices that it is to stop."""


class Waiter:
    """A waiting coroutine with its event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def wake(self) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # its loop ended
            self._loop.call_soon_threadsafe(self._event.set)

    def clear(self) -> None:
        """What woke it so far is about to be looked at."""
        self._event.clear()

    async def wait(self, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._event.wait()
        self._event.clear()


class ChangeListener:
    """One connection, in a thread that runs while coroutines wait."""

    def __init__(self, connections: database_connections.DatabaseConnections, *, listens: bool = True) -> None:
        """listens: false where a pooler is in between; then changes are seen when they are looked for."""
        self._connections = connections
        self._listens = listens
        self._guard = threading.Lock()
        self._waiters: set[Waiter] = set()
        self._is_running = False
        self._stop = threading.Event()

    @contextlib.contextmanager
    def waking(self, waiter: Waiter) -> collections.abc.Iterator[None]:
        """While the block runs."""
        try:
            with self._guard:
                self._waiters.add(waiter)
                if self._listens and not self._is_running:
                    # It waits for this guard before it looks.
                    threading.Thread(target=self._run, name="fleet changes", daemon=True).start()
                    self._is_running = True
            yield
        finally:
            with self._guard:
                self._waiters.discard(waiter)

    def wake(self) -> None:
        with self._guard:
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.wake()

    def close(self) -> None:
        self._stop.set()
        self.wake()

    def _run(self) -> None:
        while self._has_waiters():
            try:
                with self._connections.listen() as connection:
                    connection.execute("LISTEN daemun")
                    self.wake()  # for what came before
                    while self._has_waiters():
                        for _ in connection.notifies(timeout=_STOP_S, stop_after=1):
                            self.wake()
            except Exception as error:  # whatever it is, it is tried again
                log.debug("the connection that listens to the fleet's database ended", reason=str(error))
                self._stop.wait(_CONNECT_AGAIN_S)

    def _has_waiters(self) -> bool:
        with self._guard:
            self._is_running = bool(self._waiters) and not self._stop.is_set()
            return self._is_running
