"""Active checks: every endpoint that some service wants checked is checked in turn, once for all services alike.

At rest a check costs one connection and one request; nothing is done where nothing is checked. Intervals differ a
little from endpoint to endpoint, so that checks do not come in bursts.
"""

import asyncio
import collections.abc
import datetime
import functools
import zlib

from daemun.discovery import check_results

MOST_AT_ONCE = 32
_JITTER = 0.1


Check = collections.abc.Callable[[check_results.CheckedEndpoint], collections.abc.Awaitable[str | None]]
"""As `endpoint_check.check_endpoint`."""


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Monitor:
    """on_change: called when the verdict on an endpoint changes. All methods are called on one event loop."""

    def __init__(
        self,
        on_change: collections.abc.Callable[[check_results.CheckedEndpoint], None],
        *,
        utc_now: collections.abc.Callable[[], datetime.datetime] = _utc_now,
    ) -> None:
        self._on_change = on_change
        self._utc_now = utc_now
        self._streaks: dict[check_results.CheckedEndpoint, check_results.CheckStreak] = {}
        self._tasks: dict[check_results.CheckedEndpoint, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def follow(self, subjects: collections.abc.Iterable[check_results.CheckedEndpoint]) -> None:
        """Check exactly these from now on; what is known of those that stay is kept."""
        wanted = dict.fromkeys(subjects)
        if wanted.keys() != self._streaks.keys():
            self._streaks = {subject: self._streaks.get(subject, check_results.UNKNOWN) for subject in wanted}
            self._changed.set()

    def streak(self, subject: check_results.CheckedEndpoint) -> check_results.CheckStreak:
        return self._streaks.get(subject, check_results.UNKNOWN)

    async def run(self) -> None:
        """Never ends by itself."""
        while not self._streaks:
            self._changed.clear()
            await self._changed.wait()
        # Here, so that those who check nothing neither wait for aiohttp nor have it in memory.
        from daemun.discovery import endpoint_check  # noqa: PLC0415

        async with endpoint_check.Clients() as clients, asyncio.TaskGroup() as group:
            check = functools.partial(endpoint_check.check_endpoint, clients=clients)
            places = asyncio.Semaphore(MOST_AT_ONCE)
            self._tasks = {}
            self._changed.set()
            while True:
                await self._changed.wait()
                self._changed.clear()
                for subject in self._tasks.keys() - self._streaks.keys():
                    self._tasks.pop(subject).cancel()
                for subject in self._streaks.keys() - self._tasks.keys():
                    self._tasks[subject] = group.create_task(self._watch(subject, check, places))

    async def _watch(self, subject: check_results.CheckedEndpoint, check: Check, places: asyncio.Semaphore) -> None:
        health = subject.check.health
        share = zlib.crc32(str(subject).encode()) / 0xFFFFFFFF
        pause_s = health.interval_s * (1 - _JITTER + 2 * _JITTER * share)
        while True:
            async with places:
                failure = await check(subject)
            before = self._streaks.get(subject)
            if before is not None:  # else it is not followed any more, and `run` is about to end this task
                self._streaks[subject] = check_results.judge(before, failure, health, now=self._utc_now())
                if self._streaks[subject].is_well != before.is_well:
                    self._on_change(subject)
            await asyncio.sleep(pause_s)
