"""What a fleet's store has of its configuration, and how that is changed: only as it was read, and a change under way
only by who holds its lock. Blocking. Raises: as `control.ports.Store`.
"""

import collections.abc
import contextlib
import dataclasses
import datetime
import types
import typing

from daemun import errors
from daemun.control import ports, stored_values
from daemun.control.lease import Lease
from daemun.fleet import configuration_values

_T = typing.TypeVar("_T")
_Value = configuration_values.Revision | configuration_values.Roll | configuration_values.RefusedChange
_DAMAGED = (ValueError, TypeError, RecursionError)
"""RecursionError: thousands of "[" are JSON that Python refuses so."""
_KEYS = (configuration_values.KEY_CURRENT, configuration_values.KEY_ROLL, configuration_values.KEY_REFUSED)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SharedConfiguration:
    """What is stored. reports: node -> its last one. revisions: of the keys, for what is changed."""

    current: configuration_values.Revision | None
    roll: configuration_values.Roll | None
    refused: configuration_values.RefusedChange | None
    reports: collections.abc.Mapping[str, configuration_values.NodeReport]
    revisions: collections.abc.Mapping[str, str]


class StoredConfiguration:
    """node: who reports. For one thread at a time."""

    def __init__(self, store: ports.Store, node: str) -> None:
        self._store = store
        self._node = node
        self._held = contextlib.ExitStack()
        self._lease: Lease | None = None
        self._files: dict[str, configuration_values.Files] = {}
        """By the ids of revisions, as they were read."""

    def look(self, *, has_all_reports: bool = True) -> SharedConfiguration:
        """Of what is shared, not of this machine's copy. has_all_reports: those of other nodes, too: where every node
        read those of all with each change, a hundred would read ten thousand. Raises also: UnreadableValueError."""
        own = () if has_all_reports else (configuration_values.report_key(self._node),)
        under = configuration_values.REPORTS if has_all_reports else None
        read = self._store.read_many((*_KEYS, *own), under=under)
        reports = (
            _decode_known(read, key, configuration_values.decode_report) for key in read.found if key not in _KEYS
        )
        found = SharedConfiguration(
            current=_decode(read, configuration_values.KEY_CURRENT, self._decode_revision),
            roll=_decode(read, configuration_values.KEY_ROLL, self._decode_roll),
            refused=_decode_known(read, configuration_values.KEY_REFUSED, configuration_values.decode_refused),
            reports={one.node: one for one in reports if one is not None},
            revisions={key: read.revision(key) for key in _KEYS},
        )
        rolled = None if found.roll is None else found.roll.revision
        used = {one.id for one in (found.current, rolled) if one is not None}
        self._files = {id_: files for id_, files in self._files.items() if id_ in used}
        return found

    def find_known(self) -> configuration_values.Revision | None:
        """The current one as this machine knows it; None: the fleet has none. Raises also: UnreadableValueError: it is
        damaged, or not all there."""
        try:
            content = self._store.read(configuration_values.KEY_CURRENT)
        except errors.NotFoundInStoreError:
            return None
        try:
            return configuration_values.decode_revision(content, self._read_files)
        except _DAMAGED as error:
            raise _unreadable(configuration_values.KEY_CURRENT, error) from error

    def _read_files(self, id_: str) -> configuration_values.Files:
        try:
            content = self._store.read(configuration_values.files_key(id_))
        except errors.NotFoundInStoreError:
            raise _missing(id_) from None
        return configuration_values.decode_files(content)

    def _decode_revision(self, content: bytes) -> configuration_values.Revision:
        return configuration_values.decode_revision(content, self._find_files)

    def _decode_roll(self, content: bytes) -> configuration_values.Roll:
        return configuration_values.decode_roll(content, self._find_copied)

    def _find_copied(self, id_: str) -> configuration_values.Files:
        """This machine copies what is shared, too: all nodes at once would read each change twice. Under the id of a
        change there is never anything else. Raises: as `_find_files`."""
        if id_ not in self._files:
            with contextlib.suppress(errors.NotFoundInStoreError, errors.EnvironmentProblemError, *_DAMAGED):
                content = self._store.read(configuration_values.files_key(id_))
                self._files[id_] = configuration_values.decode_files(content)
        return self._find_files(id_)

    def _find_files(self, id_: str) -> configuration_values.Files:
        """Raises: StoreConflictError: it was replaced meanwhile."""
        if id_ not in self._files:
            key = configuration_values.files_key(id_)
            read = self._store.read_many([key])
            found = _decode(read, key, configuration_values.decode_files)
            if found is None:
                self._check_replaced(id_)
                raise errors.StoreConflictError("the fleet's configuration was changed meanwhile", key=key)
            self._files[id_] = found
        return self._files[id_]

    def _check_replaced(self, id_: str) -> None:
        """Raises: UnreadableValueError: it is still what is to be served, and its files are not there."""
        read = self._store.read_many((configuration_values.KEY_CURRENT, configuration_values.KEY_ROLL))
        named = [
            _decode(read, configuration_values.KEY_CURRENT, configuration_values.decode_id),
            _decode(read, configuration_values.KEY_ROLL, configuration_values.decode_id_of_roll),
        ]
        if id_ in named:
            raise _missing(id_)

    def report(self, id: str, state: configuration_values.ReportState, cause: str | None) -> None:  # noqa: A002
        """id: of the change."""
        made = configuration_values.NodeReport(node=self._node, id=id, state=state, cause=cause or "")
        self._store.write(configuration_values.report_key(self._node), configuration_values.encode(made))

    # --- the lock --------------------------------------------------------------------------------------------------

    @property
    def is_held(self) -> bool:
        """Whether this node may change what is under way."""
        if self._lease is not None and not self._lease.is_held:
            self.release()
        return self._lease is not None

    def take_lease(self) -> bool:
        """False: another node has it."""
        try:
            self._lease = self._held.enter_context(self._store.lock(configuration_values.LEASE))
        except errors.LockHeldError:
            return False
        return True

    def release(self) -> None:
        """Never raises."""
        self._lease = None
        with contextlib.suppress(errors.DaemunError):
            self._held.close()

    # --- a change under way, under the lock ------------------------------------------------------------------------

    def begin(self, shared: SharedConfiguration, roll: configuration_values.Roll) -> None:
        files = configuration_values.encode_files(roll.revision.files)
        self._commit(shared, {configuration_values.KEY_ROLL: roll}, {roll.revision.id: files})

    def go_on(self, shared: SharedConfiguration, roll: configuration_values.Roll) -> None:
        self._commit(shared, {configuration_values.KEY_ROLL: roll})

    def take_back(self, shared: SharedConfiguration, roll: configuration_values.Roll) -> None:
        """As if it had never begun."""
        self._commit(shared, {configuration_values.KEY_ROLL: None}, {roll.revision.id: None})

    def finish(self, shared: SharedConfiguration, revision: configuration_values.Revision) -> None:
        """It is what the fleet serves."""
        ended = {configuration_values.KEY_ROLL: None, configuration_values.KEY_REFUSED: None}
        gone = {} if shared.current is None else {shared.current.id: None}
        self._commit(shared, {configuration_values.KEY_CURRENT: revision, **ended}, gone)

    def stop(
        self,
        shared: SharedConfiguration,
        roll: configuration_values.Roll,
        causes: tuple[tuple[str, str], ...],
        at: datetime.datetime,
    ) -> None:
        """It is not taken. Those that serve it go back when they see that it is gone."""
        revision = roll.revision
        refused = configuration_values.RefusedChange(
            number=revision.number,
            id=revision.id,
            author=revision.author,
            node=revision.node,
            at=at,
            causes=causes,
        )
        ended = {configuration_values.KEY_ROLL: None, configuration_values.KEY_REFUSED: refused}
        self._commit(shared, ended, {revision.id: None})

    def bring_back(self, shared: SharedConfiguration, lost: configuration_values.Revision) -> None:
        """What a database that went back has in an older version. Without the lock, which is not given for a while
        then: whoever is first counts. A change under way was made from what is no more."""
        rolled = None if shared.roll is None else shared.roll.revision
        others = [one.id for one in (shared.current, rolled) if one is not None]
        files = {**dict.fromkeys(others), lost.id: configuration_values.encode_files(lost.files)}
        ended = {configuration_values.KEY_ROLL: None, configuration_values.KEY_REFUSED: None}
        values = {configuration_values.KEY_CURRENT: lost, **ended}
        self._store.commit(_list_changes(shared, values, files))

    def _commit(
        self,
        shared: SharedConfiguration,
        values: collections.abc.Mapping[str, _Value | None],
        files: collections.abc.Mapping[str, bytes | None] = types.MappingProxyType({}),
    ) -> None:
        assert self._lease is not None
        self._store.commit(_list_changes(shared, values, files), lease=self._lease)


def _list_changes(
    shared: SharedConfiguration,
    values: collections.abc.Mapping[str, _Value | None],
    files: collections.abc.Mapping[str, bytes | None],
) -> list[stored_values.KeyChange]:
    """files: by the ids of revisions; None: they go."""
    changes = [
        stored_values.KeyChange(
            key=key,
            value=None if value is None else configuration_values.encode(value),
            expected=shared.revisions[key],
        )
        for key, value in values.items()
    ]
    changes += [
        stored_values.KeyChange(key=configuration_values.files_key(id_), value=one) for id_, one in files.items()
    ]
    return changes


def _missing(id_: str) -> errors.UnreadableValueError:
    key = configuration_values.files_key(id_)
    return errors.UnreadableValueError(
        f'cannot read the fleet\'s configuration: "{key}" is missing; restore the database from a backup, or '
        "begin a fleet in another one with `daemun fleet leave` and `daemun fleet init`"
    )


def _decode_known(read: stored_values.ReadValues, key: str, decode: collections.abc.Callable[[bytes], _T]) -> _T | None:
    """None also where another version of daemun wrote it otherwise: what is served does not depend on it."""
    with contextlib.suppress(errors.UnreadableValueError):
        return _decode(read, key, decode)
    return None


def _decode(read: stored_values.ReadValues, key: str, decode: collections.abc.Callable[[bytes], _T]) -> _T | None:
    if key in read.unreadable:
        raise read.unreadable[key]
    if key not in read.found:
        return None
    try:
        return decode(read.found[key].value)
    except _DAMAGED as error:
        raise _unreadable(key, error) from error


def _unreadable(key: str, error: Exception) -> errors.UnreadableValueError:
    return errors.UnreadableValueError(
        f'cannot read "{key}" of the fleet: {error}; run the same version of daemun on all machines'
    )
