"""`control.accounts_port`: the office hours of the certificate manager."""

import asyncio
import functools

from daemun.certs import manager
from daemun.certs.importing import adopt
from daemun.control import accounts_port, ports


class Clerk:
    """Implements `accounts_port.Adopter`."""

    def __init__(self, store: ports.Store, clock: ports.Clock, certificates: manager.Manager) -> None:
        self._store = store
        self._clock = clock
        self._certificates = certificates
        self._alone = asyncio.Lock()

    async def adopt_account(self, found: accounts_port.ForeignAccount, *, dry: bool) -> accounts_port.Adoption:
        async with self._alone:
            return await asyncio.to_thread(adopt.adopt_account, self._store, found, dry=dry)

    async def adopt_certificate(self, found: accounts_port.ForeignCertificate, *, dry: bool) -> accounts_port.Adoption:
        async with self._alone:
            work = functools.partial(
                adopt.adopt_certificate,
                self._store,
                self._certificates.shelf.adopted,
                found,
                specs=self._certificates.find_specs(),
                now=self._clock.now(),
                dry=dry,
            )
            told = await asyncio.to_thread(work)
            if not dry:
                await self._certificates.settle_again(told.certificates)
            return told
