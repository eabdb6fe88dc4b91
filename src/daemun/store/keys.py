"""What a key may look like, the same for every backend. Pure.

A part is at most 200 characters of [a-z0-9._-], so that a file system (255 bytes a name, some of them blind to case)
keeps it as it is and has room for a temporary name; `~` and `+` stay free for names of a backend's own.
"""

import collections.abc
import re

from daemun import errors
from daemun.control import stored_values

_PART = re.compile(r"[a-z0-9._-]{1,200}\Z")


def is_key(text: str) -> bool:
    return all(_PART.match(part) and part not in {".", ".."} for part in text.split("/"))


def check(key: str) -> str:
    """Returns: the key. Raises: ValueError, because keys are made by daemun and never taken over from outside."""
    if not is_key(key):
        raise ValueError(
            f'cannot use "{key}" as a key: expected parts of a-z, 0-9, ".", "_" and "-" (at most 200 characters each, '
            'not "." or ".."), joined by "/"'
        )
    return key


def check_prefix(prefix: str) -> str:
    """Returns: the prefix; "" stands for all keys. Raises: ValueError."""
    return check(prefix) if prefix else prefix


def is_under(key: str, prefix: str) -> bool:
    return not prefix or key.startswith(prefix + "/")


def parents(key: str) -> list[str]:
    """The keys that cannot hold values while this one does: "a/b/c" -> ["a", "a/b"]."""
    parts = key.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def check_changes(changes: collections.abc.Collection[stored_values.KeyChange]) -> None:
    """Raises: ValueError: a key is none, is there twice, or would hold a value and be a folder."""
    written = {check(change.key) for change in changes if change.value is not None}
    if len({check(change.key) for change in changes}) != len(changes):
        raise ValueError("cannot change a key twice at once")
    for key in written:
        for parent in written.intersection(parents(key)):
            raise ValueError(f'cannot write "{key}": "{parent}" holds a value')


def conflict(key: str) -> errors.StoreConflictError:
    return errors.StoreConflictError(
        f'cannot write "{key}": it was changed by another since it was read; nothing to do, it is tried again', key=key
    )
