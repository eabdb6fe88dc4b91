"""A store that lives as long as the process: for tests and for commands that must leave no trace."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import threading
import time
import weakref

from daemun import errors
from daemun.control import damage_report
from daemun.store import keys


class MemoryStore:
    """`control.ports.Store` in a dictionary. now: seconds, only compared with itself."""

    def __init__(self, *, now: collections.abc.Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.damage = damage_report.DamageReport()
        self._guard = threading.Lock()
        self._values: dict[str, bytes] = {}
        self._leases: dict[str, _Lease] = {}
        self._watches: weakref.WeakSet[_Watch] = weakref.WeakSet()

    def locate(self, key: str) -> str:
        return key

    def read(self, key: str) -> bytes:
        try:
            return self._values[keys.check(key)]
        except KeyError:
            raise errors.NotFoundInStoreError(f'cannot read "{key}": it is not in the store') from None

    def write(self, key: str, value: bytes) -> None:
        keys.check(key)
        with self._guard:
            for other in self._values:
                if other in keys.parents(key) or keys.is_under(other, key):
                    raise ValueError(f'cannot write "{key}": "{other}" holds a value')
            self._values[key] = bytes(value)
            self._notify(key)

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        for key, value in values.items():
            self.write(key, value)
        return {}

    def delete(self, key: str) -> None:
        keys.check(key)
        with self._guard:
            if self._values.pop(key, None) is not None:
                self._notify(key)

    def list(self, prefix: str) -> list[str]:
        keys.check_prefix(prefix)
        with self._guard:
            return sorted(key for key in self._values if keys.is_under(key, prefix))

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float) -> collections.abc.Iterator[None]:
        keys.check(name)
        with self._guard:
            held = self._leases.get(name)
            if held is not None and self._now() < held.expires_at:
                raise errors.LockHeldError(f'cannot lock "{name}": another task of this process holds it')
            mine = self._leases[name] = _Lease(expires_at=self._now() + lease_s)
        try:
            yield
        finally:
            with self._guard:
                if self._leases.get(name) is mine:
                    del self._leases[name]

    def watch(self, prefix: str) -> collections.abc.AsyncIterator[str]:
        watch = _Watch(keys.check_prefix(prefix))
        with self._guard:
            self._watches.add(watch)
        return watch

    def _notify(self, key: str) -> None:
        for watch in self._watches:
            watch.notify(key)


@dataclasses.dataclass(eq=False, slots=True, kw_only=True)
class _Lease:
    expires_at: float


class _Watch:
    """An endless iterator over changed keys. Writers may live in other threads than its event loop."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._loop = asyncio.get_running_loop()
        self._keys: asyncio.Queue[str] = asyncio.Queue()

    def notify(self, key: str) -> None:
        if keys.is_under(key, self._prefix):
            self._loop.call_soon_threadsafe(self._keys.put_nowait, key)

    def __aiter__(self) -> "_Watch":
        return self

    async def __anext__(self) -> str:
        return await self._keys.get()
