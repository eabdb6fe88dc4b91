"""The pages of people, sessions, tokens and the audit log, in front of the real endpoints, without a daemon."""

import asyncio
import pathlib
import re
import typing

import pytest

from daemun import settings
from daemun.control import operator_port, people_port
from daemun.core.access import dashboard_roles, login_users
from daemun.core.access.dashboard_roles import DashboardRights, Role
from daemun.dashboard.pages import people_pages
from daemun.operators.operators import Operators
from daemun.store import memory_store
from daemun.web import endpoint, operator_endpoints, people_endpoints, sign_in_endpoints
from daemun.wiring import people
from daemun.wiring.offline import offline_users
from tests.support import clock, page_house
from tests.support.page_house import ESCAPED, HOSTILE

RAW = "onerror=alert(1)>"


class Sessions:
    """Of users of the sign-in, without a judge."""

    def __init__(self, now: clock.FakeClock) -> None:
        self.found = [
            people_port.PersonSession(
                number="77",
                user="ann",
                provider=None,
                email=None,
                address="198.51.100.7",
                agent=HOSTILE,
                created_at=now.now(),
                seen_at=now.now(),
                hosts=("home.test", HOSTILE),
            )
        ]

    async def list_sessions(self) -> tuple[people_port.PersonSession, ...]:
        return tuple(self.found)

    async def end_sessions(self, *, user: str | None = None, number: str | None = None) -> tuple[int, bool]:
        kept = [one for one in self.found if user != one.user and number != one.number]
        ended, self.found = len(self.found) - len(kept), kept
        return ended, True


class House:
    def __init__(self, folder: pathlib.Path) -> None:
        self.settings = settings.Settings(config=folder / "daemun.yaml", state=folder / "s")
        pathlib.Path(self.settings.layout.logs).mkdir(parents=True)
        self.clock = clock.FakeClock()
        self.operators = Operators(memory_store.MemoryStore(), self.settings.layout, self.clock, self._find, self._end)
        self.sessions = Sessions(self.clock)
        users = people.LoginPeople(self.settings, lambda: "https://auth.test", self.clock)
        self.pages = page_house.PageHouse(
            (
                *operator_endpoints.endpoints(self.operators),
                *people_endpoints.endpoints(users, self.sessions, self.operators),
                *(one for one in self._list_ways_in() if one.path != "/me"),
            )
        )

    def _list_ways_in(self) -> tuple[endpoint.ApiEndpoint, ...]:
        async def summarise() -> typing.Never:
            raise NotImplementedError

        return sign_in_endpoints.endpoints(
            self.operators,
            version="1.2.3",
            command_options="",
            has_login=lambda: False,
            summarise=summarise,
            refresh=summarise,
        )

    async def _end(self, _: str) -> tuple[int, bool]:
        return 0, True

    async def _find(self, _: str, __: str) -> operator_port.SignedInUser | None:
        return None

    async def add(self, name: str, **values: typing.Any) -> None:
        def work() -> None:
            with offline_users.editing(self.settings) as users:
                users[name] = login_users.User(name=name, hashed="x", stamp="1", **values)

        await asyncio.to_thread(work)

    async def begin(self, name: str, agent: str) -> None:
        link = await self.operators.make_link(name)
        assert await self.operators.begin(link.secret, "198.51.100.7", agent)

    def user(self, name: str) -> login_users.User:
        return {one.name: one for one in offline_users.list_users(self.settings)}[name]


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return House(tmp_path)


PAGES = ("/settings/people", "/settings/sessions", "/settings/tokens", "/settings/audit")


async def test_what_others_sent_is_shown_as_text(house: House) -> None:
    await house.add(HOSTILE, display=HOSTILE, groups=("family",), totp="x")
    await house.begin(HOSTILE, HOSTILE)
    operator = dashboard_roles.Operator(name=HOSTILE, role=Role.OWN, how=HOSTILE, address=HOSTILE)
    noted = operator_port.NotedRequest(
        operator=operator, method="POST", path="/x", summary="Ban", status=500, target=HOSTILE, before=HOSTILE
    )
    await house.operators.note(noted)
    await house.operators.add_token("deploy", Role.LOOK, lifetime_s=None, by=HOSTILE)
    house.operators.configure(DashboardRights(host=HOSTILE, own=(HOSTILE,)))
    for path in (*PAGES, people_pages.person_url(HOSTILE)):
        for language in ("en", "ko"):
            page = await house.pages.get(path, language=language)
            assert RAW not in page and ESCAPED in page, path


async def test_without_anything_each_page_says_what_to_do(house: House) -> None:
    house.sessions.found.clear()
    for path, command in zip(PAGES, ("users add", "dashboard", "dashboard tokens add", "audit"), strict=True):
        for language in ("en", "ko"):
            assert f"daemun {command}" in await house.pages.get(path, language=language)


async def test_who_may_not_own_sees_the_audit_log_alone(house: House) -> None:
    await house.add("ann")
    forms = {
        "/settings/tokens": {"name": "x", "role": "own"},
        "/settings/tokens/remove": {"name": "x"},
        "/settings/people": {"name": "eve", "days": "3"},
        "/settings/people/edit": {"name": "ann", "groups": "admins"},
        "/settings/people/edit/switch": {"name": "ann", "what": "disable"},
        "/settings/people/remove": {"name": "ann"},
        "/settings/sessions/end": {"kind": "login", "user": "ann"},
    }
    for role in ("look", "change"):
        page = await house.pages.get("/settings/audit", role=role)
        assert "/settings/tokens" not in page and "/settings/people" not in page
        for path in PAGES[:3]:
            page = await house.pages.get(path, role=role, status=403)
            assert "edit?name" not in page and "home.test" not in page
        for path, form in forms.items():
            assert (await house.pages.request("POST", path, form, role=role)).status_code == 403, path
    assert house.user("ann") == login_users.User(name="ann", hashed="x", stamp="1")
    assert await house.operators.list_tokens() == () and house.sessions.found


async def test_a_token_is_shown_once_and_withdrawn(house: House) -> None:
    form = {"name": "deploy", "role": "change", "days": "30", "networks": "192.0.2.0/24, 2001:db8::/48"}
    answer = await house.pages.request("POST", "/settings/tokens", form)
    secret = re.findall(r"Bearer (daemun_api_[A-Za-z0-9_-]{43})", answer.text)[0]
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    (token,) = await house.operators.list_tokens()
    assert (token.role, token.networks) == (Role.CHANGE, ("192.0.2.0/24", "2001:db8::/48"))
    page = await house.pages.get("/settings/tokens")
    assert secret not in page and "192.0.2.0/24" in page and "daemun dashboard tokens" in page
    assert "opens nothing any more" in await house.pages.post("/settings/tokens/remove", {"name": "deploy"})
    assert "there is no token" in await house.pages.post("/settings/tokens/remove", {"name": "deploy"})
    await house.pages.request("POST", "/settings/tokens", {"name": "ever", "role": "look", "days": ""})
    assert "no end" in await house.pages.get("/settings/tokens")


WRONG_TOKENS: tuple[tuple[dict[str, str], str], ...] = (
    ({"name": "a b", "role": "look", "days": "1"}, "cannot name a token"),
    ({"name": "a", "role": "boss", "days": "1"}, "there is no role"),
    ({"name": "a", "role": "look", "days": "soon"}, "number of days"),
    ({"name": "a", "role": "look", "days": "99999"}, "must be a number from 1"),
    ({"name": "a", "role": "look", "days": "1", "networks": "home"}, "expected an address or a network"),
    ({}, "there is no role"),
)


async def test_a_wrong_token_says_why_and_keeps_what_was_typed(house: House) -> None:
    for form, words in WRONG_TOKENS:
        answer = await house.pages.request("POST", "/settings/tokens", form)
        assert answer.status_code == 422 and words in answer.text
        assert all(f'value="{form[name]}"' in answer.text for name in ("name", "networks") if form.get(name))
    assert await house.operators.list_tokens() == ()


async def test_a_link_is_used_up_by_the_button_and_the_session_before_it_ends(house: House) -> None:
    link = await house.operators.make_link("root")
    for method, path in (("GET", "/enter"), ("HEAD", "/enter"), ("GET", f"/enter?link={link.secret}")):
        answer = await house.pages.request(method, path, role="")
        assert answer.status_code < 500 and "set-cookie" not in answer.headers
    first = await house.pages.request("POST", "/enter", {"link": link.secret}, role="")
    cookie = first.headers["set-cookie"]
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; ")) and "samesite=lax" in cookie.lower()
    again = await house.pages.request("POST", "/enter", {"link": link.secret}, role="")
    assert again.status_code == 401 and "set-cookie" not in again.headers
    session = cookie.partition("=")[2].partition(";")[0]
    link = await house.operators.make_link("root")
    second = await house.pages.request("POST", "/enter", {"link": f"https://x/enter#{link.secret}"}, role=session)
    assert second.status_code == 303 and session not in second.headers["set-cookie"]
    assert len(await house.operators.list_sessions()) == 1
    # What nobody did is not noted, and who came in is.
    noted = [(one.operator.name, one.operator.how, one.status) for one in house.pages.operators.noted]
    assert noted == [("root", "link", 200), ("root", "link", 200)]
    # Where it leads to is a page of this host, whatever a link names.
    for there in ("https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)"):
        link = await house.operators.make_link("root")
        answer = await house.pages.request("POST", "/enter", {"link": link.secret, "next": there}, role="")
        assert answer.headers["location"] == "/"


async def test_sessions_are_ended(house: House) -> None:
    await house.begin("root", "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0")
    await house.begin("ben", "Safari")
    page = await house.pages.get("/settings/sessions")
    assert "Firefox, Linux" in page and "Safari" in page and "ann" in page
    number = (await house.operators.list_sessions())[0].number
    assert "It is over." in await house.pages.post("/settings/sessions/end", {"kind": "link", "number": number})
    assert "there is no such session" in await house.pages.post(
        "/settings/sessions/end", {"kind": "link", "number": number}
    )
    await house.pages.post("/settings/sessions/end", {"kind": "link"})
    assert await house.operators.list_sessions() == ()
    assert "user=ann" not in await house.pages.get("/settings/sessions?user=ben")
    await house.pages.post("/settings/sessions/end", {"kind": "login", "number": "77"})
    assert house.sessions.found == []


async def test_a_user_is_invited_changed_kept_out_and_removed(house: House) -> None:
    form = {"name": "eve", "days": "7", "groups": "family crew", "email": "eve@example.com", "display": "Eve E."}
    answer = await house.pages.request("POST", "/settings/people", form)
    link = re.findall(r"https://auth\.test/invitation\?token=[A-Za-z0-9_-]{43}", answer.text)[0]
    assert link not in await house.pages.get("/settings/people")
    assert house.user("eve").groups == ("crew", "family")
    await house.add("ann", totp="x", recovery=("y",))
    there = "/settings/people/edit"
    assert "is changed" in await house.pages.post(there, {"name": "ann", "groups": "admins", "email": ""})
    assert house.user("ann").groups == ("admins",)
    switch = f"{there}/switch"
    await house.pages.post(switch, {"name": "ann", "what": "disable"})
    assert house.user("ann").is_disabled and "kept out" in await house.pages.get(f"{there}?name=ann")
    await house.pages.post(switch, {"name": "ann", "what": "enable"})
    await house.pages.post(switch, {"name": "ann", "what": "codes"})
    assert (house.user("ann").is_disabled, house.user("ann").totp) == (False, None)
    assert (await house.pages.request("POST", switch, {"name": "ann", "what": "own"})).status_code == 400
    assert "cannot sign in any more" in await house.pages.post("/settings/people/remove", {"name": "ann"})
    assert "There is no user ann" in await house.pages.get(f"{there}?name=ann", status=404)
    assert "eve" in await house.pages.get("/settings/people?q=FAMILY")
    assert "No user fits" in await house.pages.get("/settings/people?q=nobody")


WRONG_PEOPLE: tuple[tuple[str, dict[str, str], str], ...] = (
    ("/settings/people", {"name": "a:b", "days": "3"}, "colon"),
    ("/settings/people", {"name": "ann", "days": "3"}, "there is such a user"),
    ("/settings/people", {"name": "eve", "days": "0"}, "number of days"),
    ("/settings/people", {"name": "eve", "days": "3", "email": "x"}, "e-mail address"),
    ("/settings/people/edit", {"name": "ann", "groups": "@x"}, "no name of a group"),
)


async def test_what_cannot_be_set_says_why(house: House) -> None:
    await house.add("ann")
    for path, form, words in WRONG_PEOPLE:
        answer = await house.pages.request("POST", path, form)
        assert answer.status_code == 422 and words in answer.text, form
    assert [one.name for one in offline_users.list_users(house.settings)] == ["ann"]


async def test_the_audit_log_is_searched(house: House) -> None:
    for number in range(60):
        operator = dashboard_roles.Operator(name=("ann", "ben")[number % 2], role=Role.CHANGE, how="login")
        noted = operator_port.NotedRequest(
            operator=operator, method="POST", path="/x", summary="Ban", status=201, target=f"t{number:02}", after="b"
        )
        await house.operators.note(noted)
    page = await house.pages.get("/settings/audit")
    assert "t59" in page and "t09" not in page and "/settings/audit?page=2" in page
    assert "t09" in await house.pages.get("/settings/audit?page=2")
    page = await house.pages.get("/settings/audit?who=ann&q=T0")
    assert "t08" in page and "t09" not in page
    assert "Nothing was changed" in await house.pages.get("/settings/audit?since=2099-01-01")
    assert "expected how long ago" in await house.pages.get("/settings/audit?since=soon", status=422)
