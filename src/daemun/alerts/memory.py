"""The ledger in the store, so that a restart sends nothing twice. One key, "alerts/ledger.json".

A ledger that cannot be read counts as empty: the worst that follows is that present dangers are told once more.
"""

import dataclasses
import json

import pydantic

from daemun.control import ports
from daemun.core.alarms import ledger as ledger_
from daemun.errors import NotFoundInStoreError

_KEY = "alerts/ledger.json"
_FORM = pydantic.TypeAdapter(ledger_.Ledger)


def encode(ledger: ledger_.Ledger) -> bytes:
    """Equal ledgers give equal bytes, whatever this process alone remembers. Pure."""
    watched = tuple(dataclasses.replace(one, calm_since=None) for one in ledger.watched)
    return json.dumps(_FORM.dump_python(dataclasses.replace(ledger, watched=watched), mode="json"), indent=1).encode()


def read(store: ports.Store) -> ledger_.Ledger:
    """Blocking."""
    try:
        return _FORM.validate_json(store.read(_KEY))
    except (NotFoundInStoreError, pydantic.ValidationError):
        return ledger_.Ledger()


def write(store: ports.Store, encoded: bytes) -> None:
    """Blocking. Raises: EnvironmentProblemError."""
    store.write(_KEY, encoded)
