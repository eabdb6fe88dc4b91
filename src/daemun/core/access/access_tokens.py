"""Tokens by which scripts come into sites with `login` (RFC 6750), as values that the store holds and the judge gets.
Pure.

A token is 256 random bits, so a plain digest of it is enough: nobody can try them all.
"""

import base64
import collections.abc
import dataclasses
import hashlib
import json
import re
import typing

from daemun.core.texts import patterns

KEY = "login/tokens.json"
"""Of the store."""
PREFIX = "daemun_"
RANDOM_BYTES = 32
EVERY_SITE = "*"
MOST = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """name: what people name it by. user: as whom it comes in. sites: hosts, as `patterns.is_among` has them, or
    EVERY_SITE alone. digest: of the secret. created_s, ends_s: since the epoch."""

    name: str
    user: str
    sites: tuple[str, ...]
    digest: str = dataclasses.field(repr=False)
    created_s: float
    ends_s: float

    def is_over(self, now_s: float) -> bool:
        return now_s >= self.ends_s

    def is_for(self, host: str) -> bool:
        """host: as nginx has it ($host)."""
        return self.sites == (EVERY_SITE,) or patterns.is_among(host, self.sites)


def check_name(name: str) -> str | None:
    """Why a text cannot name a token; None: it can."""
    return None if _NAME.match(name) else "is no name of a token; expected letters, digits, dots, dashes, underscores"


def make_secret(random: bytes) -> str:
    """What a script sends. random: RANDOM_BYTES of them."""
    return PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def encode(tokens: collections.abc.Iterable[Token]) -> bytes:
    return json.dumps([dataclasses.asdict(one) for one in sorted(tokens, key=lambda one: one.name)], indent=1).encode()


def decode(content: bytes) -> tuple[Token, ...]:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
    return tuple(_read(one) for one in json.loads(content))


def _read(value: dict[str, typing.Any]) -> Token:
    return Token(
        name=str(value["name"]),
        user=str(value["user"]),
        sites=tuple(map(str, value["sites"])),
        digest=str(value["digest"]),
        created_s=float(value["created_s"]),
        ends_s=float(value["ends_s"]),
    )
