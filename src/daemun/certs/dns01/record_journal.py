"""A journal of records that were made in DNS and not removed yet, so that they are removed also after a crash.

    dns/pending/ID   one record, written before it is made and deleted after it was removed

Secrets are not in it: who can remove a record is found in the configuration (`leftovers`).
"""

import collections.abc
import contextlib
import dataclasses
import datetime
import hashlib
import json
import time

from daemun import errors
from daemun.certs.dns01 import txt_records
from daemun.control import damaged_keys, ports

_PENDING = "dns/pending"
_TRIES, _PAUSE_S = 300, 0.2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MadeRecord:
    """host: the name that is proved, without "*.". provider: who made the record. made_at: at the latest."""

    record: txt_records.Record
    host: str
    provider: str
    made_at: datetime.datetime


@contextlib.contextmanager
def changing(store: ports.Store, zone: str) -> collections.abc.Iterator[None]:
    """One change of a zone at a time, of all machines of a fleet: many providers replace all records of a name. Raises:
    LockHeldError: another change does not end; EnvironmentProblemError."""
    name = f"zone-{hashlib.sha256(zone.encode()).hexdigest()[:16]}"
    with contextlib.ExitStack() as stack:
        for left in reversed(range(_TRIES)):
            try:
                stack.enter_context(store.lock(name))
                break
            except errors.LockHeldError:
                if not left:
                    raise
                time.sleep(_PAUSE_S)
        yield


def write(store: ports.Store, note: MadeRecord) -> None:
    value = {
        "name": note.record.name,
        "zone": note.record.zone,
        "value": note.record.value,
        "host": note.host,
        "provider": note.provider,
        "made_at": note.made_at.isoformat(),
    }
    store.write(_key(note.record), json.dumps(value, indent=1).encode())


def delete(store: ports.Store, record: txt_records.Record) -> None:
    store.delete(_key(record))


def read_all(store: ports.Store) -> tuple[MadeRecord, ...]:
    """Damaged ones are left out, and reported."""
    follows = "a record that was made in DNS may be left there: look for it under _acme-challenge, and delete the file"
    found = (damaged_keys.read(store, key, _parse, follows=follows) for key in store.list(_PENDING))
    return tuple(note for note in found if note is not None)


def _parse(content: bytes) -> MadeRecord:
    value = json.loads(content)
    record = txt_records.Record(name=value["name"], zone=value["zone"], value=value["value"])
    made_at = datetime.datetime.fromisoformat(value["made_at"])
    return MadeRecord(record=record, host=value["host"], provider=value["provider"], made_at=made_at)


def _key(record: txt_records.Record) -> str:
    return f"{_PENDING}/{hashlib.sha256(str(record).encode()).hexdigest()[:40]}"
