"""How far a machine's copy of what its fleet shares has come, in its own store."""

import dataclasses
import json

from daemun import errors
from daemun.control import ports, stored_values
from daemun.store import keys

KEY = "node/cursor"
"""How far it was followed, and which keys could not be read or copied on the way."""


def read(own: ports.Store) -> tuple[stored_values.Cursor, frozenset[str]]:
    """Everything is read anew where it is not there, or damaged."""
    try:
        fields = json.loads(own.read(KEY))
        change = fields.get("change")
        cursor = stored_values.Cursor(
            revision=int(fields["revision"]), epoch=int(fields["epoch"]), change=None if change is None else str(change)
        )
        return cursor, frozenset(keys.check(key) for key in fields.get("unread", ()))
    except (
        errors.NotFoundInStoreError,
        errors.EnvironmentProblemError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):
        return stored_values.Cursor(revision=0, epoch=-1), frozenset()


def write(own: ports.Store, cursor: stored_values.Cursor, unread: frozenset[str]) -> None:
    """Without it a start reads everything once. Raises: EnvironmentProblemError."""
    own.write(KEY, json.dumps({**dataclasses.asdict(cursor), "unread": sorted(unread)}).encode())
