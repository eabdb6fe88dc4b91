"""Changes one value of the store by compare and swap, so that nothing is lost that another machine or process writes
meanwhile."""

import collections.abc

from daemun.control import ports, stored_values
from daemun.errors import EnvironmentProblemError, StoreConflictError

_TRIES = 20
"""Each is lost only to a change that was made."""


def change(store: ports.Store, key: str, alter: collections.abc.Callable[[bytes | None], bytes | None]) -> bytes | None:
    """Write what `alter` makes of the value as it is stored now (None: it is not there, or is to be deleted). Blocking.

    alter: called again with the newer value when another was written meanwhile. Returns: what is stored then.
    Raises: EnvironmentProblemError; what `alter` raises.
    """
    for left in reversed(range(_TRIES)):
        read = store.read_many([key])
        revision = read.revision(key)
        before = read.found[key].value if key in read.found else None
        after = alter(before)
        if after == before:
            return after
        try:
            store.commit([stored_values.KeyChange(key=key, value=after, expected=revision)])
        except StoreConflictError as error:
            if not left:
                raise EnvironmentProblemError(f"{error}, again and again; it is tried again later") from error
        else:
            return after
    raise AssertionError("unreachable")
