"""Sign-ins on their way between the judge of a machine and its fleet: none is lost to a judge that answers late, and
visitors of the judge wait for none of them."""

import asyncio
import collections.abc
import pathlib
import time
import types
import typing

import pytest
import structlog.testing

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


def test_a_judge_that_starts_is_no_failure(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def take_over() -> None:
        pass

    paths = layout.Layout(str(tmp_path))
    sharing = sign_in_sharing.SignInSharing(memory_store.MemoryStore(), paths, take_over=take_over)
    with structlog.testing.capture_logs() as logged:
        sharing._report("it does not answer yet")
        assert logged == []
        monkeypatch.setattr(sign_in_sharing, "_REPORT_S", 0.0)
        sharing._report("there is none")
        assert logged == []
        socket = pathlib.Path(paths.judge_control_socket)
        socket.parent.mkdir(parents=True)
        socket.touch()
        sharing._report("it does not answer")
        sharing._report("it does not answer")
    assert [one["log_level"] for one in logged] == ["warning"]


def test_who_came_by_a_provider_once_is_not_kept_for_ever(tmp_path: pathlib.Path) -> None:
    async def take_over() -> None:
        pass

    def record(user: str, over_s: float, *, step: int = -1, codes: tuple[str, ...] = ()) -> bytes:
        session = {"seen_s": 1.0, "saved_s": 1.0, "over_s": over_s, "password_s": 1.0}
        sessions = {"k": {**session, "sites": {}, "stamp": "s", "version": 1}}
        rest = {"ended": {"e": over_s}, "site_codes": {}, "step": step, "codes": list(codes)}
        return shared_sign_ins.encode({"user": user, "sessions": sessions, **rest})

    store, now_s = memory_store.MemoryStore(), time.time()
    over_s = now_s - 2 * 86400
    records = {
        "github:1": record("github:1", over_s),
        "github:2": record("github:2", now_s + 60),
        "ann": record("ann", over_s, step=7),
        "bob": record("bob", over_s, codes=("used",)),
    }
    for user, content in records.items():
        store.write(shared_sign_ins.key_of(user), content)
    store.write(f"{shared_sign_ins.FOLDER}/damaged", b"{")
    sharing = sign_in_sharing.SignInSharing(store, layout.Layout(str(tmp_path)), take_over=take_over)
    sharing.remove_over()
    kept = {shared_sign_ins.key_of(user) for user in records if user != "github:1"}
    assert set(store.list(shared_sign_ins.FOLDER)) == {*kept, f"{shared_sign_ins.FOLDER}/damaged"}
