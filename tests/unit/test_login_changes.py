"""What users changed of their accounts, on top of what the store has."""

import dataclasses
import json

import pytest

from daemun.core.access import login_changes, login_users
from daemun.core.access.login_users import User
from daemun.core.texts import browser_names

ALICE = User(name="alice", hashed="h0", stamp="s0", groups=("family",))


def changed(user: User, earlier: login_changes.Change | None = None, **values: object) -> login_changes.Change:
    after = dataclasses.replace(user, revision=user.revision + 1, **values)  # type: ignore[arg-type]
    return login_changes.follow(earlier, user, after)


FIRST = changed(ALICE, hashed="h1", stamp="s1")
SECOND = changed(FIRST.user, FIRST, totp="T")


def fold(stored: User, change: login_changes.Change) -> User:
    (found,) = login_changes.fold((stored,), {"alice": change})
    return found


def test_a_change_holds_on_top_of_each_version_that_it_came_from() -> None:
    for stored in (ALICE, FIRST.user):
        assert fold(stored, SECOND) == SECOND.user
    assert fold(SECOND.user, SECOND) is SECOND.user
    assert not login_changes.is_due(SECOND.user, SECOND)


def test_what_the_owner_changes_stays() -> None:
    other = dataclasses.replace(ALICE, groups=("admins",), email="a@example.com")
    assert fold(other, SECOND) == dataclasses.replace(SECOND.user, groups=("admins",), email="a@example.com")
    again = dataclasses.replace(ALICE, hashed="h9", stamp="s9")
    assert fold(again, SECOND) is again
    # A change of the account that the owner made has nothing of before.
    assert changed(again, SECOND, hashed="h10", stamp="s10").stamps == ("s9", "s10")


def test_what_is_kept() -> None:
    changes = {"alice": SECOND}
    assert login_changes.find_due((ALICE,), changes) == changes
    assert login_changes.find_due((), changes) == changes
    assert login_changes.find_due((SECOND.user,), changes) == {}
    assert login_changes.find_due((dataclasses.replace(ALICE, stamp="s9"),), changes) == {}


def test_as_text() -> None:
    assert login_changes.read(json.loads(json.dumps(login_changes.value_of(SECOND)))) == SECOND
    # A version of before wrote no revision.
    old = json.loads(login_users.encode((ALICE,)))
    del old[0]["revision"]
    assert login_users.decode(json.dumps(old).encode()) == (ALICE,)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 "
            "Safari/537.36 Edg/140.0",
            "Edge, Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari, iOS",
        ),
        ("curl/8.14.1", "curl/8.14.1"),
        ("", ""),
    ],
)
def test_what_people_call_a_browser(agent: str, name: str) -> None:
    assert browser_names.find_name(agent) == name
