"""Changes of a store as its own process makes them, for watchers in that process: none of them looks at any file."""

import asyncio
import collections
import collections.abc
import contextlib
import hashlib
import secrets
import threading
import typing
import weakref

from daemun.control import stored_values
from daemun.store import keys

MOST_GONE = 10_000
"""Deleted keys that are remembered; more only as long as somebody who watches has not learned of them."""


class ReadableChanges(typing.Protocol):
    """What a watch reads, in another thread than the event loop's."""

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys: ...


class ChangeFeed:
    """Passes changes of this process's store to its watchers. Thread-safe. list_keys: every key of the store, for a
    cursor of another process."""

    def __init__(self, list_keys: collections.abc.Callable[[], collections.abc.Iterable[str]]) -> None:
        self._list_keys = list_keys
        self._guard = threading.Lock()
        self._changed: dict[str, tuple[int, bool]] = {}
        self._gone: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._reported: dict[str, bytes] = {}
        """Digests of what was noted by `note_values`."""
        self._reported_gone: collections.OrderedDict[str, None] = collections.OrderedDict()
        """The same of what was deleted, the last ones: no one-time key is remembered for ever."""
        self._forgotten = 0
        """Up to this revision not every deleted key is known."""
        self._revision = 0
        self._epoch = 1 + secrets.randbelow(1 << 60)
        """Of no other feed, so that its cursors are good for this one alone."""
        self._watches: weakref.WeakSet[ChangeWatch] = weakref.WeakSet()

    def note(self, changed: collections.abc.Mapping[str, bool]) -> None:
        """Keys that changed now, and whether each is deleted."""
        if not changed:
            return
        with self._guard:
            self._revision += 1
            for key, is_deleted in changed.items():
                self._changed.pop(key, None)  # in the order of the last change
                self._changed[key] = self._revision, is_deleted
                self._gone.pop(key, None)
                if is_deleted:
                    self._gone[key] = None
            watches = list(self._watches)
            self._forget(min((one.after.revision for one in watches), default=0))
        for watch in watches:
            watch.notify()

    def note_values(self, values: collections.abc.Mapping[str, bytes | None]) -> None:
        """What keys are now (None: deleted), once of each change: one that this process made is reported by the
        database, too. By one thread at a time."""
        gone = [key for key, value in values.items() if value is None and key not in self._reported_gone]
        digests = {key: hashlib.sha256(value).digest() for key, value in values.items() if value is not None}
        new = {key: digest for key, digest in digests.items() if self._reported.get(key) != digest}
        self._reported |= new
        for key in new:
            self._reported_gone.pop(key, None)
        for key in gone:
            self._reported.pop(key, None)
            self._reported_gone[key] = None
        while len(self._reported_gone) > MOST_GONE:
            self._reported_gone.popitem(last=False)
        self.note({**dict.fromkeys(gone, True), **dict.fromkeys(new, False)})

    def _forget(self, seen: int) -> None:
        """seen: the revision that all who watch have come to."""
        while len(self._gone) > MOST_GONE:
            key = next(iter(self._gone))
            revision, _ = self._changed[key]
            if revision > seen:
                return
            del self._gone[key], self._changed[key]
            self._forgotten = revision

    def mark(self) -> stored_values.Cursor:
        """The cursor for what changes from now on."""
        with self._guard:
            return stored_values.Cursor(revision=self._revision, epoch=self._epoch)

    def watch(
        self, prefix: str, *, after: stored_values.Cursor | None = None
    ) -> collections.abc.AsyncIterator[stored_values.ChangedKeys]:
        """As of `control.ports.Store`, in an event loop."""
        watch = ChangeWatch(self, keys.check_prefix(prefix), self.mark() if after is None else after)
        with self._guard:
            self._watches.add(watch)
        return watch

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys:
        if after.epoch != self._epoch:
            return self._read_all(prefix)
        found = []
        with self._guard:
            is_known = after.revision >= self._forgotten
            for key, (revision, is_deleted) in reversed(self._changed.items()):
                if revision <= after.revision:
                    break
                if keys.is_under(key, prefix):
                    found.append(stored_values.ChangedKey(key=key, is_deleted=is_deleted))
            cursor = stored_values.Cursor(revision=self._revision, epoch=self._epoch)
        if not is_known:
            return self._read_all(prefix)
        return stored_values.ChangedKeys(keys=tuple(reversed(found)), cursor=cursor)

    def _read_all(self, prefix: str) -> stored_values.ChangedKeys:
        """The revision is read first: what changes meanwhile is reported twice."""
        cursor = self.mark()
        there = (key for key in self._list_keys() if keys.is_under(key, prefix))
        found = tuple(stored_values.ChangedKey(key=key, is_deleted=False) for key in there)
        return stored_values.ChangedKeys(keys=found, cursor=cursor, is_complete=True)


class ChangeWatch:
    """An endless iterator over changes. Writers may live in other threads than its event loop."""

    def __init__(self, changes: ReadableChanges, prefix: str, after: stored_values.Cursor) -> None:
        self._changes = changes
        self._prefix = prefix
        self.after = after
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def notify(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop ended
            self._loop.call_soon_threadsafe(self._changed.set)

    def __aiter__(self) -> "ChangeWatch":
        return self

    async def aclose(self) -> None:
        """As of a generator; it holds nothing."""

    async def __anext__(self) -> stored_values.ChangedKeys:
        while True:
            self._changed.clear()
            found = await asyncio.to_thread(self._changes.read_changes, self._prefix, self.after)
            self.after = found.cursor
            if found.keys or found.is_complete:
                return found
            await self._changed.wait()
