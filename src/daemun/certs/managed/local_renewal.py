"""Renewal without an order: certificates of the local CA, and those in the owner's files."""

import asyncio
import collections.abc
import dataclasses
import datetime

import structlog

from daemun import errors
from daemun.certs.managed import certificate_index
from daemun.certs.served import certificate_files
from daemun.control import ports
from daemun.core import model

log: structlog.stdlib.BoundLogger = structlog.get_logger()

OWN_AT_ONCE = 40
"""So many sites in a row get one of their own instead of a shared one, a tenth of a second, unless a change is on its
way. Then others have their turn (`manager`)."""
MOST_LOOKS_IN_VAIN = 50
"""In a row, five seconds: where one change follows the other without end, so many get their own all the same."""
FILES_READ_EVERY_S = 60.0


class Refresher:
    """Renews local certificates and reads the owner's files again, for one `Manager`. Not thread-safe. changed: called
    with each name whose certificate was replaced. has_time: whether shared certificates may be replaced now."""

    def __init__(
        self,
        index: certificate_index.CertificateIndex,
        served_files: certificate_files.CertificateFiles,
        clock: ports.Clock,
        *,
        changed: collections.abc.Callable[[], None],
        has_time: collections.abc.Callable[[], bool],
    ) -> None:
        self._index = index
        self._served_files = served_files
        self._clock = clock
        self._changed = changed
        self._has_time = has_time
        self._looked_in_vain = 0
        self.has_more = False
        """Whether the last `refresh` left something for the next one, which is due now."""
        self.looked_at_files = asyncio.Event()
        """Unless `ask_for_files` was called since they were read."""
        self.looked_at_files.set()
        self._reads_files = True
        self._files_read_at = clock.now()

    def request_files(self) -> None:
        """The owner's are read with the next `refresh`, or before the next certificate of one that is under way."""
        self._reads_files = True
        self.looked_at_files.clear()

    async def refresh(self) -> None:
        """Renew what the local CA signed and read the owner's files again. A failure waits for the next look."""
        await self._read_files()
        if self.has_more and self._gives_way():
            self._looked_in_vain += 1
            return
        async with self._index.settling:
            now = self._clock.now()
            own_left, is_more_left, was_any_replaced, gives_way = OWN_AT_ONCE, False, False, False
            for name, plan in list(self._index.plans(now).items()):
                entry = self._index.entries[name]
                is_forced = name in self._index.forced and not plan.is_ordered
                is_due = plan.live_update_at is not None and now >= plan.live_update_at
                if not is_forced and not is_due:
                    continue
                if self._reads_files:
                    await self._read_files()
                if entry.served.is_shared:
                    gives_way = gives_way or self._gives_way()
                    if gives_way or not own_left:
                        is_more_left = True
                        continue
                    own_left -= 1
                if is_forced:
                    self._index.forced.discard(name)
                is_fresh = is_forced or entry.served.is_shared
                try:
                    served = await asyncio.to_thread(self._served_files.update_live, entry.spec, fresh=is_fresh)
                except errors.DaemunError as error:
                    log.warning("a certificate was not refreshed", host=entry.spec.host, error=str(error))
                    continue
                was_any_replaced |= entry.served.is_shared
                if served != entry.served:
                    self._index.put(name, dataclasses.replace(self._index.entries[name], served=served))
                    self._changed()
            # Where none could be written, as on a full disk, the next look is as far away as after any failure.
            self.has_more = is_more_left and (was_any_replaced or gives_way)
            self._looked_in_vain = 0

    def _gives_way(self) -> bool:
        return self._looked_in_vain < MOST_LOOKS_IN_VAIN and not self._has_time()

    async def _read_files(self) -> None:
        """The owner's, if it is time. They wait for nothing that is done for others: each round reads them again, so it
        does no harm when one that is under way forgets what was found here."""
        now = self._clock.now()
        if not self._reads_files and abs((now - self._files_read_at).total_seconds()) < FILES_READ_EVERY_S:
            return
        self._reads_files, self._files_read_at = False, now
        for name, entry in [one for one in self._index.entries.items() if one[1].spec.mode is model.TlsMode.FILES]:
            try:
                served = await asyncio.to_thread(self._served_files.update_live, entry.spec)
            except errors.DaemunError as error:
                log.warning("a certificate was not refreshed", host=entry.spec.host, error=str(error))
                continue
            if served != entry.served and self._index.entries.get(name) is entry:
                self._index.put(name, dataclasses.replace(entry, served=served))
                self._changed()
        if not self._reads_files:
            self.looked_at_files.set()

    def due_times(self, now: datetime.datetime) -> list[datetime.datetime]:
        """When something is due. What could not be refreshed just now waits for the next look."""
        plans = self._index.plans(now).values()
        return [plan.live_update_at for plan in plans if plan.live_update_at is not None and plan.live_update_at > now]
