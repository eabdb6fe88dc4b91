"""A fleet that could not be opened at the daemon's start: no driver, another key, a database that never was reached.

The machine serves by its copy, and tries again. What a daemon of a fleet has beside others begins with the store
that all share, so that a new daemon takes over then, in the same process; nginx serves on meanwhile.
"""

import asyncio
import importlib
import typing

import structlog

from daemun import errors, regular_files, settings
from daemun.core import model
from daemun.core.options import fleet_option
from daemun.fleet import fleet_signs
from daemun.store import closed_store, file_store, mirrored_store
from daemun.wiring import opened_fleet

log: structlog.stdlib.BoundLogger = structlog.get_logger()

AGAIN_S = 5.0
_DAMAGE = f"{fleet_signs.KEY}, closed"


class _Front(typing.Protocol):
    """See `control.gate.Gate`."""

    stopping: asyncio.Event

    def request_stop(self, *, keep_traffic: bool, begins_again: bool = False) -> None: ...


class ClosedFleet:
    """store: this machine's copy of what all share, which can only be read."""

    def __init__(self, chosen: settings.Settings, own: file_store.FileStore, cause: str) -> None:
        """cause: why it could not be opened, in words, with what to do."""
        self._chosen = chosen
        self._own = own
        self._shared = closed_store.ClosedStore("")
        self._front: _Front
        self._content: bytes | None = None
        self._option: fleet_option.Fleet | None = None
        """By that content of daemun.yaml, which alone has it."""
        self._tell(cause)
        self.store = mirrored_store.MirroredStore(own, self._shared, order=own.alone)

    def join(self, front: _Front) -> None:
        """Before `run`."""
        self._front = front

    async def run(self) -> None:
        """Try again until it can be opened, and let another daemon go on then. Never returns."""
        while True:
            await asyncio.sleep(AGAIN_S)
            if await asyncio.to_thread(self.try_again):
                break
        if not self._front.stopping.is_set():
            log.info("the fleet can be used now: daemun starts again, and nginx serves on meanwhile")
            self._front.request_stop(keep_traffic=True, begins_again=True)
        await asyncio.Event().wait()

    def try_again(self) -> bool:
        """Whether it could be opened, by the file of now. Blocking."""
        importlib.invalidate_caches()  # the driver may have been installed since
        try:
            fleet = opened_fleet.open_fleet(self._chosen, self._own, self._find_option(), is_daemon=True)
        except errors.DaemunError as error:
            self._tell(str(error))
            return False
        if fleet is not None:
            fleet.tell_kept()
            fleet.shared.close()
        return True

    def _find_option(self) -> fleet_option.Fleet | None:
        try:
            content = regular_files.read(self._chosen.config)
        except OSError:
            content = None
        if content is None or content != self._content:
            self._option = opened_fleet.read_option(self._chosen, self._own)
            self._content = content
        return self._option

    def _tell(self, cause: str) -> None:
        message = (
            f"{cause.removesuffix('; it is tried again')}; this machine serves by what it knew of its fleet, and "
            f"changes nothing of it; it is tried again every {AGAIN_S:.0f} s"
        )
        self._shared.cause = message
        self._own.damage.note(_DAMAGE, message, severity=model.Severity.ERROR)
