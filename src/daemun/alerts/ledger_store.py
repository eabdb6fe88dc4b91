"""The ledger in the store, so that a restart sends nothing twice. One key, "alerts/ledger.json".

A ledger that cannot be read counts as empty: the worst that follows is that alerts of present dangers are sent once
more.
"""

import dataclasses
import json

import pydantic

from daemun.control import damaged_keys, ports
from daemun.core.alerts import alert_ledger

_KEY = "alerts/ledger.json"
_FORM = pydantic.TypeAdapter(alert_ledger.AlertLedger)


def encode(ledger: alert_ledger.AlertLedger) -> bytes:
    """Equal ledgers give equal bytes, whatever this process alone remembers. Pure."""
    watched = tuple(dataclasses.replace(one, calm_since=None) for one in ledger.watched)
    return json.dumps(_FORM.dump_python(dataclasses.replace(ledger, watched=watched), mode="json"), indent=1).encode()


def read(store: ports.Store) -> alert_ledger.AlertLedger:
    """Blocking."""
    follows = "dangers that are present are reported once more, nothing is to do"
    return damaged_keys.read(store, _KEY, _FORM.validate_json, follows=follows) or alert_ledger.AlertLedger()


def write(store: ports.Store, encoded: bytes) -> None:
    """Blocking. Raises: EnvironmentProblemError."""
    store.write(_KEY, encoded)
