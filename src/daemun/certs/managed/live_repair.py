"""live/ holds what it should, whatever happens to its files: looked at all the time, and written again from what
is stored.

A look at one name is two calls to the system, and each name has its turn within seconds; a file that inotify would have
to watch in each of ten thousand folders is noticed as soon.
"""

import asyncio
import collections.abc
import dataclasses

import structlog

from daemun import errors
from daemun.certs.managed import certificate_index, schedule
from daemun.certs.served import certificate_files, shown_certificates

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY_S = 0.5
TURN_S = 8.0
"""Each name is looked at as often as this; where they are few, at every look."""
FEW = 250
"""Names that are looked at in one look, in about a millisecond."""


class LiveRepair:
    """Of one manager. Not thread-safe. changed: called when another certificate is served for a name."""

    def __init__(
        self,
        known: certificate_index.CertificateIndex,
        served_files: certificate_files.CertificateFiles,
        *,
        changed: collections.abc.Callable[[], None],
    ) -> None:
        self._index = known
        self._served_files = served_files
        self._changed = changed
        self._marks: dict[str, tuple[shown_certificates.ServedCertificate, object]] = {}
        self._turn: list[str] = []
        self._failures: dict[str, str] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """At those whose turn it is."""
        if not self._turn:
            self._turn = list(self._index.entries)
            self._marks = {name: self._marks[name] for name in self._turn if name in self._marks}
            self._failures = {name: failure for name, failure in self._failures.items() if name in self._index.entries}
        most = max(FEW, int(len(self._index.entries) * LOOK_EVERY_S / TURN_S) + 1)
        names, self._turn = self._turn[:most], self._turn[most:]
        entries = {name: self._index.entries[name] for name in names if name in self._index.entries}
        for name in await asyncio.to_thread(self._find_touched, entries):
            await self._mend(name)

    def _find_touched(self, entries: collections.abc.Mapping[str, schedule.ManagedCertificate]) -> list[str]:
        """Those that do not hold what they should."""
        touched = []
        for name, entry in entries.items():
            known, mark = self._marks.get(name), self._served_files.mark(entry.spec)
            if mark is not None and known is not None and known[0] is entry.served and known[1] == mark:
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
            "the files of a certificate were changed by somebody else; they are written again",
            host=entry.spec.host,
            folder=f"live/{name}",
        )
        self._changed()

    def _note_failure(self, name: str, reason: str) -> None:
        """Once for each cause: the next look, which is soon, tries again."""
        if self._failures.get(name) != reason:
            self._failures[name] = reason
            log.error("a certificate under live/ is damaged and cannot be written again", reason=reason)
