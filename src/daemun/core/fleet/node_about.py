"""What a node says of itself with each heartbeat, as it lies in the fleet's database. Pure.

Others wrote it, perhaps a newer daemun, so whatever is not as it should be is left out.
"""

import collections.abc
import dataclasses
import datetime
import json
import math

from daemun.core.texts import names

LONGEST = 4000
"""Signs of the text: it is written every two seconds by every node."""
_LONGEST_WORD = 100
_MOST = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeAbout:
    """version: daemun's. process: another one with each start. addresses: by which visitors reach it, IPv4 and IPv6.
    listen: where its nginx accepts connections. revision: of the configuration that it serves; None: not known.
    problems: how many errors its status has. started_at: aware UTC, by its own clock."""

    version: str = ""
    process: str = ""
    addresses: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    revision: int | None = None
    problems: int = 0
    started_at: datetime.datetime | None = None


def encode(about: NodeAbout) -> str:
    """The same values always give the same text: what did not change is not read again."""
    started_at = about.started_at
    return json.dumps(
        {
            "version": about.version[:_LONGEST_WORD],
            "process": about.process[:_LONGEST_WORD],
            "addresses": list(about.addresses[:_MOST]),
            "listen": list(about.listen[:_MOST]),
            "revision": about.revision,
            "problems": about.problems,
            "started_at": None if started_at is None else started_at.timestamp(),
        },
        separators=(",", ":"),
    )


def parse(text: str) -> NodeAbout:
    """What cannot be read of it is as if it were not said."""
    if len(text) > LONGEST:
        return NodeAbout()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return NodeAbout()
    if not isinstance(found, dict):
        return NodeAbout()
    return NodeAbout(
        version=_word(found.get("version")),
        process=_word(found.get("process")),
        addresses=tuple(one for one in _words(found.get("addresses")) if names.is_address_for_visitors(one)),
        listen=_words(found.get("listen")),
        revision=_number(found.get("revision")),
        problems=_number(found.get("problems")) or 0,
        started_at=_moment(found.get("started_at")),
    )


def _word(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST_WORD and value.isprintable() else ""


def _words(value: object) -> tuple[str, ...]:
    found = value if isinstance(value, collections.abc.Sequence) and not isinstance(value, str) else ()
    return tuple(word for word in map(_word, found[:_MOST]) if word)


def _number(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < 1 << 53 else None  # type: ignore[operator, return-value]


def _moment(value: object) -> datetime.datetime | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    try:
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return None
