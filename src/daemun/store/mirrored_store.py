"""A fleet's store, as one machine uses it: all is read from the machine's own disk, and written to where it is shared.

The local store has a copy of every shared key, under the same name: serving, a start, and commands that only look never
wait for a database, and a machine that leaves its fleet, or cannot reach the database, has what it knew last. `run`
keeps the copy current. What is decided under a lock is decided with what is shared: taking one brings the copy up to
date first, for a holder with an old copy would order what another has ordered.

Several processes of one machine use the copy: what one of them reads of the shared store is copied before another reads
it there, so that nothing older is put over something newer. Whoever watches is told by the process that it is in.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import threading
import typing

import structlog

from daemun import errors
from daemun.control import damage_report, ports, stored_values
from daemun.control.lease import LEASE_S, Lease
from daemun.core import model
from daemun.store import change_feed, key_owners, keys, mirror_cursor

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_WITNESS = "fleet/identity, looked at"
_UNCOPIED = "fleet, not copied"
_AT_ONCE = 500
_AGAIN_S = 1.0

_Change = stored_values.KeyChange


class SharedStore(ports.Store, typing.Protocol):
    """What machines share."""

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys:
        """What `watch` would yield next; no keys: nothing changed since. Raises: EnvironmentProblemError."""
        ...


class MirroredStore:
    """`control.ports.Store`. local: may be read by other processes; only those that share it change shared keys there.
    order: held while the copy is changed, by all processes that do; a thread may enter it again."""

    def __init__(
        self,
        local: ports.Store,
        shared: SharedStore,
        *,
        order: contextlib.AbstractContextManager[object] | None = None,
        witness: tuple[str, bytes] | None = None,
    ) -> None:
        """witness: a key that the shared store always has, and its value: one without it was emptied, or is another.
        What that lacks is not lost here, too, and nothing is written there."""
        self._local = local
        self._shared = shared
        # What was read of the shared store is not written over what this machine has written there since.
        self._order = order or threading.RLock()
        self._witness = witness
        self._feed = change_feed.ChangeFeed(lambda: self.list(""))
        self._uncopied: dict[str, errors.EnvironmentProblemError] = {}
        self._cursor, self._unread = mirror_cursor.read(local)

    @property
    def damage(self) -> damage_report.DamageReport:
        return self._local.damage

    @property
    def cursor(self) -> stored_values.Cursor:
        """How far the copy follows what is shared."""
        return self._cursor

    def locate(self, key: str) -> str:
        """Of the local copy, which a person can look at."""
        return self._local.locate(key)

    def read(self, key: str) -> bytes:
        return self._local.read(key)

    def list(self, prefix: str) -> list[str]:
        return [key for key in self._local.list(prefix) if key != mirror_cursor.KEY]

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        """Shared keys as they are shared, whose revisions decide what may be written; the copy has them then. Raises
        also: StoreUnreachableError."""
        shared, local = _split(some, key=str)
        found = []
        if under is not None:
            local += [key for key in self.list(under) if key_owners.is_of_node(key)]
        if local:
            found.append(self._local.read_many(local))
        if shared or under is not None:
            with self._order:
                read = _without_own(self._read_shared(shared, under=under))
                there = () if under is None else (key for key in self.list(under) if not key_owners.is_of_node(key))
                gone = {*shared, *there} - read.found.keys() - read.unreadable.keys()
                values = {**dict.fromkeys(gone), **{key: one.value for key, one in read.found.items()}}
                changed = self._copy(values)
                self._feed.note_values({key: values[key] for key in changed})
            found.append(read)
        return stored_values.ReadValues(
            found={key: value for one in found for key, value in one.found.items()},
            unreadable={key: error for one in found for key, error in one.unreadable.items()},
        )

    def write(self, key: str, value: bytes) -> None:
        self.commit([_Change(key=key, value=value)])

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        shared, local = _split(values, key=str)
        with self._order:
            failed = self._write_shared({key: values[key] for key in shared}) if shared else {}
            copied = self._put({key: values[key] for key in shared if key not in failed})
            self._feed.note_values({key: values[key] for key in shared if key not in failed and key not in copied})
        kept = self._local.write_all({key: values[key] for key in local})
        self._feed.note({key: False for key in local if key not in kept})
        return {**failed, **copied, **kept}

    def delete(self, key: str) -> None:
        self.commit([_Change(key=key, value=None)])

    def commit(self, changes: collections.abc.Collection[_Change], *, lease: Lease | None = None) -> None:
        """Raises also: ValueError: some are shared and some are not, which nothing can change at one moment;
        StoreUnreachableError."""
        shared, local = _split(changes, key=lambda change: change.key)
        if shared and local:
            raise ValueError(f'cannot change "{shared[0].key}" and "{local[0].key}" at once: one of them is not shared')
        if local:
            if lease is not None:  # which the shared store gave
                lease.check()
            self._local.commit(local)
            self._feed.note({change.key: change.value is None for change in local})
            return
        with self._order:
            self._check_witness()
            try:
                self._shared.commit(shared, lease=lease)
            except (errors.OutcomeUnknownError, errors.StoreConflictError):
                # Whoever reads it again finds what it is now; where that fails, `run` brings it.
                with contextlib.suppress(errors.DaemunError):
                    self._take([change.key for change in shared])
                raise
            try:
                self._copy({change.key: change.value for change in shared})
            except errors.EnvironmentProblemError as error:
                raise errors.OutcomeUnknownError(f"{error}; it is shared, and copied when that is over") from error
            self._feed.note_values({change.key: change.value for change in shared})

    @contextlib.contextmanager
    def lock(self, name: str, *, lease_s: float = LEASE_S) -> collections.abc.Iterator[Lease]:
        """Raises also: StoreUnreachableError."""
        with self._shared.lock(name, lease_s=lease_s) as lease:
            self.follow_now()
            yield lease

    def watch(
        self, prefix: str, *, after: stored_values.Cursor | None = None
    ) -> collections.abc.AsyncIterator[stored_values.ChangedKeys]:
        """Of shared keys what `run` copies and what this process changes, of the others what this process changes:
        nobody looks at the files of ten thousand certificates for that."""
        return self._feed.watch(prefix, after=after)

    def mark(self) -> stored_values.Cursor:
        """For a watch that begins later: what changes from now on."""
        return self._feed.mark()

    # --- the copy --------------------------------------------------------------------------------------------------

    def follow_now(self) -> None:
        """Bring the copy up to what is shared. Raises: EnvironmentProblemError."""
        with self._order:
            # They do not change when they can be read again: by a key that was copied, or a database that was mended.
            self._take_all(self._unread)
            while True:
                found = self._shared.read_changes("", self._cursor)
                self._follow(found)
                if not found.keys or found.is_complete:
                    return

    async def run(self) -> None:
        """Keep the copy current. Never returns."""
        while True:
            try:
                await asyncio.to_thread(self.follow_now)
                if self._uncopied:
                    await asyncio.sleep(_AGAIN_S)
                    continue
                watch = self._shared.watch("", after=self._cursor)
                async with contextlib.aclosing(watch) as changes:  # type: ignore[type-var]
                    async for found in changes:
                        await asyncio.to_thread(self._follow, found)
                        if self._uncopied:
                            break
            except errors.EnvironmentProblemError as error:
                log.debug("what the fleet shares is not followed; it is tried again", reason=str(error))
                await asyncio.sleep(_AGAIN_S)

    def _follow(self, found: stored_values.ChangedKeys) -> None:
        with self._order:
            changed = [one for one in found.keys if not key_owners.is_of_node(one.key)]
            gone = {one.key for one in changed if one.is_deleted}
            there = {one.key for one in changed} - gone
            if found.is_complete:
                gone |= {key for key in self._local.list("") if not key_owners.is_of_node(key)} - there
            # Also what is gone is read again: this machine may have written it since it was reported.
            went_back = found.is_complete and 0 <= self._cursor.epoch < found.cursor.epoch
            self._take_all((*sorted(gone), *sorted(there)), went_back=went_back)
            if _is_further(found.cursor, self._cursor):
                self._remember(found.cursor, self._unread)

    def _read_shared(
        self, some: collections.abc.Iterable[str], *, under: str | None = None
    ) -> stored_values.ReadValues:
        """With the witness, at one moment. Raises: StoreUnreachableError: it is not what it was."""
        if self._witness is None:
            return self._shared.read_many(some, under=under)
        wanted, (witness, value) = list(some), self._witness
        read = self._shared.read_many(dict.fromkeys((*wanted, witness)), under=under)
        if witness not in read.found or read.found[witness].value != value:
            raise self._refused_database(is_empty=witness not in read.found.keys() | read.unreadable.keys())
        self.damage.clear(_WITNESS)
        if witness in wanted or (under is not None and keys.is_under(witness, under)):
            return read
        return dataclasses.replace(read, found={key: one for key, one in read.found.items() if key != witness})

    def _check_witness(self) -> None:
        """Raises: EnvironmentProblemError."""
        if self._witness is not None:
            self._read_shared(())

    def _refused_database(self, *, is_empty: bool) -> errors.StoreUnreachableError:
        if is_empty:
            cause, cure = "it holds nothing of this fleet any more", "restore the database"
        else:
            cause = "it is another fleet's, or this machine's key is not the one that it is encrypted with"
            cure = "check `fleet.database`, copy the file of `fleet.key` from a machine that reads it"
        message = (
            f"cannot follow the fleet's database: {cause}; this machine goes on with what it knew; {cure}, or, if a "
            "new fleet was begun in it, run `daemun fleet leave` and join that"
        )
        self.damage.note(_WITNESS, message, severity=model.Severity.ERROR)
        return errors.StoreUnreachableError(message)

    def _write_shared(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        try:
            self._check_witness()
        except errors.EnvironmentProblemError as error:
            return dict.fromkeys(values, error)
        return self._shared.write_all(values)

    def _bring_again(self, read: stored_values.ReadValues) -> bool:
        """What a database that went back has in an older version than this machine's copy, which is what was shared at
        its cursor: a value of an earlier revision that is another was replaced by then. Returns: whether any was."""
        is_any = False
        for key, one in read.found.items():
            at = one.revision
            if key_owners.is_kept_newest(key) and at.isdecimal() and int(at) <= self._cursor.revision:
                with contextlib.suppress(errors.NotFoundInStoreError, errors.StoreConflictError):  # another was first
                    newer = self._local.read(key)
                    if newer != one.value:
                        is_any = True
                        self._shared.commit([_Change(key=key, value=newer, expected=at)])
        return is_any

    def _take_all(self, some: collections.abc.Iterable[str], *, went_back: bool = False) -> None:
        listed = list(some)
        for begin in range(0, len(listed), _AT_ONCE):
            self._take(listed[begin : begin + _AT_ONCE], went_back=went_back)

    def _take(self, some: collections.abc.Sequence[str], *, went_back: bool = False) -> None:
        """Copy what these keys are now; what cannot be read is read again later. went_back: the database, maybe."""
        read = self._read_shared(some)
        if went_back and self._bring_again(read):
            read = self._read_shared(some)
        for key, error in read.unreadable.items():
            self.damage.note(key, str(error))
        values = {key: read.found[key].value if key in read.found else None for key in some}
        for key in values.keys() - read.unreadable.keys():
            self.damage.clear(key)
            self.damage.clear(_refused(key))
        readable = {key: value for key, value in values.items() if key not in read.unreadable}
        _, failed = self._copy_each(readable)
        self._note_uncopied({**{key: one for key, one in self._uncopied.items() if key not in some}, **failed})
        # One that cannot be copied must not keep the others from being known.
        self._feed.note_values({key: value for key, value in readable.items() if key not in failed})
        self._remember(self._cursor, self._unread.difference(some) | read.unreadable.keys() | failed.keys())

    def _note_uncopied(self, failed: dict[str, errors.EnvironmentProblemError]) -> None:
        self._uncopied = failed
        if not failed:
            self.damage.clear(_UNCOPIED)
            return
        (key, error), more = next(iter(failed.items())), f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        message = f'cannot copy "{key}"{more} of the fleet, so this machine goes on with what it knew: {error}'
        self.damage.note(_UNCOPIED, message, severity=model.Severity.ERROR)

    def _remember(self, cursor: stored_values.Cursor, unread: frozenset[str]) -> None:
        if (cursor, unread) != (self._cursor, self._unread):
            mirror_cursor.write(self._local, cursor, unread)
            self._cursor, self._unread = cursor, unread

    def _copy(self, values: collections.abc.Mapping[str, bytes | None]) -> set[str]:
        """Returns: what was another. Raises: EnvironmentProblemError."""
        changed, failed = self._copy_each(values)
        for error in failed.values():
            raise error
        return changed

    def _copy_each(
        self, values: collections.abc.Mapping[str, bytes | None]
    ) -> tuple[set[str], dict[str, errors.EnvironmentProblemError]]:
        """What is the same stays untouched: whoever watches would look again. Returns: what was another; why some could
        not be copied."""
        failed: dict[str, errors.EnvironmentProblemError] = {}
        gone = [key for key, value in values.items() if value is None and not self._is_gone(key)]
        for key in gone:
            try:
                self._local.delete(key)
            except errors.EnvironmentProblemError as error:
                failed[key] = error
        new = {key: value for key, value in values.items() if value is not None and not self._is_there(key, value)}
        failed |= self._put(new)
        return {*gone, *new} - failed.keys(), failed

    def _put(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        """Shared values. Returns: why some are not copied."""
        with contextlib.suppress(ValueError):
            failed = self._local.write_all(values)
            if not any(isinstance(error, ValueError) for error in failed.values()):
                return failed
        # A key that is a folder of others: what was shared there before them is gone, and not reported yet.
        kept = {key: value for key, value in values.items() if self._make_room(key)}
        return self._local.write_all(kept)

    def _make_room(self, key: str) -> bool:
        """False: what lies there is the machine's own, which stays."""
        above = self._local.read_many(keys.parents(key))
        in_the_way = [*above.found, *above.unreadable, *self._local.list(key)]
        if local := [one for one in in_the_way if key_owners.is_of_node(one)]:
            message = f'cannot copy "{key}" of the fleet: "{local[0]}" of this machine lies in its place'
            self.damage.note(_refused(key), f"{message}; run the same version of daemun on all machines")
            return False
        for one in in_the_way:
            self._local.delete(one)
        return True

    def _is_gone(self, key: str) -> bool:
        try:
            self._local.read(key)
        except (errors.NotFoundInStoreError, errors.EnvironmentProblemError) as error:
            return isinstance(error, errors.NotFoundInStoreError)
        return False

    def _is_there(self, key: str, value: bytes) -> bool:
        try:
            return self._local.read(key) == value
        except (errors.NotFoundInStoreError, errors.EnvironmentProblemError):
            return False


def _is_further(new: stored_values.Cursor, old: stored_values.Cursor) -> bool:
    """A watch reports what it read before, and `follow_now` may have read more since."""
    return new != old and (new.epoch, new.revision) >= (old.epoch, old.revision)


def _refused(key: str) -> str:
    """For `damage`, beside the key itself, under which the local store notes and clears what it finds of a folder."""
    return f"{key}, copied"


def _without_own(read: stored_values.ReadValues) -> stored_values.ReadValues:
    """Another daemun may have shared what is each machine's own here."""
    return stored_values.ReadValues(
        found={key: one for key, one in read.found.items() if not key_owners.is_of_node(key)},
        unreadable={key: error for key, error in read.unreadable.items() if not key_owners.is_of_node(key)},
    )


_Item = typing.TypeVar("_Item")


def _split(
    items: collections.abc.Iterable[_Item], *, key: collections.abc.Callable[[_Item], str]
) -> tuple[list[_Item], list[_Item]]:
    """Those that are shared, those that are the machine's own."""
    listed = list(items)
    local = [one for one in listed if key_owners.is_of_node(key(one))]
    return [one for one in listed if not key_owners.is_of_node(key(one))], local
