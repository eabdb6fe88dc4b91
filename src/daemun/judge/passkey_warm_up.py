"""Uses all that passkeys need once, with keys of its own: what is imported late is imported now, and the process may
read nothing later."""

import collections.abc
import hashlib
import json

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from webauthn.helpers import bytes_to_base64url

from daemun.core.access import login_passkeys, login_users
from daemun.judge import passkey_check

_Key = dict[int, int | bytes]
"""As COSE has it (RFC 9053)."""
_Sign = collections.abc.Callable[[bytes], bytes]

_HOST, _ORIGIN, _CHALLENGE = "localhost", "https://localhost", "AAAA"
_ID = b"warm-up"
_PRESENT_AND_VERIFIED, _WITH_KEY = 0x05, 0x40


def warm_up() -> None:
    """Raises: passkey_check.RefusedError, or what an import raises."""
    user = login_users.User(name="warm-up", hashed="", stamp="")
    passkey_check.make_creation(user, host=_HOST, challenge=_CHALLENGE, handle="AAAA")
    passkey_check.make_request(host=_HOST, challenge=_CHALLENGE)
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    numbers = curve.public_key().public_numbers()
    x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
    _use({1: 2, 3: -7, -1: 1, -2: x, -3: y}, lambda data: curve.sign(data, ec.ECDSA(hashes.SHA256())))
    _use({1: 1, 3: -8, -1: 6, -2: edwards.public_key().public_bytes_raw()}, edwards.sign)
    # An RSA key takes long to make: what is imported late is the same with one that signed nothing.
    try:
        _verify({1: 3, 3: -257, -1: b"w" * 256, -2: b"\x01\x00\x01"}, lambda _: b"w" * 256)
    except passkey_check.RefusedError:
        return


def _use(key: _Key, sign: _Sign) -> None:
    data = _data(_PRESENT_AND_VERIFIED | _WITH_KEY) + bytes(16) + len(_ID).to_bytes(2, "big") + _ID + cbor2.dumps(key)
    attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
    sent = _sent("webauthn.create", attestationObject=attestation)
    passkey_check.verify_creation(json.dumps(sent), host=_HOST, origin=_ORIGIN, challenge=_CHALLENGE)
    _verify(key, sign)


def _verify(key: _Key, sign: _Sign) -> None:
    data, client = _data(_PRESENT_AND_VERIFIED), _client("webauthn.get")
    signature = sign(data + hashlib.sha256(client).digest())
    sent = json.dumps(_sent("webauthn.get", authenticatorData=data, signature=signature, userHandle=b"x"))
    written = bytes_to_base64url(cbor2.dumps(key))
    passkey = login_passkeys.Passkey(id=bytes_to_base64url(_ID), key=written, name="", handle="", created_s=0.0)
    passkey_check.find_named(sent)
    passkey_check.verify_use(sent, passkey, host=_HOST, origin=_ORIGIN, challenge=_CHALLENGE, counter=0)


def _data(flags: int) -> bytes:
    return hashlib.sha256(_HOST.encode()).digest() + bytes([flags]) + bytes(4)


def _client(kind: str) -> bytes:
    return json.dumps({"type": kind, "challenge": _CHALLENGE, "origin": _ORIGIN}).encode()


def _sent(kind: str, **response: bytes) -> dict[str, object]:
    written = {name: bytes_to_base64url(value) for name, value in response.items()}
    written["clientDataJSON"] = bytes_to_base64url(_client(kind))
    number = bytes_to_base64url(_ID)
    return {"id": number, "rawId": number, "type": "public-key", "response": written}
