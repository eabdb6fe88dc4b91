"""The key of a fleet: by it alone values of its store can be read, wherever a copy of the database lies.

Its file has the fleet's name and keys, of which the first one encrypts and all decrypt, as nginx's
ssl_session_ticket_key does. A new one is put last on every node, and moved first when all have it.

    fleet 3b0f0d0c4d1f4a0f
    key 1 q83v...

AES-256-GCM with a new nonce for each value; at most 2^32 for a key (NIST SP 800-38D section 8.3). A value belongs to
its name and its fleet: put in another's place it cannot be read.
"""

import base64
import dataclasses
import hashlib
import hmac
import os
import re
import secrets

from cryptography import exceptions
from cryptography.hazmat.primitives.ciphers import aead

from daemun import errors

_NONCE_BYTES = 12
KEY_BYTES = 32
_MAC_DIGITS = 32
_FLEET = re.compile(r"fleet ([0-9a-f]{16,64})\Z")
_KEY = re.compile(r"key ([1-9][0-9]{0,8}) ([A-Za-z0-9+/]{43}=)\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedValue:
    """key_id: the number of the key that decrypts it."""

    content: bytes = dataclasses.field(repr=False)
    key_id: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FleetKey:
    """fleet: its name, which no other one has. keys: with their numbers; the first one encrypts."""

    fleet: str
    keys: tuple[tuple[int, bytes], ...] = dataclasses.field(repr=False)

    def encrypt(self, name: str, value: bytes) -> EncryptedValue:
        """name: the key of the store."""
        number, key = self.keys[0]
        nonce = os.urandom(_NONCE_BYTES)
        return EncryptedValue(content=nonce + aead.AESGCM(key).encrypt(nonce, value, self._bound(name)), key_id=number)

    def decrypt(self, name: str, encrypted: EncryptedValue) -> bytes:
        """Raises: UnreadableValueError."""
        key = dict(self.keys).get(encrypted.key_id)
        if key is None:
            raise errors.UnreadableValueError(
                f'cannot read "{name}": it is encrypted with key {encrypted.key_id} of the fleet, and the '
                f"file of `fleet.key` has {', '.join(str(number) for number, _ in self.keys)}; copy it from a machine "
                "that has that key"
            )
        nonce, content = encrypted.content[:_NONCE_BYTES], encrypted.content[_NONCE_BYTES:]
        try:
            return aead.AESGCM(key).decrypt(nonce, content, self._bound(name))
        except (exceptions.InvalidTag, ValueError):
            raise errors.UnreadableValueError(
                f'cannot read "{name}": it was encrypted by another key {encrypted.key_id} than that of `fleet.key`, '
                "for another name or fleet, or it is damaged; compare that file with another machine's, or restore the "
                "database"
            ) from None

    def sign(self, name: str, text: str) -> str:
        """The number of the key, and what proves that a machine of this fleet wrote the text for that name. Not secret,
        and without the limit that `encrypt` has: heartbeats are many."""
        number, key = self.keys[0]
        return f"{number}:{self._mac(key, name, text)}"

    def is_signed(self, name: str, text: str, signature: str) -> bool:
        """signature: hostile."""
        number, _, mac = signature.partition(":")
        key = next((one for held, one in self.keys if str(held) == number), None)
        return key is not None and hmac.compare_digest(self._mac(key, name, text).encode(), mac.encode())

    def _mac(self, key: bytes, name: str, text: str) -> str:
        derived = hmac.digest(key, b"daemun signature 1", hashlib.sha256)  # never the key that encrypts
        return hmac.digest(derived, self._bound(name) + b"\n" + text.encode(), hashlib.sha256).hex()[:_MAC_DIGITS]

    def _bound(self, name: str) -> bytes:
        return f"{self.fleet}\n{name}".encode()


def make() -> FleetKey:
    return FleetKey(fleet=secrets.token_hex(16), keys=((1, secrets.token_bytes(KEY_BYTES)),))


def rotate(key: FleetKey) -> FleetKey:
    """With a new key that decrypts, and does not encrypt yet."""
    number = max(number for number, _ in key.keys) + 1
    return dataclasses.replace(key, keys=(*key.keys, (number, secrets.token_bytes(KEY_BYTES))))


def unite(mine: FleetKey, other: FleetKey) -> FleetKey:
    """All keys of both, of one fleet. The other's first one encrypts where it has all of mine: else it is older, and
    mine goes on. Raises: EnvironmentProblemError: they have one number for two keys."""
    own, others = dict(mine.keys), dict(other.keys)
    for number in own.keys() & others.keys():
        if own[number] != others[number]:
            raise errors.EnvironmentProblemError(
                f"cannot take the fleet's keys: key {number} of its database is another than key {number} of the file "
                "of `fleet.key`; no key is thrown away: compare that file with those of the other machines, and "
                "restore the database, or copy the file of a machine that reads it"
            )
    if own.keys() <= others.keys():
        return other
    new = ((number, one) for number, one in other.keys if number not in own)
    return dataclasses.replace(mine, keys=(*mine.keys, *new))


def encode(key: FleetKey) -> str:
    lines = [f"fleet {key.fleet}", *(f"key {number} {base64.b64encode(one).decode()}" for number, one in key.keys)]
    return "".join(f"{line}\n" for line in lines)


def decode(text: str, *, source: str) -> FleetKey:
    """source: the file, for messages. Raises: ConfigError, without anything of the text."""
    fleets: list[str] = []
    keys: dict[int, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fleet, key = _FLEET.match(line.strip()), _KEY.match(line.strip())
        if fleet is not None:
            fleets.append(fleet[1])
        elif key is not None and int(key[1]) not in keys:
            keys[int(key[1])] = base64.b64decode(key[2])
        elif line.strip() and not line.startswith("#"):
            raise errors.ConfigError(
                f'cannot use the fleet\'s key: line {number} of "{source}" is neither "fleet NAME" nor "key NUMBER '
                'KEY" with a number of its own and 32 bytes in base64; copy the file from another machine'
            )
    if len(fleets) != 1 or not keys:
        raise errors.ConfigError(
            f'cannot use the fleet\'s key: "{source}" has {len(fleets)} lines "fleet NAME" and {len(keys)} lines '
            '"key NUMBER KEY"; expected one, and at least one; copy the file from another machine'
        )
    return FleetKey(fleet=fleets[0], keys=tuple(keys.items()))
