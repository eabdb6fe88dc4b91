"""The store of a fleet, opened as `fleet` of daemun.yaml says: by the daemon and by commands.

A single machine has its own store alone, and loads nothing of psycopg.
"""

import dataclasses
import datetime
import pathlib
import re
import socket
import sys
import typing
import weakref

import structlog

from daemun import causes, errors, regular_files, secret, settings
from daemun.control import ports, stored_values
from daemun.core import model
from daemun.core.options import fleet_option
from daemun.fleet import fleet_claim, fleet_signs, key_rotation, membership
from daemun.sources import last_good_file, yaml_file
from daemun.store import file_store, fleet_key, instance, mirrored_store

if typing.TYPE_CHECKING:
    from daemun.store.postgresql import postgresql_store

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_PLACE = fleet_option.OPTION.name
_MOST_BYTES = 64 << 10
_LEFT = (
    "this machine belongs to a fleet, and its file has no `fleet`; put that back, or run `daemun fleet leave` to go on "
    "alone with what it knows"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFleet:
    """node: this machine's name. key: of the fleet. shared: what the machines share; store: the same with this
    machine's copy, which all reading and writing goes through. kept: the folder with what it had before it came into
    the fleet, which it just did."""

    option: fleet_option.Fleet
    node: str
    key: fleet_key.FleetKey = dataclasses.field(repr=False)
    shared: "postgresql_store.PostgresqlStore"
    store: mirrored_store.MirroredStore
    kept: pathlib.Path | None = None

    def tell_kept(self) -> None:
        if self.kept is not None:
            log.warning("what this machine had before it joined its fleet is kept beside", folder=str(self.kept))

    def make_key_holder(self, *, tells: bool) -> key_rotation.KeyHolder:
        """tells: as of `key_rotation.KeyHolder`."""
        return key_rotation.KeyHolder(
            self.key, pathlib.Path(self.option.key), node=self.node, store=self.store, shared=self.shared, tells=tells
        )


def open_store(chosen: settings.Settings) -> ports.Store:
    """For commands that change what is stored. Raises: DaemunError."""
    own = file_store.FileStore(pathlib.Path(chosen.layout.store))
    fleet = find_fleet(chosen, own)
    return own if fleet is None else fleet.store


def find_fleet(chosen: settings.Settings, own: file_store.FileStore) -> OpenedFleet | None:
    """For commands, by the file of now. None: this machine is alone. Raises: DaemunError."""
    return open_fleet(chosen, own, read_option(chosen, own))


def read_option(chosen: settings.Settings, own: file_store.FileStore) -> fleet_option.Fleet | None:
    """As `find_option`, of the file as it is now. It may hold ten thousand sites, which take ten seconds."""
    if not fleet_signs.may_be_node(own, chosen.config):
        return None
    source = yaml_file.YamlFile(chosen.config, state=chosen.layout.state)
    return find_option(own, source, last_good_file.recall(own, chosen.config, source))


def find_shared(
    chosen: settings.Settings, own: file_store.FileStore
) -> "tuple[str, postgresql_store.PostgresqlStore] | None":
    """This machine's name and what the machines share, only to be read: nothing of the machine's own changes. Close it.
    None: this machine is in no fleet, or not in the one that its file names now. Raises: DaemunError."""
    before = membership.read(own)
    source = yaml_file.YamlFile(chosen.config, state=chosen.layout.state)
    wanted = find_option(own, source, last_good_file.recall(own, chosen.config, source))
    if before is None or wanted is None:
        return None
    found = read_key(wanted.key)
    if before.fleet != found.fleet:
        return None
    node = name_node(wanted)
    return node, connect(secret.read(wanted.database), found, own=None, node=node)


def open_fleet(
    chosen: settings.Settings, own: file_store.FileStore, wanted: fleet_option.Fleet | None, *, is_daemon: bool = False
) -> OpenedFleet | None:
    """None: this machine is alone. The database need not be in reach, but for the first time.

    Raises: ConfigError, EnvironmentProblemError: it is not, and nothing of its fleet can be used."""
    before = membership.read(own)
    if wanted is None and before is None:
        return None
    if wanted is None:
        if membership.read_intent(own) != membership.LEAVE:
            raise errors.ConfigError(_LEFT)
        _refuse_beside_daemon(chosen, is_daemon=is_daemon)
        membership.leave(own)
        return None
    found = read_key(wanted.key)
    node = name_node(wanted)
    shared = connect(secret.read(wanted.database), found, own=own, node=node)
    try:
        if before is None or before.fleet != found.fleet:
            _refuse_beside_daemon(chosen, is_daemon=is_daemon)
            if membership.read_intent(own) == found.fleet.encode():
                _begin(shared, own, found)
        if before is None or not before.proves(found):
            check_identity(shared, found)
        now = datetime.datetime.now(datetime.UTC)
        kept = membership.enter(own, found, node, state=chosen.layout.state, now=now)
    except BaseException:
        shared.close()
        raise
    identity = membership.KEY_IDENTITY, found.fleet.encode()
    store = mirrored_store.MirroredStore(own, shared, order=own.alone, witness=identity)
    weakref.finalize(store, shared.close)
    return OpenedFleet(option=wanted, node=node, key=found, shared=shared, store=store, kept=kept)


def _refuse_beside_daemon(chosen: settings.Settings, *, is_daemon: bool) -> None:
    """One that runs does not know of it yet, and goes on with the values of before. Raises: ConfigError."""
    if not is_daemon and instance.read_owner(pathlib.Path(chosen.layout.lock)) is not None:
        raise errors.ConfigError(
            "cannot change what is kept: `fleet` was changed, and the daemun that runs started before; "
            f"{fleet_signs.START_AGAIN}"
        )


def _begin(shared: "postgresql_store.PostgresqlStore", own: ports.Store, key: fleet_key.FleetKey) -> None:
    """A fleet has what its first machine had. Raises: EnvironmentProblemError; LockHeldError."""
    with shared.lock("fleet-identity") as lease:
        try:
            shared.read(membership.KEY_IDENTITY)
        except errors.NotFoundInStoreError:
            for error in shared.write_all(membership.shared_values(own)).values():
                raise error from None
            identity = stored_values.KeyChange(key=membership.KEY_IDENTITY, value=key.fleet.encode())
            shared.commit([identity, stored_values.KeyChange(key=fleet_claim.KEY, value=None)], lease=lease)


def connect(
    url: str, key: fleet_key.FleetKey, *, own: ports.Store | None, node: str
) -> "postgresql_store.PostgresqlStore":
    """The store in that database, which is reached when it is first used. Raises: ConfigError: it is no URL of one;
    EnvironmentProblemError: the driver is missing."""
    cause = fleet_option.check_database(url)
    if cause is not None:
        raise errors.ConfigError(f"cannot use `fleet.database`: {cause}")
    try:
        from daemun.store.postgresql import postgresql_store  # noqa: PLC0415 - in a fleet only
    except ImportError as error:
        cure = f"install it with `{sys.executable} -m pip install 'psycopg[binary]>=3.2.4'`, or daemun as daemun[fleet]"
        raise errors.EnvironmentProblemError(
            f"cannot use the fleet's database: psycopg, the driver of PostgreSQL, is missing ({error}); {cure}"
        ) from error
    return postgresql_store.PostgresqlStore(url, key, own=own, owner=node)


def check_identity(shared: "postgresql_store.PostgresqlStore", key: fleet_key.FleetKey) -> None:
    """Whether the database is that of the key's fleet. Raises: EnvironmentProblemError."""
    shared.check_tables()
    try:
        found = shared.read(membership.KEY_IDENTITY)
    except errors.NotFoundInStoreError:
        raise errors.EnvironmentProblemError(
            "cannot use the fleet's database: no fleet was begun in it; check `fleet.database`, or begin one with "
            "`daemun fleet init`"
        ) from None
    if found != key.fleet.encode():
        raise errors.EnvironmentProblemError(
            "cannot use the fleet's database: it is another fleet's than the key of `fleet.key`; copy that file from a "
            "machine of this fleet"
        )


def read_key(path: str) -> fleet_key.FleetKey:
    """Raises: ConfigError, without anything of the file."""
    try:
        content = regular_files.read(path, _MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        cause = causes.describe(error) if isinstance(error, OSError) else "it is no text (UTF-8)"
        raise errors.ConfigError(
            f'cannot read the fleet\'s key in "{path}": {cause}; copy the file from another machine of the fleet, or '
            "correct its rights"
        ) from None
    return fleet_key.decode(content, source=path)


def name_node(option: fleet_option.Fleet | None) -> str:
    """This machine, as others see it."""
    if option is not None and option.name is not None:
        return option.name
    return re.sub(r"[^a-z0-9._-]+", "-", socket.gethostname().lower()).strip("._-")[:63] or "machine"


def find_option(
    own: file_store.FileStore, source: yaml_file.YamlFile, known: model.Snapshot | None
) -> fleet_option.Fleet | None:
    """What the file says. Where it cannot be read, what it said last, if this machine belongs to a fleet: alone it
    would order what others have."""
    try:
        return fleet_option.OPTION.of(source.read_now().globals or model.Globals())
    except yaml_file.InvalidFileError as error:
        good = error.good and error.good.globals
        if good and not any(problem.field == (_PLACE,) for problem in error.problems):
            return fleet_option.OPTION.of(good)
    except errors.ConfigError:
        pass
    is_member = membership.read(own) is not None
    return fleet_option.OPTION.of(known.globals) if is_member and known and known.globals else None
