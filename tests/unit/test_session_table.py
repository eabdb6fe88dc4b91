"""Sessions, and what is good once."""

import json
import os
import pathlib

import pytest

from daemun.core.access import login_providers
from daemun.judge import session_file, session_table


def make_table() -> session_table.SessionTable:
    table = session_table.SessionTable()
    table.limit(idle_s=100.0, lifetime_s=1000.0)
    return table


def begin(table: session_table.SessionTable, user: str = "alice", *, now_s: float = 0.0) -> str:
    return table.begin(user, "1", address="192.0.2.1", agent="x\0y", now_s=now_s)


def test_idle_and_lifetime() -> None:
    table = make_table()
    secret = begin(table)
    assert table.find(secret, 100.0) is not None
    assert table.find(secret, 199.0) is not None
    assert table.find(secret, 300.0) is None
    assert table.find(secret, 200.0) is None
    secret = begin(table)
    for now_s in range(0, 1001, 50):
        assert table.find(secret, float(now_s)) is not None
    assert table.find(secret, 1001.0) is None
    secret = begin(table, now_s=5000.0)
    assert table.find(secret, 4000.0) is None  # a clock that was put back


def test_sites() -> None:
    table = make_table()
    found = table.find(begin(table), 0.0)
    assert found is not None
    secret = table.enter(found[0], "a.test", 0.0)
    assert secret is not None
    assert table.find_on(secret, "a.test", 1.0) is found[1]
    assert table.find_on(secret, "b.test", 1.0) is None
    assert table.find(secret, 1.0) is None
    more = [table.enter(found[0], "a.test", 1.0) for _ in range(session_table.MOST_OF_A_SITE)]
    assert table.find_on(secret, "a.test", 1.0) is None
    assert all(table.find_on(one or "", "a.test", 1.0) for one in more)
    assert table.end(lambda one: one.user == "alice") == 1
    assert not any(table.find_on(one or "", "a.test", 1.0) for one in more)
    assert table.enter(found[0], "a.test", 1.0) is None


def test_how_many() -> None:
    table = make_table()
    first = begin(table)
    for number in range(session_table.MOST_OF_A_USER):
        begin(table, now_s=1.0 + number / 1000)
    assert table.find(first, 2.0) is None
    assert len(table.list(2.0)) == session_table.MOST_OF_A_USER


def test_what_is_good_once() -> None:
    table = make_table()
    assert table.spend_step("alice", 7)
    assert not table.spend_step("alice", 7)
    assert not table.spend_step("alice", 6)
    assert table.spend_step("bob", 7)
    assert table.spend_code("alice", "a")
    assert not table.spend_code("alice", "a")
    table.keep_spent({})
    assert not table.spend_code("alice", "a")
    table.keep_spent({"alice": ["b"]})
    assert table.spend_code("alice", "a")


def test_counters() -> None:
    table = make_table()
    for passkey in ("a", "b"):
        table.note_counter(passkey, 7)
    table.changed = False
    table.keep_counters({"a", "b", "c"})
    assert not table.changed
    table.keep_counters({"a"})
    assert (table.find_counter("a"), table.find_counter("b"), table.changed) == (7, 0, True)


def begin_elsewhere(table: session_table.SessionTable, subject: str, now_s: float = 1.0) -> str:
    identity = login_providers.Identity(provider="id.test", subject=subject, display="Ä", groups=("family",))
    return table.begin(identity.name, "1", address="", agent="", now_s=now_s, identity=identity)


def test_sessions_of_accounts_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be any number of those: they end no session of the gate's own users."""
    monkeypatch.setattr(session_table, "MOST_OF_PROVIDERS", 3)
    table = make_table()
    own = begin(table)
    secrets = [begin_elsewhere(table, str(number), 1.0 + number / 10) for number in range(5)]
    assert [table.find(one, 2.0) is not None for one in (own, *secrets)] == [True, False, False, True, True, True]
    again = make_table()
    copied = table.copy()
    begin_elsewhere(table, "later", 2.0)
    again.load(copied.encode())
    assert [one.user for one in again.list(2.0)] == ["alice", "id.test:2", "id.test:3", "id.test:4"]
    found = again.find(secrets[-1], 2.0)
    assert found is not None
    assert found[1].identity == login_providers.Identity(
        provider="id.test", subject="4", display="Ä", groups=("family",)
    )


def test_sessions_that_were_written_before_there_were_providers() -> None:
    table = make_table()
    secret = begin(table)
    before = json.loads(table.encode())
    for one in before["sessions"].values():
        del one["identity"]
    table.load(json.dumps(before).encode())
    assert table.find(secret, 2.0) is not None


def test_as_text() -> None:
    table = make_table()
    secret = begin(table)
    key, _ = table.find(secret, 1.0) or ("", None)
    site = table.enter(key, "a.test", 1.0) or ""
    table.spend_step("alice", 7)
    text = table.encode()
    assert secret.encode() not in text
    assert site.encode() not in text
    again = make_table()
    again.load(text)
    assert again.find(secret, 2.0) is not None
    assert again.find_on(site, "a.test", 2.0) is not None
    assert not again.spend_step("alice", 7)


def test_two_files_by_turns(tmp_path: pathlib.Path) -> None:
    """Whatever is cut off or changed in the one that was written last, the other is whole."""
    paths = [tmp_path / "1", tmp_path / "2"]
    slots = [os.open(path, os.O_RDWR | os.O_CREAT) for path in paths]
    try:
        file = session_file.SessionFile(slots)
        for content in (b"first", b"second", b"third"):
            file.write(content)
        last = next(path for path in paths if b"third" in path.read_bytes())
        whole = last.read_bytes()
        assert session_file.read_last(slots) == (3, b"third")
        for length in range(len(whole)):
            last.write_bytes(whole[:length])
            assert session_file.read_last(slots) == (2, b"second")
        last.write_bytes(whole.replace(b"third", b"fourth"))
        assert session_file.read_last(slots) == (2, b"second")
    finally:
        for slot in slots:
            os.close(slot)
