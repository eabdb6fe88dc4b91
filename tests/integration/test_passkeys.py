"""Passkeys on the pages of the sign-in, with an authenticator in software, and forged."""

import asyncio
import collections.abc
import dataclasses
import json
import subprocess
import sys
import typing

import httpx
import pytest

from daemun.core.access import judge_policies
from daemun.core.access.login_users import User
from daemun.judge import user_changes
from tests.support import authenticator, echo, login_forms
from tests.support.authenticator import Authenticator
from tests.support.login_browser import Browser, find_refresh
from tests.support.login_house import House, age_passwords, full_disk, guarded_home, hashed

pytestmark = pytest.mark.nginx

ACCOUNT, PASSKEY = "https://auth.test/account", "https://auth.test/passkey"
ORIGIN = "https://auth.test"
_numbers = iter(range(1000))


@pytest.fixture(scope="module")
def one_house(one: echo.EchoServer) -> collections.abc.Iterator[House]:
    with guarded_home(one) as running:
        yield running


@pytest.fixture
def user(one_house: House) -> User:
    """One that no other test has."""
    added = User(name=f"user-{next(_numbers)}", hashed=hashed("password"), stamp="1")
    one_house.add_user(added)
    return added


def enter(running: House, user: User) -> Browser:
    browser = Browser(running.gate.clients)
    assert browser.sign_in("https://home.test/", user.name, "password").status_code == 200
    return browser


def begin(browser: Browser, page: httpx.Response, url: str) -> httpx.Response:
    """What the script requests."""
    form = next(one for one in login_forms.find_all(page) if "form" in one.hidden)
    return browser.send(f"{url}/begin", "POST", data={"form": form.hidden["form"]})


def register(browser: Browser, made: Authenticator, name: str = "phone") -> httpx.Response:
    page = browser.open(ACCOUNT)
    options = begin(browser, page, f"{ACCOUNT}/passkeys")
    assert options.status_code == 200, options
    return send(browser, page, made.create(options.text), name=name)


def send(browser: Browser, page: httpx.Response, credential: str, **more: str) -> httpx.Response:
    hidden = login_forms.find(page, "/sign-out").hidden
    return browser.send(f"{ACCOUNT}/passkeys", "POST", data={**hidden, "credential": credential, **more})


def use(running: House, made: Authenticator, *, browser: Browser | None = None) -> tuple[Browser, httpx.Response]:
    """Sign in with it, on the way to a site."""
    browser = browser or Browser(running.gate.clients)
    page = browser.open("https://home.test/x")
    hidden = login_forms.find(page, "/passkey").hidden
    options = begin(browser, page, PASSKEY)
    assert options.status_code == 200, options
    return browser, browser.send(PASSKEY, "POST", data={**hidden, "credential": made.use(options.text)})


# --- as it is meant ------------------------------------------------------------------------------------------------


def test_a_passkey_is_made_used_and_removed(one_house: House, user: User) -> None:
    mine, made = enter(one_house, user), Authenticator(ORIGIN)
    page = register(mine, made, name="my <phone>")
    assert page.status_code == 200
    assert "my &lt;phone&gt;" in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text
    # It stands for the password, and for a code.
    browser, done = use(one_house, made)
    assert find_refresh(done) is not None, done.text
    assert browser.open(find_refresh(done) or "").json()["headers"]["remote-user"] == user.name
    # But it changes nothing of the account: for that the password is needed.
    account = browser.open(ACCOUNT)
    assert "Enter" in account.text or "password" in account.text
    hidden = login_forms.find(account, "/sign-out").hidden
    for path in ("passkeys", "passkeys/remove", "totp"):
        assert browser.send(f"{ACCOUNT}/{path}", "POST", data={**hidden, "id": "x"}).status_code == 403
    assert browser.send(f"{ACCOUNT}/passkeys/begin", "POST", data=hidden).status_code == 403
    # Another process knows it, before the store has it and after.
    for take_over in (False, True):
        if take_over:
            user_changes.take_over(one_house.store, one_house.gate.layout)
        asyncio.run(one_house.manager.stop())
        one_house.prepare()
        assert find_refresh(use(one_house, made)[1])
    (removal,) = (one for one in login_forms.find_all(mine.open(ACCOUNT)) if one.action.endswith("/remove"))
    done = mine.send(f"{ACCOUNT}/passkeys/remove", "POST", data=removal.hidden)
    assert done.status_code == 200
    assert "phone" not in done.text
    assert browser.send(ACCOUNT).headers["Location"] == "/"
    other = Authenticator(ORIGIN)
    assert register(mine, other).status_code == 200  # or nobody has one, and the page offers none
    assert use(one_house, made)[1].status_code == 401
    assert find_refresh(use(one_house, other)[1])


def test_the_script(one_house: House, user: User) -> None:
    browser = Browser(one_house.gate.clients)
    script = browser.send("https://auth.test/passkeys.js")
    assert (script.status_code, script.headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert script.headers["Content-Type"].startswith("text/javascript")
    made = Authenticator(ORIGIN)
    register(enter(one_house, user), made)
    page = browser.open("https://home.test/")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert 'data-options="/passkey/begin" hidden' in page.text


def test_several_of_one_user(one_house: House, user: User) -> None:
    mine, several = enter(one_house, user), [Authenticator(ORIGIN, counter=0), Authenticator(ORIGIN)]
    for number, made in enumerate(several):
        assert register(mine, made, name=f"key {number}").status_code == 200
    assert several[0].handle == several[1].handle
    for made in several:
        for _ in range(2):
            assert find_refresh(use(one_house, made)[1])
    assert "key 1" in mine.open(ACCOUNT).text
    # The same one again is none.
    assert register(mine, several[0]).status_code == 409


def test_what_only_accounts_need_is_not_in_memory_without_a_sign_in() -> None:
    script = "import sys; from daemun.judge import __main__; print('webauthn' in sys.modules, 'segno' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]


# --- forged --------------------------------------------------------------------------------------------------------


def refused(running: House, made: Authenticator) -> bool:
    browser, answer = use(running, made)
    assert "__Host-daemun-session" not in browser.jar["auth.test"] or answer.status_code == 200
    return answer.status_code == 401


def test_what_does_not_sign_in(one_house: House, user: User) -> None:
    made = Authenticator(ORIGIN)
    register(enter(one_house, user), made)
    changes: tuple[dict[str, typing.Any], ...] = (
        {"origin": "https://evil.test"},
        {"origin": "https://auth.test:8443"},
        {"origin": "http://auth.test"},
        {"origin": "https://home.test"},
        {"host": "evil.test"},
        {"flags": authenticator.USER_PRESENT},
        {"flags": authenticator.USER_VERIFIED},
        {"key": Authenticator(ORIGIN).key},
        {"id": b"unknown"},
        {"handle": "AAAA"},
        {"counter": 0},
    )
    for change in changes:
        assert refused(one_house, dataclasses.replace(made, **change)), change
    assert find_refresh(use(one_house, made)[1])


def test_a_passkey_of_another_user(one_house: House, user: User) -> None:
    """Signed by one, named as the other's."""
    mine, other = Authenticator(ORIGIN), Authenticator(ORIGIN)
    browser = enter(one_house, user)
    register(browser, mine)
    bob = Browser(one_house.gate.clients)
    bob.sign_in("https://home.test/", "bob", "word")
    register(bob, other)
    assert refused(one_house, dataclasses.replace(mine, id=other.id))
    assert refused(one_house, dataclasses.replace(mine, id=other.id, handle=other.handle))
    assert refused(one_house, dataclasses.replace(mine, handle=other.handle))
    # Nor can one be added, or removed, that is another's.
    assert register(browser, dataclasses.replace(Authenticator(ORIGIN), id=other.id)).status_code == 409
    hidden = login_forms.find(bob.open(ACCOUNT), "/account/passkeys/remove").hidden
    own = login_forms.find(browser.open(ACCOUNT), "/sign-out").hidden
    assert browser.send(f"{ACCOUNT}/passkeys/remove", "POST", data={**own, "id": hidden["id"]}).status_code == 409
    assert find_refresh(use(one_house, other)[1])


def test_a_replayed_assertion(one_house: House, user: User) -> None:
    made = Authenticator(ORIGIN, counter=0)
    register(enter(one_house, user), made)
    browser = Browser(one_house.gate.clients)
    page = browser.open("https://home.test/x")
    hidden = login_forms.find(page, "/passkey").hidden
    sent = {**hidden, "credential": made.use(begin(browser, page, PASSKEY).text)}
    # Not in another browser, which has a challenge of its own or none.
    for has_own in (True, False):
        other = Browser(one_house.gate.clients)
        page = other.open("https://home.test/x")
        if has_own:
            begin(other, page, PASSKEY)
        theirs = {**login_forms.find(page, "/passkey").hidden, "credential": sent["credential"]}
        assert other.send(PASSKEY, "POST", data=theirs).status_code == 401
    form = browser.jar["auth.test"]["__Host-daemun-form"]
    assert find_refresh(browser.send(PASSKEY, "POST", data=sent))
    # Nor a second time in the same.
    browser.jar["auth.test"] = {"__Host-daemun-form": form}
    assert browser.send(PASSKEY, "POST", data=sent).status_code == 401
    begin(browser, page, PASSKEY)
    assert browser.send(PASSKEY, "POST", data={**sent, "form": form}).status_code == 401


def test_a_counter_that_went_back(one_house: House, user: User) -> None:
    """A copy of the authenticator, also after the judge was replaced."""
    made = Authenticator(ORIGIN, counter=5)
    register(enter(one_house, user), made)
    copied = dataclasses.replace(made)
    assert find_refresh(use(one_house, made)[1])
    assert find_refresh(use(one_house, made)[1])
    assert refused(one_house, copied)
    asyncio.run(one_house.manager.stop())
    one_house.prepare()
    assert refused(one_house, dataclasses.replace(made, counter=5))
    assert find_refresh(use(one_house, made)[1])


def test_what_is_not_made_into_one(one_house: House, user: User) -> None:
    mine = enter(one_house, user)
    for change in (
        {"origin": "https://evil.test"},
        {"origin": "https://auth.test:1"},
        {"host": "evil.test"},
        {"flags": authenticator.USER_PRESENT},
    ):
        assert register(mine, Authenticator(**{"origin": ORIGIN, **change})).status_code == 409  # type: ignore[arg-type]
    made, page = Authenticator(ORIGIN), mine.open(ACCOUNT)
    credential = made.create(begin(mine, page, f"{ACCOUNT}/passkeys").text)
    for odd in ("", "x", "[]", "{}", "null", '{"id": 1}', "[" * 3000, credential.replace("public-key", "x")):
        begin(mine, page, f"{ACCOUNT}/passkeys")
        assert send(mine, page, odd).status_code == 409, odd
    # A challenge that was taken, and one of another session.
    assert send(mine, page, credential).status_code == 409
    other = enter(one_house, user)
    there = other.open(ACCOUNT)
    credential = made.create(begin(other, there, f"{ACCOUNT}/passkeys").text)
    begin(mine, page, f"{ACCOUNT}/passkeys")
    assert send(mine, page, credential).status_code == 409
    assert "as user" in mine.open(ACCOUNT).text


@pytest.mark.parametrize("name", ["account/passkeys", "account/passkeys/begin", "account/passkeys/remove", "passkey"])
def test_forms_of_other_pages(one_house: House, user: User, name: str) -> None:
    mine, made = enter(one_house, user), Authenticator(ORIGIN)
    register(mine, made)
    page = mine.open(ACCOUNT)
    form = login_forms.find(page, "/sign-out").hidden["form"]
    number = login_forms.find(page, "/account/passkeys/remove").hidden["id"]
    options = begin(mine, page, PASSKEY)
    sent = {"form": form, "id": number, "credential": made.use(options.text)}
    url = f"https://auth.test/{name}"
    for headers in (
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "-"},
        {"Content-Type": "text/plain"},
    ):
        assert mine.send(url, "POST", data=sent, **headers).status_code == 403
    for wrong in ("", "x", "A" * 43, "ä"):
        assert mine.send(url, "POST", data={**sent, "form": wrong}).status_code == 403
    assert login_forms.find(mine.open(ACCOUNT), "/account/passkeys/remove").hidden["id"] == number


def test_guesses_are_bounded(one_house: House, user: User) -> None:
    made = Authenticator(ORIGIN)
    register(enter(one_house, user), made)
    forged, browser = dataclasses.replace(made, key=Authenticator(ORIGIN).key), Browser(one_house.gate.clients)
    statuses = [use(one_house, forged, browser=browser)[1].status_code for _ in range(24)]
    assert set(statuses) == {401, 429}
    assert find_refresh(use(one_house, made)[1])


@pytest.mark.parametrize("to", ["https://evil.test/", "//evil.test", "https://home.test@evil.test/"])
def test_no_open_redirect(one_house: House, user: User, to: str) -> None:
    made, browser = Authenticator(ORIGIN), Browser(one_house.gate.clients)
    register(enter(one_house, user), made)
    page = browser.send("https://auth.test/")
    hidden = login_forms.find(page, "/passkey").hidden
    credential = made.use(begin(browser, page, PASSKEY).text)
    sent = {**hidden, "to": to, "challenge": "0" * 64, "credential": credential}
    answer = browser.send(PASSKEY, "POST", data=sent)
    assert (answer.status_code, find_refresh(answer), answer.headers.get("Location")) == (400, None, None)


def test_what_cannot_be_written_is_not_done(one_house: House, user: User) -> None:
    mine, made = enter(one_house, user), Authenticator(ORIGIN)
    with full_disk(one_house):
        assert register(mine, made).status_code == 503
        assert "phone" not in mine.open(ACCOUNT).text
    assert register(mine, made).status_code == 200
    with full_disk(one_house):
        hidden = login_forms.find(mine.open(ACCOUNT), "/account/passkeys/remove").hidden
        assert mine.send(f"{ACCOUNT}/passkeys/remove", "POST", data=hidden).status_code == 503
    assert "phone" in mine.open(ACCOUNT).text


def test_a_password_of_long_ago_makes_none(one_house: House, user: User) -> None:
    mine = enter(one_house, user)
    page = mine.open(ACCOUNT)
    age_passwords(one_house)
    assert begin(mine, page, f"{ACCOUNT}/passkeys").status_code == 403
    assert send(mine, page, json.dumps({})).status_code == 403


def test_a_process_that_only_knows_passwords_is_replaced(one: echo.EchoServer) -> None:
    """It has not in memory what passkeys need, and could not read it any more."""
    with guarded_home(one) as running:
        basic = judge_policies.Policy(name="home.test", realm="", users=(("alice", hashed("pw")),))
        asyncio.run(running.manager.stop())
        assert asyncio.run(running.manager.prepare((basic,), {})) == ()
        before = running.look("GET", "/status")
        running.prepare()
        after = running.look("GET", "/status")
        assert (before["takes_passkeys"], after["takes_passkeys"]) == (False, True)
        assert before["pid"] != after["pid"]
