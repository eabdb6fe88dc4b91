"""Requests that are counted by user, as visitors of many addresses see it: nginx and the judge, both real."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib
import re
import tempfile
import time

import httpx
import pytest

from daemun.core import model
from daemun.core.access import access_tokens
from daemun.core.options import access_option, basic_auth_form, catalogue, rate_limit_form, rewrite_option
from daemun.core.options.access_option import Access
from daemun.core.options.forward_auth_forms import ForwardAuth, ForwardAuthKind
from daemun.errors import RenderError
from daemun.sources import nginx_snippet
from tests.support import backend, bad_servers, echo, holding, judges, login_house, ports, rendered
from tests.support.login_browser import Browser
from tests.support.login_house import EVERYBODY, House, guarded
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

BURST = 3
LIMIT = rate_limit_form.RateLimit(rate=rate_limit_form.Rate(requests=1, period_s=60), burst=BURST, by="user")
LIMITED = guarded(rate_limit=LIMIT)
"""Of a route: the conditions of its site hold. Each route counts for itself."""
PASSWORDS = basic_auth_form.BasicAuth(
    users=tuple((name, login_house.hashed("pw")) for name in ("alice", "bob", "user of the gate"))
)
OTHERS = ("fastcgi", "uwsgi", "scgi", "grpc", "h2c", "memcached")
HOME = ("203.0.113.0/24",)
SECRETS = {
    name: access_tokens.make_secret(bytes([number]) * 32) for number, name in enumerate(("alice", "bob", "carol"))
}


def tokens() -> bytes:
    now_s = time.time()
    return access_tokens.encode(
        access_tokens.Token(
            name=name,
            user=name,
            sites=(access_tokens.EVERY_SITE,),
            digest=access_tokens.digest(secret),
            created_s=now_s,
            ends_s=now_s + 3600,
        )
        for name, secret in SECRETS.items()
    )


@pytest.fixture(scope="module")
def one_house(one: echo.EchoServer) -> collections.abc.Iterator[House]:
    there = f"http://127.0.0.1:{one.port}"
    with echo.websocket_server() as port, tempfile.TemporaryDirectory() as folder, judges.running(judges.authelia) as j:
        pathlib.Path(folder).chmod(0o755)
        pathlib.Path(folder, "page.txt").write_text("page")
        home = site(
            "home.test",
            *(route(f"/{number}/", there, options=LIMITED) for number in range(8)),
            route("/inner/", proxy(f"{there}/x/"), options=LIMITED),
            route("/plain", proxy(f"{there}/y"), options=LIMITED),
            route("/ws/", f"http://127.0.0.1:{port}", options=LIMITED),
            route("/gone/", f"http://127.0.0.1:{ports.free_port()}", options=LIMITED),
            route("/files/", model.Files(folder=folder), options=LIMITED),
            route("/moved/", model.Redirect(to="https://else.test/"), options=LIMITED),
            *(route(f"/{one}/", f"{one}://127.0.0.1:{ports.free_port()}", options=LIMITED) for one in OTHERS),
            options=guarded(login=EVERYBODY),
        )
        either = site("either.test", there, options=guarded(login=EVERYBODY, allow=HOME, any=True, rate_limit=LIMIT))
        forward = guarded(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA, url=j.url), rate_limit=LIMIT)
        app = site("app.test", route("/", there), route("/bypass/", there), options=forward)
        with login_house.house(home, either, app, gate=login_house.settings()) as running:
            running.store.write(access_tokens.KEY, tokens())
            running.prepare()
            yield running


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRETS[name]}", "Accept": "*/*"}


def statuses(house: House, url: str, times: int = BURST + 1, /, **headers: str) -> list[int]:
    """Of several requests, each from an address that nobody had before."""
    return [fetch(house, url, **headers).status_code for _ in range(times)]


def fetch(house: House, url: str, method: str = "GET", body: bytes = b"", /, **headers: str) -> httpx.Response:
    own = {"X-Forwarded-For": Browser(house.gate.clients).address, "Accept": "text/html"}
    return house.gate.ask(method, url, body=body, headers={**own, **headers})


ALL = [*[200] * BURST, 429]


def test_a_user_is_counted_whatever_the_address_and_the_session(one_house: House) -> None:
    url = "https://home.test/0/"
    first, second = Browser(one_house.gate.clients), Browser(one_house.gate.clients)
    found = [first.sign_in(url).status_code, second.sign_in(url).status_code, first.send(url).status_code]
    assert found == [200] * BURST
    assert second.send(url).status_code == 429
    # A token of hers is hers, too. Another user, and another route, count for themselves.
    assert statuses(one_house, url, 1, **bearer("alice")) == [429]
    assert statuses(one_house, url, **bearer("bob")) == ALL
    assert fetch(one_house, "https://home.test/1/x?y", **bearer("alice")).json()["path"] == "/1/x?y"


def test_a_refusal_tells_when_to_come_again(one_house: House) -> None:
    url = "https://home.test/2/"
    statuses(one_house, url, **bearer("bob"))
    answer = fetch(one_house, url, **bearer("bob"))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Too many requests" in answer.text


def test_no_header_makes_another_user(one_house: House) -> None:
    url = "https://home.test/3/"
    statuses(one_house, url, **bearer("alice"))
    for name in ("Remote-User", "X-Daemun-User", "X-Forwarded-User", "Remote_User", "X-Real-IP", "X-Daemun-Token"):
        assert fetch(one_house, url, **bearer("alice"), **{name: "carol"}).status_code == 429
    assert fetch(one_house, url, **bearer("alice"), Cookie="__Host-daemun-session=x").status_code == 429


def test_who_does_not_come_in_is_neither_counted_nor_let_in(one_house: House) -> None:
    url = "https://home.test/4/"
    assert statuses(one_house, url, 10, Accept="*/*") == [401] * 10
    assert statuses(one_house, url, 10, Accept="*/*", **{"Remote-User": "carol"}) == [401] * 10
    assert statuses(one_house, url, **bearer("carol")) == ALL


@pytest.mark.parametrize("size", [0, 10, 50_000, 2_000_000])
def test_bodies_arrive_and_count(one_house: House, size: int) -> None:
    url = f"https://home.test/{ {0: 5, 10: 6, 50_000: 7, 2_000_000: 1}[size] }/"
    headers = {**bearer("carol"), "X-Forwarded-For": f"198.51.100.{size % 250}"}
    found = [one_house.gate.ask("POST", url, body=b"x" * size, headers=headers) for _ in range(BURST + 1)]
    assert [one.status_code for one in found] == ALL
    assert found[0].json()["body"] == ("x" * size if size < 100 else f"{size} bytes")
    assert found[0].json()["headers"]["remote-user"] == "carol"


def test_paths_that_are_replaced(one_house: House) -> None:
    for there, received in (("inner/a%2Fb//c?d", "/x/a%2Fb//c?d"), ("plain/z", "/y/z")):
        answer = fetch(one_house, f"https://home.test/{there}", **bearer("alice"))
        assert answer.json()["path"] == received
        body = one_house.gate.ask("POST", f"https://home.test/{there}", body=b"x", headers=bearer("alice"))
        assert body.json()["path"] == received
        assert statuses(one_house, f"https://home.test/{there}", 2, **bearer("alice")) == [200, 429]


def test_websockets_and_servers_that_are_away(one_house: House) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    found = statuses(one_house, "https://home.test/ws/", **bearer("alice"), **upgrade)
    assert 401 not in found[:BURST]
    assert found[-1] == 429
    assert statuses(one_house, "https://home.test/gone/", **bearer("alice")) == [*[502] * BURST, 429]


def test_what_the_gate_answers_itself_is_counted_by_address(one_house: House) -> None:
    for path, status in (("/files/page.txt", 200), ("/moved/", 301)):
        url = f"https://home.test{path}"
        assert statuses(one_house, url, BURST + 2, **bearer("alice")) == [status] * (BURST + 2)
        visitor = Browser(one_house.gate.clients)
        found = [visitor.send(url, **bearer("alice")).status_code for _ in range(BURST + 1)]
        assert found == [*[status] * BURST, 429]


def test_who_comes_in_without_a_name_is_counted_by_address(one_house: House) -> None:
    url = "https://either.test/"
    for number in (7, 8):
        home = {"X-Forwarded-For": f"203.0.113.{number}"}
        assert statuses(one_house, url, **home) == ALL
    assert statuses(one_house, url, **bearer("alice")) == ALL
    assert statuses(one_house, url, 1, **{"X-Forwarded-For": "203.0.113.9"}) == [200]


def test_the_name_that_another_judge_answered(one_house: House) -> None:
    url = "https://app.test/"
    assert statuses(one_house, url, Cookie=judges.SESSION) == ALL
    assert statuses(one_house, url, 1, Cookie=judges.SESSION, **{"Remote-User": "bob"}) == [429]
    # Nobody is named where the judge lets everybody pass: by address, whatever a visitor invents.
    same = {"X-Forwarded-For": "198.51.100.251"}
    forged = [fetch(one_house, f"{url}bypass/", **same, **{"Remote-User": str(one)}) for one in range(BURST + 1)]
    assert [one.status_code for one in forged] == ALL
    assert statuses(one_house, f"{url}bypass/", 1) == [200]


@pytest.mark.parametrize("scheme", OTHERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_servers_of_every_kind(one_house: House, scheme: str, method: str) -> None:
    user = {"GET": "alice", "POST": "bob"}[method]
    url = f"https://home.test/{scheme}/"
    found = [fetch(one_house, url, method, b"x" if method == "POST" else b"", **bearer(user)) for _ in range(BURST + 1)]
    # memcached is for GET and HEAD alone.
    missing = 405 if (scheme, method) == ("memcached", "POST") else 502
    assert [one.status_code for one in found] == [*[missing] * BURST, 429]
    assert fetch(one_house, url, method, Accept="*/*").status_code == 401


def test_it_cannot_stand_beside_hand_written_nginx_of_the_route() -> None:
    snippet = nginx_snippet.parse_snippet("location /x/y/ { return 204; }")
    one = site(
        "home.test",
        route("/x/", "http://127.0.0.1:1", options=LIMITED, snippet=snippet),
        options=guarded(basic_auth=PASSWORDS),
    )
    with pytest.raises(RenderError, match="by: address"), rendered.running(one):
        pass


def test_a_server_leads_nobody_past_the_guard_of_another_route(one: echo.EchoServer) -> None:
    """Where an owner wrote nginx for the site, nginx follows what servers answer in X-Accel-Redirect."""
    with contextlib.ExitStack() as stack:
        judge = stack.enter_context(judges.running(judges.authelia))
        hostile = stack.enter_context(bad_servers.running(_leading_away))
        judged = guarded(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA, url=judge.url), rate_limit=LIMIT)
        shared = site(
            "app.test",
            route("/", f"http://127.0.0.1:{one.port}", options=judged),
            route("/mine/", f"http://127.0.0.1:{hostile.port}", options=guarded()),
            snippet=nginx_snippet.parse_snippet("location /own/ { internal; alias /; }"),
        )
        gate = stack.enter_context(rendered.running(shared))
        (there,) = re.findall(r"^ *location (@app.test_counted) ", gate.files["sites/app.test.conf"].decode(), re.M)[:1]
        for to in (there, there.replace("_counted", "_body_counted"), there.replace("_counted", "_upgrade_counted")):
            answer = gate.ask("GET", f"https://app.test/mine/?{to}")
            assert answer.status_code == 403, answer.text
            assert "headers" not in answer.text


def _leading_away(path: str, _: collections.abc.Mapping[str, str]) -> bytes:
    there = path.partition("?")[2]
    return f"HTTP/1.1 200 OK\r\nX-Accel-Redirect: {there}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def test_for_every_site_at_the_gate_also_where_all_are_public(one: echo.EchoServer) -> None:
    both = Access(basic_auth=PASSWORDS, rate_limit=LIMIT)
    settings = model.Globals(options=catalogue.values(access_option.OPTION.set(both)))
    public = site("a.test", f"http://127.0.0.1:{one.port}", options=guarded())
    with rendered.running(public, settings=settings) as gate:
        assert gate.ask("GET", "https://a.test/").status_code == 200


async def test_requests_that_wait_are_counted_once_and_arrive_as_they_were() -> None:
    port = ports.free_port()
    there = f"http://127.0.0.1:{port}"
    twice = rewrite_option.Rewrite(match="^/out/(?<rest>.*)$", to="/out/out/${rest}")
    with judges.running(judges.authelia) as judge:
        limit = dataclasses.replace(LIMIT, burst=2)
        held = guarded(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA, url=judge.url), rate_limit=limit)
        sites = (
            site("app.test", there, options=held),
            site("app.test.in", route("/in/", proxy(f"{there}/x/"), options=held)),
            site("app.test.out", route("/out/", proxy(there, rewrite=twice), options=held)),
        )
        urls = ("https://app.test/a%2Fb?c", "https://app.test.in/in/a%2Fb//?c", "https://app.test.out/out/d")
        async with holding.house(*sites) as house:
            signed_in = {"Cookie": judges.SESSION}
            asking = asyncio.gather(
                *(house.ask(method, url, headers=signed_in) for url in urls for method in ("GET", "POST"))
            )
            await house.until_waiting(6)
            with backend.running(port=port) as server:
                answers = await asking
                assert [one.status_code for one in answers] == [200] * 6
                paths = ("/a%2Fb?c", "/x/a%2Fb//?c", "/out/out/d")
                assert server.seen == {f"{method} {path}": 1 for path in paths for method in ("GET", "POST")}
                late = [await house.ask("GET", url, headers=signed_in) for url in urls]
                assert [one.status_code for one in late] == [429] * 3
