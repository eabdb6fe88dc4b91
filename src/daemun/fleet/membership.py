"""Which fleet a machine belongs to, as its own store knows it, and what becomes of what it had before.

The mark is there from the first use of a fleet's store until the machine leaves. Without it the values of the store are
this machine's own: those of the fleet take their place, and they are set aside. The mark also shows whether the key is
still that of the fleet, so that with another one nothing is written that no other machine could read.
"""

import base64
import dataclasses
import datetime
import json
import pathlib

from daemun.control import damaged_keys, ports
from daemun.errors import NotFoundInStoreError, UnreadableValueError
from daemun.fleet import configuration_values, fleet_signs
from daemun.store import file_store, fleet_key, key_owners, mirror_cursor

KEY = fleet_signs.KEY
"""In the own store."""
KEY_SEEN = "node/seen.json"
"""As `store.postgresql.server_memory`, which is not imported without a fleet."""
KEY_INTENT = "node/fleet-intent"
"""In the own store: what a command began, which the next start completes: a daemun that runs goes on as it is."""
LEAVE = b"leave"
KEY_IDENTITY = "fleet/identity"
"""Shared: which fleet's database it is, which only its key can read."""
FOLDER = "before-fleet"
"""In the state directory."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """fleet: as `fleet_key.FleetKey.fleet`. node: the name of this machine in it. proof: nothing, encrypted."""

    fleet: str
    node: str
    proof: fleet_key.EncryptedValue

    def proves(self, key: fleet_key.FleetKey) -> bool:
        """Whether it is the key of this fleet."""
        try:
            key.decrypt(KEY, self.proof)
        except UnreadableValueError:
            return False
        return key.fleet == self.fleet


def read(own: ports.Store) -> Membership | None:
    """None: it belongs to none, as far as is known."""
    follows = "it is not known to which fleet this machine belonged"
    return damaged_keys.read(own, KEY, _decode, follows=follows)


def read_intent(own: ports.Store) -> bytes | None:
    """LEAVE; the name of the fleet that begins with what this machine has; None: nothing was begun."""
    try:
        return own.read(KEY_INTENT)
    except NotFoundInStoreError:
        return None


def enter(
    own: ports.Store, key: fleet_key.FleetKey, node: str, *, state: str, now: datetime.datetime
) -> pathlib.Path | None:
    """Belong to the fleet of this key from now on; one that began with the values of this machine has them.

    Returns: the folder of a store with the values that this machine had before; None: it had none, or belonged to the
    same fleet. Raises: EnvironmentProblemError."""
    before = read(own)
    kept = None
    if before is None or before.fleet != key.fleet:
        if read_intent(own) != key.fleet.encode():
            kept = _set_aside(own, pathlib.Path(state, FOLDER, f"{now:%Y-%m-%dT%H%M%SZ}"))
            for one in (mirror_cursor.KEY, KEY_SEEN):  # of another database
                own.delete(one)
        _forget_configuration(own)
    is_known = before is not None and before.node == node and before.proof.key_id == key.keys[0][0]
    if before is None or not is_known or not before.proves(key):
        proof = key.encrypt(KEY, b"")
        sealed = {"key": proof.key_id, "sealed": base64.b64encode(proof.content).decode()}
        own.write(KEY, json.dumps({"fleet": key.fleet, "node": node, "proof": sealed}).encode())
    own.delete(KEY_INTENT)
    return kept


def leave(own: ports.Store) -> None:
    """What is shared stays as this machine knows it, but for the configuration: from now on its files alone hold that.

    Raises: EnvironmentProblemError."""
    _forget_configuration(own)
    for key in (mirror_cursor.KEY, KEY_SEEN, KEY, KEY_INTENT):
        own.delete(key)


def _forget_configuration(own: ports.Store) -> None:
    """What another fleet agreed on is not to be served, nor to be put together with these files."""
    for key in (configuration_values.KEY_OF_NODE, *own.list(configuration_values.PREFIX)):
        own.delete(key)


def shared_values(own: ports.Store) -> dict[str, bytes]:
    """All that the store has and that would be shared, without a configuration: files hold that.

    Raises: EnvironmentProblemError: not all of it can be read."""
    found = {}
    for key in own.list(""):
        if not key_owners.is_of_node(key) and not key.startswith(f"{configuration_values.PREFIX}/"):
            try:
                found[key] = own.read(key)
            except NotFoundInStoreError:  # it went meanwhile
                continue
    return found


def _set_aside(own: ports.Store, folder: pathlib.Path) -> pathlib.Path | None:
    """They stay where they are, too: this machine serves by them until it has those of the fleet."""
    values = shared_values(own)
    if not values:
        return None
    for error in file_store.FileStore(folder).write_all(values).values():
        raise error
    return folder


def _decode(content: bytes) -> Membership:
    value = json.loads(content)
    proof = value["proof"]
    sealed = fleet_key.EncryptedValue(content=base64.b64decode(proof["sealed"]), key_id=int(proof["key"]))
    return Membership(fleet=str(value["fleet"]), node=str(value["node"]), proof=sealed)
