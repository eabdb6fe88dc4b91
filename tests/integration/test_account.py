"""A user's own account on the page of the sign-in, as its user meets it, and as others would like to."""

import asyncio
import collections.abc
import dataclasses
import os
import pathlib
import re
import threading
import typing

import httpx
import pyotp
import pytest

from daemun.core.access import judge_policies, login_passkeys, login_users
from daemun.core.access.login_users import User
from daemun.judge import (
    account,
    known_users,
    login_judge,
    password_check,
    saved_sessions,
    session_file,
    sign_in,
    user_changes,
)
from tests.support import daemon, echo, login_forms
from tests.support.login_browser import Browser
from tests.support.login_house import House, age_passwords, full_disk, guarded_home, hashed

pytestmark = pytest.mark.nginx

ACCOUNT = "https://auth.test/account"
_numbers = iter(range(1000))


@pytest.fixture(scope="module")
def one_house(one: echo.EchoServer) -> collections.abc.Iterator[House]:
    with guarded_home(one) as running:
        yield running


@pytest.fixture
def user(one_house: House) -> User:
    """One that no other test has."""
    added = User(name=f"user-{next(_numbers)}", hashed=hashed("password"), stamp="1", groups=("family",))
    one_house.add_user(added)
    return added


def enter(running: House, user: User, password: str = "password", **more: str) -> tuple[Browser, httpx.Response]:
    """Signed in, and the page of the account."""
    browser = Browser(running.gate.clients, **more)  # type: ignore[arg-type]
    assert browser.sign_in("https://home.test/", user.name, password).status_code == 200
    page = browser.open(ACCOUNT)
    assert page.status_code == 200
    return browser, page


def which_signs_in(running: House, user: User) -> tuple[bool, bool]:
    """Whether the first password does, and whether the one of these tests that replaces it."""
    return running.can_sign_in(user.name, "password"), running.can_sign_in(user.name, "another one")


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_page(one_house: House, user: User) -> None:
    stranger = Browser(one_house.gate.clients)
    assert stranger.send(ACCOUNT).headers["Location"] == "/"
    assert "Password" in stranger.open(ACCOUNT).text
    browser, page = enter(one_house, user)
    assert f"as {user.name}" in page.text
    assert "Groups: family" in page.text
    assert page.text.count("<script") == page.text.count('<script src="/passkeys.js" defer></script>') == 1
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert 'href="/account"' in browser.open("https://auth.test/").text
    browser.language = "ko"
    assert "내 계정" in browser.open(ACCOUNT).text
    for path in ("/account/x", "/account/../judge/x", "/account/"):
        assert browser.send(f"https://auth.test{path}").status_code == 404
    for path in ("password", "totp", "sessions", "recovery", "totp/remove", "totp/finish", "confirm"):
        assert browser.send(f"{ACCOUNT}/{path}").headers["Location"] == "/account"
    assert browser.send("https://home.test/account").json()["path"] == "/account"


def test_what_a_browser_named_itself_stays_text(one_house: House, user: User) -> None:
    other = Browser(one_house.gate.clients)
    page = other.open("https://home.test/")
    hidden = login_forms.find(page, "/").hidden
    sent = {**hidden, "user": user.name, "password": "password"}
    odd = "<script>alert(1)</script>"
    assert other.send(other.seen[-1], "POST", data=sent, **{"User-Agent": odd}).status_code == 200
    _, page = enter(one_house, user)
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


# --- sessions ------------------------------------------------------------------------------------------------------


def test_sessions_are_shown_and_end(one_house: House, user: User) -> None:
    mine, _ = enter(one_house, user)
    second, _ = enter(one_house, user)
    third, _ = enter(one_house, user)
    page = mine.open(ACCOUNT)
    assert page.text.count("last used") == 3
    assert page.text.count("this browser") == 1
    assert second.address in page.text
    (number,) = re.findall(rf'{second.address} .*?name="id" value="([0-9a-f]+)"', page.text)
    hidden = login_forms.find(page, "/account/sessions", id=number).hidden
    done = mine.send(f"{ACCOUNT}/sessions", "POST", data=hidden)
    assert (done.status_code, done.text.count("last used")) == (200, 2)
    assert second.send(ACCOUNT).headers["Location"] == "/"
    assert third.send(ACCOUNT).status_code == 200
    others = login_forms.find(done, "/account/sessions", others="yes").hidden
    done = mine.send(f"{ACCOUNT}/sessions", "POST", data=others)
    assert (done.status_code, done.text.count("last used")) == (200, 1)
    assert third.send(ACCOUNT).headers["Location"] == "/"
    assert mine.send(ACCOUNT).status_code == 200
    daemon.wait_for(lambda: third.send("https://home.test/").status_code == 302, "it")


def test_nobody_ends_sessions_of_others(one_house: House, user: User) -> None:
    bob = Browser(one_house.gate.clients)
    bob.sign_in("https://home.test/", "bob", "word")
    numbers = {one["user"]: one["id"] for one in one_house.look("GET", "/sessions")["sessions"]}
    mine, page = enter(one_house, user)
    form = login_forms.find(page, "/sign-out").hidden["form"]
    for sent in ({"id": numbers["bob"]}, {"id": ""}, {}, {"others": "yes", "user": "bob"}):
        mine.send(f"{ACCOUNT}/sessions", "POST", data={"form": form, **sent})
    assert bob.send(ACCOUNT).status_code == 200


# --- the password --------------------------------------------------------------------------------------------------


def test_another_password(one_house: House, user: User) -> None:
    mine, page = enter(one_house, user)
    other, _ = enter(one_house, user)
    for fields, status in (
        ({"present": "wrong", "new": "another one", "again": "another one"}, 401),
        ({"present": "", "new": "another one", "again": "another one"}, 401),
        ({"present": "password", "new": "another one", "again": "another 1"}, 400),
        ({"present": "password", "new": "short", "again": "short"}, 400),
        ({"present": "password", "new": "with\x00 a control", "again": "with\x00 a control"}, 400),
        ({"present": "password"}, 400),
    ):
        page = login_forms.send(mine, page, "/account/password", **fields)
        assert page.status_code == status
        assert 'role="alert"' in page.text
    assert other.send(ACCOUNT).status_code == 200
    fields = {"present": "password", "new": "another one", "again": "another one"}
    done = login_forms.send(mine, page, "/account/password", **fields)
    assert (done.status_code, done.text.count("last used")) == (200, 1)
    assert other.send(ACCOUNT).headers["Location"] == "/"
    assert mine.send("https://home.test/").status_code == 200
    assert which_signs_in(one_house, user) == (
        False,
        True,
    )
    # Another process has it, and so has the store.
    asyncio.run(one_house.manager.stop())
    one_house.prepare()
    assert which_signs_in(one_house, user) == (
        False,
        True,
    )
    assert one_house.look("GET", "/status")["has_changes"] is True
    user_changes.take_over(one_house.store, one_house.gate.layout)
    one_house.prepare()
    assert one_house.look("GET", "/status")["has_changes"] is False
    assert which_signs_in(one_house, user) == (
        False,
        True,
    )
    assert mine.send("https://home.test/").status_code == 200
    (stored,) = (one for one in login_users.decode(one_house.store.read(login_users.KEY)) if one.name == user.name)
    assert stored.revision == 1
    assert stored.hashed.startswith("$argon2id$")


def test_half_a_sign_in_opens_no_page(one_house: House, user: User) -> None:
    """BunkerWeb let whoever had a password alone draw new recovery codes, for the page's path had that of the second
    step within it (1.6.13, GHSA-j63f-j59c-q626). Here there is no session before the second step."""
    mine, page = enter(one_house, user)
    _, _, recovery = set_up(mine, page)
    thief = Browser(one_house.gate.clients)
    page = thief.fill(thief.open("https://home.test/"), user=user.name, password="password")
    hidden = login_forms.find(page, "/").hidden
    assert "pending" in hidden
    before = one_house.look("GET", "/sessions")
    for kept in ("", hidden["pending"]):
        for host in ("auth.test", "home.test"):
            thief.jar.setdefault(host, {}).pop("__Host-daemun-session", None)
            if kept:
                thief.jar[host]["__Host-daemun-session"] = kept
        for name in ("sessions", "confirm", "password", "totp", "totp/finish", "totp/remove", "recovery"):
            sent = {**hidden, "present": "password", "password": "password", "new": "n" * 12, "again": "n" * 12}
            assert thief.send(f"{ACCOUNT}/{name}", "POST", data=sent).status_code == 401, name
        for path in ("/account", "/account?/totp", "/account/totp", "/account/totp/finish"):
            assert thief.send(f"https://auth.test{path}").headers["Location"] in {"/", "/account"}, path
        for path in ("/totp", "/account/totp/finish", "/x?/totp"):
            assert thief.send(f"https://home.test{path}").status_code == 302, path
    assert one_house.look("GET", "/sessions") == before
    assert answer_code(one_house, user, recovery[0]) == 200


def test_guesses_of_the_present_password(one_house: House, user: User) -> None:
    """A session that was left open is no way around."""
    mine, page = enter(one_house, user)
    statuses = []
    for number in range(30):
        page = login_forms.send(mine, page, "/account/password", present=str(number), new="x" * 9, again="x" * 9)
        statuses.append(page.status_code)
    assert set(statuses) == {401, 429}
    assert "Retry-After" in page.headers


# --- one-time codes ------------------------------------------------------------------------------------------------


def set_up(mine: Browser, page: httpx.Response) -> tuple[str, str, list[str]]:
    """The secret, the code that was used, and recovery codes."""
    page = login_forms.send(mine, page, "/account/totp")
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert secret is not None
    assert "otpauth://totp/" in page.text
    assert page.text.count("<svg ") == 1
    assert " style=" not in page.text
    wrong = login_forms.send(mine, page, "/account/totp/finish", code="000000")
    assert wrong.status_code == 401
    assert secret[0] in wrong.text
    written = secret[1].replace(" ", "")
    code = pyotp.TOTP(written).now()
    done = login_forms.send(mine, wrong, "/account/totp/finish", code=code)
    assert done.status_code == 200
    return written, code, find_codes(done)


def find_codes(page: httpx.Response) -> list[str]:
    found = re.findall(r"<code>([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})</code>", page.text)
    assert len(found) == 8
    return found


def answer_code(running: House, user: User, code: str) -> int:
    browser = Browser(running.gate.clients)
    page = browser.fill(browser.open("https://home.test/"), user=user.name, password="password")
    assert "pending" in login_forms.find(page, "/").hidden
    return browser.fill(page, code=code).status_code


def test_one_time_codes(one_house: House, user: User) -> None:
    mine, page = enter(one_house, user)
    other, _ = enter(one_house, user)
    _, code, recovery = set_up(mine, page)
    assert other.send(ACCOUNT).headers["Location"] == "/"
    # The code that switched it on is used up.
    assert answer_code(one_house, user, code) == 401
    assert answer_code(one_house, user, recovery[0]) == 200
    assert answer_code(one_house, user, recovery[0]) == 401
    renewed = find_codes(login_forms.send(mine, mine.open(ACCOUNT), "/account/recovery"))
    assert answer_code(one_house, user, recovery[1]) == 401
    assert answer_code(one_house, user, renewed[1]) == 200
    # Another app: what the one before shows is nothing any more.
    secret, _, _ = set_up(mine, mine.open(ACCOUNT))
    done = login_forms.send(mine, mine.open(ACCOUNT), "/account/totp/remove")
    assert done.status_code == 200
    assert one_house.can_sign_in(user.name, "password")
    assert secret not in str(one_house.look("GET", "/sessions"))


def test_a_password_of_long_ago_changes_nothing(one_house: House, user: User) -> None:
    mine, page = enter(one_house, user)
    form = login_forms.find(page, "/account/totp").hidden["form"]
    begun = login_forms.send(mine, page, "/account/totp")
    secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", begun.text)[0].replace(" ", "")
    age_passwords(one_house)
    page = mine.open(ACCOUNT)
    assert {one.action for one in login_forms.find_all(page)} == {
        "/account/password",
        "/account/confirm",
        "/sign-out",
    }
    for path in ("totp", "totp/remove", "recovery", "totp/finish"):
        sent = {"form": form, "code": pyotp.TOTP(secret).now()}
        assert mine.send(f"{ACCOUNT}/{path}", "POST", data=sent).status_code == 403
    page = mine.open(ACCOUNT)
    assert login_forms.send(mine, page, "/account/confirm", password="wrong").status_code == 401
    page = login_forms.send(mine, mine.open(ACCOUNT), "/account/confirm", password="password")
    assert page.status_code == 200
    set_up(mine, page)


# --- attacks, and what goes wrong ----------------------------------------------------------------------------------

FORMS: dict[str, dict[str, str]] = {
    "sessions": {"others": "yes"},
    "confirm": {"password": "password"},
    "password": {"present": "password", "new": "another one", "again": "another one"},
    "totp": {},
    "totp/finish": {"code": "000000"},
    "totp/remove": {},
    "recovery": {},
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_other_pages(one_house: House, user: User, name: str) -> None:
    mine, page = enter(one_house, user)
    other, _ = enter(one_house, user)
    url, sent = f"{ACCOUNT}/{name}", {"form": login_forms.find(page, "/sign-out").hidden["form"], **FORMS[name]}
    for headers in (
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "-"},
        {"Origin": "https://home.test"},
        {"Content-Type": "text/plain"},
    ):
        assert mine.send(url, "POST", data=sent, **headers).status_code == 403
    for form in ("", "x", "A" * 43, "ä"):
        assert mine.send(url, "POST", data={**sent, "form": form}).status_code == 403
    cookie = mine.jar["auth.test"].pop("__Host-daemun-form")
    assert mine.send(url, "POST", data=sent).status_code == 403
    mine.jar["auth.test"]["__Host-daemun-form"] = cookie
    assert other.send(ACCOUNT).status_code == 200
    assert Browser(one_house.gate.clients).send(url, "POST", data=sent).status_code == 401
    # The cookie of a site is none of the account's.
    thief = Browser(one_house.gate.clients)
    thief.jar["auth.test"] = {"__Host-daemun-session": mine.value("home.test"), "__Host-daemun-form": cookie}
    assert thief.send(url, "POST", data=sent).status_code == 401
    assert one_house.can_sign_in(user.name, "password")


def test_what_cannot_be_written_is_not_done(one_house: House, user: User) -> None:
    mine, page = enter(one_house, user)
    fields = {"present": "password", "new": "another one", "again": "another one"}
    with full_disk(one_house):
        begun = login_forms.send(mine, page, "/account/totp")
        secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", begun.text)[0].replace(" ", "")
        refused = login_forms.send(mine, begun, "/account/totp/finish", code=pyotp.TOTP(secret).now())
        assert refused.status_code == 503
        assert "<code>" not in refused.text
        refused = login_forms.send(mine, mine.open(ACCOUNT), "/account/password", **fields)
        assert refused.status_code == 503
        assert "not done" in refused.text
        assert which_signs_in(one_house, user) == (
            True,
            False,
        )
        page = mine.open(ACCOUNT)
        assert mine.send(f"{ACCOUNT}/sessions", "POST", data=login_forms.find_all(page)[-1].hidden).status_code == 503
    assert which_signs_in(one_house, user) == (
        True,
        False,
    )
    assert login_forms.send(mine, mine.open(ACCOUNT), "/account/password", **fields).status_code == 200


def test_what_is_good_once_is_not_used_while_that_cannot_be_written(one_house: House, user: User) -> None:
    mine, page = enter(one_house, user)
    _, _, recovery = set_up(mine, page)
    with full_disk(one_house):
        assert answer_code(one_house, user, recovery[0]) == 503
        page = mine.open(ACCOUNT)
        gone = login_forms.send(mine, page, "/sign-out")
        assert (gone.status_code, "could not be saved" in gone.text) == (503, True)
        assert one_house.look("POST", "/sessions/end", b'{"user": "nobody"}') == {"ended": 0, "saved": False}
    assert answer_code(one_house, user, recovery[0]) == 200
    assert answer_code(one_house, user, recovery[0]) == 401


class Held:
    """A verification that takes as long as a test wants."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def check(self, _: str, __: str) -> bool:
        self.begun.set()
        return self.go.wait(30)


@pytest.mark.parametrize("left", [(), (User(name="a", hashed="other", stamp="2"),)])
async def test_a_user_who_is_gone_when_the_password_is_hashed(tmp_path: typing.Any, left: tuple[User, ...]) -> None:
    slots = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in ("1", "2")]
    sessions = saved_sessions.SavedSessions(session_file.SessionFile(slots), lambda: 1000.0)
    sessions.ready.set()
    sessions.table.limit(idle_s=1000.0, lifetime_s=1000.0)
    known, held = known_users.KnownUsers(sessions), Held()
    verifier = password_check.Verifier(held.check)
    own = account.UserAccount(known, sessions, sign_in.SignIn(verifier, lambda: 0.0), verifier, lambda: 1000.0)
    known.set_stored((User(name="a", hashed="x", stamp="1"),))
    secret = sessions.table.begin("a", "1", address="", agent="", now_s=1000.0)
    visit = await own.find(secret, "192.0.2.1")
    assert visit is not None
    changing = asyncio.ensure_future(own.change_password(visit, "present", "another one", "another one"))
    await asyncio.to_thread(held.begun.wait)
    known.set_stored(left)
    held.go.set()
    assert (await changing).result is account.AccountResult.GONE
    assert sessions.table.changes == {}
    assert {name: one.hashed for name, one in known.all.items()} == {one.name: one.hashed for one in left}
    verifier.close()
    for slot in slots:
        os.close(slot)


async def test_counters_go_with_the_passkeys_of_users(tmp_path: pathlib.Path) -> None:
    slots = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in ("0", "1")]
    sessions = saved_sessions.SavedSessions(session_file.SessionFile(slots), lambda: 1.0)
    sessions.ready.set()
    verifier = password_check.Verifier(lambda *_: True)
    judge = login_judge.LoginJudge(sign_in.SignIn(verifier, lambda: 1.0), sessions, lambda: 1.0)
    await judge.set_policies([judge_policies.LoginHost(host="auth.test", idle_s=1, lifetime_s=2)])
    users = {name: make_user_with_passkey(name) for name in ("alice", "bob", "carol")}
    users["bob"] = dataclasses.replace(users["bob"], is_disabled=True)
    for name in users:
        judge.table.note_counter(name, 7)
    await judge.set_users([])  # their file may be damaged
    assert [judge.table.find_counter(name) for name in users] == [7, 7, 7]
    await judge.set_users([users["alice"], users["bob"]])
    assert [judge.table.find_counter(name) for name in users] == [7, 7, 0]
    verifier.close()


def make_user_with_passkey(name: str) -> login_users.User:
    passkey = login_passkeys.Passkey(id=name, name="phone", key="", handle="", created_s=1.0)
    return login_users.User(name=name, hashed="", stamp="1", passkeys=(passkey,))
