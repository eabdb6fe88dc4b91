"""What a visitor sends as name and password (RFC 7617), untrusted: any bytes of any length. Pure."""

import base64
import binascii
import dataclasses

from daemun.core import password_hashes

LONGEST_HEADER = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """user: without control characters. password: kept out of what is printed."""

    user: str
    password: str = dataclasses.field(repr=False)


def parse(header: str) -> Credentials | None:
    """None: there are none that a user could have. header: the value of `Authorization`."""
    scheme, _, encoded = header.strip().partition(" ")
    encoded = encoded.strip()
    if scheme.lower() != "basic" or not encoded or len(header) > LONGEST_HEADER:
        return None
    try:
        text = base64.b64decode(encoded.encode("ascii"), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):  # UnicodeError is one
        return None
    user, colon, password = (password_hashes.normalize(part) for part in text.partition(":"))
    if not colon or password_hashes.check_user(user) or password_hashes.check_password(password):
        return None
    return Credentials(user, password)
