"""Counts which threads of this process use a record in DNS now: orders, and what removes leftovers.

One record may be needed by several orders: a CA can let two orders share the proof of one name.
"""

import collections
import collections.abc
import contextlib
import threading

from daemun.certs.dns01 import txt_records


class RecordUsers:
    """Counts the users of each record, so that it is removed when nothing needs it any more. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: collections.Counter[txt_records.Record] = collections.Counter()
        self._removing: set[txt_records.Record] = set()
        self._zones: dict[str, threading.Lock] = {}

    def take(self, record: txt_records.Record) -> None:
        """Need a record from now on; waits while it is being removed."""
        with self._changed:
            self._changed.wait_for(lambda: record not in self._removing)
            self._held[record] += 1

    def drop(self, record: txt_records.Record) -> None:
        """The end of one `take`."""
        with self._changed:
            self._held[record] -= 1
            self._held += collections.Counter()  # without zeros

    @contextlib.contextmanager
    def removing(self, record: txt_records.Record) -> collections.abc.Iterator[bool]:
        """Yields: whether the record may be removed during the block: no other order needs it, none other removes
        it."""
        with self._changed:
            is_free = not self._held[record] and record not in self._removing
            if is_free:
                self._removing.add(record)
        try:
            yield is_free
        finally:
            if is_free:
                with self._changed:
                    self._removing.discard(record)
                    self._changed.notify_all()

    @contextlib.contextmanager
    def changing(self, zone: str) -> collections.abc.Iterator[None]:
        """One change of a zone at a time (`txt_records.Maker`)."""
        with self._changed:
            lock = self._zones.setdefault(zone, threading.Lock())
        with lock:
            yield
