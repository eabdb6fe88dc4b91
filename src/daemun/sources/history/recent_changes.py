"""Which site was changed last, and the newest entries of the history, for the first screen. Blocking.

An entry has the files of then, which are much where there are thousands of sites: each is read once, and a bounded
number of them at a time, the newest first.
"""

import contextlib
import re

from daemun.control import overview_port
from daemun.core.dashboard import site_row
from daemun.errors import DaemunError
from daemun.sources.history import history_entry, history_store

MOST_AT_ONCE = 20
MOST_NEWEST = 10
_CHANGE = re.compile(r"(added|changed|removed) (stream \S+|\S+)")


class RecentChanges:
    """Finds the last change of each site, and remembers what it read. For one thread at a time. history: used by
    nothing else."""

    def __init__(self, history: history_store.HistoryStore) -> None:
        self._history = history
        self._known: dict[int, overview_port.RecentChange] = {}

    def read(self) -> overview_port.KnownChanges:
        """What cannot be read now is left out."""
        with contextlib.suppress(DaemunError):
            self._read_new()
        entries = [self._known[number] for number in sorted(self._known, reverse=True)]
        by_site: dict[str, site_row.LastChange] = {}
        for one in entries:
            for change in one.changes:
                parts = _CHANGE.fullmatch(change)
                if parts is not None and parts[2] not in by_site:
                    by_site[parts[2]] = site_row.LastChange(number=one.number, at=one.at, what=parts[1], by=one.by)
        return overview_port.KnownChanges(newest=tuple(entries[:MOST_NEWEST]), by_site=by_site)

    def _read_new(self) -> None:
        numbers = self._history.numbers()
        self._known = {number: one for number, one in self._known.items() if number in set(numbers)}
        # The newest is read again: it may have come live meanwhile.
        wanted = [one for one in reversed(numbers) if one == numbers[-1] or one not in self._known]
        for number in wanted[:MOST_AT_ONCE]:
            entry = self._history.read(number)
            if entry is not None:
                self._known[number] = _summary(entry)


def _summary(entry: history_entry.HistoryEntry) -> overview_port.RecentChange:
    return overview_port.RecentChange(
        number=entry.number,
        at=entry.at,
        by=entry.author.what,
        user=entry.author.user,
        state=entry.state.value,
        reason=entry.reason,
        changes=entry.changes,
        more=entry.more,
    )
