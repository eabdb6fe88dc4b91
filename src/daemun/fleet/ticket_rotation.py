"""The keys of TLS session tickets that all machines of a fleet have, and when another takes its turn. Pure.

The first key encrypts, all decrypt (nginx.org/r/ssl_session_ticket_key). A new one comes last, and is moved first once
every living machine can decrypt what it encrypts; the one before it goes when the next one is first, a day later: no
ticket is good for longer (`core.render.tls`).
"""

import base64
import collections.abc
import dataclasses
import datetime
import json
import re

TURN = datetime.timedelta(days=1)
PATIENCE = datetime.timedelta(days=1)
"""How long a machine that lives and cannot load the new key keeps the old one in use for all: what it cannot decrypt is
a whole handshake there."""
SECRET_BYTES = 80
_NUMBER = re.compile(r"[0-9a-f]{16}\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TicketKey:
    """number: of its file, drawn at random."""

    number: str
    secret: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TicketKeys:
    """As nginx is given them. is_next_last: the last one is new, and encrypts nothing yet. turned_at: when it came, or
    the first one became that."""

    keys: tuple[TicketKey, ...]
    is_next_last: bool
    turned_at: datetime.datetime


def rotate(
    before: TicketKeys | None,
    now: datetime.datetime,
    *,
    loaded: collections.abc.Mapping[str, collections.abc.Container[str]],
    living: collections.abc.Iterable[str],
    draw: collections.abc.Callable[[], TicketKey],
) -> TicketKeys:
    """The same, unless a step is due. loaded: by machine the numbers of the keys that its nginx has."""
    if before is None or not before.keys:
        return TicketKeys(keys=(draw(),), is_next_last=False, turned_at=now)
    passed = abs(now - before.turned_at)  # a clock that was put back does not end the turns
    if before.is_next_last:
        *others, new = before.keys
        if passed < PATIENCE and any(new.number not in loaded.get(node, ()) for node in living):
            return before
        return TicketKeys(keys=(new, *others[:1]), is_next_last=False, turned_at=now)
    if passed < TURN:
        return before
    return TicketKeys(keys=(*before.keys[:2], draw()), is_next_last=True, turned_at=now)


def encode(keys: TicketKeys) -> bytes:
    rows = [{"number": one.number, "secret": base64.b64encode(one.secret).decode()} for one in keys.keys]
    value = {"keys": rows, "is_next_last": keys.is_next_last, "turned_at": keys.turned_at.isoformat()}
    return json.dumps(value).encode()


def decode(content: bytes) -> TicketKeys:
    """Raises: ValueError, KeyError, TypeError."""
    value = json.loads(content)
    keys = tuple(_read(row["number"], base64.b64decode(row["secret"], validate=True)) for row in value["keys"])
    turned_at = datetime.datetime.fromisoformat(value["turned_at"])
    if turned_at.tzinfo is None or not 1 <= len(keys) <= 3 or (value["is_next_last"] and len(keys) == 1):
        raise ValueError("these are no keys of tickets")
    return TicketKeys(keys=keys, is_next_last=bool(value["is_next_last"]), turned_at=turned_at)


def _read(number: str, secret: bytes) -> TicketKey:
    if not _NUMBER.match(number) or len(secret) != SECRET_BYTES:
        raise ValueError("this is no key of tickets")
    return TicketKey(number=number, secret=secret)
