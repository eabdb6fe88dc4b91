"""Where this machine keeps the fleet's key and the URL of its database: the folder `fleet` of the state directory, for
its owner alone. Blocking."""

import collections.abc
import contextlib
import pathlib

from daemun import errors, settings
from daemun.control import ports
from daemun.fleet import membership
from daemun.sources import edited_file
from daemun.store import fleet_key
from daemun.wiring import opened_fleet

KEY, DATABASE = "key", "database"
_FOLDER = "fleet"
"""In the state directory, which the daemon may write, too."""


def find(chosen: settings.Settings, name: str) -> pathlib.Path:
    return pathlib.Path(chosen.layout.state, _FOLDER, name)


def find_begun_key(chosen: settings.Settings, own: ports.Store) -> fleet_key.FleetKey | None:
    """The one that an earlier try to begin a fleet made. Machines of a fleet that this one left have the key that is
    there otherwise."""
    with contextlib.suppress(errors.ConfigError):
        found = opened_fleet.read_key(str(find(chosen, KEY)))
        if membership.read_intent(own) == found.fleet.encode():
            return found
    return None


@contextlib.contextmanager
def new_key(
    chosen: settings.Settings, begun: fleet_key.FleetKey | None
) -> collections.abc.Iterator[fleet_key.FleetKey]:
    """begun, or one that is on the disk before it encrypts anything in the database: the claim of a command that was
    killed would be taken for another fleet's, for ever. The next try takes the key that is left then."""
    file = find(chosen, f"{KEY}.new")
    try:
        key = begun or opened_fleet.read_key(str(file))
    except errors.ConfigError:
        key = fleet_key.make()
        write_secret(file, fleet_key.encode(key).encode())
    try:
        yield key
    finally:
        file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it has other files
            file.parent.rmdir()


def keep_key(chosen: settings.Settings, key: fleet_key.FleetKey) -> None:
    """Another one that is there is kept beside."""
    file = find(chosen, KEY)
    if file.exists():
        file.replace(file.with_name(f"{KEY}.old"))
    write_secret(file, fleet_key.encode(key).encode())


def write_secret(file: pathlib.Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    edited_file.replace(file, content, 0o600)
