"""Connections to identity providers, of which one is in no other one's way; and sessions of those that are gone."""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import ssl
import threading
import time
import typing

import pytest

from daemun.certs.served import local_ca
from daemun.core.access import judge_policies, login_providers
from daemun.judge import known_users, login_judge, provider_sign_in, saved_sessions, session_file, session_table
from daemun.judge.provider_sign_in import ClientSecret
from daemun.judge.providers import provider_requests
from daemun.store import memory_store
from daemun.wiring import clock
from tests.support import identity_providers
from tests.support.identity_providers import answer_with

PROVIDER = login_providers.Provider(
    key="id.test",
    kind=login_providers.ProviderKind.GITHUB,
    issuer="https://id.test",
    client_id="a",
    name="Home",
    scopes=("user:email",),
)
HOST = judge_policies.LoginHost(host="auth.test", idle_s=1, lifetime_s=2, providers=(PROVIDER,))


@contextlib.asynccontextmanager
async def hanging(
    at_least: int, tasks: int, client: provider_requests.ProviderClient
) -> collections.abc.AsyncIterator[tuple[list[asyncio.Task[provider_requests.Answer]], threading.Event]]:
    """Requests of this client that a provider leaves without an answer until the event."""
    released = threading.Event()

    def hang(handler: typing.Any) -> None:
        released.wait(60)
        answer_with(200, {})(handler)

    with identity_providers.pretender() as slow:
        slow.answers["/token"] = hang
        async with asyncio.TaskGroup() as group:
            found = [group.create_task(client.post(f"{slow.issuer}/token", {})) for _ in range(tasks)]
            try:
                while len(slow.requests) < at_least:
                    await asyncio.sleep(0.01)
                yield found, released
            finally:
                released.set()


async def test_a_provider_that_hangs_is_in_no_other_ones_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_requests, "_AT_ONCE", 2)
    client = provider_requests.ProviderClient(provider_requests.make_trust())
    with identity_providers.pretender() as quick:
        async with hanging(2, 3, client):
            async with asyncio.timeout(60):
                assert (await client.get(f"{quick.issuer}/jwks"))[0] == 200
    await client.close()


async def test_a_client_that_is_used_no_more() -> None:
    """What runs ends as it would; then nothing of it is left."""
    client = provider_requests.ProviderClient(provider_requests.make_trust())
    async with hanging(1, 1, client) as ((one,), released):
        session = client._session
        assert session is not None
        await client.retire()
        assert not session.closed
        released.set()
        assert (await one)[0] == 200
        assert session.closed
    with identity_providers.pretender() as quick:  # the next request of the same sign-in
        assert (await client.get(f"{quick.issuer}/jwks"))[0] == 200
    assert client._session is None


def make_root() -> str:
    return local_ca.load_or_create(memory_store.MemoryStore(), clock.SystemClock().now()).root_pem.decode()


async def test_roots_that_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    retired: list[provider_requests.ProviderClient] = []

    async def retire(client: provider_requests.ProviderClient) -> None:
        retired.append(client)

    monkeypatch.setattr(provider_requests.ProviderClient, "retire", retire)
    default = provider_requests.ProviderClient(provider_requests.make_trust())
    providers = provider_sign_in.ProviderSignIn(typing.cast(login_judge.LoginJudge, None), default, time.time)
    providers.set_policies([HOST])
    for number in range(3):
        await providers.set_secrets({PROVIDER.key: ClientSecret("s", make_root())})
        assert len(retired) == number
    # What is no certificate changes nothing.
    before = dict(providers._connections)
    with pytest.raises(ssl.SSLError):
        await providers.set_secrets({PROVIDER.key: ClientSecret("other", "nothing")})
    assert providers.find_name(PROVIDER.key) == "Home"
    assert providers._connections == before
    assert providers._find_secret(PROVIDER.key) == "s"
    providers.set_policies([HOST])
    assert providers._connections == before
    await providers.set_secrets({PROVIDER.key: ClientSecret("s")})
    assert len(retired) == 3
    assert default not in retired


# --- sessions ------------------------------------------------------------------------------------------------------


def begin_all(table: session_table.SessionTable, number: int) -> None:
    table.limit(idle_s=1000.0, lifetime_s=1000.0)
    for one in range(number):
        identity = login_providers.Identity(provider=PROVIDER.key, subject=str(one))
        table.begin(identity.name, PROVIDER.stamp, address="", agent="", now_s=1.0, identity=identity)


def open_slots(folder: pathlib.Path) -> list[int]:
    return [os.open(folder / name, os.O_RDWR | os.O_CREAT) for name in ("1", "2")]


def make_sessions(folder: pathlib.Path) -> saved_sessions.SavedSessions:
    return saved_sessions.SavedSessions(session_file.SessionFile(open_slots(folder)), lambda: 1.0)


async def test_the_stamp_of_a_provider_is_made_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten thousand sessions, each time, it took half a second."""
    sessions = make_sessions(tmp_path)
    begin_all(sessions.table, 50)
    made, stamp = list[str](), PROVIDER.stamp

    def make(provider: login_providers.Provider) -> str:
        made.append(provider.key)
        return stamp

    monkeypatch.setattr(login_providers.Provider, "stamp", property(make))
    known = known_users.KnownUsers(sessions)
    known.set_providers([PROVIDER])
    assert all(known.find_of(one) is not None for one in sessions.table.list(1.0))
    assert made == ["id.test"]
    known.set_providers([])
    assert [one for one in sessions.table.list(1.0) if known.find_of(one) is not None] == []


async def test_sessions_of_the_file_whose_provider_is_gone(tmp_path: pathlib.Path) -> None:
    slots, table = open_slots(tmp_path), session_table.SessionTable()
    before = session_file.SessionFile(slots)
    await before.open()
    begin_all(table, 2)
    table.begin("alice", "1", address="", agent="", now_s=1.0)
    before.write(table.encode())
    for slot in slots:
        os.close(slot)
    after = make_sessions(tmp_path)
    await after.end_gone(lambda session: session.identity is not None)
    after.table.limit(idle_s=1000.0, lifetime_s=1000.0)
    running = asyncio.ensure_future(after.run())
    await after.ready.wait()
    assert [one.user for one in after.table.list(1.0)] == ["alice"]
    running.cancel()
