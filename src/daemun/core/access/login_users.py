"""The users of daemun's own sign-in, as values that the store holds and the judge gets. Pure."""

import collections.abc
import dataclasses
import hashlib
import json
import typing

from daemun.core.access import login_passkeys

KEY = "login/users.json"
"""Of the store."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """By which a person becomes a user. digest: of the secret in its link (`digest_invitation`). ends_s: since the
    epoch."""

    digest: str = dataclasses.field(repr=False)
    ends_s: float

    def is_over(self, now_s: float) -> bool:
        return now_s >= self.ends_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """name: what people sign in with. hashed: the password. stamp: drawn anew with each password: sessions of an
    earlier one are over. groups: sorted. totp: the secret of one-time codes (RFC 6238), base32; None: they are not
    needed. recovery: digests of codes that may stand in once each (`digest_recovery`). revision: how often the user
    changed the account (`login_changes`). invitation: of who has no password yet, and cannot sign in. is_disabled: kept
    out for a while; nothing of the user counts meanwhile."""

    name: str
    hashed: str = dataclasses.field(repr=False)
    stamp: str
    display: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    totp: str | None = dataclasses.field(default=None, repr=False)
    recovery: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    revision: int = 0
    invitation: Invitation | None = None
    passkeys: tuple[login_passkeys.Passkey, ...] = ()
    is_disabled: bool = False


def encode(users: collections.abc.Iterable[User]) -> bytes:
    return json.dumps([dataclasses.asdict(one) for one in sorted(users, key=lambda user: user.name)], indent=1).encode()


def decode(content: bytes) -> tuple[User, ...]:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
    return tuple(read(one) for one in json.loads(content))


def read(value: dict[str, typing.Any]) -> User:
    """Raises: as `decode`. value: of dataclasses.asdict; a version of before wrote less."""
    totp = value["totp"]
    return User(
        name=str(value["name"]),
        hashed=str(value["hashed"]),
        stamp=str(value["stamp"]),
        display=str(value["display"]),
        email=str(value["email"]),
        groups=tuple(map(str, value["groups"])),
        totp=None if totp is None else str(totp),
        recovery=tuple(map(str, value["recovery"])),
        revision=int(value.get("revision", 0)),
        invitation=_read_invitation(value.get("invitation")),
        passkeys=tuple(map(login_passkeys.read, value.get("passkeys", ()))),
        is_disabled=bool(value.get("is_disabled", False)),
    )


def _read_invitation(value: dict[str, typing.Any] | None) -> Invitation | None:
    return None if value is None else Invitation(digest=str(value["digest"]), ends_s=float(value["ends_s"]))


def digest_invitation(secret: str) -> str:
    """256 random bits need no slow digest."""
    return hashlib.sha256(secret.encode()).hexdigest()


def digest_recovery(code: str) -> str:
    """Of a code as a person typed it. 80 random bits need no slow digest."""
    return hashlib.sha256("".join(code.split()).replace("-", "").upper().encode()).hexdigest()
