"""What the store holds and what of it cannot be used: damaged by a hand, a full disk, or a broken backup.

Whoever reads a value goes on without it; that it was lost is reported, with the path of its file, until it is readable,
written anew or deleted.
"""

import collections.abc
import typing

from daemun.control import ports
from daemun.core import model
from daemun.errors import (
    EnvironmentProblemError,
    NotFoundInStoreError,
    StoreUnreachableError,
    UnreadableValueError,
)

_T = typing.TypeVar("_T")


def read(
    store: ports.Store,
    key: str,
    parse: collections.abc.Callable[[bytes], _T],
    *,
    follows: str,
    severity: model.Severity = model.Severity.WARNING,
) -> _T | None:
    """What `parse` makes of a value; None: it is not there, or it cannot be used, which is reported.

    parse: raises ValueError, or what comes of taking apart something else than was written. follows: what happens
    without the value, and what to do.
    Raises: StoreUnreachableError, UnreadableValueError: what it is cannot be known now.
    """
    try:
        content = store.read(key)
    except NotFoundInStoreError:
        store.damage.clear(key)
        return None
    except (StoreUnreachableError, UnreadableValueError) as error:
        # What the value was is known elsewhere: made anew it would be ordered, or counted, twice.
        store.damage.note(key, str(error), severity=severity)
        raise
    except EnvironmentProblemError as error:
        store.damage.note(key, f"{error}; {follows}", severity=severity)
        return None
    try:
        found = parse(content)
    # RecursionError: thousands of "[" are JSON that Python refuses so. OSError: a moment that the C library refuses.
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, OSError):
        what = "damaged" if content.strip() else "empty"
        store.damage.note(key, f'cannot use "{store.locate(key)}": it is {what}; {follows}', severity=severity)
        return None
    store.damage.clear(key)
    return found
