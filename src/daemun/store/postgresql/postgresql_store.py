"""The store of a fleet, in PostgreSQL. Values are encrypted with the fleet's key; their keys are not."""

import asyncio
import collections.abc
import contextlib
import hashlib
import math
import re
import uuid

import structlog

from daemun import errors
from daemun.control import damage_report, fleet_port, ports, stored_values
from daemun.control.lease import LEASE_S, Lease, monotonic_s
from daemun.store import fleet_key, keys
from daemun.store.postgresql import (
    change_listener,
    database_connections,
    database_leases,
    database_requests,
    database_schema,
    server_memory,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_MARGIN_S = 5.0  # for clocks that run at another speed
_AT_ONCE = 500
_LOOK_AGAIN_S = 1.0
_TOGETHER_S = 0.1
"""What changes within this time is read together: of a hundred nodes that report something each reads all."""
_BEAT_PATIENCE_S = 1.0  # the next one comes soon
_PROOF = re.compile(r"([0-9]{1,18}) ([0-9a-f]{32}) ([0-9]{1,9}:[0-9a-f]{32})")
"""Of a heartbeat: its stamp, the digest of `about`, and the signature (`fleet_key.FleetKey.sign`)."""


class PostgresqlStore:
    """`control.ports.Store`."""

    def __init__(
        self,
        url: str,
        key: fleet_key.FleetKey,
        *,
        own: ports.Store | None = None,
        owner: str | None = None,
        times: database_connections.DatabaseTimes | None = None,
        listens: bool = True,
        look_s: float = change_listener.LOOK_S,
        quiet_s: float = LEASE_S + _MARGIN_S,
        patience_s: float = 10.0,
        clock: collections.abc.Callable[[], float] = monotonic_s,
        renews_by_itself: bool = True,
    ) -> None:
        """own: the store of this machine, which remembers the database's last state. owner: of locks, in words.
        renews_by_itself: false in tests. listens: false behind a pooler (PgBouncer) in another mode than for sessions.

        Connects when it is first used. Raises: ConfigError: the URL is none.
        """
        self.damage = damage_report.DamageReport()
        self._report = self.damage if own is None else own.damage
        self._key = key
        self._look_s = look_s
        self._quiet_s = quiet_s
        self.memory = server_memory.ServerMemory(own)
        times = times or database_connections.DatabaseTimes()
        self._connections = database_connections.DatabaseConnections(url, times)
        self._requests = database_requests.DatabaseRequests(
            self._connections, self.memory, quiet_s=quiet_s, patience_s=patience_s
        )
        # What keeps all others busy must not look like this node's death.
        self._beat_connections = database_connections.DatabaseConnections(url, times, most=1)
        self._beat_requests = database_requests.DatabaseRequests(
            self._beat_connections, self.memory, quiet_s=quiet_s, patience_s=_BEAT_PATIENCE_S
        )
        self._leases = database_leases.DatabaseLeases(
            self._requests, owner, clock=clock, renews_by_itself=renews_by_itself
        )
        self._listener = change_listener.ChangeListener(self._connections, listens=listens)

    def close(self) -> None:
        """End its connections."""
        self._listener.close()
        self._connections.close()
        self._beat_connections.close()
        self.memory.write(whole=True)

    def use_key(self, key: fleet_key.FleetKey) -> None:
        """From now on; it reads what the one before has encrypted, too."""
        self._key = key

    # --- values ----------------------------------------------------------------------------------------------------

    def locate(self, key: str) -> str:
        return f"{key} in the fleet's database"

    def read(self, key: str) -> bytes:
        found = self.read_many([key])
        if key in found.unreadable:
            raise found.unreadable[key]
        if key not in found.found:
            raise errors.NotFoundInStoreError(f'cannot read "{key}": it is not in the fleet\'s database')
        return found.found[key].value

    def read_many(
        self, some: collections.abc.Iterable[str] = (), *, under: str | None = None
    ) -> stored_values.ReadValues:
        wanted = [keys.check(key) for key in some]
        found: dict[str, stored_values.VersionedValue] = {}
        unreadable: dict[str, errors.EnvironmentProblemError] = {}
        for _, key, rev, content, key_id in self._requests.send("read", (wanted, *_range(under))):
            if key is None or not self._is_key(key):
                continue
            try:
                value = self._key.decrypt(key, fleet_key.EncryptedValue(content=content, key_id=key_id))
            except errors.UnreadableValueError as error:
                unreadable[key] = error
                self.damage.note(key, str(error))
            else:
                found[key] = stored_values.VersionedValue(value=value, revision=str(rev))
                self.damage.clear(key)
        return stored_values.ReadValues(found=found, unreadable=unreadable)

    def list(self, prefix: str) -> list[str]:
        rows = self._requests.send("list", _range(keys.check_prefix(prefix)))
        return [row[1] for row in rows if row[1] is not None and self._is_key(row[1])]

    def _is_key(self, found: str) -> bool:
        """Whoever owns the database may write any row: one of another form must not end the following of all others."""
        if keys.is_key(found):
            return True
        message = (
            f"the fleet's database has a row that is none of daemun's, {found[:60]!a}, which is left out; find out who "
            "wrote it, and delete that row of the table daemun.item"
        )
        self._report.note("fleet, foreign row", message)
        return False

    def write(self, key: str, value: bytes) -> None:
        self.commit([stored_values.KeyChange(key=key, value=value)])

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        failed: dict[str, errors.EnvironmentProblemError] = {}
        rows = [stored_values.KeyChange(key=key, value=value) for key, value in values.items()]
        for first in range(0, len(rows), _AT_ONCE):
            part = rows[first : first + _AT_ONCE]
            try:
                self.commit(part)
            except errors.EnvironmentProblemError as error:
                failed |= {change.key: error for change in part}
        return failed

    def delete(self, key: str) -> None:
        self.commit([stored_values.KeyChange(key=key, value=None)])

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        keys.check_changes(changes)
        held = (None, None, None, None)
        if lease is not None:
            lease.check()
            holder = self._leases.holder(lease)
            held = (lease.name, holder, lease.token.epoch, lease.token.number)  # type: ignore[assignment]
        if not changes:
            return
        encrypted = [
            None if change.value is None else self._key.encrypt(change.key, change.value) for change in changes
        ]
        values = (
            uuid.uuid4(),
            [change.key for change in changes],
            [None if one is None else one.content for one in encrypted],
            [None if one is None else one.key_id for one in encrypted],
            [database_requests.expected_revision(change) for change in changes],
            *held,
        )
        _, epoch, outcome, rev, key, other = self._requests.send("commit", values)[0]
        if outcome == "conflict":
            raise keys.conflict(key)
        if outcome == "folder":
            raise ValueError(f'cannot write "{key}": "{other}" holds a value')
        if outcome == "lost":
            assert lease is not None
            lease.lose()
            lease.check()
        self.memory.note_revision(epoch, rev, str(values[0]))

    # --- locks and changes -----------------------------------------------------------------------------------------

    def lock(self, name: str, *, lease_s: float = LEASE_S) -> contextlib.AbstractContextManager[Lease]:
        return self._leases.lock(name, lease_s=lease_s)

    def renew_now(self) -> None:
        """Every lock that this process holds, whether it is due or not."""
        self._leases.renewal.renew_now()

    def watch(
        self, prefix: str, *, after: stored_values.Cursor | None = None
    ) -> collections.abc.AsyncIterator[stored_values.ChangedKeys]:
        seen = self.memory.seen
        return self._watch(
            keys.check_prefix(prefix),
            after or stored_values.Cursor(revision=seen.rev, epoch=seen.epoch, change=seen.change),
        )

    async def _watch(
        self, prefix: str, cursor: stored_values.Cursor
    ) -> collections.abc.AsyncGenerator[stored_values.ChangedKeys, None]:
        waiter, loop = change_listener.Waiter(), asyncio.get_running_loop()
        with self._listener.waking(waiter):
            while True:
                waiter.clear()
                began_s = loop.time()
                try:
                    found = await asyncio.to_thread(self.read_changes, prefix, cursor)
                except errors.EnvironmentProblemError as error:
                    log.debug("the fleet's database is not reached; it is looked at again", reason=str(error))
                    await waiter.wait(_LOOK_AGAIN_S)
                    continue
                cursor = found.cursor
                if found.keys or found.is_complete:
                    yield found
                if found.is_complete or (found.keys and cursor.change is None):  # there may be more
                    continue
                await waiter.wait(self._look_s)
                await asyncio.sleep(began_s + _TOGETHER_S - loop.time())

    def read_changes(self, prefix: str, after: stored_values.Cursor) -> stored_values.ChangedKeys:
        """What `watch` yields next; maybe nothing. Raises: EnvironmentProblemError."""
        if after.epoch:  # it may be newer than what this machine's store remembers
            self.memory.note_revision(after.epoch, after.revision, after.change)
        rows = self._requests.send("changes", (*_range(prefix), after.revision, after.change, _AT_ONCE))
        _, epoch, rev, change, is_known = rows[0][:5]
        self.memory.note_revision(epoch, rev, change and str(change))
        if epoch != after.epoch or not is_known:
            return self._read_all_keys(prefix)
        found = [row[5:] for row in rows if row[5] is not None]
        changed = tuple(
            stored_values.ChangedKey(key=key, is_deleted=is_deleted)
            for key, _, is_deleted in found
            if self._is_key(key)
        )
        cursor = _cursor(epoch, rev, change)
        if len(found) >= _AT_ONCE:  # there may be more
            cursor = stored_values.Cursor(revision=found[-1][1], epoch=epoch)
        return stored_values.ChangedKeys(keys=changed, cursor=cursor)

    def _read_all_keys(self, prefix: str) -> stored_values.ChangedKeys:
        """The revision is read first: what changes meanwhile is reported twice."""
        _, epoch, rev, change, *_ = self._requests.send("changes", ("", "", 0, None, 1))[0]
        there = tuple(stored_values.ChangedKey(key=key, is_deleted=False) for key in self.list(prefix))
        return stored_values.ChangedKeys(keys=there, cursor=_cursor(epoch, rev, change), is_complete=True)

    def beat(
        self,
        node: str,
        about: str,
        seen: stored_values.Cursor,
        *,
        stamp: int,
        silent_s: float = fleet_port.SILENT_S,
        changed_s: float | None = None,
    ) -> fleet_port.NodeListing:
        """See fleet_port.NodeRegister."""
        newest, digest = database_schema.newest(), _digest(about)
        signature = self._key.sign(f"node/{node}", _signed(newest, seen.revision, stamp, digest))
        values = (node, newest, seen.revision, about, f"{stamp} {digest} {signature}", silent_s, changed_s)
        return self._listing(self._beat_requests.send("beat", values))

    def list_nodes(self) -> fleet_port.NodeListing:
        """See fleet_port.NodeRegister."""
        return self._listing(self._requests.send("nodes"))

    def _listing(self, rows: collections.abc.Sequence[database_requests.Row]) -> fleet_port.NodeListing:
        _, epoch, rev, *_ = rows[0]
        read = {row[4]: self._read_node(row[4:]) for row in rows if row[4] is not None}
        return fleet_port.NodeListing(
            epoch=epoch,
            revision=rev,
            nodes=tuple(one for one in read.values() if one is not None),
            unproven=tuple(name for name, one in read.items() if one is None),
        )

    def _read_node(self, row: database_requests.Row) -> fleet_port.ListedNode | None:
        """None: no machine with the fleet's key wrote it."""
        name, format_, seen, beat, began, age_s, proof, about = row
        match = _PROOF.fullmatch(proof)
        if match is None or not all(map(math.isfinite, (beat, began, age_s))):
            return None
        stamp, digest, signature = int(match[1]), match[2], match[3]
        if not self._key.is_signed(f"node/{name}", _signed(format_, seen, stamp, digest), signature):
            return None
        if about is not None and _digest(about) != digest:
            return None
        return fleet_port.ListedNode(
            name=name,
            format=format_,
            seen_revision=seen,
            beat=beat,
            began=began,
            age_s=age_s,
            stamp=stamp,
            about=about,
            digest=digest,
        )

    def forget_node(self, node: str) -> None:
        """It left the fleet. Raises: EnvironmentProblemError."""
        self._requests.send("forget_node", (node,))

    def clean(self) -> None:
        """Forget what was deleted, once every node has seen it, and of the tables what none uses any more. Only what
        has a proof counts as a node. Raises: EnvironmentProblemError."""
        found = self._listing(self._beat_requests.send("nodes")).nodes
        nodes = [one for one in found if one.has_beaten_within(database_schema.NODE_GONE_S)]
        if nodes:
            self._beat_requests.send("clean", (min(one.seen_revision for one in nodes),))
            with self._explained() as connection:
                database_schema.contract(connection, [one.format for one in nodes])

    def read_clock_s(self) -> float:
        """The database's time, in seconds since the epoch. Raises: EnvironmentProblemError."""
        return float(self._requests.send("clock")[0][1])

    def create_tables(self) -> None:
        """Or add what a newer version needs. Raises: EnvironmentProblemError."""
        with self._explained() as connection:
            database_schema.expand(connection)
            server_memory.follow(connection, self.memory, quiet_s=self._quiet_s)

    def upgrade_tables(self) -> None:
        """Add what this version of daemun needs. Raises: EnvironmentProblemError: as `check_tables`."""
        with self._explained() as connection:
            database_schema.upgrade(connection)

    def check_tables(self) -> None:
        """Raises: EnvironmentProblemError: there are none, or only a newer daemun can use them."""
        with self._explained() as connection:
            database_schema.check(connection)

    def adopt_server(self, witness: tuple[str, bytes]) -> None:
        """Go on with another PostgreSQL, into which the tables were copied. witness: a key, and what it has there.
        Raises: EnvironmentProblemError, also where it is another fleet's."""
        key, value = witness
        with self._explained() as connection:
            database_schema.check(connection)
            row = connection.execute("SELECT value, key_id FROM daemun.item WHERE key = %s", (key,)).fetchone()
            found = row and row[0] and fleet_key.EncryptedValue(content=row[0], key_id=row[1])
            if not found or self._key.decrypt(key, found) != value:
                raise errors.EnvironmentProblemError("cannot adopt the database: what it has is not this fleet's")
            server_memory.adopt(connection, self.memory, quiet_s=self._quiet_s)

    def encrypt_anew(self) -> int:
        """What is encrypted with an older key. Returns: how many values. Raises: EnvironmentProblemError."""
        done = 0
        while rows := self._requests.send("encrypted_otherwise", (self._key.keys[0][0], _AT_ONCE)):
            old = [row[1] for row in rows if row[1] is not None and self._is_key(row[1])]
            if not old:
                break
            read = self.read_many(old)
            for error in read.unreadable.values():
                raise error
            changes = [
                stored_values.KeyChange(key=key, value=one.value, expected=one.revision)
                for key, one in read.found.items()
            ]
            with contextlib.suppress(errors.StoreConflictError):  # one was written since: they are read anew
                self.commit(changes)
                done += len(changes)
        return done

    @contextlib.contextmanager
    def _explained(self) -> collections.abc.Iterator[database_connections.Connection]:
        with database_connections.explained(self._connections.user), self._connections.one() as connection:
            yield connection


def _cursor(epoch: int, rev: int, change: uuid.UUID | None) -> stored_values.Cursor:
    return stored_values.Cursor(revision=rev, epoch=epoch, change=None if change is None else str(change))


def _digest(about: str) -> str:
    return hashlib.sha256(about.encode()).hexdigest()[:32]


def _signed(format_: int, seen_revision: int, stamp: int, digest: str) -> str:
    return f"heartbeat {format_} {seen_revision} {stamp} {digest}"


def _range(prefix: str | None) -> tuple[str, str]:
    """From which key to before which one. "0" is the sign after "/"."""
    if prefix is None:
        return "", ""
    return (f"{keys.check(prefix)}/", f"{prefix}0") if prefix else ("", "~")
