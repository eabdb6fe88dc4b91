"""What users changed of their accounts, taken over from the judge's file into the store, by the daemon and by commands.

Blocking.
"""

import contextlib
import json
import os

from daemun.control import guarded_store, ports
from daemun.core import layout
from daemun.core.access import login_changes, login_users
from daemun.errors import NotFoundInStoreError
from daemun.judge import session_file, session_table

LOCK = "login-users"
"""Of the store, for whoever changes its users."""


def read(paths: layout.Layout) -> login_changes.Changes:
    """What the process wrote last, whether it runs or not. What cannot be read is nothing."""
    with contextlib.ExitStack() as stack:
        slots: list[int] = []
        for path in paths.session_slots:
            with contextlib.suppress(OSError):
                slots.append(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
                stack.callback(os.close, slots[-1])
        found = session_file.read_last(slots)
    if found is None:
        return {}
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        return session_table.read_changes(json.loads(found[1]))
    return {}


def take_over(store: ports.Store, paths: layout.Layout) -> None:
    """Write the users as they are now. Raises: EnvironmentProblemError; LockHeldError while a command changes them."""
    with store.lock(LOCK) as lease:
        try:
            stored = login_users.decode(store.read(login_users.KEY))
        except (NotFoundInStoreError, ValueError, LookupError, TypeError, AttributeError):
            return  # damaged: reported elsewhere, and may be put back
        folded = login_changes.fold(stored, read(paths))
        if folded != stored:
            guarded_store.GuardedStore(store, lease).write(login_users.KEY, login_users.encode(folded))
