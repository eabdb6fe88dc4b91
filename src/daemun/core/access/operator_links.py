"""The link of `daemun dashboard`, by which somebody who may use the command comes to the dashboard, once. Pure.

There is one at a time: the next one takes its place. The secret stands behind the `#` of the address, which browsers
send to nobody (RFC 9110 section 4.2.5), and a page sends it with a button. Only its digest is kept.
"""

import dataclasses
import hmac
import json
import re

from daemun.core.access import operator_sessions

KEY = "dashboard/link.json"
"""Of the store."""
LIFETIME_S = 600.0
RANDOM_BYTES = 32
PATH = "/enter"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLink:
    """digest: of the secret. name: the account that ran the command. created_s, ends_s: since the epoch."""

    digest: str = dataclasses.field(repr=False)
    name: str
    created_s: float
    ends_s: float

    def is_over(self, now_s: float) -> bool:
        """A clock that was put back makes no link last longer."""
        return now_s >= self.ends_s or now_s < self.created_s - LIFETIME_S

    def is_opened_by(self, secret: str) -> bool:
        return is_secret(secret) and hmac.compare_digest(self.digest, operator_sessions.digest(secret))


def is_secret(text: str) -> bool:
    """Whether it has the form of one."""
    return _SECRET.match(text) is not None


def make(secret: str, *, name: str, now_s: float) -> OperatorLink:
    return OperatorLink(
        digest=operator_sessions.digest(secret),
        name=operator_sessions.shorten(name, 100),
        created_s=now_s,
        ends_s=now_s + LIFETIME_S,
    )


def encode(link: OperatorLink) -> bytes:
    return json.dumps(dataclasses.asdict(link)).encode()


def decode(content: bytes) -> OperatorLink:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text. One that would last longer than
    any does is none."""
    value = json.loads(content)
    link = OperatorLink(
        digest=str(value["digest"]),
        name=str(value["name"]),
        created_s=operator_sessions.read_moment(value["created_s"]),
        ends_s=operator_sessions.read_moment(value["ends_s"]),
    )
    if link.ends_s - link.created_s > LIFETIME_S:
        raise ValueError("it lasts too long")
    return link
