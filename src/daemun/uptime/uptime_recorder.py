"""Looks at all sites after changes and each minute, and has it stored: at once what changed, else now and then.

Time is counted by a clock that nobody sets and that stands still while the machine sleeps. What lies between two looks
that are too far apart was not watched.
"""

import asyncio
import collections.abc
import contextlib
import datetime
import pathlib
import threading
import time
import typing

import structlog

from daemun import causes
from daemun.control import damage_report, ports
from daemun.core import layout, model
from daemun.core.traffic import error_shares
from daemun.core.uptime import site_condition, watch_account

if typing.TYPE_CHECKING:
    from daemun.uptime import uptime_store

log: structlog.stdlib.BoundLogger = structlog.get_logger()

EVERY_S = 60.0
LEAST_PAUSE_S = 5.0
"""Between two looks, however often something changes."""
FIRST_PAUSE_S = 1.0
"""Until all sites were looked at."""
SAVED_EVERY_S = 300.0
"""While nothing changes: so much may be lost of what was watched, if the machine fails."""
LONGEST_GAP_S = 150.0
"""More between two looks was not watched."""
ERRORS_WITHIN = datetime.timedelta(minutes=3)
_REST = 50
"""Times as long as a look took, nothing is looked at."""

Verdicts = collections.abc.Mapping[str, site_condition.SiteVerdict]
CountErrors = collections.abc.Callable[
    [datetime.datetime, datetime.datetime], collections.abc.Mapping[str, error_shares.ErrorShare] | None
]


class LookAtSites(typing.Protocol):
    """What the daemon knows of the sites."""

    def find_sites(self) -> tuple[model.SiteStatus, ...] | None:
        """All of the configuration; the same object as long as nothing changed. None: there was no round yet, or not
        everything was looked at."""

    def find_troubles(self) -> tuple[model.SiteStatus, ...]:
        """Those that visitors do not get, or not as they should."""

    def find_unseen(self) -> frozenset[str]:
        """Those that are new, and not looked at yet."""

    def look(self, host: str) -> model.SiteLook | None: ...


class UptimeRecorder:
    """Not thread-safe: one per event loop. count_errors: of requests that were counted, since a time, by site;
    blocking; None: not known now. changed: called when a site came into another condition."""

    def __init__(
        self,
        paths: layout.Layout,
        clock: ports.Clock,
        damage: damage_report.DamageReport,
        sites: LookAtSites,
        *,
        count_errors: CountErrors,
        changed: collections.abc.Callable[[], None] = lambda: None,
        zone: datetime.tzinfo | None = None,
        monotonic: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = pathlib.Path(paths.uptime_store)
        self._clock = clock
        self._damage = damage
        self._sites = sites
        self._count_errors = count_errors
        self._changed = changed
        self._zone = zone
        self._monotonic = monotonic
        self._account = watch_account.WatchAccount()
        self._wake = asyncio.Event()
        self._lock = threading.Lock()
        self._store: uptime_store.UptimeStore | None = None
        self._failure: str | None = None
        self._statuses: tuple[model.SiteStatus, ...] | None = None
        self._served: frozenset[str] = frozenset()
        self._is_listed = False
        self._others: tuple[model.SiteStatus, ...] = ()
        self._seen: dict[str, site_condition.SiteVerdict] = {}
        self._looked_s: float | None = None
        self._saved_s: float | None = None
        self._shares: collections.abc.Mapping[str, error_shares.ErrorShare] = {}
        self._shares_s: float | None = None

    @property
    def is_watching(self) -> bool:
        """Whether all sites were looked at since the start, and that is stored."""
        return self._saved_s is not None

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    async def run(self) -> None:
        """Never returns."""
        try:
            while True:
                self._wake.clear()
                began_s = self._monotonic()
                await self.look()
                pause_s = LEAST_PAUSE_S if self.is_watching else FIRST_PAUSE_S
                # However long a look takes, a further one has to come before the time between counts as not watched.
                await asyncio.sleep(min(EVERY_S, max(pause_s, _REST * (self._monotonic() - began_s))))
                while self._monotonic() - began_s < EVERY_S and self._sites.find_sites() is self._statuses:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause_s):
                            await self._wake.wait()
                            break
        finally:
            await asyncio.to_thread(self._end)

    async def look(self) -> None:
        """One look, and what follows from it."""
        await self._count_late_errors()
        now_s, now = self._monotonic(), self._clock.now().astimezone(self._zone)
        self._note_elapsed(now, now_s)
        statuses = self._sites.find_sites()
        if statuses is None:
            self._looked_s = None  # of what comes before the next look nothing is known
            return
        seen = self._judge(statuses, now)
        is_changed = _essence(seen) != _essence(self._seen)
        self._seen, self._looked_s = seen, now_s
        if is_changed or self._is_unstored(now_s):
            was_watching = self.is_watching
            await asyncio.to_thread(self._save, now)
            if is_changed or self.is_watching is not was_watching:
                self._changed()

    def _is_unstored(self, now_s: float) -> bool:
        return not self._is_listed or self._saved_s is None or now_s - self._saved_s >= SAVED_EVERY_S

    def _note_elapsed(self, now: datetime.datetime, now_s: float) -> None:
        """What was seen last held until now."""
        if self._looked_s is not None and 0 < now_s - self._looked_s <= LONGEST_GAP_S:
            self._account.add(self._seen, now, now_s - self._looked_s)
            self._looked_s = now_s

    async def _count_late_errors(self) -> None:
        """They are stored each half minute, so it is enough to look once a minute."""
        now_s = self._monotonic()
        if self._shares_s is None or now_s - self._shares_s >= EVERY_S - LEAST_PAUSE_S:
            self._shares_s = now_s
            now = self._clock.now()
            found = await asyncio.to_thread(self._count_errors, now - ERRORS_WITHIN, now)
            self._shares = found or {}

    # --- what is seen ----------------------------------------------------------------------------------------------

    def _judge(
        self, statuses: tuple[model.SiteStatus, ...], now: datetime.datetime
    ) -> dict[str, site_condition.SiteVerdict]:
        """The sites that are not simply up, by name."""
        if statuses is not self._statuses:
            listed = [(one, site_condition.find_listed(one, now)) for one in statuses]
            self._others = tuple(one for one, found in listed if found is not None and found != _UP)
            self._served = frozenset(one.site.host for one, found in listed if found is not None)
            self._statuses, self._is_listed = statuses, False
        seen: dict[str, site_condition.SiteVerdict] = {}
        for host, share in self._shares.items():
            found = site_condition.judge_errors(share)
            if found is not None and host in self._served:
                seen[host] = found
        for status in self._sites.find_troubles():
            if status.site.host in self._served:
                one = site_condition.judge_trouble(status, self._sites.look(status.site.host))
                if one != _UP:
                    seen[status.site.host] = one
        unseen = site_condition.SiteVerdict(condition=site_condition.Condition.UNWATCHED)
        seen |= {host: unseen for host in self._sites.find_unseen() & self._served if host not in seen}
        for status in self._others:  # maintenance may have ended by itself
            listed_as = site_condition.find_listed(status, now)
            if listed_as is not None and listed_as != _UP:
                seen[status.site.host] = listed_as
        return seen

    # --- what is stored --------------------------------------------------------------------------------------------

    def _save(self, now: datetime.datetime) -> None:
        """In a thread. What cannot be stored now waits."""
        import sqlite3  # noqa: PLC0415 - it takes a megabyte, which is not loaded before the first look

        from daemun import sqlite_files  # noqa: PLC0415

        with self._lock:
            try:
                store = self._open()
                store.add(
                    self._account,
                    now_s=now.timestamp(),
                    today=now.toordinal(),
                    seen=self._seen,
                    served=None if self._is_listed else self._served,
                    is_first=self._saved_s is None,
                )
            except sqlite3.Error as error:
                self._note_failure(str(error), is_damaged=sqlite_files.is_damage(error))
            except OSError as error:
                self._note_failure(causes.describe(error))
            else:
                self._account.clear()
                self._is_listed, self._saved_s = True, self._monotonic()
                if self._failure is not None:
                    self._failure = None
                    log.info("uptime is stored again")

    def _open(self) -> "uptime_store.UptimeStore":
        """Raises: sqlite3.Error, OSError."""
        from daemun.uptime import uptime_store  # noqa: PLC0415 - see `_save`

        if self._store is not None and not self._path.exists():
            self._close()
        if self._store is None:
            self._store, reason = uptime_store.open_store(self._path)
            self._is_listed = False
            if reason is not None:
                self._note_damage(reason)
        return self._store

    def _note_failure(self, reason: str, *, is_damaged: bool = False) -> None:
        """In the log once."""
        if self._failure != reason:
            self._failure = reason
            log.warning("uptime cannot be stored now; nothing else is concerned", path=str(self._path), reason=reason)
        self._close()
        self._saved_s = None if is_damaged else self._saved_s
        if is_damaged:
            from daemun import sqlite_files  # noqa: PLC0415 - see `_save`

            try:
                sqlite_files.set_aside(self._path)
            except OSError as error:
                log.warning("cannot set aside the uptime", path=str(self._path), reason=causes.describe(error))
            else:
                self._note_damage(reason)

    def _note_damage(self, reason: str) -> None:
        self._damage.note(
            self._path.name,
            f"the uptime in {self._path} could not be used: {reason}; the file was set aside as "
            f"{self._path}.damaged, and uptime is watched anew",
        )

    def _close(self) -> None:
        self._is_listed = False
        if self._store is not None:
            self._store.close()
            self._store = None

    def _end(self) -> None:
        """Store what was seen until now."""
        if self._store is not None and self._looked_s is not None:
            now = self._clock.now().astimezone(self._zone)
            self._note_elapsed(now, self._monotonic())
            self._save(now)
        with self._lock:
            self._close()


_UP = site_condition.SiteVerdict(condition=site_condition.Condition.UP)


def _essence(seen: Verdicts) -> set[tuple[str, site_condition.Condition]]:
    return {(host, one.condition) for host, one in seen.items()}
