"""Users of the sign-in by the API: the real application on a store of files, with the commands beside it."""

import asyncio
import json
import pathlib
import typing

import pytest

from daemun import settings
from daemun.control import operator_port
from daemun.core.access import dashboard_roles, login_users
from daemun.web import operator_json, people_endpoints
from daemun.wiring import people
from daemun.wiring.offline import offline_users
from tests.support import clock
from tests.support.operator_client import OperatorClient

Json = dict[str, typing.Any]


class _Records:
    rights = dashboard_roles.DashboardRights(host="gate.test", look=("@family",), own=("ann",))

    async def read_audit(self, _: operator_port.AuditQuery) -> operator_port.AuditPage:
        raise NotImplementedError


class House:
    def __init__(self, folder: pathlib.Path) -> None:
        self.settings = settings.Settings(config=folder / "daemun.yaml", state=folder / "s")
        self.clock = clock.FakeClock()
        self.page: str | None = "https://auth.test:8443"
        found = people.LoginPeople(self.settings, lambda: self.page, self.clock)
        self.client = OperatorClient(people_endpoints.endpoints(found, found, _Records()))

    async def post(self, path: str, body: Json) -> Json:
        answer = await self.client.request("POST", path, body, role="own")
        assert answer.status_code < 300, answer.text
        found: Json = answer.json()
        return found

    async def people(self, query: str = "") -> list[Json]:
        rows: list[Json] = (await self.client.get(f"/people{query}", role="own"))["rows"]
        return rows

    async def add(self, name: str, **values: typing.Any) -> None:
        def work() -> None:
            with offline_users.editing(self.settings) as users:
                users[name] = login_users.User(name=name, hashed="x", stamp="1", **values)

        await asyncio.to_thread(work)

    def user(self, name: str) -> login_users.User:
        return {one.name: one for one in offline_users.list_users(self.settings)}[name]


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return House(tmp_path)


EVERY: tuple[tuple[str, str, Json | None], ...] = (
    ("GET", "/people", None),
    ("POST", "/people", {"name": "eve"}),
    ("POST", "/people/change", {"name": "ann", "groups": ["admins"]}),
    ("POST", "/people/remove", {"name": "ann"}),
    ("GET", "/people/sessions", None),
    ("POST", "/people/sessions/end", {"user": "ann"}),
)


@pytest.mark.parametrize("role", ["look", "change"])
async def test_who_may_not_own_learns_and_changes_nothing(house: House, role: str) -> None:
    await house.add("ann")
    for method, path, body in EVERY:
        assert (await house.client.fail(method, path, body, role=role))[0] == 403
    assert offline_users.list_users(house.settings) == (login_users.User(name="ann", hashed="x", stamp="1"),)


async def test_an_invited_user_is_listed_and_gets_another_link(house: House) -> None:
    made = await house.post("/people", {"name": " eve ", "groups": ["family"], "lifetime_s": 3600})
    assert made["link"].startswith("https://auth.test:8443/invitation?token=")
    secret = made["link"].partition("=")[2]
    invitation = house.user("eve").invitation
    assert invitation is not None and invitation.digest == login_users.digest_invitation(secret)
    (row,) = await house.people()
    assert (row["state"], row["role"], row["groups"], row["invited_until"]) == (
        "invited",
        "look",
        ["family"],
        made["ends_at"],
    )
    again = await house.post("/people", {"name": "eve"})
    assert again["link"] != made["link"]
    assert secret not in json.dumps(house.client.noted)
    assert [one.before + one.after for one in house.client.operators.noted] == [
        f"until {made['ends_at']}",
        f"until {again['ends_at']}",
    ]
    house.page = None
    status, words = await house.client.fail("POST", "/people", {"name": "bob"}, role="own")
    assert status == 409 and "`login: {host: auth.example.com}`" in words


async def test_a_user_is_changed_and_removed(house: House) -> None:
    await house.add("ann", groups=("family",), totp="secret", recovery=("digest",))
    body = {"name": "ann", "groups": ["crew", "admins", "crew"], "email": "ann@example.com", "is_disabled": True}
    row = await house.post("/people/change", body)
    assert (row["groups"], row["state"], row["has_codes"], row["role"]) == (["admins", "crew"], "disabled", True, "own")
    user = house.user("ann")
    assert (user.is_disabled, user.email, user.hashed, user.stamp, user.totp) == (
        True,
        "ann@example.com",
        "x",
        "1",
        "secret",
    )
    noted = house.client.operators.noted[-1]
    assert noted.before == "groups: family, email: none, state: active"
    assert noted.after == "groups: admins crew, email: ann@example.com, state: disabled"
    row = await house.post("/people/change", {"name": "ann", "is_disabled": False, "removes_codes": True})
    user = house.user("ann")
    assert (row["state"], row["has_codes"], user.totp, user.recovery, user.groups) == (
        "active",
        False,
        None,
        (),
        ("admins", "crew"),
    )
    assert user.stamp != "1", "all sessions end"
    assert (await house.post("/people/remove", {"name": "ann"}))["name"] == "ann"
    assert await house.people() == []
    for path in ("/people/change", "/people/remove"):
        assert "`daemun users` lists them" in (await house.client.fail("POST", path, {"name": "ann"}, role="own"))[1]


_BAD: tuple[tuple[str, Json, int], ...] = (
    ("/people", {}, 400),
    ("/people", {"name": "a:b"}, 422),
    ("/people", {"name": "ann"}, 409),
    ("/people", {"name": "x" * 2000}, 400),
    ("/people", {"name": "eve", "groups": ["a b"]}, 422),
    ("/people", {"name": "eve", "groups": "crew"}, 400),
    ("/people", {"name": "eve", "email": "eve"}, 422),
    ("/people", {"name": "eve", "display": "\x1b"}, 422),
    ("/people", {"name": "eve", "lifetime_s": 0}, 400),
    ("/people", {"name": "eve", "lifetime_s": operator_json.LONGEST_LIFETIME_S + 1}, 400),
    ("/people", {"name": "eve", "lifetime_s": None}, 400),
    ("/people/change", {"name": "ann", "is_disabled": "yes"}, 400),
    ("/people/change", {"name": "ann", "removes_codes": 1}, 400),
    ("/people/change", {"name": "ann", "groups": ["@crew"]}, 422),
    ("/people/sessions/end", {}, 400),
    ("/people/sessions/end", {"user": "ann", "number": "1"}, 400),
    ("/people/sessions/end", {"number": "1"}, 404),
)


@pytest.mark.parametrize(("path", "body", "status"), _BAD)
async def test_what_cannot_be_set_changes_nothing(house: House, path: str, body: Json, status: int) -> None:
    await house.add("ann", groups=("family",))
    found, words = await house.client.fail("POST", path, body, role="own")
    assert found == status and len(words) < 500
    assert [(one.name, one.groups) for one in offline_users.list_users(house.settings)] == [("ann", ("family",))]


async def test_lists_are_paged_and_searched(house: House) -> None:
    for number in range(30):
        await house.add(f"user{number:02}", email=f"u{number}@example.com", groups=("even",) if number % 2 == 0 else ())
    found = await house.client.get("/people?page=2&size=20", role="own")
    assert (found["total"], len(found["rows"]), found["rows"][0]["name"]) == (30, 10, "user20")
    assert len(await house.people("?q=EVEN")) == 15
    assert [one["name"] for one in await house.people("?q=u7@")] == ["user07"]
    assert (await house.client.get("/people/sessions", role="own"))["total"] == 0


async def test_damaged_users_are_reported_and_not_written_over(house: House) -> None:
    await house.add("ann")
    path = pathlib.Path(house.settings.layout.store, login_users.KEY)
    path.write_text("{")
    for method, url, body in EVERY[:4]:
        status, words = await house.client.fail(method, url, body, role="own")
        assert status == 503 and "put back a copy" in words
    assert path.read_text() == "{"
