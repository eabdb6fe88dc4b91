"""Scripts that come into sites with `login` by a token: nginx on rendered files, and the judge beside it, both real."""

import asyncio
import collections.abc
import dataclasses
import json
import pathlib
import tempfile
import time

import httpx
import pytest
import websockets.asyncio.client

from daemun.core import model
from daemun.core.access import access_tokens
from tests.support import clients, daemon, echo, login_house, ports
from tests.support.login_browser import Browser
from tests.support.login_house import EVERYBODY, FAMILY, USERS, House, guarded
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx


def secret(number: int) -> str:
    return access_tokens.make_secret(bytes([number]) * access_tokens.RANDOM_BYTES)


def token(number: int, *sites: str, user: str = "alice", ends_s: float | None = None) -> access_tokens.Token:
    now_s = time.time()
    return access_tokens.Token(
        name=f"token-{number}",
        user=user,
        sites=sites,
        digest=access_tokens.digest(secret(number)),
        created_s=now_s,
        ends_s=now_s + 3600 if ends_s is None else ends_s,
    )


ALICE, BOB, ENDED, EVERYWHERE, NOBODY, HOME_ONLY, GOING = range(1, 8)
TOKENS = (
    token(ALICE, "home.test"),
    token(BOB, "home.test", user="bob"),
    token(ENDED, "home.test", ends_s=1.0),
    token(EVERYWHERE, access_tokens.EVERY_SITE),
    token(NOBODY, "home.test", user="nobody"),
    token(HOME_ONLY, "home.test"),
    token(GOING, "home.test"),
)


def set_tokens(house: House, *tokens: access_tokens.Token) -> None:
    house.store.write(access_tokens.KEY, access_tokens.encode(tokens))
    house.prepare()


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
            route("/ws/", f"http://127.0.0.1:{port}"),
            route("/files/", model.Files(folder=folder)),
            route("/moved/", model.Redirect(to="https://else.test/")),
            route("/gone/", f"http://127.0.0.1:{ports.free_port()}"),
            options=guarded(login=EVERYBODY),
            aliases=("www.home.test",),
        )
        second = site("second.test", there, options=guarded(login=EVERYBODY))
        either = site("either.test", there, options=guarded(login=EVERYBODY, allow=("203.0.113.0/24",), any=True))
        with login_house.house(home, second, either, gate=login_house.settings()) as running:
            set_tokens(running, *TOKENS)
            yield running


def bearer(number: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret(number)}", "Accept": "*/*"}


def fetch(house: House, url: str, method: str = "GET", **headers: str) -> httpx.Response:
    """As a program of an address that nobody had before: guesses are counted by it."""
    return Browser(house.gate.clients).send(url, method, **{"Accept": "*/*", **headers})


def status(house: House, url: str, number: int, method: str = "GET") -> int:
    return fetch(house, url, method, **bearer(number)).status_code


@pytest.mark.parametrize(
    ("path", "alice", "bob"),
    [
        ("/", 200, 200),
        ("/share/", 200, 200),
        ("/family/", 200, 403),
        ("/files/page.txt", 200, 200),
        ("/moved/", 301, 301),
        ("/gone/", 502, 502),
        ("/share/../family/", 200, 403),
        ("/%66amily/", 200, 403),
    ],
)
def test_a_token_opens_what_its_user_may_see(one_house: House, path: str, alice: int, bob: int) -> None:
    url = f"https://home.test{path}"
    assert (status(one_house, url, ALICE), status(one_house, url, BOB)) == (alice, bob)
    for method in ("POST", "PUT", "DELETE"):
        assert status(one_house, url, BOB, method) in {bob, 308, 405, 501}


def test_the_server_receives_who_it_is_and_no_token(one_house: House) -> None:
    forged = {"Remote-User": "root", "X-Daemun-User": "root", "X-Daemun-Token": secret(BOB), "Cookie": "a=1"}
    said = fetch(one_house, "https://home.test/x", **{**forged, **bearer(ALICE)}).json()["headers"]
    assert said["remote-user"] == "alice"
    assert said["remote-groups"] == "admins,family"
    assert said["remote-email"] == "alice@Example.com"
    assert said["cookie"] == "a=1"
    for path in ("/", "/share/"):
        for scheme in ("Bearer ", "bearer ", "BEARER   "):
            headers = fetch(one_house, f"https://home.test{path}", Authorization=f"{scheme}{secret(ALICE)}").json()
            assert "daemun_" not in str(headers)
    assert fetch(one_house, "https://home.test/", **forged).status_code == 401
    # What is no token of the gate is the application's.
    own = Browser(one_house.gate.clients)
    own.sign_in("https://home.test/")
    for value in ("Bearer own", "Basic YTpi", "Token daemun"):
        assert own.send("https://home.test/", Authorization=value).json()["headers"]["authorization"] == value


@pytest.mark.parametrize(
    "value",
    [
        "Bearer daemun_",
        "Bearer daemun_x",
        "Bearer daemun_" + "A" * 43,
        "Bearer daemun_" + "A" * 44,
        "Bearer daemun_" + "A" * 7000,
        "Bearer daemun_\xff\xfe",
        f"Bearer {secret(ALICE)}x",
        f"Bearer {secret(ALICE)[:-1]}",
        f"Bearer {secret(ALICE)} {secret(ALICE)}",
        f"Bearer {secret(ALICE).lower()}",
        f"bearer\t{secret(ALICE)}",
        f"Bearer {secret(ENDED)}",
        f"Bearer {secret(NOBODY)}",
    ],
)
def test_a_wrong_token_is_no_redirect(one_house: House, value: str) -> None:
    for accept in ("*/*", "text/html"):
        answer = fetch(one_house, "https://home.test/", Authorization=value.encode("latin-1"), Accept=accept)  # type: ignore[arg-type]
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="daemun", error="invalid_token"'
        assert "Location" not in answer.headers
    # A session beside it is of no use.
    signed_in = Browser(one_house.gate.clients)
    signed_in.sign_in("https://home.test/")
    assert signed_in.send("https://home.test/", Authorization=value.encode("latin-1")).status_code == 401


def test_programs_learn_that_a_token_is_wanted(one_house: House) -> None:
    answer = fetch(one_house, "https://home.test/")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="daemun"')
    page = fetch(one_house, "https://home.test/", Accept="text/html")
    assert page.status_code == 302
    assert "WWW-Authenticate" not in page.headers


def test_a_token_is_for_its_sites(one_house: House) -> None:
    assert status(one_house, "https://second.test/", HOME_ONLY) == 403
    assert status(one_house, "https://www.home.test/", HOME_ONLY) == 403
    for url in ("https://home.test/", "https://www.home.test/", "https://second.test/"):
        assert status(one_house, url, EVERYWHERE) == 200
    # Also once nginx remembers it for one of them.
    assert status(one_house, "https://home.test/", HOME_ONLY) == 200
    assert status(one_house, "https://second.test/", HOME_ONLY) == 403
    assert status(one_house, "https://home.test/family/", BOB) == 403


def test_one_of_the_conditions_is_enough_with_any(one_house: House) -> None:
    assert status(one_house, "https://either.test/", EVERYWHERE) == 200
    assert status(one_house, "https://either.test/", HOME_ONLY) == 403
    home = {"X-Forwarded-For": "203.0.113.7", "Authorization": "Bearer daemun_wrong"}
    said = fetch(one_house, "https://either.test/", **home).json()["headers"]
    assert not {"authorization", "remote-user"} & said.keys()


async def test_websockets(one_house: House) -> None:
    there = {"host": "127.0.0.1", "port": one_house.gate.https, "server_hostname": "home.test"}
    async with websockets.asyncio.client.connect(
        "wss://home.test/ws/",
        open_timeout=60,
        additional_headers={"Authorization": f"Bearer {secret(ALICE)}"},
        ssl=clients.trust(one_house.gate.clients.ca),
        **there,  # type: ignore[arg-type]
    ) as socket:
        headers = json.loads(await socket.recv())["headers"]
        assert headers["remote-user"] == "alice"
        assert "authorization" not in headers


def test_http2(one_house: House) -> None:
    browser = Browser(one_house.gate.clients, http2=True)
    answer = browser.send("https://home.test/x", **bearer(ALICE))
    assert (answer.http_version, answer.json()["headers"]["remote-user"]) == ("HTTP/2", "alice")


def test_guesses(one_house: House) -> None:
    guesser = Browser(one_house.gate.clients)
    statuses = [
        guesser.send("https://home.test/", Authorization=f"Bearer daemun_{number:043}").status_code
        for number in range(40)
    ]
    assert set(statuses) == {401, 429}
    last = guesser.send("https://home.test/", Authorization="Bearer daemun_x")
    assert int(last.headers["Retry-After"]) >= 1
    waits = one_house.look("GET", "/status")["waits"]
    assert guesser.address in waits
    assert guesser.send("https://home.test/", **bearer(ALICE)).status_code == 200
    # The same wrong one, again and again, is one guess.
    script = Browser(one_house.gate.clients)
    for _ in range(40):
        assert script.send("https://home.test/", Authorization="Bearer daemun_old").status_code == 401


def test_what_is_withdrawn_is_out_within_ten_seconds(one_house: House) -> None:
    """Also the token of a user who has another group now, or is gone."""
    assert status(one_house, "https://home.test/", GOING) == 200
    assert status(one_house, "https://home.test/family/", ALICE) == 200
    assert status(one_house, "https://home.test/", BOB) == 200
    set_tokens(one_house, *(one for one in TOKENS if one.name != f"token-{GOING}"))
    one_house.set_users(dataclasses.replace(USERS[0], groups=()))
    daemon.wait_for(lambda: status(one_house, "https://home.test/", GOING) == 401, "it is withdrawn")
    daemon.wait_for(lambda: status(one_house, "https://home.test/", BOB) == 401, "its user is gone")
    daemon.wait_for(lambda: status(one_house, "https://home.test/family/", ALICE) == 403, "another group")
    one_house.set_users(*USERS)
    set_tokens(one_house, *TOKENS)
    assert status(one_house, "https://home.test/family/", ALICE) == 200


def test_who_is_disabled_is_out_and_comes_back_with_everything(one_house: House) -> None:
    url = "https://second.test/"
    browser = Browser(one_house.gate.clients)
    assert browser.sign_in(url).status_code == 200
    assert status(one_house, url, EVERYWHERE) == 200
    one_house.set_users(dataclasses.replace(USERS[0], is_disabled=True), *USERS[1:])
    daemon.wait_for(lambda: status(one_house, url, EVERYWHERE) == 401, "no token")
    daemon.wait_for(lambda: browser.send(url).status_code == 302, "no session")
    page = browser.open(url)
    assert browser.fill(page, user="alice", password="pw").status_code == 401
    one_house.set_users(*USERS)
    assert status(one_house, url, EVERYWHERE) == 200
    assert browser.sign_in(url).status_code == 200


def test_a_judge_that_is_gone_lets_nobody_new_in(one_house: House) -> None:
    """The last one of this file: it is another process afterwards."""
    asyncio.run(one_house.manager.stop())
    answer = fetch(one_house, "https://second.test/", **bearer(ALICE))
    assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (503, None)
    one_house.prepare()
    assert status(one_house, "https://second.test/", EVERYWHERE) == 200
