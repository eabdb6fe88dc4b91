"""The ledger in the store, so that a restart sends nothing twice. One key, "alerts/ledger.json".

A ledger that cannot be read counts as empty: the worst that follows is that alerts of present dangers are sent once
more.
"""

import dataclasses
import functools
import json

import pydantic
import pydantic_core

from daemun.control import damaged_keys, ports
from daemun.core.alerts import alert_ledger

_KEY = "alerts/ledger.json"


@functools.cache
def _form() -> pydantic.TypeAdapter[alert_ledger.AlertLedger]:
    """Made when there is a ledger: most gates have had no alert."""
    return pydantic.TypeAdapter(alert_ledger.AlertLedger)


_STORED_AS = {"alerts": "alarms", "notified": "told"}
"""What is stored under another key than its field has: a ledger of any version is read by any other, also while the
machines of a fleet are upgraded one after the other."""
_FIELDS = {key: field for field, key in _STORED_AS.items()}


def leave_out_own(ledger: alert_ledger.AlertLedger) -> alert_ledger.AlertLedger:
    """Without what this process alone remembers. Pure."""
    return dataclasses.replace(
        ledger, watched=tuple(dataclasses.replace(one, calm_since=None) for one in ledger.watched)
    )


def encode(ledger: alert_ledger.AlertLedger) -> bytes:
    """Equal ledgers give equal bytes, whatever this process alone remembers. Pure."""
    value = _form().dump_python(leave_out_own(ledger), mode="json")
    return json.dumps(_rename(value, _STORED_AS), indent=1).encode()


def decode(content: bytes) -> alert_ledger.AlertLedger:
    """What `encode` made. Raises: ValueError. Pure."""
    return _form().validate_python(_rename(pydantic_core.from_json(content), _FIELDS))


def _rename(value: object, names: dict[str, str]) -> object:
    """The keys of a ledger as JSON, and of its alerts."""
    if isinstance(value, dict):
        return {names.get(key, key): _rename(one, names) for key, one in value.items()}
    return [_rename(one, names) for one in value] if isinstance(value, list) else value


def read(store: ports.Store) -> alert_ledger.AlertLedger:
    """Blocking."""
    follows = "dangers that are present are reported once more, nothing is to do"
    return damaged_keys.read(store, _KEY, decode, follows=follows) or alert_ledger.AlertLedger()


def write(store: ports.Store, encoded: bytes) -> None:
    """Blocking. Raises: EnvironmentProblemError."""
    store.write(_KEY, encoded)
