"""Sign-ins on their way between the judge of a machine and its fleet: none is lost to a judge that answers late, and
visitors of the judge wait for none of them."""

import asyncio
import collections.abc
import types
import typing

import pytest

from daemun.core import layout
from daemun.errors import EnvironmentProblemError
from daemun.judge import login_session, session_table, shared_sign_ins, sign_in_changes, sign_in_sharing
from daemun.store import memory_store

NOW = 1_000_000.0
PEOPLE = 2_000


class Sessions(dict[str, login_session.Session]):
    """walks: how often all of them were looked at."""

    walks = 0

    def items(self) -> typing.Any:
        self.walks += 1
        return super().items()


def full_table() -> tuple[session_table.SessionTable, Sessions]:
    table = session_table.SessionTable()
    table.limit(idle_s=3600.0, lifetime_s=86400.0)
    sessions = Sessions()
    for number in range(PEOPLE):
        name = f"github:{number}"
        sessions[f"k{number}"] = login_session.Session(
            number=str(number), user=name, stamp="s", created_s=NOW, seen_s=NOW
        )
    table._sessions = sessions
    return table, sessions


async def turns_during(work: collections.abc.Awaitable[object]) -> int:
    """How often others had a turn until then."""
    turns = 0
    task = asyncio.ensure_future(work)
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    await task
    return turns


def changes_of(table: session_table.SessionTable) -> sign_in_changes.SignInChanges:
    login = types.SimpleNamespace(known=types.SimpleNamespace(has_changes=False))
    return sign_in_changes.SignInChanges(typing.cast(typing.Any, login), table, lambda: NOW)


async def test_visitors_have_turns_while_thousands_are_told_and_taken() -> None:
    (one, told), (other, taken) = full_table(), full_table()
    other.drop(lambda session: int(session.number) % 2 == 0)
    taken.walks = 0
    found: dict[str, typing.Any] = {}

    async def tell() -> None:
        found.update(await changes_of(one).wait(0, ""))

    assert await turns_during(tell()) > PEOPLE / 100
    assert len(found["records"]) == PEOPLE
    assert told.walks < PEOPLE / 10
    records = [shared_sign_ins.check(record) for record in found["records"]]
    assert await turns_during(changes_of(other).take(records)) > PEOPLE / 100
    assert taken.walks < PEOPLE / 10
    assert other.describe(other.list_users()) == one.describe(other.list_users())
    assert len(other.list_users()) == PEOPLE


class Judge(sign_in_sharing.SignInSharing):
    """In place of a process. failures: so often it answers late."""

    failures = 0

    def __init__(self, store: memory_store.MemoryStore) -> None:
        super().__init__(store, layout.Layout("/nowhere"), take_over=self._nothing)
        self.brought: set[str] = set()
        self.asked = 0

    async def _nothing(self) -> None:
        pass

    async def _request(self, what: str, value: dict[str, typing.Any]) -> dict[str, typing.Any]:
        await asyncio.sleep(0)
        if what == "changes":
            self.asked += 1
            return {"instance": "j", "number": 0, "has_changes": False, "records": []}
        if self.failures:
            self.failures -= 1
            raise EnvironmentProblemError("it answers late")
        self.brought |= {key for one in value["records"] for key in one["ended"]}
        return {}


@pytest.mark.parametrize("failures", [1, 2, 3, 7])
async def test_a_sign_out_elsewhere_holds_here_however_often_the_judge_answers_late(
    failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_sharing, "RETRY_S", 0.01)
    store = memory_store.MemoryStore()
    judge = Judge(store)
    running = asyncio.ensure_future(judge.run())
    try:
        async with asyncio.timeout(60):
            while not judge.asked:
                await asyncio.sleep(0)
            judge.failures = failures
            record = {"user": "alice", "sessions": {}, "ended": {"k": 9e12}, "site_codes": {}, "step": -1, "codes": []}
            store.write(shared_sign_ins.key_of("alice"), shared_sign_ins.encode(record))
            await judge._take([shared_sign_ins.key_of("alice")])
            while judge.failures:
                await asyncio.sleep(0)
            asked = judge.asked
            while judge.asked < asked + 3:
                await asyncio.sleep(0)
        assert judge.brought == {"k"}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
