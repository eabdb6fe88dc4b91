"""A token by which one machine joins: where the database is, and how to read the fleet's key there, once.

The key lies in the database encrypted with the token's own, under a name that says when it ends; whoever joins deletes
it, and uses it only then. The token has the database's URL with its password: for an hour it is all that one needs who
reaches the database, and the password is good after that, too.
"""

import base64
import dataclasses
import hashlib
import json
import math
import re
import secrets
import typing

from daemun.control import ports, stored_values
from daemun.errors import ConfigError, NotFoundInStoreError, StoreConflictError, UnreadableValueError
from daemun.store import fleet_key

FOLDER = "invitations"
LASTS_S = 3600.0
_PREFIX = "daemun-fleet-"
_CHECK_BYTES = 4
_NAME = re.compile(r"[0-9]{1,12}-[0-9a-f]{16}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken:
    """url: of the database. name: of the value below FOLDER. key: encrypts it."""

    url: str = dataclasses.field(repr=False)
    name: str
    key: fleet_key.FleetKey

    @property
    def stored_key(self) -> str:
        return f"{FOLDER}/{self.name}"

    @property
    def ends_s(self) -> float:
        """By the database's clock, seconds since the epoch."""
        return float(self.name.partition("-")[0])


class InvitingStore(ports.Store, typing.Protocol):
    """The fleet's database, read with the token's key."""

    def read_clock_s(self) -> float:
        """Its time, in seconds since the epoch."""
        ...


def make(url: str, key: fleet_key.FleetKey, *, now_s: float) -> JoinToken:
    """key: of the fleet. now_s: by the database's clock."""
    name = f"{math.ceil(now_s + LASTS_S)}-{secrets.token_hex(8)}"
    return JoinToken(url=url, name=name, key=_make_key(key.keys[0][0], secrets.token_bytes(32)))


def encode(one: JoinToken) -> str:
    ((number, own),) = one.key.keys
    fields = [one.url, one.name, number, base64.b64encode(own).decode()]
    content = json.dumps(fields).encode()
    return _PREFIX + base64.urlsafe_b64encode(_check(content) + content).decode().rstrip("=")


def decode(text: str) -> JoinToken:
    """Raises: ConfigError, without anything of the text."""
    token = "".join(text.split())  # a terminal breaks long lines
    try:
        found = _parse(token)
    except (ValueError, TypeError, AttributeError, RecursionError):
        found = None
    if found is None:
        raise ConfigError(
            "cannot join: this is no token of `daemun fleet invite`, or a part of it is missing; copy the whole line"
        )
    return found


def _parse(token: str) -> JoinToken | None:
    """Raises: ValueError, TypeError, AttributeError."""
    content = base64.urlsafe_b64decode(token.removeprefix(_PREFIX) + "===")
    check, content = content[:_CHECK_BYTES], content[_CHECK_BYTES:]
    if not token.startswith(_PREFIX) or check != _check(content):
        return None
    url, name, number, own = json.loads(content)
    if _NAME.fullmatch(name) is None:
        return None
    return JoinToken(url=str(url), name=name, key=_make_key(int(number), base64.b64decode(own)))


def offer(store: InvitingStore, one: JoinToken, key: fleet_key.FleetKey) -> None:
    """store: with the token's key. key: of the fleet. Raises: EnvironmentProblemError."""
    remove_ended(store, store.read_clock_s())
    store.write(one.stored_key, fleet_key.encode(key).encode())


def remove_ended(store: ports.Store, now_s: float) -> None:
    """now_s: math.inf: all of them."""
    for stored in store.list(FOLDER):
        ends = stored.rpartition("/")[2].partition("-")[0]
        if not ends.isdecimal() or float(ends) <= now_s:
            store.delete(stored)


def use(store: InvitingStore, one: JoinToken) -> fleet_key.FleetKey:
    """The fleet's key, by whoever is the first. store: with the token's key. Raises: ConfigError;
    EnvironmentProblemError."""
    if one.ends_s <= store.read_clock_s():
        raise _over("it was good for an hour, which is over")
    read = store.read_many([one.stored_key])
    try:
        revision = read.revision(one.stored_key)
    except UnreadableValueError:
        raise _over("it does not fit what the database has") from None
    if revision == stored_values.ABSENT:
        raise _over("it was used, or the fleet's key was changed since")
    try:
        store.commit([stored_values.KeyChange(key=one.stored_key, value=None, expected=revision)])
    except (StoreConflictError, NotFoundInStoreError):
        raise _over("it was used by another machine at this moment") from None
    return fleet_key.decode(read.found[one.stored_key].value.decode(), source="the token")


def _over(cause: str) -> ConfigError:
    return ConfigError(f"cannot join with this token: {cause}; make another one with `daemun fleet invite`")


def _make_key(number: int, own: bytes) -> fleet_key.FleetKey:
    if len(own) != fleet_key.KEY_BYTES:
        raise ValueError
    return fleet_key.FleetKey(fleet="invitation", keys=((number, own),))


def _check(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_CHECK_BYTES]
