"""What machines of a fleet know of sign-ins comes together to the same, in whichever order they learn of it."""

import typing

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core.access import login_users
from daemun.judge import session_table, shared_sign_ins

NOW = 1_000_000.0
KEYS = ("k1", "k2", "k3")


def session(seen_s: float, stamp: str, version: int, site: str) -> dict[str, typing.Any]:
    return {
        "number": "1",
        "user": "alice",
        "stamp": stamp,
        "created_s": NOW,
        "seen_s": seen_s,
        "saved_s": seen_s,
        "password_s": 0.0,
        "over_s": seen_s + 3600.0,
        "address": "",
        "agent": "",
        "sites": {site: "home.test"},
        "identity": None,
        "version": version,
    }


sessions = strategies.builds(
    session,
    strategies.sampled_from([NOW, NOW + 10.0]),
    strategies.sampled_from(["s1", "s2"]),
    strategies.integers(0, 2),
    strategies.sampled_from(["x", "y"]),
)
code = {"session": "k1", "host": "h", "port": "", "path": "/", "challenge": "c", "until_s": NOW + 60.0}
records = strategies.fixed_dictionaries(
    {
        "user": strategies.just("alice"),
        "sessions": strategies.dictionaries(strategies.sampled_from(KEYS), sessions),
        "ended": strategies.dictionaries(strategies.sampled_from((*KEYS, "c1")), strategies.just(NOW + 1e6)),
        "site_codes": strategies.dictionaries(strategies.sampled_from(["c1", "c2"]), strategies.just(code)),
        "step": strategies.integers(-1, 3),
        "codes": strategies.lists(strategies.sampled_from(["r1", "r2"]), unique=True).map(sorted),
    }
)


def merge(one: shared_sign_ins.Record, other: shared_sign_ins.Record) -> shared_sign_ins.Record:
    return shared_sign_ins.merge(one, other, NOW)


@hypothesis.given(records, records, records)
def test_order_does_not_matter(one: typing.Any, two: typing.Any, three: typing.Any) -> None:
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(merge(one, two), two) == merge(one, two)
    assert shared_sign_ins.decode(shared_sign_ins.encode(merge(one, two))) == merge(one, two)


@hypothesis.given(records, records)
def test_what_ended_stays_ended_and_nothing_else_is_lost(one: typing.Any, two: typing.Any) -> None:
    found = merge(one, two)
    ended = {*one["ended"], *two["ended"]}
    assert set(found["sessions"]) == {*one["sessions"], *two["sessions"]} - ended
    assert set(found["site_codes"]) == {*one["site_codes"], *two["site_codes"]} - ended
    assert found["step"] == max(one["step"], two["step"])
    assert set(found["codes"]) == {*one["codes"], *two["codes"]}


def table() -> session_table.SessionTable:
    made = session_table.SessionTable()
    made.limit(idle_s=3600.0, lifetime_s=86400.0)
    made.is_shared = True
    return made


def give(one: session_table.SessionTable, other: session_table.SessionTable, now_s: float = NOW) -> None:
    other.take([shared_sign_ins.check(value) for value in one.describe(["alice"])], now_s)


def test_a_session_of_one_book_is_the_others() -> None:
    a, b = table(), table()
    secret = a.begin("alice", "s", address="", agent="", now_s=NOW)
    give(a, b)
    found = b.find(secret, NOW + 1)
    assert found is not None
    at_site = b.enter(found[0], "home.test", NOW + 1)
    assert at_site is not None
    give(b, a)
    assert a.find_on(at_site, "home.test", NOW + 2) is not None
    held = a.get(found[0])
    give(b, a)
    assert a.get(found[0]) is held, "whoever has it at hand goes on with it"


def test_what_is_good_once_is_so_everywhere() -> None:
    a, b = table(), table()
    assert a.spend_step("alice", 7) and a.spend_code("alice", "r")
    give(a, b)
    assert not b.spend_step("alice", 7) and not b.spend_code("alice", "r")
    assert b.spend_step("alice", 8)


def test_a_session_that_was_ended_does_not_come_back_of_one_that_did_not_hear_of_it() -> None:
    a, b = table(), table()
    secret = a.begin("alice", "s", address="", agent="", now_s=NOW)
    give(a, b)
    assert a.end(lambda one: True) == 1
    b.find(secret, NOW + 1800)
    give(b, a)
    assert a.find(secret, NOW + 1801) is None
    give(a, b)
    assert b.find(secret, NOW + 1802) is None
    again = table()
    again.load(a.encode())
    give(b, again)
    assert again.find(secret, NOW + 1803) is None


def test_one_that_was_used_elsewhere_is_not_over_by_its_age_here() -> None:
    a, b = table(), table()
    secret = a.begin("alice", "s", address="", agent="", now_s=NOW)
    give(a, b)
    assert b.find(secret, NOW + 3000) is not None
    a.end_old(NOW + 4000)
    give(b, a, NOW + 4000)
    assert a.find(secret, NOW + 4000) is not None


def test_a_change_of_the_password_ends_all_sessions_but_one() -> None:
    a, b = table(), table()
    kept = a.begin("alice", "old", address="", agent="", now_s=NOW)
    other = b.begin("alice", "old", address="", agent="", now_s=NOW)
    give(a, b)
    give(b, a)
    found = a.find(kept, NOW)
    assert found is not None
    user = login_users.User(name="alice", hashed="h", stamp="old")
    a.change_user(user, login_users.User(name="alice", hashed="i", stamp="new", revision=1), kept_session=found[0])
    b.drop(lambda one: one.stamp != "new")  # it learned of the user first
    give(b, a)
    give(a, b)
    session = b.find(kept, NOW)
    assert session is not None and session[1].stamp == "new"
    assert b.find(other, NOW) is None and a.find(other, NOW) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"user": "a", "sessions": {"k": 3}}', b"\xff"])
def test_what_is_damaged_is_nothing(content: bytes) -> None:
    (ours,) = table().describe(["alice"])
    assert shared_sign_ins.decode(shared_sign_ins.alter(content, ours, NOW)) == shared_sign_ins.check(ours)
    assert shared_sign_ins.read_all([content]) == []
