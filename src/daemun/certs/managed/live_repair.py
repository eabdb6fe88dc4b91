"""Checks the files below live/ all the time, and writes those that were changed or deleted again from the store.

A folder or a link that is gone is noticed at the next look, because that changes the time of the folder above it. What
happens to a file is noticed when its name has its turn: two calls to the system for each name, so many names in a look,
within seconds where there are thousands, and within minutes where there are a hundred thousand. inotify would have to
watch each of as many folders, more than the kernel lets one user watch.
"""

import asyncio
import collections.abc
import dataclasses
import time

import structlog

from daemun import errors, ticks
from daemun.certs.managed import certificate_index, schedule
from daemun.certs.served import certificate_files, shown_certificates

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY_S = 1.0
AT_ONCE = 400
"""Names that are looked at in one look, in four milliseconds: less than a hundredth of a core."""
WITHOUT_A_THREAD = 20
"""So few are looked at without a thread, which would cost more than the look."""
LOOKS_A_TURN = 10
"""Or more. A few names are not looked at all the time either: it would be the most that a daemon does at rest."""
_REST = 50
"""Times as long as listing live/ took, it is not listed again: with a hundred thousand names a tenth of a second."""


class LiveRepair:
    """Finds files below live/ that were changed or deleted and writes them again, for one `Manager`. Not thread-safe.
    changed: called when a name is served with another certificate."""

    def __init__(
        self,
        index: certificate_index.CertificateIndex,
        served_files: certificate_files.CertificateFiles,
        *,
        changed: collections.abc.Callable[[], None],
    ) -> None:
        self._index = index
        self._served_files = served_files
        self._changed = changed
        self._marks: dict[str, tuple[shown_certificates.ServedCertificate, object]] = {}
        self._turn: list[str] = []
        self._times: object = None
        self._lists_at_s = 0.0
        self._failures: dict[str, str] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await ticks.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """At those whose turn it is, and those that are gone."""
        if not self._turn:
            self._turn = list(self._index.entries)
            self._marks = {name: self._marks[name] for name in self._turn if name in self._marks}
            self._failures = {name: failure for name, failure in self._failures.items() if name in self._index.entries}
        amount = min(AT_ONCE, -(-len(self._index.entries) // LOOKS_A_TURN))
        names, self._turn = self._turn[:amount], self._turn[amount:]
        names += await self._find_lost()
        entries = {name: self._index.entries[name] for name in names if name in self._index.entries}
        if len(entries) <= WITHOUT_A_THREAD:
            entries = self._find_changed(entries)
            if not entries:
                return
        for name in await asyncio.to_thread(self._find_touched, entries):
            await self._mend(name)

    async def _find_lost(self) -> list[str]:
        """Those of which a folder or a link may be gone."""
        times, now_s = self._served_files.times(), time.monotonic()
        if times == self._times or now_s < self._lists_at_s:
            return []
        self._times = times
        served = [(entry.spec, entry.served) for entry in self._index.entries.values()]
        lost = await asyncio.to_thread(self._served_files.find_lost, served)
        self._lists_at_s = now_s + _REST * (time.monotonic() - now_s)
        return lost

    def _find_changed(
        self, entries: collections.abc.Mapping[str, schedule.ManagedCertificate]
    ) -> dict[str, schedule.ManagedCertificate]:
        """Those that may be others than they were when they held what they should."""
        return {name: entry for name, entry in entries.items() if not self._is_as_it_was(name, entry)[0]}

    def _is_as_it_was(self, name: str, entry: schedule.ManagedCertificate) -> tuple[bool, object]:
        """With the mark of now."""
        seen, mark = self._marks.get(name), self._served_files.mark(entry.spec)
        return mark is not None and seen is not None and seen[0] is entry.served and seen[1] == mark, mark

    def _find_touched(self, entries: collections.abc.Mapping[str, schedule.ManagedCertificate]) -> list[str]:
        """Those that do not hold what they should."""
        touched = []
        for name, entry in entries.items():
            is_as_it_was, mark = self._is_as_it_was(name, entry)
            if is_as_it_was:
                continue
            if self._served_files.is_intact(entry.spec, entry.served):
                self._marks[name] = (entry.served, mark)
            else:
                touched.append(name)
        return touched

    async def _mend(self, name: str) -> None:
        async with self._index.settling:  # no other task is about to write it
            entry = self._index.entries.get(name)
            if entry is None or await asyncio.to_thread(self._served_files.is_intact, entry.spec, entry.served):
                return
            try:
                served = await asyncio.to_thread(self._served_files.update_live, entry.spec)
            except errors.DaemunError as error:
                self._note_failure(name, str(error))
                return
            if not served.is_written:
                self._note_failure(name, served.problems[-1].message)
                return
            self._failures.pop(name, None)
            if served != entry.served:
                self._index.put(name, dataclasses.replace(entry, served=served))
        log.warning(
            "the files of a certificate were changed by another program; they are written again",
            host=entry.spec.host,
            folder=f"live/{name}",
        )
        self._changed()

    def _note_failure(self, name: str, reason: str) -> None:
        """Once for each cause: the next look, which is soon, tries again."""
        if self._failures.get(name) != reason:
            self._failures[name] = reason
            log.error("a certificate under live/ is damaged and cannot be written again", reason=reason)
