"""The users of the sign-in, changed in the store. The judge learns of it at once, whether a daemon runs or not."""

import asyncio
import collections.abc
import contextlib
import pathlib
import secrets

from daemun import settings
from daemun.control import ports
from daemun.core.access import login_changes, login_url, login_users
from daemun.errors import ConfigError, EnvironmentProblemError, NotFoundInStoreError
from daemun.judge import judge_process, user_changes
from daemun.store import file_store
from daemun.wiring.offline import configuration, offline_tokens

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
    store = file_store.FileStore(pathlib.Path(chosen.layout.store))
    with store.lock(user_changes.LOCK, lease_s=user_changes.LEASE_S):
        before = _read(store)
        users = _fold(chosen, before)
        yield users
        if users == before:
            return
        content = login_users.encode(users.values())
        # Of who is new, too: an earlier version may have left tokens of that name.
        with offline_tokens.withdrawing(chosen, before.keys() ^ users.keys()):
            store.write(login_users.KEY, content)
        asyncio.run(_pass_on(chosen, content))


async def _pass_on(chosen: settings.Settings, content: bytes) -> None:
    """A daemon does it, too. Without a judge there is nobody who is signed in."""
    if await asyncio.to_thread(judge_process.find_left, chosen.layout) is not None:
        with contextlib.suppress(EnvironmentProblemError):
            await judge_process.request(chosen.layout, "PUT", "/users", content)


def _fold(chosen: settings.Settings, users: Users) -> Users:
    """With what they changed themselves."""
    changes = user_changes.read(chosen.layout)
    return {one.name: one for one in login_changes.fold(users.values(), changes)}


def _read(store: ports.Store) -> Users:
    try:
        found = login_users.decode(store.read(login_users.KEY))
    except NotFoundInStoreError:
        return {}
    except (ValueError, LookupError, TypeError, AttributeError):
        path = store.locate(login_users.KEY)
        raise EnvironmentProblemError(
            f"cannot read the users: {path} is damaged; put back a copy, or delete it and add them again"
        ) from None
    return {one.name: one for one in found}


def draw_stamp() -> str:
    """For a new password."""
    return secrets.token_hex(8)
