"""Brings entries to the audit log, one after the other, and reports while it cannot be written."""

import asyncio
import collections.abc
import dataclasses
import time

from daemun.control import damage_report
from daemun.core import layout
from daemun.core.access import audit_entries
from daemun.core.texts import repeats
from daemun.errors import EnvironmentProblemError
from daemun.operators import audit_log

FIRST_REFUSED = 400
"""Of the statuses of HTTP (RFC 9110 section 15.5)."""


class AuditWriter:
    """All methods are called on one event loop."""

    def __init__(
        self,
        paths: layout.Layout,
        damage: damage_report.DamageReport,
        now: collections.abc.Callable[[], float] = time.monotonic,
    ) -> None:
        """now: monotonic seconds."""
        self._now = now
        self._refused = repeats.Repeats()
        self._log = audit_log.AuditLog(paths)
        self._damage = damage
        self._lock = asyncio.Lock()

    async def note(self, entry: audit_entries.AuditEntry) -> None:
        """Never raises: see operator_port.OperatorPort. What is refused again and again stands there once a minute, or
        an operator who may only look could push out what others did."""
        if entry.status >= FIRST_REFUSED:
            cause = (entry.who, entry.how, entry.summary, entry.status)
            left_out = self._refused.note(cause, self._now())
            if left_out is None:
                return
            entry = dataclasses.replace(entry, summary=repeats.add_left_out(entry.summary, left_out))
        async with self._lock:
            try:
                await asyncio.to_thread(self._log.append, entry)
            except EnvironmentProblemError as error:
                self._damage.note(self._log.path, str(error))
            else:
                self._damage.clear(self._log.path)
