"""What the audit log has of each change that was requested by the dashboard or its API. Pure.

A line is one JSON object, bounded in its length. Secrets never belong there; what looks like one of daemun's own is
left out all the same, and so is what has the form of another's.
"""

import dataclasses
import datetime
import json
import re
import typing

from daemun.core.texts import durations, secret_forms

LONGEST_VALUE = 2000
"""Characters of what was there before, and after."""
LONGEST_TEXT = 300
_SECRET = re.compile(r"(daemun_(?:[a-z]+_)?)[A-Za-z0-9_-]{43}")
"""Sessions of the dashboard, tokens of its API, and tokens of sites."""
_LEFT_OUT = "(left out)"
_LOOKED_AT = 20_000
"""Characters behind the cut, where the end of a secret may stand."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """at: aware UTC. who: as of `Operator.name`. role: its word. how: "link", "token", "login", or "command" of who
    used the machine itself. summary: what it does, in words. target, before, after: of what was changed, "" where there
    is nothing to say. status: of the answer; 200 of a command."""

    at: datetime.datetime
    who: str
    role: str
    how: str
    address: str
    method: str
    path: str
    summary: str
    target: str = ""
    before: str = ""
    after: str = ""
    status: int = 200


def encode(entry: AuditEntry) -> bytes:
    """One line with its end."""
    return json.dumps(value_of(entry), ensure_ascii=False).encode() + b"\n"


def value_of(entry: AuditEntry) -> dict[str, typing.Any]:
    """For JSON. Keys may be added, never renamed."""
    found: dict[str, typing.Any] = {name: getattr(entry, name) for name in _NAMES}
    for name, value in found.items():
        if isinstance(value, str):
            found[name] = clean(value, LONGEST_VALUE if name in {"before", "after"} else LONGEST_TEXT)
    return {**found, "at": durations.instant(entry.at)}


def decode(line: bytes) -> AuditEntry | None:
    """None: it is no entry."""
    try:
        value = json.loads(line)
        texts = {name: secret_forms.hide(_whole(str(value[name]))) for name in _TEXTS}
        at = datetime.datetime.fromisoformat(str(value["at"])).astimezone(datetime.UTC)
        return AuditEntry(at=at, status=int(value["status"]), **texts)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _whole(text: str) -> str:
    """Halves of characters, which an earlier daemun noted, cannot be sent: one entry would hide all others."""
    return text.encode("utf-8", "backslashreplace").decode()


def clean(text: str, most: int) -> str:
    """Without secrets, and cut where it is too long."""
    found = secret_forms.hide(_SECRET.sub(rf"\1{_LEFT_OUT}", _whole(text[: most + _LOOKED_AT])))
    return found if len(text) <= most else f"{found[:most]}... ({len(text)} characters)"


_NAMES = tuple(field.name for field in dataclasses.fields(AuditEntry) if field.name != "at")
_TEXTS = tuple(name for name in _NAMES if name != "status")
