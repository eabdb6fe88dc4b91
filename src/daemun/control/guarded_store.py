"""A store whose writes are refused once the lease of their writer is lost.

A key is always written under the same lease, or its tokens would say nothing.
"""

import collections.abc
import contextlib
import types

from daemun.control import damage_report, ports, stored_values
from daemun.control.lease import LEASE_S, Lease
from daemun.errors import EnvironmentProblemError


class GuardedStore:
    """Implements `control.ports.Store` under a lease: each write raises LeaseLostError once the lease is lost."""

    def __init__(self, store: ports.Store, lease: Lease) -> None:
        self._store = store
        self._lease = lease

    @property
    def damage(self) -> damage_report.DamageReport:
        return self._store.damage

    def locate(self, key: str) -> str:
        return self._store.locate(key)

    def read(self, key: str) -> bytes:
        return self._store.read(key)

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        return self._store.read_many(some, under=under)

    def write(self, key: str, value: bytes) -> None:
        self.commit([stored_values.KeyChange(key=key, value=value)])

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, EnvironmentProblemError]:
        try:
            self.commit([stored_values.KeyChange(key=key, value=value) for key, value in values.items()])
        except EnvironmentProblemError as error:
            return dict.fromkeys(values, error)
        return types.MappingProxyType({})

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        self._store.commit(changes, lease=lease or self._lease)

    def delete(self, key: str) -> None:
        self.commit([stored_values.KeyChange(key=key, value=None)])

    def list(self, prefix: str) -> list[str]:
        return self._store.list(prefix)

    def lock(self, name: str, *, lease_s: float = LEASE_S) -> contextlib.AbstractContextManager[Lease]:
        return self._store.lock(name, lease_s=lease_s)

    def watch(
        self, prefix: str, *, after: stored_values.Cursor | None = None
    ) -> collections.abc.AsyncIterator[stored_values.ChangedKeys]:
        return self._store.watch(prefix, after=after)
