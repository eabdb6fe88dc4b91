"""What users change of their own accounts, on the page of the sign-in, as values. Pure.

The process that serves the page can write no key of the store, so it keeps changes in its own file, and the daemon, or
a command, takes them over into the store. Until then they hold on top of what the store has.
"""

import collections.abc
import dataclasses
import typing

from daemun.core.access import login_users

_MOST_STAMPS = 50
_OWN = ("hashed", "stamp", "totp", "recovery", "revision", "invitation", "passkeys")
"""What users change themselves; the rest is the owner's."""

Changes = collections.abc.Mapping[str, "Change"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """user: as it is now. stamps: of the user and of all versions that were changed into it: a password that an owner
    sets is none of them, and ends what was changed before."""

    user: login_users.User
    stamps: tuple[str, ...]


def follow(earlier: Change | None, before: login_users.User, after: login_users.User) -> Change:
    """The change of a user into another version, after an earlier one if there is any. after: with the next
    revision."""
    stamps = earlier.stamps if earlier is not None and before.stamp in earlier.stamps else ()
    return Change(user=after, stamps=tuple(dict.fromkeys((*stamps, before.stamp, after.stamp)))[-_MOST_STAMPS:])


def is_due(stored: login_users.User, change: Change) -> bool:
    """Whether the store has an older version of the same account."""
    return stored.stamp in change.stamps and stored.revision < change.user.revision


def fold(stored: collections.abc.Iterable[login_users.User], changes: Changes) -> tuple[login_users.User, ...]:
    """The users with their own changes. Whoever is gone, or was changed by the owner since, stays as stored."""
    return tuple(
        _change(user, changes[user.name]) if user.name in changes and is_due(user, changes[user.name]) else user
        for user in stored
    )


def find_due(stored: collections.abc.Iterable[login_users.User], changes: Changes) -> dict[str, Change]:
    """Without those that the store has, or an owner overruled. Those of users that are gone stay: their file may be
    damaged, and be put back."""
    users = {one.name: one for one in stored}
    return {name: one for name, one in changes.items() if name not in users or is_due(users[name], one)}


def _change(user: login_users.User, change: Change) -> login_users.User:
    own = {name: getattr(change.user, name) for name in _OWN}
    return dataclasses.replace(user, **own)


def value_of(change: Change) -> dict[str, object]:
    """For JSON."""
    return dataclasses.asdict(change)


def read(value: dict[str, typing.Any]) -> Change:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is none."""
    return Change(user=login_users.read(value["user"]), stamps=tuple(map(str, value["stamps"])))
