"""The ACME accounts: one key for all CAs, and under which URL and e-mail address each CA knows it.

    accounts/key.pem       the shared key (P-256)
    accounts/next.pem      the one that takes its place while the CAs are informed (`certs.acme.key_rollover`)
    accounts/DIGEST.json   the account at one CA, with a key of its own when it was imported, in one value so that a key
                           and its URL are never mixed

Of an account with a key of its own, HTTP-01 is answered from files (`certs.acme.challenge_files`), of all others by
nginx.
"""

import base64
import contextlib
import dataclasses
import enum
import hashlib
import json
import threading

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from daemun import errors
from daemun.certs.served import local_ca
from daemun.control import damaged_keys, ports, stored_values

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

SHARED, NEXT = "accounts/key.pem", "accounts/next.pem"
FEWEST_RSA_BITS = 2048
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_MAKING = threading.RLock()


class AccountState(enum.Enum):
    """CHANGING: the CA perhaps has the next key: it has to be queried which one it knows.
    DEACTIVATED: the CA does not serve it any more, for good (RFC 8555 section 7.3.6)."""

    ACTIVE = "active"
    CHANGING = "changing"
    DEACTIVATED = "deactivated"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """url: the account at one CA (RFC 8555 section 7.3); None: to be looked up by its key.
    email: the contact that the CA has. directory: of the CA.
    key_pem: its own key; None: the shared one. retired: thumbprint of the key, with AccountState.DEACTIVATED.
    """

    url: str | None
    email: str | None
    directory: str = ""
    key_pem: bytes | None = dataclasses.field(default=None, repr=False)
    state: AccountState = AccountState.ACTIVE
    retired: str | None = None


# --- keys ----------------------------------------------------------------------------------------------------------


def load_or_create_key(store: ports.Store) -> ec.EllipticCurvePrivateKey:
    """The shared key (P-256), made on first use.

    Raises: EnvironmentProblemError when the stored one is damaged.
    """
    with _MAKING:
        with contextlib.suppress(errors.NotFoundInStoreError):
            return _load_shared(store)
        new = local_ca.private_pem(ec.generate_private_key(ec.SECP256R1()))
        with contextlib.suppress(errors.StoreConflictError):  # another process was first
            store.commit([stored_values.KeyChange(key=SHARED, value=new, expected=stored_values.ABSENT)])
        return _load_shared(store)


def load_key(store: ports.Store, directory: str) -> Key:
    """The key by which the CA knows us, or will: its own when the account has one, else the shared one.

    A key that was deactivated there is of no use any more; the next account gets one of its own, until the shared one
    is another. Raises: as `load_or_create_key`.
    """
    with _MAKING:
        known, shared = read_registration(store, directory), load_or_create_key(store)
        if known is not None and known.state is AccountState.DEACTIVATED:
            if known.retired != thumbprint(shared):
                forget_registration(store, directory)
                return shared
            new = ec.generate_private_key(ec.SECP256R1())
            fresh = Registration(url=None, email=None, key_pem=local_ca.private_pem(new))
            write_registration(store, directory, fresh)
            return new
        return shared if known is None or known.key_pem is None else parse_key(known.key_pem)


def read_thumbprint(store: ports.Store) -> str | None:
    """The shared key's thumbprint; None when none was made yet. Raises: EnvironmentProblemError."""
    try:
        return thumbprint(_load_shared(store))
    except errors.NotFoundInStoreError:
        return None


def thumbprint(key: Key) -> str:
    """The key's thumbprint (RFC 7638 section 3), the second half of every HTTP-01 answer. Pure."""
    # The members that RFC 7638 section 3.2 wants, in the order it wants, without white space.
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_numbers = key.public_key().public_numbers()
        members = {"e": _number(rsa_numbers.e), "kty": "RSA", "n": _number(rsa_numbers.n)}
    else:
        numbers, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
        point = {"x": _number(numbers.x, size), "y": _number(numbers.y, size)}
        members = {"crv": _CURVES[key.curve.name], "kty": "EC", **point}
    return _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def parse_key(pem: bytes) -> Key:
    """An account key as CAs take them. Raises: ValueError with what is wrong, without any of the key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("the account's key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the account's key is not readable PEM") from None
    return check_key(key)


def check_key(key: object) -> Key:
    """Raises: ValueError when no CA takes a key of this kind (RFC 8555 section 6.2)."""
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < FEWEST_RSA_BITS:
            raise ValueError(f"the account's key has {key.key_size} bits; expected at least {FEWEST_RSA_BITS}")
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    raise ValueError(f"the account's key is of another kind; expected RSA or one on {', '.join(_CURVES.values())}")


# --- accounts at CAs -----------------------------------------------------------------------------------------------


def read_registration(store: ports.Store, directory: str) -> Registration | None:
    return _read(store, _registration_key(directory))


def list_registrations(store: ports.Store) -> tuple[Registration, ...]:
    """Every account there is or was, sorted by directory."""
    keys = [key for key in store.list("accounts") if key.endswith(".json")]
    found = [known for key in keys if (known := _read(store, key)) is not None]
    return tuple(sorted(found, key=lambda known: known.directory))


def write_registration(store: ports.Store, directory: str, registration: Registration) -> None:
    store.write(_registration_key(directory), _encode(dataclasses.replace(registration, directory=directory)))


def change_registration(registration: Registration) -> stored_values.KeyChange:
    """For those that are changed together with others."""
    return stored_values.KeyChange(key=_registration_key(registration.directory), value=_encode(registration))


def _encode(registration: Registration) -> bytes:
    key = None if registration.key_pem is None else registration.key_pem.decode()
    value = {"directory": registration.directory, "url": registration.url, "email": registration.email}
    more = {"key": key, "state": registration.state.value, "retired": registration.retired}
    return json.dumps({**value, **more}).encode()


def forget_registration(store: ports.Store, directory: str) -> None:
    store.delete(_registration_key(directory))


def is_own(store: ports.Store, registration: Registration) -> bool:
    """Whether the account has another key than the shared one."""
    if registration.key_pem is None:
        return False
    return thumbprint(parse_key(registration.key_pem)) != read_thumbprint(store)


def _read(store: ports.Store, key: str) -> Registration | None:
    """None also when it is damaged: another look-up at the CA by the key gives the same URL."""
    follows = "the CA is asked for the account by its key (one with a key of its own is lost: import it again)"
    return damaged_keys.read(store, key, _parse_registration, follows=follows)


def _parse_registration(content: bytes) -> Registration:
    value = json.loads(content)
    key = value.get("key")
    key_pem = None if key is None else key.encode()
    if key_pem is not None:
        parse_key(key_pem)
    return Registration(
        url=value["url"],
        email=value["email"],
        directory=value["directory"],
        key_pem=key_pem,
        state=AccountState(value.get("state", AccountState.ACTIVE.value)),
        retired=value.get("retired"),
    )


def _registration_key(directory: str) -> str:
    return f"accounts/{hashlib.sha256(directory.encode()).hexdigest()[:16]}.json"


def _load_shared(store: ports.Store) -> ec.EllipticCurvePrivateKey:
    """Raises: NotFoundInStoreError; EnvironmentProblemError."""
    pem = store.read(SHARED)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        found = "damaged: expected a P-256 key in PEM" if pem.strip() else "empty"
        raise errors.EnvironmentProblemError(
            f'cannot use the ACME account: "{store.locate(SHARED)}" is {found}; '
            "restore it from a backup, or delete it to register a new account"
        )
    return key


def _number(number: int, size: int | None = None) -> str:
    """size: in bytes, of a coordinate; None: as few as it takes (RFC 7518 sections 6.2.1 and 6.3.1)."""
    return _base64url(number.to_bytes(size or (number.bit_length() + 7) // 8))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
