"""What the store holds and what of it cannot be used: damaged by a hand, a full disk, or a broken backup.

Whoever reads a value goes on without it; that it was lost is reported, with the path of its file, until it is readable,
written anew or deleted.
"""

import collections.abc
import typing

import structlog

from daemun.control import ports
from daemun.core import model
from daemun.errors import EnvironmentProblemError, NotFoundInStoreError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_T = typing.TypeVar("_T")


class Damage:
    """What is damaged of one store. For all threads."""

    def __init__(self) -> None:
        self._known: dict[str, model.Problem] = {}

    def note(self, key: str, message: str, *, severity: model.Severity = model.Severity.WARNING) -> None:
        """Report it from now on; in the log once."""
        found = model.Problem(origin=model.NOWHERE, message=message, severity=severity)
        if self._known.get(key) != found:
            self._known[key] = found
            (log.error if severity is model.Severity.ERROR else log.warning)(message)

    def note_mended(self, key: str, how: str) -> None:
        """What was noted of a value is over, and stays reported until the daemon ends: a disk may be about to fail."""
        was = self._known.pop(key, None)
        if was is not None:
            self.note(f"{key}, mended", f"{was.message}: {how}")

    def is_noted(self, key: str) -> bool:
        return key in self._known

    def clear(self, key: str) -> None:
        """The value can be used, or is not there any more."""
        self._known.pop(key, None)

    def problems(self) -> tuple[model.Problem, ...]:
        return tuple(found for _, found in sorted(self._known.items()))


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
    """
    try:
        content = store.read(key)
    except NotFoundInStoreError:
        store.damage.clear(key)
        return None
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
