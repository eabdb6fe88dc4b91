"""Invitations by a link, as those who are invited meet them, and as others would like to."""

import asyncio
import collections.abc
import pathlib
import secrets
import time

import httpx
import pytest

from daemun.core.access import login_users
from daemun.core.access.login_users import User
from daemun.judge import user_changes
from tests.support import daemon, echo, login_forms
from tests.support.login_browser import Browser
from tests.support.login_house import House, full_disk, guarded_home

pytestmark = pytest.mark.nginx

PAGE = "https://auth.test/invitation"
FIELDS = {"new": "a password", "again": "a password"}
_numbers = iter(range(1000))


@pytest.fixture(scope="module")
def one_house(one: echo.EchoServer) -> collections.abc.Iterator[House]:
    with guarded_home(one) as running:
        yield running


def invite(running: House, *, ends_s: float = 3600.0) -> tuple[str, str]:
    """The name of somebody whom no other test invites, and the secret."""
    secret = secrets.token_urlsafe(32)
    invitation = login_users.Invitation(digest=login_users.digest_invitation(secret), ends_s=time.time() + ends_s)
    user = User(name=f"guest-{next(_numbers)}", hashed="", stamp="1", groups=("family",), invitation=invitation)
    running.add_user(user)
    return user.name, secret


def open_link(running: House, secret: str, **more: str) -> tuple[Browser, httpx.Response]:
    browser = Browser(running.gate.clients, **more)  # type: ignore[arg-type]
    return browser, browser.send(f"{PAGE}?token={secret}")


def test_a_password_is_chosen_once(one_house: House) -> None:
    name, secret = invite(one_house)
    assert not one_house.can_sign_in(name, "")
    _, korean = open_link(one_house, secret, language="ko")
    assert "초대" in korean.text
    browser, page = open_link(one_house, secret)
    assert (page.status_code, name in page.text, "<script" in page.text) == (200, True, False)
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    other, other_page = open_link(one_house, secret)
    for fields in ({"new": "short", "again": "short"}, {"new": "a password", "again": "another one"}, {}):
        page = login_forms.send(browser, page, "/invitation", **fields)
        assert page.status_code == 400
    # What a browser had before is not what it has then: no session is planted.
    planted = browser.jar["auth.test"]["__Host-daemun-session"] = "A" * 43
    done = login_forms.send(browser, page, "/invitation", **FIELDS)
    assert (done.status_code, done.headers["Location"]) == (303, "/account")
    assert browser.value("auth.test") != planted
    assert f"as {name}" in browser.open("https://auth.test/account").text
    assert login_forms.find(browser.open("https://auth.test/account"), "/account/totp")
    assert browser.open("https://home.test/").json()["headers"]["remote-groups"] == "family"
    # Once, wherever the page was open.
    refused = login_forms.send(other, other_page, "/invitation", new="another one", again="another one")
    assert (refused.status_code, "session" in str(other.jar)) == (404, False)
    assert open_link(one_house, secret)[1].status_code == 404
    assert (one_house.can_sign_in(name, "a password"), one_house.can_sign_in(name, "another one")) == (True, False)
    # Another process knows it, too, before the store has it and after.
    for take_over in (False, True):
        if take_over:
            user_changes.take_over(one_house.store, one_house.gate.layout)
        asyncio.run(one_house.manager.stop())
        one_house.prepare()
        assert open_link(one_house, secret)[1].status_code == 404
        assert one_house.can_sign_in(name, "a password")


def test_somebody_who_is_signed_in_as_another(one_house: House) -> None:
    name, secret = invite(one_house)
    browser = Browser(one_house.gate.clients)
    browser.sign_in("https://home.test/", "bob", "word")
    before = browser.value("auth.test")
    page = browser.send(f"{PAGE}?token={secret}")
    login_forms.send(browser, page, "/invitation", **FIELDS)
    assert f"as {name}" in browser.open("https://auth.test/account").text
    thief = Browser(one_house.gate.clients)
    thief.jar["auth.test"] = {"__Host-daemun-session": before}
    assert thief.send("https://auth.test/account").headers["Location"] == "/"


def test_an_invitation_ends(one_house: House) -> None:
    _, over = invite(one_house, ends_s=-1.0)
    assert open_link(one_house, over)[1].status_code == 404
    _, short = invite(one_house, ends_s=5.0)
    browser, page = open_link(one_house, short)
    assert page.status_code == 200
    daemon.wait_for(lambda: open_link(one_house, short)[1].status_code == 404, "it")
    assert login_forms.send(browser, page, "/invitation", **FIELDS).status_code == 404


def test_who_is_only_invited_is_no_user(one_house: House) -> None:
    name, _ = invite(one_house)
    for password in ("", "None", "a password"):
        assert not one_house.can_sign_in(name, password)


def test_forms_of_other_pages(one_house: House) -> None:
    name, secret = invite(one_house)
    browser, page = open_link(one_house, secret)
    sent = {**login_forms.find(page, "/invitation").hidden, **FIELDS}
    for headers in (
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "-"},
        {"Origin": "https://home.test"},
    ):
        assert browser.send(PAGE, "POST", data=sent, **headers).status_code == 403
    for form in ("", "x", "A" * 43, "ä"):
        assert browser.send(PAGE, "POST", data={**sent, "form": form}).status_code == 403
    cookie = browser.jar["auth.test"].pop("__Host-daemun-form")
    assert browser.send(PAGE, "POST", data=sent).status_code == 403
    browser.jar["auth.test"]["__Host-daemun-form"] = cookie
    for token in ("", "x", secret[:-1], f"{secret} ", "ä"):
        assert browser.send(PAGE, "POST", data={**sent, "token": token}).status_code == 404
    assert not one_house.can_sign_in(name, "a password")
    assert browser.send(PAGE, "POST", data=sent).status_code == 303


def test_pages_elsewhere_ban_nobody(one_house: House) -> None:
    """Their pictures and forms lead a visitor's browser here; a secret of 256 bits is no guess that is counted."""
    name, secret = invite(one_house)
    browser, page = open_link(one_house, secret)
    statuses = [browser.send(f"{PAGE}?token={'A' * 42}{number % 10}").status_code for number in range(25)]
    foreign = {"token": "A" * 43, **FIELDS}
    statuses += [browser.send(PAGE, "POST", data=foreign, Origin="https://evil.test").status_code for _ in range(25)]
    assert set(statuses) == {404}
    assert login_forms.send(browser, page, "/invitation", **FIELDS).status_code == 303
    neighbour = Browser(one_house.gate.clients)
    neighbour.address = browser.address
    page = neighbour.open("https://home.test/")
    assert neighbour.fill(page, user=name, password="a password").status_code == 200


def test_what_cannot_be_written_is_not_done(one_house: House) -> None:
    name, secret = invite(one_house)
    browser, page = open_link(one_house, secret)
    with full_disk(one_house):
        refused = login_forms.send(browser, page, "/invitation", **FIELDS)
        assert (refused.status_code, "__Host-daemun-session" in browser.jar["auth.test"]) == (503, False)
        assert not one_house.can_sign_in(name, "a password")
    assert login_forms.send(browser, page, "/invitation", **FIELDS).status_code == 303


def test_no_log_has_the_secret(one_house: House) -> None:
    """Not of a page that was shown, nor while the judge is down, nor of what nginx refuses."""
    _, secret = invite(one_house)
    browser, page = open_link(one_house, secret)
    url = f"{PAGE}?token={secret}"
    large = {**login_forms.find(page, "/invitation").hidden, "new": "x" * 20_000}
    assert browser.send(url, "POST", data=large).status_code == 413
    asyncio.run(one_house.manager.stop())
    for accept in ("text/html", "application/json", "*/*"):
        assert browser.send(url, Accept=accept).status_code == 502
    assert browser.send("https://auth.test/marker").status_code == 502
    one_house.prepare()
    logs = pathlib.Path(one_house.gate.layout.logs)
    daemon.wait_for(lambda: "/marker" in (logs / "error.log").read_text(errors="replace"), "it")
    daemon.wait_for(lambda: "/marker" in (logs / "access.log").read_text(errors="replace"), "it")
    assert not [path for path in logs.iterdir() if path.is_file() and secret in path.read_text(errors="replace")]
