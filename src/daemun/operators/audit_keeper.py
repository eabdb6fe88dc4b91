"""Brings entries to the audit log, one after the other, and reports while it cannot be written."""

import asyncio

from daemun.control import damage_report
from daemun.core import layout
from daemun.core.access import audit_entries
from daemun.errors import EnvironmentProblemError
from daemun.operators import audit_log


class AuditKeeper:
    """All methods are called on one event loop."""

    def __init__(self, paths: layout.Layout, damage: damage_report.DamageReport) -> None:
        self._log = audit_log.AuditLog(paths)
        self._damage = damage
        self._lock = asyncio.Lock()

    async def note(self, entry: audit_entries.AuditEntry) -> None:
        """Never raises: see operator_port.OperatorPort."""
        async with self._lock:
            try:
                await asyncio.to_thread(self._log.append, entry)
            except EnvironmentProblemError as error:
                self._damage.note(self._log.path, str(error))
            else:
                self._damage.clear(self._log.path)
