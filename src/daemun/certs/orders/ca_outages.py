"""CAs that cannot be reached or are in trouble, known for all certificates together.

While one is down, a single order at a time finds out whether it is back; all others wait for that. So ten thousand
certificates, or names that are added, cost no more than one. In memory only: a new start tries at once.
"""

import collections.abc
import dataclasses
import datetime

import structlog

from daemun.core.issuance import renewal_time

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FIRST = datetime.timedelta(minutes=1)
LONGEST = datetime.timedelta(minutes=5)
"""The wait doubles up to this."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Outage:
    """wait: from when it was noted, or admitted, to until."""

    wait: datetime.timedelta
    until: datetime.datetime

    def is_held(self, now: datetime.datetime) -> bool:
        """Not when the clock was set back."""
        return datetime.timedelta() < self.until - now <= self.wait


class Outages:
    """Which CAs are down, by the URL of their directory. Not thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, _Outage] = {}

    def until(self, directories: collections.abc.Sequence[str], now: datetime.datetime) -> datetime.datetime | None:
        """When one of these CAs may be tried again; None: one may be tried now."""
        due_times = []
        for directory in directories:
            outage = self._known.get(directory)
            if outage is None or not outage.is_held(now):
                return None
            due_times.append(outage.until)
        return min(due_times, default=None)

    def admit(self, directory: str, now: datetime.datetime) -> bool:
        """Whether an order may go to this CA. After a wait the first one may, and all others wait for what it finds."""
        outage = self._known.get(directory)
        if outage is None:
            return True
        if outage.is_held(now):
            return False
        wait = min(max(outage.wait, FIRST) * 2, LONGEST)
        self._known[directory] = _Outage(wait=wait, until=now + wait)
        return True

    def withdraw(self, directory: str, now: datetime.datetime) -> None:
        """The order that was admitted sent nothing to the CA after all: the next one may."""
        outage = self._known.get(directory)
        if outage is not None:
            self._known[directory] = dataclasses.replace(outage, until=now)

    def note(self, directory: str, now: datetime.datetime, retry_after_s: float | None) -> None:
        """An order found that this CA is down."""
        outage = self._known.get(directory)
        until = renewal_time.hold_until(now, retry_after_s) or now
        if outage is None or not outage.is_held(now):
            until = max(until, now + (outage.wait if outage is not None else FIRST))
        else:
            until = max(until, outage.until)
        self._known[directory] = _Outage(wait=until - now, until=until)
        if outage is None:
            log.warning("a CA is down; all certificates wait for it", directory=directory, until=until)

    def end(self, directory: str) -> None:
        """It answered."""
        if self._known.pop(directory, None) is not None:
            log.info("the CA answers again", directory=directory)
