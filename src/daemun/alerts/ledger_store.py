"""The ledger in the store, so that a restart sends nothing twice. One key, "alerts/ledger.json".

A ledger that cannot be read counts as empty: the worst that follows is that alerts of present dangers are sent once
more.
"""

import dataclasses
import functools
import json

import pydantic

from daemun.control import damaged_keys, ports
from daemun.core.alerts import alert_ledger

_KEY = "alerts/ledger.json"


@functools.cache
def _form() -> pydantic.TypeAdapter[alert_ledger.AlertLedger]:
    """Made when there is a ledger: most gates have had no alert."""
    return pydantic.TypeAdapter(alert_ledger.AlertLedger)


def leave_out_own(ledger: alert_ledger.AlertLedger) -> alert_ledger.AlertLedger:
    """Without what this process alone remembers. Pure."""
    return dataclasses.replace(
        ledger, watched=tuple(dataclasses.replace(one, calm_since=None) for one in ledger.watched)
    )


def encode(ledger: alert_ledger.AlertLedger) -> bytes:
    """Equal ledgers give equal bytes, whatever this process alone remembers. Pure."""
    return json.dumps(_form().dump_python(leave_out_own(ledger), mode="json"), indent=1).encode()


def decode(content: bytes) -> alert_ledger.AlertLedger:
    """What `encode` made. Raises: ValueError. Pure."""
    return _form().validate_json(content)


def read(store: ports.Store) -> alert_ledger.AlertLedger:
    """Blocking."""
    follows = "dangers that are present are reported once more, nothing is to do"
    return damaged_keys.read(store, _KEY, decode, follows=follows) or alert_ledger.AlertLedger()


def write(store: ports.Store, encoded: bytes) -> None:
    """Blocking. Raises: EnvironmentProblemError."""
    store.write(_KEY, encoded)
