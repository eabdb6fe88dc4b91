"""The users of the sign-in, changed in the store. The judge learns of it at once, whether a daemon runs or not."""

import collections.abc
import contextlib
import secrets

from daemun import settings
from daemun.control import guarded_store, ports
from daemun.core.access import login_changes, login_url, login_users
from daemun.errors import ConfigError
from daemun.judge import user_changes
from daemun.wiring import opened_fleet
from daemun.wiring.offline import configuration, judge_store, offline_tokens

Users = dict[str, login_users.User]


def list_users(chosen: settings.Settings) -> tuple[login_users.User, ...]:
    """Sorted. Raises: EnvironmentProblemError when what the store has cannot be used."""
    store = configuration.find_store(chosen)
    return () if store is None else tuple(_fold(chosen, _read(store)).values())


def find_page(chosen: settings.Settings) -> str:
    """The address of the sign-in's page, without a path. Raises: ConfigError."""
    globals_ = configuration.read(chosen).globals
    url = login_url.find_url(globals_)
    if url is None:
        raise ConfigError(
            f"there is no page to sign in on: {configuration.name_source(chosen)} has no `login`; "
            "write `login: {host: auth.example.com}` at the top of daemun.yaml"
        )
    return url


@contextlib.contextmanager
def editing(chosen: settings.Settings) -> collections.abc.Iterator[Users]:
    """All users by name, to be changed; written and passed on when the block ends without an error. Tokens of who is
    gone are withdrawn first.

    Raises: EnvironmentProblemError; LockHeldError while another command does the same, or changes tokens."""
    store = opened_fleet.open_store(chosen)
    with store.lock(user_changes.LOCK) as lease:
        before = _read(store)
        users = _fold(chosen, before)
        yield users
        if users == before:
            return
        content = login_users.encode(users.values())
        # Of who is new, too: an earlier version may have left tokens of that name.
        with offline_tokens.withdrawing(chosen, before.keys() ^ users.keys()):
            guarded_store.GuardedStore(store, lease).write(login_users.KEY, content)
        judge_store.send(chosen.layout, "/users", content)


def _fold(chosen: settings.Settings, users: Users) -> Users:
    """With what they changed themselves."""
    changes = user_changes.read(chosen.layout)
    return {one.name: one for one in login_changes.fold(users.values(), changes)}


def _read(store: ports.Store) -> Users:
    again = "add them again"
    found = judge_store.read(store, login_users.KEY, login_users.decode, what="users", again=again)
    return {one.name: one for one in found}


def draw_stamp() -> str:
    """For a new password."""
    return secrets.token_hex(8)
