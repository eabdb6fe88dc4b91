"""What machines share, where this one cannot even try to reach it: no driver, no key. It serves from its copy, and
nothing that belongs to all of them is changed by it alone."""

import asyncio
import collections.abc
import contextlib
import typing

from daemun import errors
from daemun.control import damage_report, stored_values
from daemun.control.lease import LEASE_S, Lease


class ClosedStore:
    """`store.mirrored_store.SharedStore`, each method of which raises StoreUnreachableError. cause: in words, with what
    to do; it may become another."""

    def __init__(self, cause: str) -> None:
        self.damage = damage_report.DamageReport()
        self.cause = cause

    def _refuse(self) -> typing.NoReturn:
        raise errors.StoreUnreachableError(self.cause)

    def locate(self, key: str) -> str:
        return f"{key} in the fleet's database"

    def read(self, key: str) -> bytes:
        self._refuse()

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        self._refuse()

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys:
        self._refuse()

    def list(self, prefix: str) -> list[str]:
        self._refuse()

    def write(self, key: str, value: bytes) -> None:
        self._refuse()

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        return dict.fromkeys(values, errors.StoreUnreachableError(self.cause))

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        self._refuse()

    def delete(self, key: str) -> None:
        self._refuse()

    def lock(self, name: str, *, lease_s: float = LEASE_S) -> contextlib.AbstractContextManager[Lease]:
        self._refuse()

    async def watch(
        self, prefix: str, *, after: stored_values.Cursor | None = None
    ) -> collections.abc.AsyncGenerator[stored_values.ChangedKeys, None]:
        """Yields nothing, and never ends."""
        await asyncio.Event().wait()
        yield stored_values.ChangedKeys(keys=(), cursor=stored_values.Cursor())
