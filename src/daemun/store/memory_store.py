"""A store that lives as long as the process: for tests and for commands that must leave no trace."""

import collections.abc
import contextlib
import dataclasses
import threading
import time
import weakref

from daemun import errors
from daemun.control import damage_report, stored_values
from daemun.control.lease import LEASE_S, FencingToken, Lease, monotonic_s
from daemun.store import change_feed, keys, lease_renewal


class MemoryStore:
    """`control.ports.Store` in a dictionary. now: seconds, only compared with itself."""

    def __init__(self, *, now: collections.abc.Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.damage = damage_report.DamageReport()
        self._guard = threading.RLock()
        self._values: dict[str, stored_values.VersionedValue] = {}
        self._changed: dict[str, int] = {}
        self._revision = 0
        self._leases: dict[str, _Held] = {}
        self._number = 0
        self._renewal = lease_renewal.LeaseRenewal(self._renew)
        self._watches: weakref.WeakSet[change_feed.ChangeWatch] = weakref.WeakSet()

    def locate(self, key: str) -> str:
        return key

    def read(self, key: str) -> bytes:
        try:
            return self._values[keys.check(key)].value
        except KeyError:
            raise errors.NotFoundInStoreError(f'cannot read "{key}": it is not in the store') from None

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        with self._guard:
            wanted = (*map(keys.check, some), *(() if under is None else self.list(under)))
            found = {key: self._values[key] for key in wanted if key in self._values}
        return stored_values.ReadValues(found=found, unreadable={})

    def write(self, key: str, value: bytes) -> None:
        self.commit([stored_values.KeyChange(key=key, value=bytes(value))])

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        for key, value in values.items():
            self.write(key, value)
        return {}

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        keys.check_changes(changes)
        with self._guard:
            self._refuse_lost(lease)
            for change in changes:
                if change.expected is not None and change.expected != self._revision_of(change.key):
                    raise keys.conflict(change.key)
            deleted = {change.key for change in changes if change.value is None}
            for change in changes:
                if change.value is not None:
                    self._refuse_conflict(change.key, deleted)
            self._revision += 1
            for change in sorted(changes, key=lambda one: one.key):
                self._put(change.key, change.value)
        self._notify()

    def delete(self, key: str) -> None:
        self.commit([stored_values.KeyChange(key=key, value=None)])

    def list(self, prefix: str) -> list[str]:
        keys.check_prefix(prefix)
        with self._guard:
            return sorted(key for key in self._values if keys.is_under(key, prefix))

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float = LEASE_S) -> collections.abc.Iterator[Lease]:
        keys.check(name)
        with self._guard:
            held = self._leases.get(name)
            if held is not None and self._now() < held.expires_at:
                raise errors.LockHeldError(f'cannot lock "{name}": another task of this process holds it')
            self._number += 1
            token = FencingToken(epoch=0, number=self._number)
            lease = Lease(name, token, lease_s=lease_s, sent_at_s=monotonic_s())
            self._leases[name] = _Held(lease=lease, expires_at=self._now() + lease_s)
        try:
            with self._renewal.renewing(lease):
                yield lease
        finally:
            with self._guard:
                if name in self._leases and self._leases[name].lease is lease:
                    del self._leases[name]

    def renew_now(self) -> None:
        """Every lock that this process holds, whether it is due or not."""
        self._renewal.renew_now()

    def watch(
        self, prefix: str, *, after: stored_values.Cursor | None = None
    ) -> collections.abc.AsyncIterator[stored_values.ChangedKeys]:
        with self._guard:
            cursor = stored_values.Cursor(revision=self._revision) if after is None else after
            watch = change_feed.ChangeWatch(self, keys.check_prefix(prefix), cursor)
            self._watches.add(watch)
        return watch

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys:
        """What changed since then, in the order of the changes."""
        with self._guard:
            found = [key for key, at in self._changed.items() if at > after.revision and keys.is_under(key, prefix)]
            rows = (stored_values.ChangedKey(key=key, is_deleted=key not in self._values) for key in found)
            return stored_values.ChangedKeys(keys=tuple(rows), cursor=stored_values.Cursor(revision=self._revision))

    def _revision_of(self, key: str) -> str:
        return self._values[key].revision if key in self._values else stored_values.ABSENT

    def _refuse_lost(self, lease: Lease | None) -> None:
        if lease is None:
            return
        held = self._leases.get(lease.name)
        if held is None or held.lease is not lease or self._now() >= held.expires_at:
            lease.lose()
        lease.check()

    def _refuse_conflict(self, key: str, deleted: collections.abc.Container[str]) -> None:
        for other in self._values:
            if other not in deleted and (other in keys.parents(key) or keys.is_under(other, key)):
                raise ValueError(f'cannot write "{key}": "{other}" holds a value')

    def _put(self, key: str, value: bytes | None) -> None:
        if value is None and key not in self._values:
            return
        self._changed.pop(key, None)
        self._changed[key] = self._revision
        if value is None:
            del self._values[key]
        else:
            self._values[key] = stored_values.VersionedValue(value=value, revision=str(self._revision))

    def _renew(self, leases: collections.abc.Collection[Lease]) -> tuple[Lease, ...]:
        with self._guard:
            now = self._now()
            held = [self._leases[lease.name] for lease in leases if lease.name in self._leases]
            kept = [one for one in held if one.lease in leases and now < one.expires_at]
            for one in kept:
                one.expires_at = now + one.lease.lease_s
            return tuple(one.lease for one in kept)

    def _notify(self) -> None:
        for watch in list(self._watches):
            watch.notify()


@dataclasses.dataclass(eq=False, slots=True, kw_only=True)
class _Held:
    lease: Lease
    expires_at: float
