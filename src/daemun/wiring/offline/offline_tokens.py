"""The tokens of scripts, changed in the store. The judge learns of it at once, whether a daemon runs or not."""

import collections.abc
import contextlib

from daemun import settings
from daemun.control import guarded_store, ports
from daemun.core.access import access_tokens
from daemun.wiring import opened_fleet
from daemun.wiring.offline import configuration, judge_store

_LOCK = "login-tokens"
Tokens = dict[str, access_tokens.Token]


def list_tokens(chosen: settings.Settings) -> tuple[access_tokens.Token, ...]:
    """Sorted. Raises: EnvironmentProblemError when what the store has cannot be used."""
    store = configuration.find_store(chosen)
    return () if store is None else tuple(_read(store).values())


@contextlib.contextmanager
def editing(chosen: settings.Settings) -> collections.abc.Iterator[Tokens]:
    """All tokens by name, to be changed; written and passed on when the block ends without an error.

    Raises: EnvironmentProblemError; LockHeldError while another command does the same."""
    store = opened_fleet.open_store(chosen)
    with store.lock(_LOCK) as lease:
        before = _read(store)
        tokens = dict(before)
        yield tokens
        _write(chosen, guarded_store.GuardedStore(store, lease), before, tokens)


@contextlib.contextmanager
def withdrawing(chosen: settings.Settings, users: collections.abc.Collection[str]) -> collections.abc.Iterator[None]:
    """The tokens of these users are withdrawn before the block, in which nobody can make one: another user of the same
    name must not get them, whatever ends the command in between. Raises: as `editing`."""
    store = opened_fleet.open_store(chosen)
    with store.lock(_LOCK) as lease:
        before = _read(store)
        _write(
            chosen,
            guarded_store.GuardedStore(store, lease),
            before,
            {name: one for name, one in before.items() if one.user not in users},
        )
        yield


def _write(chosen: settings.Settings, store: ports.Store, before: Tokens, tokens: Tokens) -> None:
    if tokens != before:
        content = access_tokens.encode(tokens.values())
        store.write(access_tokens.KEY, content)
        judge_store.send(chosen.layout, "/tokens", content)


def _read(store: ports.Store) -> Tokens:
    again = "make them again"
    found = judge_store.read(store, access_tokens.KEY, access_tokens.decode, what="tokens", again=again)
    return {one.name: one for one in found}
