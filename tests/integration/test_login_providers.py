"""Signing in at identity providers: nginx on rendered files, the judge beside it, and npm's oidc-provider; and what an
OpenID provider may answer that is not good."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib
import threading
import time
import typing
import urllib.parse

import httpx
import pytest
from joserfc import jwk

from daemun.certs.served import local_ca
from daemun.core import model
from daemun.core.access import login_policies, login_providers
from daemun.core.options import catalogue, login_option, login_provider_form, login_rule_form, trusted_proxies_option
from daemun.judge.providers import provider_error, provider_requests
from daemun.store import memory_store
from daemun.wiring import clock
from tests.support import bad_servers, daemon, echo, identity_providers, own_certificates, ports
from tests.support.identity_providers import CLIENT, SECRET, answer_with, sign, sign_in_there
from tests.support.login_browser import Browser, find_hidden, find_refresh
from tests.support.login_house import EVERYBODY, House, guarded, house
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

LoginProvider = login_provider_form.LoginProvider
ACCOUNTS: dict[str, identity_providers.Claims] = {
    "ann": {"email": "ann@example.com", "email_verified": True, "name": "Ann Ä.", "groups": ["/family", "a b", "x,y"]},
    "alice": {"email": "alice@example.org", "email_verified": True},
    "mallory": {"email": "mallory@example.com", "email_verified": False, "groups": []},
}
COMPANY = login_rule_form.LoginRule(emails=("*@example.com",))


def provider(issuer: str, *, secret: str = SECRET, **more: typing.Any) -> LoginProvider:
    return LoginProvider(oidc=issuer, client_id=CLIENT, client_secret=model.Secret(text=secret), **more)


def settings(*providers: LoginProvider) -> model.Globals:
    login = login_option.Login(host="auth.test", providers=providers)
    return model.Globals(
        options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",)), login_option.OPTION.set(login))
    )


@dataclasses.dataclass(slots=True)
class Street:
    """real: the issuer of oidc-provider. fake: the one that answers whatever a test wants."""

    house: House
    real: LoginProvider
    fake: LoginProvider
    pretender: identity_providers.Pretender

    def serve(self, *providers: LoginProvider) -> None:
        """As if daemun.yaml had these providers now."""
        globals_ = self.house.desired.globals
        options = catalogue.with_value(
            globals_.options, login_option.OPTION, login_option.Login(host="auth.test", providers=providers)
        )
        self.house.desired = dataclasses.replace(
            self.house.desired, globals=dataclasses.replace(globals_, options=options)
        )
        self.house.prepare()


@pytest.fixture(scope="module")
def street() -> collections.abc.Iterator[Street]:
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(echo.echo_server("one"))
        there = f"http://127.0.0.1:{one.port}"
        pretender = stack.enter_context(identity_providers.pretender())
        port = ports.free_port()
        key = f"127.0.0.1-{port}"
        callbacks = [login_provider_form.callback("auth.test", key)]
        issuer = stack.enter_context(identity_providers.oidc_provider(port, callbacks, ACCOUNTS))
        scopes = ("openid", "email", "profile", "groups")
        real = provider(issuer, name="Real & good", scopes=scopes, groups_claim="groups")
        fake = provider(pretender.issuer, name="Fake")
        home = site(
            "home.test",
            route("/", there),
            route("/company/", there, options=guarded(login=COMPANY)),
            route("/family/", there, options=guarded(login=login_rule_form.LoginRule(groups=("family",)))),
            route("/real/", there, options=guarded(login=login_rule_form.LoginRule(groups=(f"{key}:family",)))),
            route("/alice/", there, options=guarded(login=login_rule_form.LoginRule(users=("alice",)))),
            options=guarded(login=EVERYBODY),
        )
        running = stack.enter_context(house(home, gate=settings(real, fake)))
        yield Street(house=running, real=real, fake=fake, pretender=pretender)


@pytest.fixture
def browser(street: Street) -> Browser:
    street.pretender.forget()
    street.serve(street.real, street.fake)
    return Browser(street.house.gate.clients)


def begin(browser: Browser, one: LoginProvider, url: str = "https://home.test/here") -> str:
    """Returns: where the button of a provider leads."""
    page = browser.open(url)
    assert page.status_code == 200
    answer = press(browser, page, one)
    there = find_refresh(answer)
    assert there, (answer.status_code, answer.text)
    return there


def press(browser: Browser, page: httpx.Response, one: LoginProvider) -> httpx.Response:
    data = {**find_hidden(page), "provider": one.key}
    data.pop("pending", None)
    return browser.send("https://auth.test/begin", "POST", data=data)


def come_back(browser: Browser, street: Street, there: str, **changed: str) -> httpx.Response:
    """From the pretender, with what it was sent. there: where the visitor was led."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(there).query))
    street.pretender.nonce = query["nonce"]
    back = {"code": "c", "state": query["state"], **changed}
    sent = {key: value for key, value in back.items() if value != "-"}
    return browser.send(f"https://auth.test/callback/{street.fake.key}?{urllib.parse.urlencode(sent)}")


def is_signed_in(browser: Browser) -> bool:
    return (
        browser.send("https://home.test/").status_code == 200 or "signed in" in browser.open("https://auth.test/").text
    )


# --- oidc-provider -------------------------------------------------------------------------------------------------


def test_signing_in(street: Street, browser: Browser) -> None:
    there = begin(browser, street.real, "https://home.test/x?a=b")
    back = sign_in_there(there, "ann")
    assert back.startswith(f"https://auth.test/callback/{street.real.key}?")
    found = browser.open(back).json()
    assert found["path"] == "/x?a=b"
    headers = found["headers"]
    assert headers["remote-user"] == f"{street.real.key}:ann"
    assert (headers["remote-email"], headers["remote-groups"]) == ("ann@example.com", f"{street.real.key}:family")
    assert headers["remote-name"].encode("latin-1").decode() == "Ann Ä." or headers["remote-name"] == "Ann Ä."
    assert "cookie" not in headers
    paths = ("/company/", "/real/", "/family/", "/alice/")
    statuses = [browser.send(f"https://home.test{path}").status_code for path in paths]
    assert statuses == [200, 200, 403, 403]  # `family` alone is a group of the gate's own users
    # The way back is good once, and the code with it.
    again = browser.send(back)
    assert again.status_code == 400
    listed = [one for one in street.house.look("GET", "/sessions")["sessions"] if one["email"] == "ann@example.com"]
    assert {one["provider"] for one in listed} == {street.real.key}
    page = browser.open("https://auth.test/")
    assert f"as {street.real.key}:ann" in page.text
    assert "signed out" in browser.send("https://auth.test/sign-out", "POST", data=find_hidden(page)).text


def test_the_page_of_the_account(street: Street, browser: Browser) -> None:
    """There is no password here, so nothing that needs one; sessions can be seen, and ended."""
    other = Browser(street.house.gate.clients)
    for one in (other, browser):
        assert one.open(sign_in_there(begin(one, street.real), "ann")).status_code == 200
    page = browser.open("https://auth.test/account")
    assert f"{street.real.key}:ann" in page.text
    assert page.text.count("<li>") >= 2
    assert 'type="password"' not in page.text
    form = find_hidden(page)["form"]
    for path in (
        "confirm",
        "password",
        "totp",
        "totp/finish",
        "totp/remove",
        "recovery",
        "passkeys",
        "passkeys/remove",
    ):
        sent = {"form": form, "password": "", "present": "", "new": "n" * 20, "again": "n" * 20, "code": "000000"}
        answer = browser.send(f"https://auth.test/account/{path}", "POST", data=sent)
        assert answer.status_code in {400, 401, 403, 404, 409}, (path, answer.status_code)
    assert f"{street.real.key}:ann" not in street.house.store.read("login/users.json").decode()
    done = browser.send("https://auth.test/account/sessions", "POST", data={"form": form, "others": "yes"})
    assert done.status_code == 200
    daemon.wait_for(lambda: other.send("https://home.test/").status_code == 302, "the end of the other session")
    assert browser.send("https://home.test/").status_code == 200


def test_nobody_becomes_a_user_of_the_gate_by_an_account_elsewhere(street: Street, browser: Browser) -> None:
    headers = browser.open(sign_in_there(begin(browser, street.real), "alice")).json()["headers"]
    assert headers["remote-user"] == f"{street.real.key}:alice"
    assert headers["remote-email"] == "alice@example.org"
    assert browser.send("https://home.test/alice/").status_code == 403


def test_an_unverified_address_does_not_count(street: Street, browser: Browser) -> None:
    headers = browser.open(sign_in_there(begin(browser, street.real), "mallory")).json()["headers"]
    assert headers["remote-user"] == f"{street.real.key}:mallory"
    assert "remote-email" not in headers
    assert browser.send("https://home.test/company/").status_code == 403


def test_a_code_that_was_used(street: Street, browser: Browser) -> None:
    """By somebody who has it: the provider refuses it, and nobody is signed in."""
    back = sign_in_there(begin(browser, street.real), "ann")
    browser.open(back)
    thief = Browser(street.house.gate.clients)
    own = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sign_in_there(begin(thief, street.real), "alice")).query))
    stolen = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))
    query = urllib.parse.urlencode({**own, "code": stolen["code"]})
    answer = thief.send(f"https://auth.test/callback/{street.real.key}?{query}")
    assert (answer.status_code, "invalid_grant" in answer.text) == (502, True)
    assert not is_signed_in(thief)


def test_the_visitor_who_changes_the_mind(street: Street, browser: Browser) -> None:
    state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(begin(browser, street.real)).query))["state"]
    query = {"error": "access_denied", "error_description": "<b>no", "state": state, "iss": street.real.issuer}
    answer = browser.send(f"https://auth.test/callback/{street.real.key}?{urllib.parse.urlencode(query)}")
    assert (answer.status_code, "did not sign you in" in answer.text) == (403, True)
    assert "access_denied" in answer.text
    assert "<b>no" not in answer.text


def test_a_redirect_uri_that_the_provider_does_not_know(street: Street, browser: Browser) -> None:
    """It answers with a page of its own, so what is sent must be what the documentation and `check` print."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(begin(browser, street.real)).query))
    assert query["redirect_uri"] == f"https://auth.test/callback/{street.real.key}"
    assert query["code_challenge_method"] == "S256"
    assert query["scope"] == "openid email profile groups"


def test_the_redirect_uri_is_the_one_that_is_printed(street: Street, browser: Browser) -> None:
    """Whatever port the visitor named."""
    before = street.house.desired
    listen = model.Listen(https=(model.Address(port=8443),))
    street.house.desired = dataclasses.replace(before, globals=dataclasses.replace(before.globals, listen=listen))
    try:
        street.serve(street.fake)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(begin(browser, street.fake)).query)
        printed = login_providers.find_callbacks(street.house.desired.globals)
        assert query["redirect_uri"] == [*printed.values()]
        assert ":8443/" in printed[street.fake.key]
    finally:
        street.house.desired = before


def test_a_client_secret_that_is_wrong(street: Street, browser: Browser) -> None:
    street.serve(dataclasses.replace(street.real, client_secret=model.Secret(text="wrong")), street.fake)
    try:
        answer = browser.send(sign_in_there(begin(browser, street.real), "ann"))
        assert (answer.status_code, "invalid_client" in answer.text) == (502, True)
        assert f"https://auth.test/callback/{street.real.key}" in answer.text
    finally:
        street.serve(street.real, street.fake)


def test_a_provider_that_is_taken_out(street: Street, browser: Browser) -> None:
    assert browser.open(sign_in_there(begin(browser, street.real), "ann")).status_code == 200
    late = begin(Browser(street.house.gate.clients), street.fake)
    street.serve(street.fake)
    try:
        assert "Real" not in browser.open("https://auth.test/").text
        daemon.wait_for(lambda: browser.send("https://home.test/").status_code == 302, "the end of the session")
        assert street.real.key not in str(street.house.look("GET", "/sessions"))
        assert browser.send(f"https://auth.test/callback/{street.real.key}?state=x").status_code == 404
        assert late
    finally:
        street.serve(street.real, street.fake)
    assert browser.send("https://home.test/").status_code == 302


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_page(browser: Browser, street: Street) -> None:
    page = browser.open("https://home.test/")
    assert "Sign in with Real &amp; good" in page.text
    assert "Sign in with Fake" in page.text
    assert "Password" in page.text
    hidden = {**find_hidden(page), "provider": street.real.key}
    for headers in ({"Origin": "https://evil.test"}, {"Origin": "-"}):
        assert browser.send("https://auth.test/begin", "POST", data=hidden, **headers).status_code == 403
    assert browser.send("https://auth.test/begin", "POST", data={**hidden, "form": "x"}).status_code == 403
    assert browser.send("https://auth.test/begin", "POST", data={**hidden, "provider": "other"}).status_code == 404
    assert (
        browser.send("https://auth.test/begin", "POST", data={**hidden, "to": "https://evil.test/"}).status_code == 400
    )
    assert browser.send("https://auth.test/begin").status_code == 404
    assert browser.send("https://auth.test/begin", "POST", data=hidden, Cookie="-").status_code == 403
    assert browser.send("https://auth.test/callback/other?state=x&code=y").status_code == 404
    assert "로그인" in Browser(street.house.gate.clients, language="ko").open("https://auth.test/").text


# --- attacks -------------------------------------------------------------------------------------------------------


def test_a_good_answer(street: Street, browser: Browser) -> None:
    """What those below differ from."""
    answer = come_back(browser, street, begin(browser, street.fake))
    found = browser.open(find_refresh(answer) or "").json()["headers"]
    assert (found["remote-user"], found["remote-email"]) == (f"{street.fake.key}:42", "eve@example.com")
    (_, form, headers) = next(one for one in street.pretender.requests if one[0] == "/token")
    assert form["redirect_uri"] == f"https://auth.test/callback/{street.fake.key}"
    assert len(form["code_verifier"]) == 43
    assert SECRET not in str(form)
    assert headers["Authorization"].startswith("Basic ")
    # All of it was in the ID token.
    assert "/me" not in [path for path, _, _ in street.pretender.requests]


def _other_key(claims: identity_providers.Claims) -> str:
    return sign(claims, jwk.RSAKey.generate_key(2048))


def _public_key_as_secret(claims: identity_providers.Claims) -> str:
    """The algorithm's confusion: HS256 with what everybody knows."""
    pem = identity_providers.rsa_key().as_pem(private=False)
    return identity_providers.sign_with_text(claims, pem)


BAD: dict[str, dict[str, typing.Any]] = {
    "none": {"token": identity_providers.without_signature},
    "HS256 with the public key": {"token": _public_key_as_secret},
    "HS256 with the client's secret": {
        "token": lambda claims: identity_providers.sign_with_text(claims, SECRET.encode())
    },
    "another key": {"token": _other_key},
    "no token": {"token": lambda _: ""},
    "garbage": {"token": lambda _: "a.b.c"},
    "nonce": {"claims": {"nonce": "other"}},
    "no nonce": {"claims": {"nonce": None}},
    "another issuer": {"claims": {"iss": "https://accounts.google.com"}},
    "another client": {"claims": {"aud": "other"}},
    "several clients without azp": {"claims": {"aud": [CLIENT, "other"]}},
    "azp": {"claims": {"azp": "other"}},
    "expired": {"claims": lambda: {"exp": int(time.time()) - 3600}},
    "without an end": {"claims": {"exp": None}},
    "from the future": {"claims": lambda: {"iat": int(time.time()) + 3600}},
    "no iat": {"claims": {"iat": None}},
    "no subject": {"claims": {"sub": None}},
    "empty subject": {"claims": {"sub": ""}},
    "subject of two lines": {"claims": {"sub": "a\r\nX: y"}},
    "userinfo of another": {"claims": {"email_verified": None}, "userinfo": {"sub": "43"}},
}


@pytest.mark.parametrize("name", BAD)
def test_what_proves_nothing(street: Street, browser: Browser, name: str) -> None:
    there = begin(browser, street.fake)
    for key, value in BAD[name].items():
        is_of_the_moment = key == "claims" and callable(value)
        setattr(street.pretender, key, value() if is_of_the_moment else value)
    answer = come_back(browser, street, there)
    assert (answer.status_code, "does not prove who you are" in answer.text) == (502, True), answer.text
    assert not is_signed_in(browser)


def test_a_new_key_is_fetched(street: Street, browser: Browser) -> None:
    """No more often than once in a while: `test_what_proves_nothing` has used that up for its own process."""
    street.serve(street.real, dataclasses.replace(street.fake, name="Anew"))
    key = jwk.RSAKey.generate_key(2048, {"kid": "two"})
    street.pretender.keys = [key.as_dict(private=False)]
    street.pretender.token = lambda claims: sign(claims, key, kid="two")
    assert come_back(browser, street, begin(browser, street.fake)).status_code == 200
    street.serve(street.real, street.fake)


@pytest.mark.parametrize("changed", [{"state": "x" * 43}, {"state": "-"}, {"state": ""}])
def test_a_forged_state(street: Street, browser: Browser, changed: dict[str, str]) -> None:
    assert come_back(browser, street, begin(browser, street.fake), **changed).status_code == 400
    assert not is_signed_in(browser)


def test_a_way_back_of_another_browser(street: Street, browser: Browser) -> None:
    """An attacker's account, slipped to a visitor."""
    there, victim = begin(browser, street.fake), Browser(street.house.gate.clients)
    begin(victim, street.fake)
    assert come_back(victim, street, there).status_code == 400
    assert not is_signed_in(victim)
    # It is used up.
    assert come_back(browser, street, there).status_code == 400


def test_a_way_back_of_another_provider(street: Street, browser: Browser) -> None:
    """A mix-up (RFC 9700 section 4.4): what one provider answered reaches no other."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(begin(browser, street.fake)).query))
    back = urllib.parse.urlencode({"state": query["state"], "code": "c"})
    assert browser.send(f"https://auth.test/callback/{street.real.key}?{back}").status_code == 400
    answer = come_back(browser, street, begin(browser, street.fake), iss=street.real.issuer)
    assert (answer.status_code, "RFC 9207" in answer.text) == (502, True)
    assert "/token" not in [path for path, _, _ in street.pretender.requests]


# --- GitHub --------------------------------------------------------------------------------------------------------


def github(street: Street, *scopes: str) -> LoginProvider:
    one = LoginProvider(
        github=street.pretender.issuer, client_id="Iv1.x", client_secret=model.Secret(text=SECRET), scopes=scopes
    )
    street.serve(street.real, one)
    return one


def come_back_from_github(browser: Browser, one: LoginProvider, **changed: str) -> httpx.Response:
    there = urllib.parse.urlsplit(begin(browser, one))
    query = dict(urllib.parse.parse_qsl(there.query))
    assert there.path == "/login/oauth/authorize"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == f"https://auth.test/callback/{one.key}"
    back = urllib.parse.urlencode({"code": "c", "state": query["state"], **changed})
    return browser.send(f"https://auth.test/callback/{one.key}?{back}")


@pytest.mark.parametrize(
    ("scopes", "groups", "email"),
    [
        ((), (), "octocat@example.com"),
        (("user:email", "read:org"), ("family", "octo-org"), "octocat@example.com"),
        (("read:user",), (), None),
    ],
)
def test_github(
    street: Street, browser: Browser, scopes: tuple[str, ...], groups: tuple[str, ...], email: str | None
) -> None:
    one = github(street, *scopes)
    answer = come_back_from_github(browser, one)
    headers = browser.open(find_refresh(answer) or "").json()["headers"]
    assert headers["remote-user"] == f"{one.key}:583231"
    assert headers["remote-name"] == "The Octocat"
    named = ",".join(f"{one.key}:{group}" for group in groups) or None
    assert (headers.get("remote-groups"), headers.get("remote-email")) == (named, email)
    (_, form, _) = next(one for one in street.pretender.requests if one[0] == "/login/oauth/access_token")
    assert len(form["code_verifier"]) == 43


@pytest.mark.parametrize(
    ("path", "value", "status", "words"),
    [
        ("/login/oauth/access_token", {"error": "bad_verification_code"}, 502, "bad_verification_code"),
        ("/login/oauth/access_token", {"error": "redirect_uri_mismatch"}, 502, "/callback/"),
        ("/login/oauth/access_token", {"error": "incorrect_client_credentials"}, 502, "incorrect_client_credentials"),
        ("/login/oauth/access_token", [], 503, "no token"),
        ("/api/v3/user", {"login": "octocat"}, 503, "no user"),
        ("/api/v3/user", {"id": True}, 503, "no user"),
        ("/api/v3/user", [], 503, "no user"),
    ],
)
def test_github_in_trouble(street: Street, browser: Browser, path: str, value: object, status: int, words: str) -> None:
    one = github(street)
    street.pretender.answers[path] = answer_with(200, value)
    answer = come_back_from_github(browser, one)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert not is_signed_in(browser)


@pytest.mark.parametrize("emails", [[], {}, [{"email": "a@example.com", "primary": True, "verified": False}], [1]])
def test_addresses_of_github_that_do_not_count(street: Street, browser: Browser, emails: object) -> None:
    one = github(street)
    street.pretender.answers["/api/v3/user/emails"] = answer_with(200, emails)
    answer = come_back_from_github(browser, one)
    assert "remote-email" not in browser.open(find_refresh(answer) or "").json()["headers"]


def test_github_refuses(street: Street, browser: Browser) -> None:
    answer = come_back_from_github(browser, github(street), error="access_denied", code="")
    assert (answer.status_code, "access_denied" in answer.text) == (403, True)


# --- providers in trouble ------------------------------------------------------------------------------------------


def _hang(handler: typing.Any) -> None:
    _RELEASED.wait(60)
    with contextlib.suppress(OSError):
        answer_with(200, {})(handler)


_RELEASED = threading.Event()
BROKEN: dict[str, tuple[str, collections.abc.Callable[[typing.Any], None], str]] = {
    "huge": ("/token", answer_with(200, b"[" + b"0," * (600 << 10) + b"0]"), "longer than 1 MB"),
    "no JSON": ("/token", answer_with(200, b"<html>"), "no token"),
    "deep JSON": ("/token", answer_with(200, b"[" * 500_000), "no token"),
    "a redirect": ("/token", answer_with(302, {}, Location="https://evil.test/"), "redirects"),
    "an error": ("/token", answer_with(500, {}), "answers with 500"),
    "compressed": ("/token", answer_with(200, b"x", **{"Content-Encoding": "gzip"}), "compresses"),
    "refused": ("/token", answer_with(400, {"error": "unauthorized_client"}), "unauthorized_client"),
    "odd error": ("/token", answer_with(400, {"error": "<script>"}), "unknown"),
    "keys": ("/jwks", answer_with(404, {}), "jwks_uri"),
    "no keys": ("/jwks", answer_with(200, {"keys": []}), "no key of the provider signed it"),
    "odd keys": ("/jwks", answer_with(200, {"keys": [1, {}, {"kty": "RSA", "n": "AQ", "e": "AQAB"}]}), "no key"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_provider_in_trouble(street: Street, browser: Browser, name: str) -> None:
    path, answer, words = BROKEN[name]
    street.serve(street.real, dataclasses.replace(street.fake, name=name))  # which knows nothing of it yet
    there = begin(browser, street.fake)
    street.pretender.answers[path] = answer
    found = come_back(browser, street, there)
    assert found.status_code in {502, 503, 403}
    assert words in found.text, found.text
    assert "<script" not in found.text
    assert not is_signed_in(browser)


DISCOVERY: dict[str, tuple[typing.Any, str]] = {
    "another issuer": ({"issuer": "https://accounts.google.com"}, "another issuer"),
    "a plain address": ({"token_endpoint": "http://192.0.2.1/token"}, "not https"),
    "no address": ({"jwks_uri": None}, "not https"),
    "a file": ({"userinfo_endpoint": "file:///etc/passwd"}, "not https"),
}


@pytest.mark.parametrize("name", DISCOVERY)
def test_a_discovery_document_that_cannot_be_used(street: Street, browser: Browser, name: str) -> None:
    changed, words = DISCOVERY[name]
    street.serve(street.real, dataclasses.replace(street.fake, name=name))
    street.pretender.metadata = changed
    answer = press(browser, browser.open("https://home.test/"), street.fake)
    assert (answer.status_code, words in answer.text) == (503, True), answer.text


def test_a_provider_that_is_down(street: Street, browser: Browser) -> None:
    gone = provider(f"http://127.0.0.1:{ports.free_port()}", name="Gone")
    street.serve(street.real, gone)
    try:
        answer = press(browser, browser.open("https://home.test/x"), gone)
        assert (answer.status_code, "connection refused" in answer.text) == (503, True)
        assert "Gone cannot be reached" in answer.text
        assert "to=https%3A%2F%2Fhome.test%2Fx" in answer.text
        # The others, and passwords, go on.
        page = browser.open("https://home.test/x")
        assert browser.open(find_refresh(browser.fill(page, user="alice", password="pw")) or "").status_code == 200
    finally:
        street.serve(street.real, street.fake)
    log = pathlib.Path(street.house.gate.layout.logs, "judge.log").read_text()
    assert "connection refused" in log
    assert SECRET not in log


def test_a_secret_that_cannot_be_read(street: Street, browser: Browser, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "secret"
    one = dataclasses.replace(street.fake, client_secret=model.Secret(file=str(place)))
    globals_ = street.house.desired.globals
    options = catalogue.with_value(
        globals_.options, login_option.OPTION, login_option.Login(host="auth.test", providers=(one,))
    )
    desired = dataclasses.replace(street.house.desired, globals=dataclasses.replace(globals_, options=options))
    policies = login_policies.find_policies(desired)
    assert asyncio.run(street.house.manager.prepare(policies, street.house.gate.files)) == ()
    (problem,) = street.house.manager.problems()
    assert "no such file" in problem.message
    answer = press(browser, browser.open("https://home.test/"), one)
    assert (answer.status_code, "client_secret" in answer.text) == (502, True)
    # Nothing is missing once there is no sign-in.
    assert asyncio.run(street.house.manager.prepare((), {})) == ()
    assert street.house.manager.problems() == ()
    assert asyncio.run(street.house.manager.prepare(policies, street.house.gate.files)) == ()
    assert len(street.house.manager.problems()) == 1
    place.write_text(SECRET + "\n")
    assert asyncio.run(street.house.manager.prepare(policies, street.house.gate.files)) == ()
    assert street.house.manager.problems() == ()
    assert begin(browser, one)
    street.serve(street.real, street.fake)
    assert SECRET.encode() not in street.house.store.read("judge/policies.json")


def test_a_certificate_of_a_private_authority(street: Street, browser: Browser, tmp_path: pathlib.Path) -> None:
    now = clock.SystemClock().now()
    authority = local_ca.load_or_create(memory_store.MemoryStore(), now)
    made = authority.issue(["localhost"], now)
    root = tmp_path / "root.pem"
    root.write_bytes(authority.root_pem)
    context = bad_servers.server_context(tmp_path, own_certificates.Pair(made.fullchain_pem, b"", b"", made.key_pem))
    with identity_providers.pretender(context) as private:
        one = provider(private.issuer, name="Private")
        street.serve(street.real, one)
        answer = press(browser, browser.open("https://home.test/"), one)
        assert (answer.status_code, "its certificate is refused" in answer.text) == (503, True)
        street.serve(street.real, dataclasses.replace(one, ca_file=str(root)))
        there = begin(browser, one)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(there).query))
        private.nonce = query["nonce"]
        back = urllib.parse.urlencode({"code": "c", "state": query["state"]})
        answer = browser.send(f"https://auth.test/callback/{one.key}?{back}")
        assert browser.open(find_refresh(answer) or "").status_code == 200
        # Its roots are read again, and nothing else is trusted.
        root.write_text("nothing")
        street.house.prepare()
        (problem,) = street.house.manager.problems()
        assert "no certificate in PEM form" in problem.message
        answer = press(Browser(street.house.gate.clients), browser.open("https://auth.test/"), one)
        assert answer.status_code == 403
        other = Browser(street.house.gate.clients)
        assert press(other, other.open("https://home.test/"), one).status_code == 502


def test_pages_elsewhere_ban_nobody(street: Street, browser: Browser) -> None:
    """Their pictures lead a visitor's browser to the way back."""
    there = begin(browser, street.fake)
    url = f"https://auth.test/callback/{street.fake.key}"
    assert {browser.send(f"{url}?state=x{number}&code=y").status_code for number in range(25)} == {400}
    assert come_back(browser, street, there).status_code == 200


def test_codes_that_are_made_up(street: Street, browser: Browser) -> None:
    """Each is a request to the provider: bounded by network, and a line of the log for all of them."""
    street.pretender.answers["/token"] = answer_with(418, {})
    page, statuses = browser.open("https://home.test/"), []
    for _ in range(26):
        answer = press(browser, page, street.fake)
        there = find_refresh(answer)
        statuses.append(come_back(browser, street, there).status_code if there else answer.status_code)
    assert statuses[:20] == [503] * 20
    assert 429 in statuses[20:]
    assert statuses.count(503) == [path for path, _, _ in street.pretender.requests].count("/token")
    log = pathlib.Path(street.house.gate.layout.logs, "judge.log")
    assert log.read_text().count("answers with 418") == 1
    # Neither another network waits, nor passwords of this one.
    street.pretender.forget()
    other = Browser(street.house.gate.clients)
    assert come_back(other, street, begin(other, street.fake)).status_code == 200
    page = browser.open("https://home.test/")
    assert browser.open(find_refresh(browser.fill(page, user="alice", password="pw")) or "").status_code == 200


async def test_a_provider_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds nobody up for longer than the bound, and nobody else at all."""
    monkeypatch.setattr(provider_requests, "WITHIN_S", 0.2)
    with identity_providers.pretender() as slow:
        slow.answers["/token"] = _hang
        client = provider_requests.ProviderClient(provider_requests.make_trust())
        try:
            with pytest.raises(provider_error.ProviderError, match="did not answer within"):
                await client.post(f"{slow.issuer}/token", {"a": "b"})
        finally:
            _RELEASED.set()
            await client.close()
