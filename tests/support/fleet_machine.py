"""Machines of a fleet in a test of certificates: each with a state directory of its own, and what all share."""

import asyncio
import collections.abc
import contextlib
import pathlib
import typing

from daemun.certs import certificate_manager
from daemun.control import shared_changes
from daemun.core import model
from daemun.store import file_store, mirrored_store
from tests.support import certificates, http01, issuing, pebble


class Machine(issuing.StateDirectory):
    def __init__(self, state: pathlib.Path, shared: mirrored_store.SharedStore, of: "Machine | None" = None) -> None:
        super().__init__(state)
        own = file_store.FileStore(pathlib.Path(self.paths.store))
        self.mirror = mirrored_store.MirroredStore(own, shared)
        self.changes = shared_changes.SharedChanges(self.mirror, after=self.mirror.mark())
        self.store = typing.cast("file_store.FileStore", self.mirror)
        if of is not None:
            self.clock = of.clock

    def shows(self, name: str) -> str | None:
        """The fingerprint of a certificate of the CA, once it is in live/."""
        found = self.bundle(name)
        return found.fingerprint if "Pebble" in found.issuer else None

    def shows_another(self, before: str | None) -> bool:
        return self.shows("a.example.com") not in {None, before}

    @contextlib.asynccontextmanager
    async def running(self, certs: certificate_manager.Manager) -> collections.abc.AsyncIterator[certificates.Watched]:
        certs.follow(self.changes)
        beside = [asyncio.create_task(one) for one in (self.mirror.run(), self.changes.run(), certs.hook.run())]
        try:
            async with certificates.running(certs) as watched:
                yield watched
        finally:
            assert not [task for task in beside if task.done()], beside
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


@contextlib.contextmanager
def answered_by(machine: Machine) -> collections.abc.Iterator[pebble.Pebble]:
    """The CA's questions are answered by the thumbprint, as each machine's nginx does."""
    with http01.answering(machine.thumbprint) as port, pebble.running_pebble(port) as running:
        yield running


@contextlib.asynccontextmanager
async def all_running(
    machines: list[Machine], acme: model.Acme, *specs: model.CertificateSpec
) -> collections.abc.AsyncIterator[list[certificates.Watched]]:
    async with contextlib.AsyncExitStack() as stack:
        started = [await one.manager(acme, *specs) for one in machines]
        yield [
            await stack.enter_async_context(one.running(certs)) for one, certs in zip(machines, started, strict=True)
        ]
