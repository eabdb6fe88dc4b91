"""daemun's own sign-in as visitors meet it: nginx on rendered files, and the judge beside it, both real."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import tempfile
import urllib.parse

import pyotp
import pytest
import websockets.asyncio.client

from daemun import settings as settings_
from daemun.control import operator_port
from daemun.core import model
from daemun.core.options import access_option, catalogue, login_option, login_rule_form
from daemun.core.options.access_option import Access
from daemun.wiring import people
from tests.support import clients, daemon, echo, ports, rendered
from tests.support.login_browser import Browser, find_hidden, find_refresh
from tests.support.login_house import (
    EVERYBODY,
    FAMILY,
    RECOVERY,
    SECRET,
    USERS,
    House,
    guarded,
    house,
    settings,
)
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def one_house(one: echo.EchoServer) -> collections.abc.Iterator[House]:
    there = f"http://127.0.0.1:{one.port}"
    with echo.websocket_server() as port, tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        pathlib.Path(folder, "page.txt").write_text("page")
        home = site(
            "home.test",
            route("/", there),
            route("/share/", there, options=guarded()),
            route("/family/", there, options=guarded(login=FAMILY)),
            route("/company/", there, options=guarded(login=login_rule_form.LoginRule(emails=("*@example.com",)))),
            route("/bob/", there, options=guarded(login=login_rule_form.LoginRule(users=("bob",)))),
            route("/ws/", f"http://127.0.0.1:{port}"),
            route("/files/", model.Files(folder=folder)),
            route("/moved/", model.Redirect(to="https://else.test/")),
            route("/gone/", f"http://127.0.0.1:{ports.free_port()}"),
            options=guarded(login=EVERYBODY),
            aliases=("www.home.test",),
        )
        second = site("second.test", there, options=guarded(login=EVERYBODY))
        either = site("either.test", there, options=guarded(login=EVERYBODY, allow=("203.0.113.0/24",), any=True))
        open_site = site("open.test", there)
        with house(home, second, either, open_site, gate=settings()) as running:
            yield running


@pytest.fixture
def browser(one_house: House) -> Browser:
    return Browser(one_house.gate.clients)


def test_signing_in_and_the_next_site(browser: Browser) -> None:
    answer = browser.sign_in("https://home.test/x/y?a=b&c=%20d")
    assert answer.status_code == 200
    said = answer.json()
    assert said["path"] == "/x/y?a=b&c=%20d"
    assert said["headers"]["remote-user"] == "alice"
    assert said["headers"]["remote-groups"] == "admins,family"
    assert said["headers"]["remote-email"] == "alice@Example.com"
    assert "cookie" not in said["headers"]
    # The next site needs no password.
    before = len(browser.seen)
    second = browser.open("https://second.test/z")
    assert second.json()["headers"]["remote-user"] == "alice"
    assert not any("auth.test" in url and "POST" in url for url in browser.seen[before:])
    assert browser.value("home.test") != browser.value("second.test")
    assert browser.value("auth.test") not in {browser.value("home.test"), browser.value("second.test")}
    assert browser.open("https://www.home.test/").status_code == 200


# --- who comes in --------------------------------------------------------------------------------------------------


def test_conditions(one_house: House) -> None:
    alice, bob = Browser(one_house.gate.clients), Browser(one_house.gate.clients)
    alice.sign_in("https://home.test/")
    bob.sign_in("https://home.test/", "bob", "word")
    found = {path: (alice.send(f"https://home.test{path}"), bob.send(f"https://home.test{path}")) for path in PATHS}
    assert {path: tuple(one.status_code for one in both) for path, both in found.items()} == PATHS
    headers = found["/"][1].json()["headers"]
    assert not {"remote-groups", "remote-email", "remote-name"} & headers.keys()


PATHS = {
    "/": (200, 200),
    "/share/": (200, 200),
    "/family/": (200, 403),
    "/company/": (200, 403),
    "/bob/": (403, 200),
    "/files/page.txt": (200, 200),
    "/moved/": (301, 301),
    "/gone/": (502, 502),
    "/share/../family/": (200, 403),
    "/%66amily/": (200, 403),
    "//family/": (200, 403),
}


@pytest.mark.parametrize("path", ["/", "/files/page.txt", "/moved/", "/%2e%2e//x", "//y", "/gone/", "/family/"])
def test_who_is_not_signed_in(browser: Browser, path: str) -> None:
    url = f"https://home.test{path}"
    answer = browser.send(url)
    if path != "/%2e%2e//x" or answer.status_code != 400:
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/.daemun/login/start?{path}")
    for method, headers in (
        ("GET", {"Accept": "application/json"}),
        ("GET", {"Accept": "*/*"}),
        ("POST", {}),
        ("PUT", {}),
        ("DELETE", {"Cookie": f"__Host-daemun-session={'A' * 43}"}),
    ):
        refused = browser.send(url, method, **headers)
        assert refused.status_code in {401, 400}, (method, headers, refused)
        assert "Location" not in refused.headers
    assert browser.send("https://home.test/share/").status_code == 200


def test_http2(one_house: House) -> None:
    browser = Browser(one_house.gate.clients, http2=True)
    answer = browser.sign_in("https://home.test/x")
    assert (answer.http_version, answer.json()["headers"]["remote-user"]) == ("HTTP/2", "alice")


async def test_websockets(one_house: House) -> None:
    browser = Browser(one_house.gate.clients)
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    assert browser.send("https://home.test/ws/", Accept="-", **upgrade).status_code == 401
    await asyncio.to_thread(browser.sign_in, "https://home.test/")
    there = {"host": "127.0.0.1", "port": one_house.gate.https, "server_hostname": "home.test"}
    cookie = {"Cookie": f"own=1; __Host-daemun-session={browser.value('home.test')}"}
    async with websockets.asyncio.client.connect(
        "wss://home.test/ws/",
        open_timeout=60,
        additional_headers=cookie,
        ssl=clients.trust(one_house.gate.clients.ca),
        **there,  # type: ignore[arg-type]
    ) as socket:
        headers = json.loads(await socket.recv())["headers"]
        assert (headers["remote-user"], headers["cookie"]) == ("alice", "own=1")


def test_one_of_the_conditions_is_enough_with_any(browser: Browser) -> None:
    home = {"X-Forwarded-For": "203.0.113.7"}
    assert browser.send("https://either.test/", **home).status_code == 200
    assert browser.send("https://either.test/").status_code == 302
    assert browser.sign_in("https://either.test/").status_code == 200


def test_what_is_open_to_all_stays_so(browser: Browser) -> None:
    token = "a" * 43
    answer = browser.send(f"https://home.test/.well-known/acme-challenge/{token}")
    assert answer.text == f"{token}.{rendered.THUMBPRINT}"
    assert browser.send("http://home.test/x").status_code == 301
    assert browser.send("https://open.test/").json()["path"] == "/"


# --- what servers receive ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "received"),
    [
        ("{}", None),
        ("a=1; {}", "a=1"),
        ("{}; b=2", "b=2"),
        ("a=1; {}; b=2", "a=1; b=2"),
        ("a=1;{};b=2", "a=1;b=2"),
        ("a=1; {}; __Host-daemun-browser=x; b=2", "a=1; b=2"),
        ("{0}; {0}; a=1", "a=1"),
        ("{0}; {0}; {0}; a=1", None),
        ("a__Host-x=1; {}", "a__Host-x=1"),
    ],
)
def test_no_server_receives_a_session(one_house: House, written: str, received: str | None) -> None:
    browser = SIGNED_IN(one_house)
    cookie = f"__Host-daemun-session={browser.value('home.test')}"
    for path in ("/", "/share/"):
        said = browser.send(f"https://home.test{path}", Cookie=written.format(cookie)).json()["headers"]
        assert said.get("cookie") == received
        assert browser.value("home.test") not in str(said)


_signed_in: dict[int, Browser] = {}


def SIGNED_IN(one_house: House) -> Browser:  # noqa: N802 - one for several tests
    if id(one_house) not in _signed_in:
        _signed_in[id(one_house)] = Browser(one_house.gate.clients)
        _signed_in[id(one_house)].sign_in("https://home.test/")
    return _signed_in[id(one_house)]


FORGED = {
    "Remote-User": "root",
    "Remote-Groups": "wheel",
    "Remote-Email": "root@example.com",
    "Remote-Name": "Root",
    "X-Daemun-User": "root",
    "X-Daemun-Session": "A" * 43,
    "remote_user": "root",
}


def test_forged_headers(one_house: House) -> None:
    bob = Browser(one_house.gate.clients)
    bob.sign_in("https://home.test/", "bob", "word")
    said = bob.send("https://home.test/", **FORGED).json()["headers"]
    assert said["remote-user"] == "bob"
    assert not {"remote-groups", "remote-email", "remote-name", "remote_user"} & said.keys()
    assert Browser(one_house.gate.clients).send("https://home.test/", **FORGED).status_code == 302


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_page(one_house: House, browser: Browser) -> None:
    page = browser.send("https://auth.test/")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert "<script" not in page.text
    assert 'lang="en"' in page.text
    assert "Sign in" in page.text
    for path in ("/x", "/judge/x/y", "/pages/", "/../judge/x", "/.daemun/login/return?code=x", "/site/return?code=x"):
        assert browser.send(f"https://auth.test{path}").status_code == 404
    (place,) = {
        line.split()[2]
        for line in one_house.gate.files["sites/second.test.conf"].decode().splitlines()
        if line.strip().startswith("location = /.daemun/judge/")
    }
    assert browser.send(f"https://second.test{place}", Accept="-").status_code == 404


@pytest.mark.parametrize(
    ("languages", "word"),
    [
        ("ko", "비밀번호"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "비밀번호"),
        ("en-US,en;q=0.9,ko;q=0.8", "Password"),
        ("de, fr;q=0.5", "Password"),
        ("", "Password"),
        (";;q=x,ko;q=9", "Password"),
    ],
)
def test_languages(one_house: House, languages: str, word: str) -> None:
    assert word in Browser(one_house.gate.clients, language=languages).send("https://auth.test/").text


@pytest.mark.parametrize("typed", ['"><script>alert(1)</script>', "' onfocus=x '", "&amp;<b>"])
def test_what_was_typed_stays_text(browser: Browser, typed: str) -> None:
    page = browser.open("https://home.test/")
    answer = browser.fill(page, user=typed, password="no")
    assert answer.status_code == 401
    assert typed not in answer.text
    assert "<script" not in answer.text


def test_wrong_and_right(browser: Browser) -> None:
    page = browser.open("https://home.test/here")
    for user, password in (("alice", "word"), ("nobody", "pw"), ("", "pw"), ("alice", ""), ("alice:pw", "pw")):
        page = browser.fill(page, user=user, password=password)
        assert page.status_code == 401
        assert "User or password is wrong" in page.text
        assert "__Host-daemun-session" not in browser.jar["auth.test"]
    done = browser.fill(page, user="alice", password="pw")
    assert browser.open(find_refresh(done) or "").json()["path"] == "/here"


def test_signing_out_ends_it_everywhere(one_house: House, browser: Browser) -> None:
    browser.sign_in("https://home.test/")
    browser.open("https://second.test/")
    taken = {host: browser.value(host) for host in ("home.test", "second.test", "auth.test")}
    page = browser.open("https://auth.test/")
    assert "as alice" in page.text
    # Not by a link, and not from another page.
    browser.open("https://auth.test/sign-out")
    form = find_hidden(page)
    for headers in (
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "-"},
        {"Origin": "https://home.test"},
    ):
        assert browser.send("https://auth.test/sign-out", "POST", data=form, **headers).status_code == 403
    assert browser.send("https://auth.test/sign-out", "POST", data={"form": "x"}).status_code == 403
    assert "as alice" in browser.open("https://auth.test/").text
    assert "signed out" in browser.send("https://auth.test/sign-out", "POST", data=form).text
    # What was copied is worth nothing: at once on a site that nginx has not remembered it for, else in ten seconds.
    thief = Browser(one_house.gate.clients)
    thief.jar = {host: {"__Host-daemun-session": value} for host, value in taken.items()}
    assert thief.open("https://auth.test/").text.count("Password") == 1
    wait_for(lambda: thief.send("https://home.test/").status_code == 302)
    wait_for(lambda: thief.send("https://second.test/").status_code == 302)


def wait_for(is_so: collections.abc.Callable[[], bool]) -> None:
    daemon.wait_for(is_so, "it")


# --- attacks -------------------------------------------------------------------------------------------------------


def test_a_session_of_one_site_is_good_on_no_other(one_house: House, browser: Browser) -> None:
    browser.sign_in("https://home.test/")
    browser.open("https://second.test/")
    for host in ("home.test", "second.test", "auth.test"):
        thief = Browser(one_house.gate.clients)
        for other in ("home.test", "www.home.test", "second.test", "either.test", "auth.test"):
            if other != host:
                thief.jar = {other: {"__Host-daemun-session": browser.value(host)}}
                answer = thief.send(f"https://{other}/")
                assert answer.status_code == 302 or "Password" in answer.text, (host, other)


def test_a_session_that_was_slipped_to_somebody_is_not_used(one_house: House, browser: Browser) -> None:
    """Session fixation: what a browser had before it signed in opens nothing afterwards."""
    browser.open("https://home.test/")
    for fixed in ("A" * 43, "x"):
        browser.jar["auth.test"]["__Host-daemun-session"] = fixed
        browser.jar["home.test"]["__Host-daemun-session"] = fixed
        browser.sign_in("https://home.test/")
        assert fixed not in {browser.value("auth.test"), browser.value("home.test")}
        thief = Browser(one_house.gate.clients)
        thief.jar = {host: {"__Host-daemun-session": fixed} for host in ("auth.test", "home.test")}
        assert thief.send("https://home.test/").status_code == 302
    # And each sign-in draws a new one, and ends the one before.
    old = browser.value("auth.test")
    del browser.jar["home.test"]
    page = Browser(one_house.gate.clients).open("https://home.test/")
    browser.seen.append(str(page.url))
    hidden = find_hidden(page)
    form = browser.jar["auth.test"].setdefault("__Host-daemun-form", "B" * 43)
    sent = {**hidden, "form": form, "user": "alice", "password": "pw"}
    assert browser.send("https://auth.test/", "POST", data=sent).status_code == 200
    assert browser.value("auth.test") != old
    thief = Browser(one_house.gate.clients)
    thief.jar = {"auth.test": {"__Host-daemun-session": old}}
    assert "Password" in thief.open("https://auth.test/").text


def begin(browser: Browser, url: str = "https://home.test/") -> str:
    """Sign in, up to the way back with its code."""
    page = browser.open(url)
    there = find_refresh(browser.fill(page, user="alice", password="pw"))
    assert there is not None
    return there


def test_a_code_is_good_once_for_its_browser_and_its_host(one_house: House, browser: Browser) -> None:
    there = begin(browser)
    # Another browser has not the secret; the code is gone with the first try.
    assert Browser(one_house.gate.clients).send(there).status_code == 400
    assert browser.send(there).status_code == 400
    there = begin(browser2 := Browser(one_house.gate.clients))
    assert browser2.send(there).status_code == 303
    assert browser2.send(there).status_code == 400
    # A code for one host on another one.
    there = begin(browser3 := Browser(one_house.gate.clients))
    browser3.jar["second.test"] = dict(browser3.jar["home.test"])
    assert browser3.send(there.replace("home.test", "second.test")).status_code == 400
    assert browser3.send(there).status_code == 400
    for odd in ("", "x", "A" * 43, "%00", "A" * 4000):
        assert browser3.send(f"https://home.test/.daemun/login/return?code={odd}").status_code == 400


def test_nobody_is_signed_in_by_the_link_of_another(one_house: House) -> None:
    """Login CSRF: an attacker's code, sent to somebody who began no sign-in, or another one."""
    there = begin(Browser(one_house.gate.clients))
    victim = Browser(one_house.gate.clients)
    victim.open("https://home.test/")
    assert victim.send(there).status_code == 400
    assert "__Host-daemun-session" not in victim.jar["home.test"]


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.test/",
        "https://open.test/",
        "http://home.test/",
        "//evil.test/",
        "/x",
        "https://home.test.evil.test/",
        "https://evil.test\\@home.test/",
        "https://home.test@evil.test/",
        "https://home.test:pw@evil.test/",
        "https://home.test:1/",
        "https://home.test:99999/",
        "https://home.test",
        "https://home.test\t/",
        "https://home.test%2eevil.test/",
        "https://HOME.test/",
        "https://auth.test/",
        "javascript:alert(1)",
        "https://home.test/\r\nSet-Cookie: a=b",
        "https://[::1]/",
        "",
    ],
)
def test_no_open_redirect(one_house: House, browser: Browser, to: str) -> None:
    challenge = "0" * 64
    query = urllib.parse.urlencode({"to": to, "challenge": challenge})
    assert browser.send(f"https://auth.test/?{query}").status_code == 400
    signed_in = SIGNED_IN(one_house)
    answer = signed_in.send(f"https://auth.test/?{query}")
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    form = find_hidden(browser.send("https://auth.test/"))["form"]
    sent = {"to": to, "challenge": challenge, "form": form, "user": "alice", "password": "pw"}
    answer = browser.send("https://auth.test/", "POST", data=sent)
    assert (answer.status_code, find_refresh(answer)) == (400, None)


def test_where_a_path_leads(one_house: House, browser: Browser) -> None:
    """Whatever is behind the question mark: to the sign-in, never there."""
    paths = (
        "//evil.test/x",
        "/\\evil.test",
        "/x?to=https://evil.test/",
        "/.daemun/login/start?/y",
        "https://evil.test/",
        "",
    )
    for path in paths:
        there = browser.send(f"https://home.test/.daemun/login/start?{path}").headers["Location"]
        assert there.startswith((f"https://auth.test:{one_house.gate.https}/?", "https://auth.test/?"))
    # What a server could read as another path.
    assert browser.send("https://home.test/\\evil.test").status_code == 400
    # Whoever signs in there stays on the site, whatever a browser makes of the backslash.
    opened = SIGNED_IN(one_house).send("https://home.test/.daemun/login/start?/\\evil.test")
    to = urllib.parse.parse_qs(urllib.parse.urlsplit(opened.headers["Location"]).query)["to"]
    assert all(one.startswith((f"https://home.test:{one_house.gate.https}/", "https://home.test/")) for one in to)


def test_forms_of_other_pages(browser: Browser) -> None:
    page = browser.open("https://home.test/")
    sent = {**find_hidden(page), "user": "alice", "password": "pw"}
    url = browser.seen[-1]
    for headers in (
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "-"},
        {"Origin": "https://home.test"},
    ):
        assert browser.send(url, "POST", data=sent, **headers).status_code == 403
    for form in ("", "x", "A" * 43, "ä"):
        assert browser.send(url, "POST", data={**sent, "form": form}).status_code == 403
    cookie = browser.jar["auth.test"].pop("__Host-daemun-form")
    assert browser.send(url, "POST", data=sent).status_code == 403
    browser.jar["auth.test"] = {"__Host-daemun-form": cookie}
    assert browser.send(url, "POST", data=sent, **{"Content-Type": "text/plain"}).status_code != 200
    assert "__Host-daemun-session" not in browser.jar["auth.test"]
    assert browser.send(url, "POST", data=sent).status_code == 200


def test_one_time_codes(one_house: House) -> None:
    first = Browser(one_house.gate.clients)
    page = first.open("https://home.test/")
    page = first.fill(page, user="carol", password="pw")
    assert page.status_code == 200
    assert "__Host-daemun-session" not in first.jar["auth.test"]
    wrong = first.fill(page, code="000000")
    assert wrong.status_code == 401
    code = pyotp.TOTP(SECRET).now()
    done = first.fill(wrong, code=f" {code[:3]} {code[3:]} ")
    assert first.open(find_refresh(done) or "").json()["headers"]["remote-user"] == "carol"
    # Not a second time, neither the code nor what stood for the password.
    second = Browser(one_house.gate.clients)
    page = second.fill(second.open("https://home.test/"), user="carol", password="pw")
    page = second.fill(page, code=code)
    assert page.status_code == 401
    stolen = find_hidden(wrong)["pending"]
    assert (
        second.send(second.seen[-1], "POST", data={**find_hidden(page), "pending": stolen, "code": code}).status_code
        == 401
    )
    # A recovery code, once.
    page = second.fill(second.open("https://home.test/"), user="carol", password="pw")
    assert find_refresh(second.fill(page, code=RECOVERY.lower()))
    third = Browser(one_house.gate.clients)
    page = third.fill(third.open("https://home.test/"), user="carol", password="pw")
    assert third.fill(page, code=RECOVERY).status_code == 401


def test_guesses_of_a_one_time_code(one_house: House) -> None:
    browser = Browser(one_house.gate.clients)
    statuses = []
    for _ in range(8):
        page = browser.fill(browser.open("https://home.test/"), user="carol", password="pw")
        statuses.append(page.status_code)
        for number in range(5):
            page = browser.fill(page, code=f"00000{number}")
            statuses.append(page.status_code)
            if "pending" not in find_hidden(page):
                break
    assert set(statuses) == {200, 401, 429}


def test_guesses_of_a_password(one_house: House) -> None:
    before = one_house.look("GET", "/status")["verified"]
    guesser = Browser(one_house.gate.clients)
    page = guesser.open("https://second.test/")
    statuses: list[int] = []
    # Each wait is twice as long as the one before: the last is longer than the next request takes on any machine.
    while len(statuses) < 200 or int(page.headers.get("Retry-After", "0")) < 20:
        page = guesser.fill(page, user="bob", password=str(len(statuses)))
        statuses.append(page.status_code)
    assert set(statuses) == {401, 429}
    assert guesser.fill(page, user="bob", password="word").status_code == 429
    assert one_house.look("GET", "/status")["verified"] - before < 60
    other = Browser(one_house.gate.clients)
    assert other.sign_in("https://second.test/", "bob", "word").status_code == 200


# --- what an owner does, and what fails ----------------------------------------------------------------------------


@contextlib.contextmanager
def small_house(one: echo.EchoServer) -> collections.abc.Iterator[House]:
    guarded_site = site("home.test", f"http://127.0.0.1:{one.port}", options=guarded(login=EVERYBODY))
    with house(guarded_site, gate=settings()) as running:
        yield running


def test_users_and_sessions_end(one: echo.EchoServer) -> None:
    with small_house(one) as running:
        alice, bob, carol = (Browser(running.gate.clients) for _ in range(3))
        alice.sign_in("https://home.test/")
        bob.sign_in("https://home.test/", "bob", "word")
        carol.fill(carol.open("https://home.test/"), user="carol", password="pw")
        found = running.look("GET", "/sessions")["sessions"]
        assert [(one["user"], one["hosts"]) for one in found] == [("alice", ["home.test"]), ("bob", ["home.test"])]
        assert alice.value("auth.test") not in json.dumps(found)
        # Another password, a user less, a session less.
        running.set_users(dataclasses.replace(USERS[0], stamp="2"), USERS[1])
        wait_for(lambda: alice.send("https://home.test/").status_code == 302)
        assert bob.send("https://home.test/").status_code == 200
        assert alice.sign_in("https://home.test/").status_code == 200
        running.set_users(USERS[0])
        wait_for(lambda: bob.send("https://home.test/").status_code == 302)
        page = bob.open("https://home.test/")
        assert bob.fill(page, user="bob", password="word").status_code == 401


def test_what_survives_another_process(one: echo.EchoServer) -> None:
    with small_house(one) as running:
        browser = Browser(running.gate.clients)
        browser.sign_in("https://home.test/")
        gone = Browser(running.gate.clients)
        gone.sign_in("https://home.test/", "bob", "word")
        (number,) = [one["id"] for one in running.look("GET", "/sessions")["sessions"] if one["user"] == "bob"]
        assert running.look("POST", "/sessions/end", json.dumps({"id": number}).encode()) == {"ended": 1, "saved": True}
        asyncio.run(running.manager.stop())
        # Whom nginx does not remember waits outside: nothing but the page for those whom it is open to.
        assert Browser(running.gate.clients).send("https://home.test/").status_code == 503
        wait_for(lambda: browser.send("https://home.test/").status_code == 503)
        wait_for(lambda: gone.send("https://home.test/").status_code == 503)
        running.prepare()
        assert browser.send("https://home.test/").json()["headers"]["remote-user"] == "alice"
        assert gone.send("https://home.test/").status_code == 302
        slots = [pathlib.Path(path) for path in running.gate.layout.session_slots]
        assert any(path.stat().st_size for path in slots)
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in slots)
        kept = b"".join(path.read_bytes() for path in slots).decode()
        assert browser.value("home.test") not in kept
        assert browser.value("auth.test") not in kept


def test_files_that_are_damaged_let_nobody_in(one: echo.EchoServer) -> None:
    with small_house(one) as running:
        browser = Browser(running.gate.clients)
        browser.sign_in("https://home.test/")
        asyncio.run(running.manager.stop())
        for path in running.gate.layout.session_slots:
            content = pathlib.Path(path).read_bytes()
            pathlib.Path(path).write_bytes(content.replace(b"alice", b"bobby"))
        running.prepare()
        wait_for(lambda: browser.send("https://home.test/").status_code == 302)
        assert browser.sign_in("https://home.test/").status_code == 200


def test_sessions_that_are_idle_end(one: echo.EchoServer) -> None:
    with small_house(one) as running:
        login = login_option.Login(host="auth.test", idle_s=1.0)  # less than an owner may write
        options = catalogue.with_value(running.desired.globals.options, login_option.OPTION, login)
        changed = dataclasses.replace(running.desired.globals, options=options)
        running.desired = dataclasses.replace(running.desired, globals=changed)
        running.prepare()
        browser = Browser(running.gate.clients)
        browser.sign_in("https://home.test/")
        wait_for(lambda: running.look("GET", "/sessions") == {"sessions": []})
        wait_for(lambda: browser.send("https://home.test/").status_code == 302)


def test_addresses_of_the_gate_hold_for_the_page_and_the_ways_there(one: echo.EchoServer) -> None:
    base = settings()
    both = Access(login=EVERYBODY, allow=("203.0.113.0/24",))
    gate = dataclasses.replace(base, options=catalogue.with_value(base.options, access_option.OPTION, both))
    with house(site("a.test", f"http://127.0.0.1:{one.port}"), gate=gate) as running:
        browser = Browser(running.gate.clients)
        for url in ("https://a.test/", "https://auth.test/", "https://a.test/.daemun/login/start?/"):
            assert browser.send(url).status_code == 403
        browser.address = "203.0.113.7"
        assert browser.sign_in("https://a.test/").json()["headers"]["remote-user"] == "alice"


def test_for_every_site_at_the_gate(one: echo.EchoServer) -> None:
    there = f"http://127.0.0.1:{one.port}"
    base = settings()
    gate = dataclasses.replace(
        base, options=catalogue.with_value(base.options, access_option.OPTION, Access(login=EVERYBODY))
    )
    with house(site("a.test", there), site("b.test", there, options=guarded()), gate=gate) as running:
        browser = Browser(running.gate.clients)
        assert browser.sign_in("https://a.test/").json()["headers"]["remote-user"] == "alice"
        assert browser.send("https://b.test/").status_code == 200


def test_the_daemon_finds_who_is_signed_in_at_a_site(one_house: House, browser: Browser) -> None:
    assert browser.sign_in("https://home.test/").status_code == 200
    cookie = browser.jar["home.test"]["__Host-daemun-session"]

    def find(secret: str, host: str) -> operator_port.SignedInUser | None:
        return asyncio.run(one_house.manager.find_signed_in(secret, host))

    found = find(cookie, "home.test")
    assert found is not None and (found.name, found.groups) == ("alice", ("admins", "family"))
    assert found.session in {one["id"] for one in one_house.look("GET", "/sessions")["sessions"]}
    for secret, host in ((cookie, "second.test"), (cookie, "auth.test"), ("x" * 43, "home.test"), ("", "home.test")):
        assert find(secret, host) is None
    one_house.look("POST", "/sessions/end", json.dumps({"id": found.session}).encode())
    assert find(cookie, "home.test") is None


def test_the_dashboard_lists_and_ends_sessions_of_users(one_house: House, browser: Browser) -> None:
    assert browser.sign_in("https://home.test/").status_code == 200
    chosen = settings_.Settings(config=pathlib.Path("/"), state=pathlib.Path(one_house.gate.layout.state))
    found = people.LoginPeople(chosen, lambda: None)
    mine = next(one for one in asyncio.run(found.list_sessions()) if one.address == browser.address)
    assert (mine.user, mine.provider, mine.hosts) == ("alice", None, ("home.test",))
    assert asyncio.run(found.end_sessions(number=mine.number)) == (1, True)
    assert asyncio.run(found.end_sessions(number=mine.number)) == (0, True)
