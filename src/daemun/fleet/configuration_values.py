"""What a fleet stores of its configuration: revisions, the change under way, what each node reported of it. Pure.

All of it is JSON, and comes from a database: whatever is not as expected is a ValueError.
"""

import collections.abc
import dataclasses
import datetime
import enum
import hashlib
import json
import pathlib
import re
import typing
import zlib

from daemun.core.texts import durations
from daemun.sources import yaml_positions

PREFIX = "configuration"
KEY_CURRENT = f"{PREFIX}/current"
KEY_ROLL = f"{PREFIX}/roll"
KEY_REFUSED = f"{PREFIX}/refused"
"""The last change that was not taken, until another one is."""
REPORTS = f"{PREFIX}/reports"
FILES = f"{PREFIX}/files"
"""Under it the files of the current revision and of the change under way, by their ids: nobody reads them twice."""
LEASE = PREFIX
KEY_OF_NODE = "node/configuration"
"""Of each machine alone: `FollowedRevision`."""
MAIN = ""
"""Stands for daemun.yaml among the files, whatever each node calls it."""

Json = dict[str, typing.Any]
Files = collections.abc.Mapping[str, bytes]
"""Shared texts: daemun.yaml as `MAIN`, without what is each node's own, and those that it includes from its folder."""

_MOST_TEXT = 500
_MOST_PASSED = 100
"""Revisions of before that each one names."""
_MOST_BYTES = 256 << 20
"""Of all files together."""
_ID = re.compile(r"[a-z0-9]{1,64}")
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A configuration that the fleet serves. number: rises by one. id: no other change has it. author: "daemun add
    shop.example.com", "edit of daemun.yaml". user: who ran it; "": not known. node: where. at: aware UTC. before: the
    ids of the revisions that it goes on from, the last one first.
    """

    number: int
    id: str
    files: Files = dataclasses.field(repr=False)
    author: str
    user: str = ""
    node: str
    at: datetime.datetime
    before: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """A change under way. base: the id of the revision that it replaces; "": there is none. order: the nodes that are
    to have it, its author's first. turn: the nodes of `order` up to this one serve it; -1: none, it is checked."""

    revision: Revision
    base: str
    order: tuple[str, ...]
    turn: int = -1

    @property
    def serving(self) -> tuple[str, ...]:
        return self.order[: self.turn + 1]


class ReportState(enum.Enum):
    """CHECKED: the node could serve it. REFUSED: it could not. CONFIRMED: it serves it. FAILED: it tried, and serves
    what it served before."""

    CHECKED = "checked"
    REFUSED = "refused"
    CONFIRMED = "confirmed"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """id: of the change. cause: why it is refused or failed."""

    node: str
    id: str
    state: ReportState
    cause: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefusedChange:
    """A change that was not taken. causes: node -> why."""

    number: int
    id: str
    author: str
    node: str
    at: datetime.datetime
    causes: tuple[tuple[str, str], ...]

    @property
    def cause(self) -> str:
        """On which nodes, and why."""
        return "; ".join(f"on {node}: {why}" for node, why in self.causes)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileCopy:
    """What was written and is not served. name: of the file that held it. path: of the copy. cause: why;
    "": the machine had it before it joined its fleet."""

    name: str
    path: str
    cause: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FollowedRevision:
    """Up to which revision this machine's files are part of what the fleet agreed on. number, id: of it. files: what
    they held then. own: the machine's own part of daemun.yaml. copies: those that are still there. revision:
    where the files held all of it, for a database that loses it."""

    number: int
    id: str
    files: Files = dataclasses.field(repr=False)
    own: bytes = dataclasses.field(default=b"", repr=False)
    copies: tuple[FileCopy, ...] = ()
    revision: Revision | None = None


def list_passed(current: Revision | None) -> tuple[str, ...]:
    """`Revision.before` of the next one."""
    return () if current is None else (current.id, *current.before)[:_MOST_PASSED]


def came_before(current: Revision | None, later: Revision) -> bool:
    """Whether the later one was made from this one, so that a database that has this one went back."""
    return current is None or current.id in later.before


def digest_of(files: Files) -> str:
    """Tells contents apart in messages."""
    found = hashlib.sha256()
    for name, text in sorted(files.items()):
        found.update(b"%d %d " % (len(name), len(text)) + name.encode("utf-8", "surrogateescape") + text)
    return found.hexdigest()[:8]


# --- as JSON ---------------------------------------------------------------------------------------------------


def report_key(node: str) -> str:
    """A key has not every sign that a name may have."""
    return f"{REPORTS}/{node if _PLAIN_NAME.fullmatch(node) else f'.{node.encode().hex()[:190]}'}"


def files_key(id: str) -> str:  # noqa: A002
    """id: of a revision."""
    return f"{FILES}/{id}"


def encode_files(files: Files) -> bytes:
    """Compressed: every node reads them at the same moment, and a database cannot make small what is encrypted."""
    return zlib.compress(json.dumps(_to_json(files)).encode())


def encode(value: Revision | Roll | NodeReport | RefusedChange | FollowedRevision) -> bytes:
    """Of a revision without its files."""
    return json.dumps(_to_json(value), indent=1).encode()


def _to_json(value: object) -> typing.Any:
    found: object = value
    if dataclasses.is_dataclass(value):
        found = _fields(value, without="files" if isinstance(value, Revision) else "")
    elif isinstance(value, collections.abc.Mapping):
        found = {key: _to_json(one) for key, one in value.items()}
    elif isinstance(value, tuple):
        found = [_to_json(one) for one in value]
    elif isinstance(value, bytes):
        found = value.decode("utf-8", "surrogateescape")
    elif isinstance(value, datetime.datetime):
        found = durations.instant(value)
    elif isinstance(value, enum.Enum):
        found = value.value
    return found


def _fields(value: typing.Any, *, without: str) -> Json:
    names = (field.name for field in dataclasses.fields(value) if field.name != without)
    return {name: _to_json(getattr(value, name)) for name in names}


FindFiles = collections.abc.Callable[[str], Files]
"""Of a revision, by its id."""


def decode_files(content: bytes) -> Files:
    """Also those that an older daemun stored, which were not compressed. Raises: ValueError."""
    return _files(_load(content if content.startswith(b"{") else _decompress(content)), is_checked=True)


def _decompress(content: bytes) -> bytes:
    """Raises: ValueError."""
    engine = zlib.decompressobj()
    try:
        found = engine.decompress(content, _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"expected compressed files: {error}") from error
    if not engine.eof:
        raise ValueError("expected compressed files: they are cut off, or too large")
    return found


def decode_revision(content: bytes, find_files: FindFiles) -> Revision:
    """Raises: ValueError, and what `find_files` raises."""
    return _revision(_load(content), find_files)


def decode_id(content: bytes) -> str:
    """Of a revision. Raises: ValueError."""
    return _text(_load(content).get("id"))


def decode_id_of_roll(content: bytes) -> str:
    """Of its revision. Raises: ValueError."""
    return _text(_map(_load(content).get("revision")).get("id"))


def decode_roll(content: bytes, find_files: FindFiles) -> Roll:
    """Raises: as `decode_revision`."""
    fields = _load(content)
    order = tuple(_text(one) for one in _list(fields.get("order")))
    turn = _number(fields.get("turn"))
    if not order or len(set(order)) < len(order) or not -1 <= turn < len(order):
        raise ValueError("expected nodes, each once, and whose turn it is")
    return Roll(
        revision=_revision(_map(fields.get("revision")), find_files),
        base=_text(fields.get("base")),
        order=order,
        turn=turn,
    )


def decode_report(content: bytes) -> NodeReport:
    """Raises: ValueError."""
    fields = _load(content)
    node, state = _text(fields.get("node")), ReportState(fields.get("state"))
    return NodeReport(node=node, id=_text(fields.get("id")), state=state, cause=_text(fields.get("cause"))[:_MOST_TEXT])


def decode_refused(content: bytes) -> RefusedChange:
    """Raises: ValueError."""
    fields = _load(content)
    pairs = [_list(one) for one in _list(fields.get("causes"))]
    return RefusedChange(
        number=_number(fields.get("number")),
        id=_text(fields.get("id")),
        author=_text(fields.get("author"))[:_MOST_TEXT],
        node=_text(fields.get("node")),
        at=_instant(fields.get("at")),
        causes=tuple((_text(node), _text(why)[:_MOST_TEXT]) for node, why in pairs),
    )


def decode_followed(content: bytes) -> FollowedRevision:
    """Raises: ValueError."""
    fields = _load(content)
    copies = [_map(one) for one in _list(fields.get("copies"))]
    files, revision = _files(fields.get("files"), is_checked=False), fields.get("revision")
    return FollowedRevision(
        number=_number(fields.get("number")),
        id=_text(fields.get("id")),
        files=files,
        own=_bytes(fields.get("own")),
        copies=tuple(
            FileCopy(name=_text(one.get("name")), path=_text(one.get("path")), cause=_text(one.get("cause")))
            for one in copies
        ),
        revision=None if revision is None else _revision(_map(revision), lambda _: files),
    )


def _revision(fields: Json, find_files: FindFiles) -> Revision:
    number, id_ = _number(fields.get("number")), _text(fields.get("id"))
    if number < 1 or not _ID.fullmatch(id_):
        raise ValueError("expected a number from 1, and an id")
    return Revision(
        number=number,
        id=id_,
        files=find_files(id_),
        author=_text(fields.get("author"))[:_MOST_TEXT],
        user=_text(fields.get("user"))[:_MOST_TEXT],
        node=_text(fields.get("node")),
        at=_instant(fields.get("at")),
        before=tuple(_text(one) for one in _list(fields.get("before", []))),
    )


def is_name(name: str) -> bool:
    """Whether an included file may be called so: it is written below the folder of daemun.yaml, nowhere else."""
    path = pathlib.PurePosixPath(name)
    is_plain = bool(name) and name.isprintable() and not path.is_absolute() and str(path) == name
    return is_plain and not any(part.startswith(".") for part in path.parts)


def _files(value: object, *, is_checked: bool) -> dict[str, bytes]:
    found = {_text(name): _bytes(text) for name, text in _map(value).items()}
    if is_checked and MAIN not in found:
        raise ValueError("expected the text of daemun.yaml")
    if bad := [name for name in found if name != MAIN and not is_name(name)]:
        raise ValueError(f"cannot be the name of an included file: {bad[0]!r:.80}")
    if any(len(text) > yaml_positions.MAX_BYTES for text in found.values()):
        raise ValueError("a file is too large")
    return found


def _load(content: bytes) -> Json:
    try:
        return _map(json.loads(content))
    except RecursionError as error:
        raise ValueError("expected JSON of fewer levels") from error


def _map(value: object) -> Json:
    if not isinstance(value, dict):
        raise ValueError("expected a map")  # noqa: TRY004 - of a value from outside
    return value


def _list(value: object) -> list[typing.Any]:
    if not isinstance(value, list):
        raise ValueError("expected a list")  # noqa: TRY004 - of a value from outside
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a text")  # noqa: TRY004 - of a value from outside
    return value


def _bytes(value: object) -> bytes:
    return _text(value).encode("utf-8", "surrogateescape")


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - of a value from outside
    return value


def _instant(value: object) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError("expected a time with its zone")
    return found
