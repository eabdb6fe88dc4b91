"""The ACME account: one key for all CAs, and under which URL and e-mail address each CA knows it."""

import base64
import contextlib
import dataclasses
import hashlib
import json
import threading

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from daemun import errors
from daemun.certs import local_ca
from daemun.control import ports

_KEY = "accounts/key.pem"
_MAKING = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """url: the account at one CA (RFC 8555 section 7.3). email: the contact the CA was told last."""

    url: str
    email: str | None


def load_or_create_key(store: ports.Store) -> ec.EllipticCurvePrivateKey:
    """The account key (P-256), made on first use.

    Raises: EnvironmentProblemError when the stored one is damaged; LockHeldError when another process makes it now.
    """
    with _MAKING:
        with contextlib.suppress(errors.NotFoundInStoreError):
            return _load(store.read(_KEY))
        with store.lock("accounts", lease_s=60):
            with contextlib.suppress(errors.NotFoundInStoreError):
                return _load(store.read(_KEY))
            key = ec.generate_private_key(ec.SECP256R1())
            store.write(_KEY, local_ca.private_pem(key))
            return key


def read_thumbprint(store: ports.Store) -> str | None:
    """The account's thumbprint; None when no account key was made yet. Raises: EnvironmentProblemError."""
    try:
        return thumbprint(_load(store.read(_KEY)))
    except errors.NotFoundInStoreError:
        return None


def thumbprint(key: ec.EllipticCurvePrivateKey) -> str:
    """The key's thumbprint (RFC 7638 section 3), the second half of every HTTP-01 answer. Pure."""
    numbers = key.public_key().public_numbers()
    # The members that RFC 7638 section 3.2 wants of an EC key, in the order it wants, without white space.
    members = {"crv": "P-256", "kty": "EC", "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}
    return _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def read_registration(store: ports.Store, directory: str) -> Registration | None:
    try:
        stored = json.loads(store.read(_registration_key(directory)))
        return Registration(url=stored["url"], email=stored["email"])
    except (errors.NotFoundInStoreError, ValueError, KeyError, TypeError):
        return None  # asking the CA once more by the key gives the same URL


def write_registration(store: ports.Store, directory: str, registration: Registration) -> None:
    value = {"directory": directory, "url": registration.url, "email": registration.email}
    store.write(_registration_key(directory), json.dumps(value).encode())


def forget_registration(store: ports.Store, directory: str) -> None:
    store.delete(_registration_key(directory))


def _registration_key(directory: str) -> str:
    return f"accounts/{hashlib.sha256(directory.encode()).hexdigest()[:16]}.json"


def _load(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise errors.EnvironmentProblemError(
            f'cannot use the ACME account: "{_KEY}" in the store is not a P-256 key in PEM; '
            "restore it from a backup, or delete it to register a new account"
        )
    return key


def _coordinate(number: int) -> str:
    return _base64url(number.to_bytes(32))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
