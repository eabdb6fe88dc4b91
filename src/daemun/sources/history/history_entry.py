"""One configuration that was applied, as it is kept. Pure.

A secret of a file is kept as a name, "7.1": the first that came with entry 7. The same name stands for the same text in
every entry, so that a change of a secret shows; the text itself is in none, nor anything that is made from it.
"""

import collections.abc
import dataclasses
import datetime
import enum
import json
import typing
import zlib

from daemun.control import history_port
from daemun.core.texts import durations

Json = dict[str, typing.Any]
Files = collections.abc.Mapping[str, bytes]
"""What files hold: daemun.yaml first, then those that it includes, by their names from its folder."""

MOST_CHANGES = 50
"""Sites and streams that an entry names; of more it has the number."""
_LARGEST_BYTES = 64 << 20
"""Of an entry that is read: one that grows beyond that was not written by daemun."""
_STATE_BEFORE = "came"
"""The key of the state in entries that were written until 2026-11-29."""


class EntryState(enum.Enum):
    """Whether a configuration came live. PARTLY: but for what was refused. WAITS: for nginx's old workers. UNDONE: it
    could not, and the files were put back at once: the entry has those."""

    LIVE = "live"
    PARTLY = "partly live"
    WAITS = "waiting"
    FAILED = "not live"
    UNDONE = "not live, undone"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who brought a change. what: "daemun add shop.example.com", "edit of daemun.yaml", "containers", "start".
    user: the account that ran a command; "": not known. message: why, in that person's words; "": nothing was said."""

    what: str
    user: str = ""
    message: str = ""

    def __str__(self) -> str:
        by = f"{self.what} ({self.user})" if self.user else self.what
        return f"{by}: {self.message}" if self.message else by


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HiddenSecret:
    """name: of its text. path: where it stands."""

    name: str
    path: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFile:
    """name: from the folder of daemun.yaml. text: of `secret_masks.mask`; None: it is no YAML, and was not kept."""

    name: str
    text: str | None
    secrets: tuple[HiddenSecret, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """files: daemun.yaml first, then those that it includes; empty where there is none. routes: of containers.

    changes: "added shop.example.com"; more: how many besides. reason: why not all is live. generation: of nginx.
    """

    number: int
    at: datetime.datetime
    author: Author
    state: EntryState
    reason: str = ""
    generation: int | None = None
    files: tuple[HistoryFile, ...] = ()
    routes: tuple[history_port.ContainerRoute, ...] = ()
    changes: tuple[str, ...] = ()
    more: int = 0

    @property
    def can_be_restored(self) -> bool:
        """Whether its files can be written again."""
        return bool(self.files) and all(one.text is not None for one in self.files)

    def is_same(self, other: "HistoryEntry") -> bool:
        """Whether both are of the same configuration."""
        return self.files == other.files and self.routes == other.routes

    def find_file(self, name: str) -> HistoryFile | None:
        return next((one for one in self.files if one.name == name), None)


def encode(entry: HistoryEntry) -> bytes:
    """Compressed: sites resemble each other."""
    text = json.dumps({**dataclasses.asdict(entry), "at": entry.at.isoformat(), "state": entry.state.value})
    return zlib.compress(text.encode(), 6)


def decode(content: bytes) -> HistoryEntry:
    """Raises: ValueError, LookupError or TypeError when it is damaged."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(content, _LARGEST_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacker.eof:
        raise ValueError("it is cut off, or too large")
    value = json.loads(text)
    at = datetime.datetime.fromisoformat(value["at"])
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return HistoryEntry(
        number=_number(value["number"]),
        at=at,
        author=Author(
            what=_text(value["author"]["what"]),
            user=_text(value["author"]["user"]),
            message=_text(value["author"].get("message", "")),
        ),
        state=EntryState(value.get("state", value.get(_STATE_BEFORE))),
        reason=_text(value["reason"]),
        generation=None if value["generation"] is None else _number(value["generation"]),
        files=tuple(map(_decode_file, value["files"])),
        routes=tuple(
            history_port.ContainerRoute(**{key: _text(one[key]) for key in ("host", "path", "origin")})
            for one in value["routes"]
        ),
        changes=tuple(map(_text, value["changes"])),
        more=_number(value["more"]),
    )


def _decode_file(value: Json) -> HistoryFile:
    secrets = tuple(HiddenSecret(name=_text(one["name"]), path=_text(one["path"])) for one in value["secrets"])
    return HistoryFile(
        name=_text(value["name"]), text=None if value["text"] is None else _text(value["text"]), secrets=secrets
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("expected a number")
    return value


def summary_json(entry: HistoryEntry) -> Json:
    """What `daemun history --json` has of it. Keys may be added, never renamed."""
    return {
        "number": entry.number,
        "at": durations.instant(entry.at),
        "by": entry.author.what,
        "user": entry.author.user or None,
        "message": entry.author.message or None,
        "state": entry.state.value,
        "reason": entry.reason or None,
        "generation": entry.generation,
        "changes": list(entry.changes),
        "more_changes": entry.more,
        "files": [one.name for one in entry.files],
        "can_be_restored": entry.can_be_restored,
        "is_whole": entry.can_be_restored,  # as it was called first
    }
