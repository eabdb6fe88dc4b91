"""A new key for a fleet: first every machine can read with it, then it is what encrypts, then nothing is left that only
the old one reads. The old one stays in the files, for a machine that was away.

The keys are themselves a value of the store, encrypted with the one before. Each machine says which ones it has.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib
import time
import typing

from daemun.control import ports, shared_changes
from daemun.core import model
from daemun.errors import EnvironmentProblemError, NotFoundInStoreError
from daemun.sources import edited_file
from daemun.store import fleet_key

KEY = "fleet/key"
_HELD = "fleet/keys"
_LOCK = "fleet-key"
_DAMAGE = f"{KEY}, taken"
_PAUSE_S = 0.2


class KeyedStore(typing.Protocol):
    def use_key(self, key: fleet_key.FleetKey) -> None: ...

    def encrypt_anew(self) -> int: ...


class KeyHolder:
    """Of one machine. file: of `fleet.key`. store: its mirror. tells: whether this process is the one whose keys count
    for its machine: the daemon, where it runs. For threads."""

    def __init__(
        self,
        key: fleet_key.FleetKey,
        file: pathlib.Path,
        *,
        node: str,
        store: ports.Store,
        shared: KeyedStore,
        tells: bool,
    ) -> None:
        self._tells = tells
        self._key = key
        self._file = file
        self._node = node
        self._store = store
        self._shared = shared

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        changes.follow(KEY, take=self._take)

    async def _take(self, _: collections.abc.Sequence[str]) -> None:
        await asyncio.to_thread(self.update)

    def update(self) -> None:
        """Use the keys that the fleet agreed on, and say so. One that the database lacks is kept: it may have gone back
        to a copy from before that key. Raises: EnvironmentProblemError, ConfigError."""
        found = self._read()
        if found is not None and found.fleet == self._key.fleet:
            try:
                self._install(fleet_key.unite(self._key, found))
            except EnvironmentProblemError as error:
                self._store.damage.note(_DAMAGE, str(error), severity=model.Severity.ERROR)
                raise
            self._store.damage.clear(_DAMAGE)
            self._tell()

    def rotate(self, nodes: collections.abc.Collection[str], *, within_s: float) -> int:
        """nodes: all of the fleet. May be repeated after a failure. Returns: how many values were encrypted anew.

        Raises: EnvironmentProblemError: not all of them have it; LockHeldError."""
        with self._store.lock(_LOCK):
            self.update()
            with_new = self._key
            if max(_numbers(with_new)) == with_new.keys[0][0]:
                with_new = fleet_key.rotate(with_new)
            self._agree(with_new, nodes, within_s)
            newest_first = sorted(with_new.keys, key=lambda one: -one[0])
            self._agree(dataclasses.replace(with_new, keys=tuple(newest_first)), nodes, within_s)
            return self._shared.encrypt_anew()

    def _agree(self, key: fleet_key.FleetKey, nodes: collections.abc.Collection[str], within_s: float) -> None:
        self._store.write(KEY, fleet_key.encode(key).encode())
        self._install(key)
        self._tell()
        until = time.monotonic() + within_s
        while missing := [one for one in sorted(nodes) if self._find_held(one) != _numbers(key)]:
            if time.monotonic() >= until:
                raise EnvironmentProblemError(
                    f"cannot change the fleet's key: {', '.join(missing)} did not take the new one yet; start daemun "
                    "there, or remove a machine that is gone with `daemun fleet leave NAME`, and run this again"
                )
            time.sleep(_PAUSE_S)

    def _install(self, key: fleet_key.FleetKey) -> None:
        if key != self._key:
            edited_file.replace(self._file, fleet_key.encode(key).encode(), 0o600)
            self._shared.use_key(key)
            self._key = key

    def _tell(self) -> None:
        if self._tells and self._find_held(self._node) != _numbers(self._key):
            self._store.write(f"{_HELD}/{self._node}", " ".join(map(str, _numbers(self._key))).encode())

    def _read(self) -> fleet_key.FleetKey | None:
        try:
            return fleet_key.decode(self._store.read(KEY).decode(), source="the fleet's database")
        except NotFoundInStoreError:
            return None

    def _find_held(self, node: str) -> tuple[int, ...]:
        with contextlib.suppress(NotFoundInStoreError, ValueError):
            read = self._store.read_many([f"{_HELD}/{node}"]).found
            return tuple(int(one) for held in read.values() for one in held.value.split())
        return ()


def _numbers(key: fleet_key.FleetKey) -> tuple[int, ...]:
    return tuple(number for number, _ in key.keys)
