"""Beginning a fleet, joining one, leaving it: daemun.yaml, the files of the key and the database's URL, and the store.

A daemun that runs goes on as it was: what is begun here is completed by its next start (`opened_fleet.open_fleet`), or
at once where none runs. Blocking.
"""

import collections.abc
import contextlib
import dataclasses
import math
import pathlib
import typing

from daemun import errors, secret, settings
from daemun.control import damage_report, fleet_port, ports
from daemun.core import model
from daemun.core.options import fleet_option, listen_option, node_option
from daemun.fleet import fleet_claim, join_token, membership, shared_text
from daemun.sources import edited_file, last_good_file, yaml_file, yaml_holder, yaml_positions, yaml_set
from daemun.store import file_store, fleet_key, instance
from daemun.wiring import opened_fleet
from daemun.wiring.offline import fleet_key_files

if typing.TYPE_CHECKING:
    from daemun.store.postgresql import postgresql_store

_PATIENCE_S = 30.0
_NO_FLEET = (
    "this machine is in no fleet; begin one with `daemun fleet init`, or join one with `daemun fleet join` and a token "
    "of `daemun fleet invite`, which a machine of that fleet makes"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """How a machine came into a fleet, or out. node: its name. is_done: False: the daemon that runs has to be started
    again. is_listed: the others still wait for it. kept: the folder with what it had before."""

    node: str
    is_done: bool
    is_listed: bool = False
    kept: pathlib.Path | None = None


def init(chosen: settings.Settings, url: str, name: str | None) -> Entered:
    """Begin a fleet in a database that has none. May be repeated after a failure. Raises: DaemunError."""
    own = _open_own(chosen)
    _refuse_member(chosen, own)
    option = _make_option(chosen, name)
    begun = fleet_key_files.find_begun_key(chosen, own)
    with fleet_key_files.new_key(chosen, begun) as key, _connected(url, key) as shared:
        shared.create_tables()
        if not fleet_claim.take(shared, key):
            raise errors.ConfigError(_describe_other(chosen, url))
        try:
            if begun is None:  # not before: what is there is the key of a fleet that this machine left
                own.write(membership.KEY_INTENT, key.fleet.encode())
                fleet_key_files.keep_key(chosen, key)
            fleet_key_files.write_secret(fleet_key_files.find(chosen, fleet_key_files.DATABASE), url.encode())
        except BaseException:
            fleet_claim.withdraw(shared, key)
            raise
    return _enter(chosen, own, option)


def join(chosen: settings.Settings, token: str, *, url: str | None, name: str | None) -> Entered:
    """url: None: the one of the token. Raises: DaemunError."""
    own = _open_own(chosen)
    _refuse_member(chosen, own)
    option = _make_option(chosen, name)
    invited = join_token.decode(token)
    url = url or invited.url
    file = fleet_key_files.find(chosen, fleet_key_files.KEY)
    _refuse_unwritable(chosen, file)
    with _connected(url, invited.key) as offered:
        _refuse_taken(offered, opened_fleet.name_node(option))
        key = join_token.use(offered, invited)
    # Whatever fails from here on, the key is there: the token is used up.
    fleet_key_files.keep_key(chosen, key)
    fleet_key_files.write_secret(fleet_key_files.find(chosen, fleet_key_files.DATABASE), url.encode())
    return _enter(chosen, own, option, is_follower=True)


def join_again(chosen: settings.Settings, *, url: str | None, name: str | None) -> Entered:
    """Go back into a fleet that this machine left, by the key that it kept. url: None: the one that it kept.

    Raises: DaemunError."""
    own = _open_own(chosen)
    _refuse_member(chosen, own)
    option = _make_option(chosen, name)
    url = url or secret.read(model.Secret(file=str(fleet_key_files.find(chosen, fleet_key_files.DATABASE)))).strip()
    found = _find_kept_key(chosen, url)
    if found is None:
        raise errors.ConfigError(
            f"cannot join again: no key in {files_of(chosen)[0].parent} is that of the fleet in this database; join "
            "with a token of `daemun fleet invite`, which a machine of that fleet makes"
        )
    file, key = found
    with _connected(url, key) as shared:
        _refuse_taken(shared, opened_fleet.name_node(option))
    if file != fleet_key_files.find(chosen, fleet_key_files.KEY):
        fleet_key_files.keep_key(chosen, key)
    fleet_key_files.write_secret(fleet_key_files.find(chosen, fleet_key_files.DATABASE), url.encode())
    return _enter(chosen, own, option, is_follower=True)


def find_replaced(chosen: settings.Settings) -> tuple[str, ...] | None:
    """The hosts of the sites of daemun.yaml, in whose place those of a fleet come; (): they cannot be told. None: it
    has none."""
    content = edited_file.read(chosen.config) or b""
    try:
        if shared_text.is_blank(shared_text.split(content).shared):
            return None
        found = yaml_file.YamlFile(chosen.config, state=chosen.layout.state).read_now()
    except yaml_file.InvalidFileError as error:
        return () if error.good is None else tuple(sorted({site.host for site in error.good.sites}))
    except errors.ConfigError:
        return ()
    return tuple(sorted({site.host for site in found.sites}))


def invite(chosen: settings.Settings) -> str:
    """Returns: a token, good once and for an hour. Raises: DaemunError."""
    fleet = find(chosen)
    url = secret.read(fleet.option.database)
    made = join_token.make(url, fleet.key, now_s=fleet.shared.read_clock_s())
    with _connected(url, made.key) as store:
        join_token.offer(store, made, fleet.key)
    return join_token.encode(made)


def leave(chosen: settings.Settings, node: str | None) -> Entered:
    """node: another machine, which is gone for good; None: this one. Raises: DaemunError."""
    own = _open_own(chosen)
    if node is not None:
        fleet = find(chosen)
        if node != fleet.node:
            _refuse_living(fleet.shared, node)
            fleet.shared.forget_node(node)
            return Entered(node=node, is_done=True)
    option = _find_option(chosen, own)
    if option is None and membership.read(own) is None:
        raise errors.ConfigError(f"cannot leave: {_NO_FLEET}")
    known = membership.read(own)
    name = known.node if known is not None else opened_fleet.name_node(option)
    found = None
    is_new = option is not None or membership.read_intent(own) != membership.LEAVE  # else that was said before
    with contextlib.suppress(errors.DaemunError):
        found = opened_fleet.find_fleet(chosen, own)
    if option is not None:
        _withdraw_begun(chosen, own, option)
        yaml_set.set_of_gate(yaml_holder.of_path(chosen.config), {fleet_option.OPTION.name: yaml_set.UNSET})
    own.write(membership.KEY_INTENT, membership.LEAVE)
    is_listed = is_new
    with contextlib.suppress(errors.DaemunError):  # the database may be gone for good
        if found is not None:
            found.shared.forget_node(name)
            is_listed = False
    return dataclasses.replace(_complete(chosen, own, name), is_listed=is_listed)


def _withdraw_begun(chosen: settings.Settings, own: ports.Store, option: fleet_option.Fleet) -> None:
    """What `init` began beside a daemon that runs still."""
    begun = fleet_key_files.find_begun_key(chosen, own)
    if begun is not None:
        with contextlib.suppress(errors.DaemunError), _connected(secret.read(option.database), begun) as shared:
            fleet_claim.withdraw(shared, begun)


def rotate_key(chosen: settings.Settings) -> int:
    """Returns: how many values were encrypted anew. Raises: DaemunError."""
    fleet = find(chosen)
    join_token.remove_ended(fleet.shared, math.inf)  # they would bring the old key
    nodes = {one.name for one in fleet.shared.list_nodes().nodes} | {fleet.node}
    is_alone = instance.read_owner(pathlib.Path(chosen.layout.lock)) is None
    return fleet.make_key_holder(tells=is_alone).rotate(nodes, within_s=_PATIENCE_S)


def adopt_database(chosen: settings.Settings) -> None:
    """Of a PostgreSQL that the fleet's tables were copied into. A daemon that runs follows. Raises: DaemunError."""
    fleet = find(chosen)
    with contextlib.closing(fleet.shared):
        fleet.shared.adopt_server((membership.KEY_IDENTITY, fleet.key.fleet.encode()))


def find(chosen: settings.Settings) -> opened_fleet.OpenedFleet:
    """Raises: DaemunError: there is none, or it cannot be used."""
    found = opened_fleet.find_fleet(chosen, _open_own(chosen))
    if found is None:
        raise errors.ConfigError(f"cannot find the fleet: {_NO_FLEET}")
    return found


def is_member(chosen: settings.Settings) -> bool:
    """Whether this machine belongs to a fleet, or is to from its next start, as far as this account can see."""
    with contextlib.suppress(errors.DaemunError, OSError):
        own = _open_own(chosen)
        return membership.read(own) is not None or _find_option(chosen, own) is not None
    return False


def files_of(chosen: settings.Settings) -> tuple[pathlib.Path, pathlib.Path]:
    """Of the key, and of the database's URL."""
    return fleet_key_files.find(chosen, fleet_key_files.KEY), fleet_key_files.find(chosen, fleet_key_files.DATABASE)


# --- steps -------------------------------------------------------------------------------------------------------


def _open_own(chosen: settings.Settings) -> file_store.FileStore:
    return file_store.FileStore(pathlib.Path(chosen.layout.store))


def _find_option(chosen: settings.Settings, own: file_store.FileStore) -> fleet_option.Fleet | None:
    source = yaml_file.YamlFile(chosen.config, state=chosen.layout.state)
    return opened_fleet.find_option(own, source, last_good_file.recall(own, chosen.config, source))


def _refuse_member(chosen: settings.Settings, own: file_store.FileStore) -> None:
    _end_leaving(chosen, own)
    known = membership.read(own)
    if known is not None and membership.read_intent(own) == membership.LEAVE:
        raise errors.ConfigError(
            f'this machine, "{known.node}", leaves its fleet when its daemun has ended: run `daemun stop '
            "--keep-traffic` first; nginx serves on meanwhile"
        )
    if known is not None:
        raise errors.ConfigError(
            f'this machine is in a fleet already, as "{known.node}"; `daemun fleet leave` takes it out of that'
        )
    if _find_option(chosen, own) is not None:
        raise errors.ConfigError(
            f"{chosen.config} has `fleet` already; start daemun with it, or remove it with `daemun fleet leave`"
        )


def _end_leaving(chosen: settings.Settings, own: file_store.FileStore) -> None:
    """What `leave` began beside a daemon that ended since."""
    if membership.read_intent(own) != membership.LEAVE or _find_option(chosen, own) is not None:
        return
    with contextlib.suppress(errors.LockHeldError), instance.held_alone(pathlib.Path(chosen.layout.lock)):
        membership.leave(own)


def _refuse_taken(shared: "postgresql_store.PostgresqlStore", name: str) -> None:
    if name in shared.list_nodes().names:  # those of others cannot be proven without their key
        raise errors.ConfigError(
            f'cannot join as "{name}": another machine of the fleet has this name; choose one with `--name`, or remove '
            f"that one with `daemun fleet leave {name}` on another machine when it is gone"
        )


def _refuse_living(shared: "postgresql_store.PostgresqlStore", name: str) -> None:
    """With its next sign of life it would be there again."""
    listing = shared.list_nodes()
    if name in listing.unproven:
        return  # it is no machine
    found = next((one for one in listing.nodes if one.name == name), None)
    if found is None:
        raise errors.NotFoundError(
            f'cannot remove "{name}": there is no such machine in the fleet; `daemun fleet status` lists them'
        )
    if found.has_beaten_within(fleet_port.SILENT_S):
        raise errors.ConflictError(
            f'cannot remove "{name}": it lives; run `daemun fleet leave` there, or repeat this when it has been down '
            f"for {fleet_port.SILENT_S:.0f} s"
        )


def _refuse_unwritable(chosen: settings.Settings, *files: pathlib.Path) -> None:
    for file in (chosen.config, *files):
        folder = file.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        cause = edited_file.find_refusal(file)
        if cause is not None:
            raise errors.EnvironmentProblemError(cause)


def _make_option(chosen: settings.Settings, name: str | None) -> fleet_option.Fleet | None:
    """Only its name counts here. Raises: ConfigError."""
    cause = None if name is None else fleet_option.check_name(name)
    if cause is not None:
        raise errors.ConfigError(f'cannot use the name "{name}": it {cause}')
    if name is None:
        return None
    return fleet_option.Fleet(
        database=model.Secret(file=str(fleet_key_files.find(chosen, fleet_key_files.DATABASE))),
        key=str(fleet_key_files.find(chosen, fleet_key_files.KEY)),
        name=name,
    )


def _keep_listen(config: pathlib.Path) -> dict[str, object]:
    """The rest of the file is going to be that of the fleet; where this machine listens is its own."""
    top = yaml_positions.load(edited_file.read(config) or b"", is_edited=True).value
    listen, node = listen_option.OPTION.name, node_option.OPTION.name
    if not isinstance(top, dict) or listen not in top or node in top:
        return {}
    return {listen: yaml_set.UNSET, node: {listen: top[listen]}}


def _enter(
    chosen: settings.Settings,
    own: file_store.FileStore,
    option: fleet_option.Fleet | None,
    *,
    is_follower: bool = False,
) -> Entered:
    key, database = files_of(chosen)
    written: dict[str, object] = {fleet_key_files.DATABASE: {"file": str(database)}, fleet_key_files.KEY: str(key)}
    if option is not None:
        written["name"] = option.name
    with edited_file.alone(chosen.config):
        if not chosen.config.exists():
            chosen.config.parent.mkdir(parents=True, exist_ok=True)
            edited_file.create(chosen.config, b"sites: {}\n", 0o644)
        changes: dict[str, object] = {fleet_option.OPTION.name: written}
        if is_follower:
            changes |= _keep_listen(chosen.config)
        yaml_set.set_of_gate(yaml_holder.of_path(chosen.config), changes)
    return _complete(chosen, own, opened_fleet.name_node(option))


def _complete(chosen: settings.Settings, own: file_store.FileStore, node: str) -> Entered:
    """At once where no daemon runs, and none can start meanwhile."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(instance.held_alone(pathlib.Path(chosen.layout.lock)))
        except errors.LockHeldError:
            return Entered(node=node, is_done=False)
        wanted = _find_option(chosen, own)
        fleet = opened_fleet.open_fleet(chosen, own, wanted, is_daemon=True)
        if fleet is not None:
            fleet.store.follow_now()
    return Entered(node=node, is_done=True, kept=None if fleet is None else fleet.kept)


@contextlib.contextmanager
def _connected(url: str, key: fleet_key.FleetKey) -> collections.abc.Iterator["postgresql_store.PostgresqlStore"]:
    """Without any memory of this machine's: of a database that it may never use again."""
    shared = opened_fleet.connect(url, key, own=None, node="a command")
    shared.damage = damage_report.DamageReport(is_logged=False)  # it may be another fleet's, which is reported
    try:
        yield shared
    finally:
        shared.close()


def _find_kept_key(chosen: settings.Settings, url: str) -> tuple[pathlib.Path, fleet_key.FleetKey] | None:
    """Of what this machine kept: the key of the fleet in this database, and its file."""
    file = fleet_key_files.find(chosen, fleet_key_files.KEY)
    for one in (file, file.with_name(f"{fleet_key_files.KEY}.old")):
        with contextlib.suppress(errors.ConfigError):
            key = opened_fleet.read_key(str(one))
            with _connected(url, key) as shared:
                if fleet_claim.reads(shared, key):
                    return one, key
    return None


def _describe_other(chosen: settings.Settings, url: str) -> str:
    if _find_kept_key(chosen, url) is not None:
        return (
            "cannot begin a fleet: one that this machine left is in this database, and its key is still here; go back "
            "into it with `daemun fleet join --again`, or name another database"
        )
    return (
        "cannot begin a fleet: another one is in this database; join it with a token of `daemun fleet invite`, "
        "or name another database; if no machine is left in that fleet and nothing of it is needed, "
        "`DROP SCHEMA daemun CASCADE` in psql empties the database"
    )
