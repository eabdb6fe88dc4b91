"""Which fleet begins in a database: of two that begin there at once the first one does. Blocking.

The mark is there until the machine that begins it has brought to the database what it has, which may be with the next
start of its daemon. Raises: EnvironmentProblemError.
"""

import contextlib

from daemun import errors
from daemun.control import ports, stored_values
from daemun.fleet import membership
from daemun.store import fleet_key

KEY = "fleet/claim"


def take(shared: ports.Store, key: fleet_key.FleetKey) -> bool:
    """False: another fleet is in the database, or begins there."""
    if shared.list(KEY.partition("/")[0]):
        return reads(shared, key) or reads(shared, key, KEY)
    claim = stored_values.KeyChange(key=KEY, value=key.fleet.encode(), expected=stored_values.ABSENT)
    with contextlib.suppress(errors.StoreConflictError):
        shared.commit([claim])
        return True
    return False


def withdraw(shared: ports.Store, key: fleet_key.FleetKey) -> None:
    """This fleet does not begin. Never raises: what cannot be taken back is said to whoever begins one there."""
    with contextlib.suppress(errors.DaemunError):
        if reads(shared, key, KEY):
            shared.delete(KEY)


def reads(shared: ports.Store, key: fleet_key.FleetKey, stored: str = membership.KEY_IDENTITY) -> bool:
    """Whether the fleet of this key is in the database, or begins there (KEY)."""
    with contextlib.suppress(errors.NotFoundInStoreError, errors.UnreadableValueError):
        return shared.read(stored) == key.fleet.encode()
    return False
