"""Passkeys of the sign-in's users (w3.org/TR/webauthn-3), as values. Pure."""

import dataclasses
import typing

MOST_OF_A_USER = 20
LONGEST_NAME = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """id, key: of the credential, base64url. name: what the user calls it. handle: what the authenticator calls the
    user, base64url, the same for all passkeys of one. counter: of its signatures when it was made; some have none."""

    id: str
    key: str = dataclasses.field(repr=False)
    name: str
    handle: str
    created_s: float
    counter: int = 0


def read(value: dict[str, typing.Any]) -> Passkey:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is none."""
    return Passkey(
        id=str(value["id"]),
        key=str(value["key"]),
        name=str(value["name"]),
        handle=str(value["handle"]),
        created_s=float(value["created_s"]),
        counter=int(value["counter"]),
    )


def clean_name(text: str) -> str:
    """As it is shown; "" when nothing is left of it."""
    return "".join(sign for sign in text if sign.isprintable()).strip()[:LONGEST_NAME]
