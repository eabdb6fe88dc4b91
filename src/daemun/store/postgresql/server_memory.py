"""Which server of the database answers, and whether it forgot something that this machine has seen.

An asynchronous standby that is promoted lacks the last changes of the server before, and so does an older copy that was
restored: the same token would be given twice. Then a new epoch begins, in which nothing of the one before is written,
and for a while no lock is given. A promoted server has a higher timeline; an older copy has an older revision than what
any node has seen, which each remembers on its own disk.
"""

import contextlib
import dataclasses
import json
import threading
import time
import uuid

from daemun import errors
from daemun.control import damaged_keys, ports
from daemun.store.postgresql import database_connections

KEY = "node/seen.json"
_FOLLOWS = "what this machine saw of the fleet's database is learned anew, nothing is to do"
_WRITE_S = 1.0
"""The revision is written no more often; a new epoch or server at once."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeenServer:
    """The newest that was seen. sysid: the system identifier of the database's files. tli: its timeline. change: what
    came with the revision."""

    sysid: str = ""
    tli: int = 0
    epoch: int = 0
    rev: int = 0
    change: str | None = None


class ServerMemory:
    """Remembers the newest database server that was seen, to notice an older copy. Thread-safe. own: the store of this
    machine; None: nothing is kept."""

    def __init__(self, own: ports.Store | None) -> None:
        self._own = own
        self._guard = threading.Lock()
        found = None if own is None else damaged_keys.read(own, KEY, _decode, follows=_FOLLOWS)
        self._seen = self._written = found or SeenServer()
        self._written_at_s = time.monotonic()

    @property
    def seen(self) -> SeenServer:
        return self._seen

    def note(self, seen: SeenServer) -> None:
        """What is older than what is known changes nothing."""
        with self._guard:
            self._keep_newer(seen)
        self.write()

    def adopt(self, sysid: str) -> None:
        """Another server, of which no timeline was seen."""
        with self._guard:
            self._seen = dataclasses.replace(self._seen, sysid=sysid, tli=0)
        self.write(whole=True)

    def has_adopted(self, sysid: str) -> bool:
        """Whether a command of this machine adopted that server meanwhile, which holds here from now on."""
        found = None if self._own is None else damaged_keys.read(self._own, KEY, _decode, follows=_FOLLOWS)
        if found is None or found.sysid != sysid:
            return False
        with self._guard:
            self._seen = dataclasses.replace(self._seen, sysid=sysid, tli=found.tli)
        return True

    def note_revision(self, epoch: int, rev: int, change: str | None) -> None:
        """Of the server that is known at this moment."""
        with self._guard:
            self._keep_newer(dataclasses.replace(self._seen, epoch=epoch, rev=rev, change=change))
        self.write()

    def _keep_newer(self, seen: SeenServer) -> None:
        if (seen.epoch, seen.rev) > (self._seen.epoch, self._seen.rev) or seen.tli > self._seen.tli:
            self._seen = dataclasses.replace(seen, tli=max(seen.tli, self._seen.tli))

    def write(self, *, whole: bool = False) -> None:
        """Onto the disk, where that is due. whole: or not."""
        with self._guard:
            seen, before = self._seen, self._written
            is_new = dataclasses.replace(seen, rev=before.rev, change=before.change) != before
            is_due = whole or time.monotonic() - self._written_at_s >= _WRITE_S
            if self._own is None or seen == before or not (is_new or is_due):
                return
            # A disk that is full now must not end what the database agreed to; the next change tries again.
            with contextlib.suppress(errors.EnvironmentProblemError):
                self._own.write(KEY, json.dumps(dataclasses.asdict(seen)).encode())
                self._written, self._written_at_s = seen, time.monotonic()


def follow(connection: database_connections.Connection, memory: ServerMemory, *, quiet_s: float) -> None:
    """Learn which server this is, and begin a new epoch where it forgot something.

    Raises: StoreUnreachableError: another has taken its place; EnvironmentProblemError: it is not this fleet's.
    """
    seen = memory.seen
    row = connection.execute(
        "SELECT m.sysid, s.sysid, greatest(m.tli, %s), s.tli FROM daemun.meta m, daemun.server_1() s", (seen.tli,)
    ).fetchone()
    assert row is not None
    known_sysid, sysid, newest_tli, tli = row
    is_other = seen.sysid not in {"", sysid}
    if sysid != known_sysid or (is_other and not memory.has_adopted(sysid)):
        raise errors.EnvironmentProblemError(
            f"cannot use the fleet's database: its tables lie on another PostgreSQL (system identifier {sysid}, "
            f"expected {seen.sysid or known_sysid}); where a copy was restored there on purpose, run `daemun fleet "
            "adopt-database` on each machine; otherwise correct `fleet.database`, or what its host leads to"
        )
    if is_other:
        follow(connection, memory, quiet_s=quiet_s)
        return
    if tli < newest_tli:
        raise errors.StoreUnreachableError(
            f"cannot use the fleet's database: a server that was replaced answers (timeline {tli}, the newest is "
            f"{newest_tli}); stop it, or make it a standby of the new one"
        )
    connection.execute("SELECT daemun.step_1(%s, %s, %s::uuid, %s)", (seen.epoch, seen.rev, seen.change, quiet_s))
    row = connection.execute("SELECT epoch, rev, id::text FROM daemun.seen_1(0, 0, null)").fetchone()
    assert row is not None
    memory.note(SeenServer(sysid=sysid, tli=tli, epoch=row[0], rev=row[1], change=row[2]))


def adopt(connection: database_connections.Connection, memory: ServerMemory, *, quiet_s: float) -> None:
    """Go on with another PostgreSQL, into which the tables were copied, as a person confirmed. What another machine
    adopted is followed."""
    seen = memory.seen
    connection.execute(
        "UPDATE daemun.meta m SET epoch = greatest(m.epoch, %s) + 1, rev = greatest(m.rev, %s) + 1, sysid = s.sysid, "
        "tli = s.tli, quiet_until = clock_timestamp() + make_interval(secs => %s) FROM daemun.server_1() s "
        "WHERE m.sysid <> s.sysid",
        (seen.epoch, seen.rev, quiet_s),
    )
    row = connection.execute("SELECT sysid FROM daemun.server_1()").fetchone()
    assert row is not None
    if row[0] != seen.sysid:
        memory.adopt(row[0])
    follow(connection, memory, quiet_s=quiet_s)


def _decode(content: bytes) -> SeenServer:
    value = json.loads(content)
    return SeenServer(
        sysid=str(value["sysid"]),
        tli=int(value["tli"]),
        epoch=int(value["epoch"]),
        rev=int(value["rev"]),
        change=None if value["change"] is None else str(uuid.UUID(value["change"])),
    )
