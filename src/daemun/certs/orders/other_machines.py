"""Follows what other machines of a fleet store: their certificates are served here, too, and what they order is not
ordered here.

Needed where several daemons have one store.
"""

import asyncio
import collections.abc
import dataclasses

from daemun.certs.managed import certificate_index
from daemun.certs.orders import order_loop
from daemun.certs.served import certificate_records, certificate_store
from daemun.control import ports, shared_changes

_ISSUED, _ATTEMPTS, _ADVICE = "certificate.json", "attempts.json", "renewal.json"


class OtherMachines:
    """Takes certificates and failed attempts of other machines from the store, for one `Manager`. Not thread-safe.
    changed: called when something new was found."""

    def __init__(
        self,
        index: certificate_index.CertificateIndex,
        store: ports.Store,
        stored: certificate_store.CertificateStore,
        orders: order_loop.Orders,
        *,
        changed: collections.abc.Callable[[], None],
    ) -> None:
        self._index = index
        self._store = store
        self._stored = stored
        self._orders = orders
        self._changed = changed

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        changes.follow("certs", certificate_store.FOLDER, take=self._take)

    async def _take(self, keys: collections.abc.Sequence[str]) -> None:
        parts = [(folder, name, what) for folder, name, what in map(_parse, keys) if folder == "certs"]
        new = await asyncio.to_thread(self._read_issued, keys)
        for name in (
            name for _, name, what in parts if what == _ISSUED and certificate_records.issued_key(name) in new
        ):
            await self._orders.show_issued(name)
        records = dict.fromkeys(name for _, name, what in parts if what in {_ATTEMPTS, _ADVICE})
        for name in records.keys() & self._index.entries.keys():
            await self._read_records(name)
        if records:
            self._changed()

    def _read_issued(self, keys: collections.abc.Sequence[str]) -> set[str]:
        """Certificates that are others than were known. Blocking."""
        kept = (key for key in keys if _parse(key)[2] == _ISSUED or key.startswith(f"{certificate_store.FOLDER}/"))
        return {key for key in kept if self._stored.read_again(key)}

    async def _read_records(self, name: str) -> None:
        attempts = await asyncio.to_thread(certificate_records.read_attempts, self._store, name)
        advice = await asyncio.to_thread(certificate_records.read_advice, self._store, name)
        async with self._index.settling:
            entry = self._index.entries.get(name)
            # One that is under way here notes itself how it went.
            if entry is not None and name not in self._orders.under_way:
                self._index.put(name, dataclasses.replace(entry, attempts=attempts, advice=advice))


def _parse(key: str) -> tuple[str, str, str]:
    """ "certs/NAME/WHAT"; of any other key something that is none."""
    folder, _, rest = key.partition("/")
    name, _, what = rest.partition("/")
    return folder, name, what
