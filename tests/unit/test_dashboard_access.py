"""Who may do what on the dashboard, and how long: roles, links and sessions as values."""

import json

import pytest

from daemun.core.access import dashboard_roles, operator_links, operator_sessions
from daemun.core.access.dashboard_roles import DashboardRights, Role

RIGHTS = DashboardRights(
    host="gate.test", look=("@family", "carol", "@github:crew"), change=("carol", "bob"), own=("@admins",)
)
SECRET = operator_sessions.PREFIX + "A" * 43


@pytest.mark.parametrize(
    ("user", "groups", "role"),
    [
        ("alice", ("admins", "family"), Role.OWN),
        ("bob", (), Role.CHANGE),
        ("carol", ("family",), Role.CHANGE),
        ("dave", ("family",), Role.LOOK),
        ("github:7", ("github:crew",), Role.LOOK),
        ("dave", ("github:crew2", "crew"), None),
        ("admins", (), None),
        ("@admins", (), None),
        ("github:bob", ("bob",), None),
        ("", ("",), None),
    ],
)
def test_who_has_which_role(user: str, groups: tuple[str, ...], role: Role | None) -> None:
    assert dashboard_roles.find_role(RIGHTS, user, groups) is role
    assert dashboard_roles.find_role(dashboard_roles.NO_RIGHTS, user, groups) is None


def test_roles_are_ordered_and_written_as_words() -> None:
    assert sorted(Role) == [Role.LOOK, Role.CHANGE, Role.OWN]
    assert [dashboard_roles.read_role(role.word) for role in Role] == list(Role)
    assert [dashboard_roles.read_role(word) for word in ("", "OWN", "owner", "3")] == [None] * 4


def test_a_link_opens_for_ten_minutes() -> None:
    secret = "B" * 43
    link = operator_links.make(secret, name="root\n", now_s=1000.0)
    assert link.name == "root"
    assert secret not in operator_links.encode(link).decode()
    assert operator_links.decode(operator_links.encode(link)) == link
    assert link.is_opened_by(secret)
    assert not any(map(link.is_opened_by, ("", "B" * 42, "B" * 44, secret + "\n", "C" * 43, link.digest, "é" * 43)))
    assert [link.is_over(now_s) for now_s in (399.0, 400.0, 1000.0, 1599.9, 1600.0)] == [
        True,
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"digest": "x", "name": "x", "created_s": 0, "ends_s": "inf"},
        {"digest": "x", "name": "x", "created_s": "nan", "ends_s": 1},
        {"digest": "x", "name": "x", "created_s": 0, "ends_s": 601},
    ],
)
def test_no_link_of_a_file_lasts_longer_than_any(value: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        operator_links.decode(json.dumps(value).encode())


def _begin(sessions: operator_sessions.OperatorSessions, number: int, now_s: float = 0.0) -> str:
    secret = f"{operator_sessions.PREFIX}{number:043}"
    sessions.begin(secret, number=str(number), name="root", address="192.0.2.1", agent="a\x1bb" * 500, now_s=now_s)
    return secret


def test_a_session_ends_when_it_is_idle_and_at_its_end() -> None:
    hour, day = 3600.0, 86400.0
    sessions = operator_sessions.OperatorSessions()
    idle, used = _begin(sessions, 1), _begin(sessions, 2)
    assert [one.number for one in sessions.list(12 * hour - 1)] == ["1", "2"]
    for now_s in range(0, int(7 * day), int(11 * hour)):
        assert sessions.find(used, now_s) is not None
    assert sessions.find(idle, 6 * day) is None
    assert sessions.find(used, 7 * day - 1) is not None
    assert sessions.find(used, 7 * day) is None
    assert sessions.list(0) == ()


def test_a_session_shows_what_people_can_read() -> None:
    sessions = operator_sessions.OperatorSessions()
    _begin(sessions, 1)
    (session,) = sessions.list(0.0)
    assert session.agent == ("ab" * 500)[: len(session.agent)] and len(session.agent) == 200


def test_a_clock_that_was_put_back_makes_no_session_longer() -> None:
    sessions = operator_sessions.OperatorSessions()
    secret = _begin(sessions, 1, now_s=1e9)
    assert sessions.find(secret, 1e9 - operator_sessions.IDLE_S) is not None
    assert sessions.find(secret, 1e9 - operator_sessions.IDLE_S - 1) is None


def test_there_are_no_more_sessions_than_a_hundred() -> None:
    sessions = operator_sessions.OperatorSessions()
    secrets = [_begin(sessions, number, now_s=number) for number in range(100)]
    sessions.find(secrets[0], 100.0)
    _begin(sessions, 100, now_s=101.0)
    numbers = {one.number for one in sessions.list(101.0)}
    assert len(numbers) == 100 and numbers >= {"0", "2", "100"} and "1" not in numbers


def test_sessions_are_written_and_read_without_their_secrets() -> None:
    sessions, other = operator_sessions.OperatorSessions(), operator_sessions.OperatorSessions()
    secret = _begin(sessions, 1)
    sessions.find(secret, 50.0)
    assert secret not in sessions.encode().decode()
    other.take(sessions.encode())
    assert [one.seen_s for one in other.list(60.0)] == [50.0]
    assert other.find(secret, 60.0) is not None
    assert other.find(operator_sessions.digest(secret), 60.0) is None
    sessions.changed = False
    assert sessions.end(lambda one: one.number == "2") == 0 and not sessions.changed
    assert sessions.end(lambda one: one.number == "1") == 1 and sessions.changed


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"x": 1}', b'{"x": {}}', b"\xff", b"null"], ids=repr)
def test_what_is_damaged_is_no_session(content: bytes) -> None:
    sessions = operator_sessions.OperatorSessions()
    _begin(sessions, 1)
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        sessions.take(content)


def test_a_session_that_would_never_end_is_none() -> None:
    sessions = operator_sessions.OperatorSessions()
    _begin(sessions, 1)
    for key in ("created_s", "seen_s"):
        for odd in ("NaN", "Infinity"):
            values = json.loads(sessions.encode())
            next(iter(values.values()))[key] = float(odd)
            with pytest.raises(ValueError, match="no moment"):
                operator_sessions.OperatorSessions().take(json.dumps(values).encode())
