"""What a node of a fleet does with its store, without the rest: a process for a machine of `fleet_network`.

    python -m tests.support.fleet_member NAME URL FOLDER [--follow | --careless]

It follows what is shared, writes a key of its own without a lock, and tries to get one lock again and again. While it
has it, it takes outside steps and writes under it. Each is a line of its journal, FOLDER/journal: the time before the
lease was looked at, which is one clock for all processes of the computer, and the token. --follow: it only learns what
is shared, and ends. --careless: it does not look at its lease.
"""

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import random
import sys
import threading
import time
import typing

from daemun import errors
from daemun.control import stored_values
from daemun.control.lease import FencingToken, Lease, monotonic_s
from daemun.store import file_store, mirrored_store
from daemun.store.postgresql import database_connections, postgresql_store
from tests.support import fleet_store

LOCK, GUARDED = "order", "certs/guarded"
LEASE_S, QUIET_S = 3.0, 4.0
TIMES = database_connections.DatabaseTimes(connect_s=2, statement_s=2.0, answer_s=3.0, take_s=2.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """what: "step", outside of the store, or "write", which the store agreed to."""

    at_s: float
    node: str
    what: str
    token: FencingToken


def read_journal(folder: pathlib.Path, node: str) -> list[Line]:
    """Of all processes that had the folder; who was killed left a part of a line at most, where the next goes on."""
    found = []
    for text in (folder / "journal").read_text().splitlines() if (folder / "journal").exists() else ():
        with contextlib.suppress(ValueError):
            value = json.loads(text)
            token = FencingToken(epoch=value["epoch"], number=value["number"])
            found.append(Line(at_s=value["at_s"], node=node, what=value["what"], token=token))
    return found


def copy(folder: pathlib.Path) -> dict[str, bytes]:
    """What a node knows of what is shared."""
    store = file_store.FileStore(folder / "own")
    found = store.read_many(store.list("")).found
    return {key: one.value for key, one in found.items() if not key.startswith("node/")}


class _Member:
    def __init__(self, name: str, url: str, folder: pathlib.Path, *, is_careless: bool) -> None:
        self._name = name
        self._is_careless = is_careless
        self._journal = (folder / "journal").open("ab", buffering=0)
        own = file_store.FileStore(folder / "own")
        self.database = postgresql_store.PostgresqlStore(
            url, fleet_store.KEY, own=own, owner=name, times=TIMES, quiet_s=QUIET_S, look_s=2.0, patience_s=3.0
        )
        self.store = mirrored_store.MirroredStore(own, self.database)

    def work(self) -> typing.NoReturn:
        """What fails is tried again, as what else uses a store does."""
        while True:
            with contextlib.suppress(errors.DaemunError):
                self._add(f"notes/{self._name}")
            with contextlib.suppress(errors.DaemunError), self.store.lock(LOCK, lease_s=LEASE_S) as lease:
                # Some hold it for longer than it lasts without being renewed.
                for _ in range(random.choice((5, 60))):
                    self._note("step", lease, monotonic_s())
                    at_s = monotonic_s()
                    self._add(GUARDED, lease)
                    self._note("write", lease, at_s, is_known=True)
                    time.sleep(0.05)
            time.sleep(random.uniform(0.02, 0.2))

    def _add(self, key: str, lease: Lease | None = None) -> None:
        read = self.store.read_many([key])
        number = int(read.found[key].value) if key in read.found else 0
        change = stored_values.KeyChange(key=key, value=str(number + 1).encode(), expected=read.revision(key))
        self.store.commit([change], lease=lease)

    def _note(self, what: str, lease: Lease, at_s: float, *, is_known: bool = False) -> None:
        """is_known: it has happened, whether or not the lease is still held."""
        if not is_known and not self._is_careless:
            lease.check()
        token = {"epoch": lease.token.epoch, "number": lease.token.number}
        self._journal.write(f"\n{json.dumps({'at_s': at_s, 'what': what, **token})}".encode())


if __name__ == "__main__":
    member = _Member(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), is_careless="--careless" in sys.argv)
    if "--follow" in sys.argv:
        member.store.follow_now()
        sys.exit()
    threading.Thread(target=member.work, daemon=True).start()
    asyncio.run(member.store.run())
