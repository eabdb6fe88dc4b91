"""Values as a store has them, and changes of them: what the methods of `control.ports.Store` take and give."""

import collections.abc
import dataclasses

from daemun import errors

ABSENT = ""
"""The revision of a key that is not there."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VersionedValue:
    """revision: another one after each change of the value; nothing else follows from it."""

    value: bytes = dataclasses.field(repr=False)
    revision: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadValues:
    """What many keys held at one moment. Keys that are not there are in neither."""

    found: collections.abc.Mapping[str, VersionedValue]
    unreadable: collections.abc.Mapping[str, errors.EnvironmentProblemError]

    def revision(self, key: str) -> str:
        """ABSENT where it is not there. Raises: EnvironmentProblemError where that cannot be known."""
        if key in self.unreadable:
            raise self.unreadable[key]
        return self.found[key].revision if key in self.found else ABSENT


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """value: None deletes the key. expected: the revision that it must have; ABSENT: it must not be there; None: it may
    have any."""

    key: str
    value: bytes | None = dataclasses.field(repr=False)
    expected: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChangedKey:
    """is_deleted: it is not there any more (a tombstone)."""

    key: str
    is_deleted: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a store was watched; made by its `watch`, and good for that store only.

    revision: of a store that numbers its changes; it may be kept, with the epoch, in which numbers rise, and the id of
    the change that had it. seen: of a store that does not: what each key was.
    """

    revision: int = 0
    epoch: int = 0
    change: str | None = None
    seen: collections.abc.Mapping[str, object] = dataclasses.field(default_factory=dict, repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChangedKeys:
    """What changed since the cursor before, each key once.

    cursor: to go on from when these were dealt with. is_complete: these are all keys that there are, and any other is
    gone: what was deleted since is not known any more, or the store forgot changes (a failover, an older copy).
    """

    keys: tuple[ChangedKey, ...]
    cursor: Cursor
    is_complete: bool = False
