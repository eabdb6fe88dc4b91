"""The task that counts requests while `logs: {traffic}` is on, and cleans up when it is off."""

import asyncio
import collections.abc
import contextlib
import datetime
import pathlib
import threading
import typing

from daemun import ticks
from daemun.control import damage_report
from daemun.core import layout
from daemun.core.traffic import error_shares, traffic_rates, traffic_totals
from daemun.traffic import traffic_files

if typing.TYPE_CHECKING:
    from daemun.traffic import traffic_recorder

EVERY_S = 2.0
FINISHED_EVERY_S = 30.0
"""How often is looked whether nginx still writes, after counting was switched off."""
T = typing.TypeVar("T")


class TrafficCounter:
    """reopen: lets nginx open its logs anew. damage: where a store that had to be set aside is reported."""

    def __init__(
        self,
        paths: layout.Layout,
        damage: damage_report.DamageReport,
        *,
        reopen: collections.abc.Callable[[], collections.abc.Awaitable[None]],
    ) -> None:
        self._layout = paths
        self._damage = damage
        self._reopen = reopen
        self._is_on: bool | None = None
        self._switched = asyncio.Event()
        self._lock = threading.Lock()
        self._recorder: traffic_recorder.TrafficRecorder | None = None
        self._totals: traffic_totals.Totals | None = None

    def switch(self, *, is_on: bool) -> None:
        """Whether requests are counted from now on. Before the first call nothing is done."""
        if is_on is not self._is_on:
            self._is_on = is_on
            self._switched.set()

    def keep_totals(self, *, is_on: bool) -> None:
        """Whether sums since now are kept in memory, for `with_totals`. They have what is stored: what is read again
        after a failure is in them once."""
        if not is_on:
            self._totals = None
        elif self._totals is None:
            self._totals = traffic_totals.Totals()

    def with_totals(self, use: collections.abc.Callable[[traffic_totals.Totals | None], T]) -> T:
        """What this makes of the sums, with what nginx wrote until now; None: nothing is counted. Blocking."""
        with self._lock:
            if not self._is_on:
                return use(None)
            self._record().work(is_wanted_now=True)
            return use(self._totals)

    def count_errors(
        self, since: datetime.datetime, now: datetime.datetime
    ) -> dict[str, error_shares.ErrorShare] | None:
        """See `traffic_report.count_errors`. Blocking."""
        from daemun.traffic import traffic_report  # noqa: PLC0415 - see `_record`

        return traffic_report.count_errors(self._layout, since.timestamp(), now.timestamp())

    def read_rates(self, now: datetime.datetime) -> tuple[dict[str, traffic_rates.TrafficRate], float] | None:
        """See `traffic_minutes.read_rates`, with what nginx wrote until now; None: nothing is counted, or what is
        stored cannot be read now. Blocking."""
        from daemun.traffic import traffic_minutes  # noqa: PLC0415 - see `_record`

        with self._lock:
            if not self._is_on:
                return None
            self._record().work(is_wanted_now=True)
        return traffic_minutes.read_rates(pathlib.Path(self._layout.traffic_store), now.timestamp())

    def count_minutes(
        self, sites: collections.abc.Collection[str], now: datetime.datetime, minutes: int
    ) -> dict[str, tuple[int, ...]]:
        """See `traffic_minutes.count_minutes`. Blocking."""
        from daemun.traffic import traffic_minutes  # noqa: PLC0415 - see `_record`

        if not self._is_on or not sites:
            return {}
        path = pathlib.Path(self._layout.traffic_store)
        return traffic_minutes.count_minutes(path, sites, now.timestamp(), minutes)

    async def run(self) -> None:
        """Never returns."""
        try:
            while True:
                self._switched.clear()
                if self._is_on is None:
                    await self._switched.wait()
                elif self._is_on:
                    more, reopens = await asyncio.to_thread(self._work)
                    if reopens:
                        await self._reopen()
                    await ticks.sleep(0 if more else EVERY_S)
                else:
                    await self._finish()
        finally:
            await asyncio.to_thread(self._end)

    async def _finish(self) -> None:
        """Until something is to be done again."""
        is_left, reopens = await asyncio.to_thread(self._clean_up)
        if reopens:
            await self._reopen()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISHED_EVERY_S if is_left else None):
                await self._switched.wait()

    def _work(self) -> tuple[bool, bool]:
        with self._lock:
            return self._record().work()

    def _clean_up(self) -> tuple[bool, bool]:
        with self._lock:
            if self._recorder is None and not traffic_files.are_any(pathlib.Path(self._layout.logs)):
                return False, False
            return self._record().finish()

    def _end(self) -> None:
        with self._lock:
            if self._recorder is not None:
                self._recorder.end()

    def _record(self) -> "traffic_recorder.TrafficRecorder":
        if self._recorder is None:
            # SQLite is nothing that a gate loads which counts nothing.
            from daemun.traffic import traffic_recorder  # noqa: PLC0415

            self._recorder = traffic_recorder.TrafficRecorder(
                self._layout, self._damage, find_totals=lambda: self._totals
            )
        return self._recorder
