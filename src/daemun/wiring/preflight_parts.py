"""What is looked at before an order, made when it is first needed.

No visitor is served sooner for it, and its HTTP client (aiohttp) alone would be a tenth of the daemon's start.
"""

import asyncio
import collections.abc
import typing

from daemun.certs.acme import acme_accounts, request_ledger
from daemun.control import ports
from daemun.core import model
from daemun.wiring import clock

if typing.TYPE_CHECKING:
    from daemun.certs.preflight import examiner


class LazyExaminer:
    """Implements `control.certificate_port.Examiner`. make: called once, in a thread: it may import what is slow."""

    def __init__(self, make: collections.abc.Callable[[], "examiner.Preflight"]) -> None:
        self._make = make
        self._made: examiner.Preflight | None = None
        self._making = asyncio.Lock()
        self._settings = model.Globals()

    def configure(self, settings: model.Globals) -> None:
        """As `examiner.Preflight`."""
        self._settings = settings
        if self._made is not None:
            self._made.configure(settings)

    async def examine(
        self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
    ) -> tuple[model.Finding, ...]:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
                self._made.configure(self._settings)
        return await self._made.examine(hosts, authority, ordering)


def make(store: ports.Store) -> "examiner.Preflight":
    from daemun.certs.preflight import examiner  # noqa: PLC0415 - as above

    return examiner.Preflight(
        clock=clock.SystemClock(),
        thumbprint=lambda: acme_accounts.thumbprint(acme_accounts.load_or_create_key(store)),
        account=lambda authority: _account_url(store, authority),
        budget=lambda hosts, authority: request_ledger.find(hosts, authority.directory, store, clock.SystemClock()),
    )


def _account_url(store: ports.Store, authority: model.Authority) -> str | None:
    registration = acme_accounts.read_registration(store, authority.directory)
    return registration.url if registration is not None else None
