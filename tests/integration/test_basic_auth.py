"""Names and passwords as visitors meet them: nginx on rendered files, and the judge beside it, both real."""

import asyncio
import base64
import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import stat
import tempfile

import httpx
import pytest
import websockets.asyncio.client
from passlib import hash as passlib_hash

from daemun import errors
from daemun.core import model
from daemun.core.access import basic_auth_policies
from daemun.core.options import access_option, basic_auth_form, catalogue, rate_limit_form, trusted_proxies_option
from daemun.core.options.access_option import Access
from daemun.judge import judge_manager, judge_process
from daemun.nginx import judge_cache, worker_account
from daemun.sources import nginx_snippet
from daemun.store import memory_store
from tests.support import backend, clients, echo, other_account, ports, rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

FAMILY = basic_auth_form.BasicAuth(
    users=(("alice", passlib_hash.bcrypt.using(rounds=4).hash("pw")), ("bob", passlib_hash.apr_md5_crypt.hash("word"))),
    realm='The "family"',
)
OTHERS = basic_auth_form.BasicAuth(users=(("alice", passlib_hash.bcrypt.using(rounds=4).hash("other")),))
SETTINGS = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))
BODY = b"x" * 3_000_000
OWN = r"""
location /own/ { return 204; }
location /own-files/ { alias /; }
location = /text { add_header X-Own yes; default_type text/plain; return 200 "hi $uri"; }
location = /if { if ($arg_a = b) { return 302 https://else.test/; } return 404; }
location ~ ^/old/(.+)\.html$ { return 301 /new/$1$is_args$args; }
location /rewritten/ { rewrite ^/rewritten/(.*)$ /new/$1 permanent; }
location /away/ { rewrite ^/away/(.*)$ https://else.test/$1; }
location /last/ { rewrite ^/last/(.*)$ /text last; }
location /deep/ { add_header X-Deep yes; location = /deep/x { return 200 deep; } }
location = /opened { auth_request off; return 200 opened; }
location = /refused { return 403; }
"""


def guarded(**access: object) -> model.OptionValues:
    return catalogue.values(access_option.OPTION.set(Access(**access)))  # type: ignore[arg-type]


def sent(credentials: str | bytes) -> dict[str, str]:
    raw = credentials.encode() if isinstance(credentials, str) else credentials
    return {"Authorization": "Basic " + base64.b64encode(raw).decode()}


ALICE = sent("alice:pw")


@dataclasses.dataclass(slots=True)
class House:
    """gate: visitors come in here. judge: what looks after its process."""

    gate: rendered.Running
    judge: judge_manager.JudgeManager
    addresses: int = 0

    def fetch(self, url: str, method: str = "GET", *, body: bytes | str = b"", **headers: str) -> httpx.Response:
        """As a visitor of an address that nobody had before, unless a header has one: guesses are counted by it."""
        self.addresses += 1
        own = {"X-Forwarded-For": f"198.18.{self.addresses // 250}.{self.addresses % 250}"}
        body = body.encode() if isinstance(body, str) else body
        return self.gate.ask(method, url, body=body, headers={**own, **headers})

    async def verified(self) -> int:
        status = await judge_process._request(self.gate.layout.judge_control_socket, "GET", "/status")
        return int(status["verified"])


@contextlib.contextmanager
def house(*sites: model.Site, settings: model.Globals = SETTINGS) -> collections.abc.Iterator[House]:
    account = worker_account.choose(None)
    with tempfile.TemporaryDirectory(prefix="daemun-judge-", dir="/dev/shm") as memory:
        pathlib.Path(memory).chmod(0o711)
        with rendered.running(*sites, settings=settings, judge_cache=memory) as gate:
            keeper = judge_manager.JudgeManager(
                memory_store.MemoryStore(), gate.layout, group=account.gid if account else None, version="1"
            )
            policies = basic_auth_policies.find_policies(model.Desired(globals=settings, sites=sites))
            assert asyncio.run(keeper.prepare(policies, gate.files)) == ()
            try:
                yield House(gate=gate, judge=keeper)
            finally:
                asyncio.run(judge_process.end_left(gate.layout))


@pytest.fixture(scope="module")
def one_house(one: echo.EchoServer) -> collections.abc.Iterator[House]:
    there = f"http://127.0.0.1:{one.port}"
    with echo.websocket_server() as port, backend.running() as slow, tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        pathlib.Path(folder, "page.txt").write_text("page")
        family = site(
            "family.test",
            route("/", there),
            route("/share/", there, options=guarded()),
            route("/others/", there, options=guarded(basic_auth=OTHERS)),
            route("/ws/", f"http://127.0.0.1:{port}"),
            route("/slow/", proxy(f"http://127.0.0.1:{slow.port}/")),
            route("/files/", model.Files(folder=folder)),
            route("/moved/", model.Redirect(to="https://else.test/")),
            route("/gone/", f"http://127.0.0.1:{ports.free_port()}"),
            route("/sub/", proxy(f"{there}/")),
            route("/answer/", there, snippet=nginx_snippet.parse_snippet("return 200 route;")),
            route(
                "/far/",
                model.Files(folder=folder),
                options=guarded(basic_auth=OTHERS),
                snippet=nginx_snippet.parse_snippet("limit_rate 1m;"),
            ),
            snippet=nginx_snippet.parse_snippet(OWN),
            options=guarded(
                basic_auth=FAMILY,
                rate_limit=rate_limit_form.RateLimit(rate=rate_limit_form.Rate(requests=10_000, period_s=1)),
            ),
        )
        second = site("second.test", there, options=guarded(basic_auth=FAMILY))
        either = site("either.test", there, options=guarded(basic_auth=FAMILY, allow=("203.0.113.0/24",), any=True))
        both = site("both.test", there, options=guarded(basic_auth=FAMILY, allow=("203.0.113.0/24",)))
        with house(family, second, either, both) as running:
            yield running


@pytest.mark.parametrize("path", ["/", "/files/page.txt", "/moved/", "/own-files/etc/hostname", "/%2e%2e//x", "//y"])
def test_right_wrong_and_none(one_house: House, path: str) -> None:
    url = f"https://family.test{path}"
    wanted = {"/moved/": {301}, "/own-files/etc/hostname": {200, 403, 404}, "/%2e%2e//x": {200, 400}}.get(path, {200})
    assert one_house.fetch(url, **ALICE).status_code in wanted
    assert one_house.fetch(url, **sent("bob:word")).status_code in wanted
    for headers in ({}, sent("alice:word"), sent("carol:pw"), sent("alice"), sent(b"\xff:\xfe"), sent("alice\0:pw")):
        answer = one_house.fetch(url, **headers)
        assert answer.status_code in {401, 400}, (headers, answer)
        if answer.status_code == 401:
            assert answer.headers["WWW-Authenticate"] == r'Basic realm="The \"family\"", charset="UTF-8"'


@pytest.mark.parametrize(
    ("path", "status", "found"),
    [
        ("/own/", 204, {}),
        ("/text?x", 200, {"X-Own": "yes", "Content-Type": "text/plain"}),
        ("/if?a=b", 302, {"Location": "https://else.test/"}),
        ("/if", 404, {}),
        ("/old/a%20b/c.html?x=1", 301, {"Location": "/new/a b/c?x=1"}),
        ("/rewritten/x?y", 301, {"Location": "/new/x?y"}),
        ("/away/x", 302, {"Location": "https://else.test/x"}),
        ("/last/x", 200, {"X-Own": "yes"}),
        ("/deep/x", 200, {"X-Deep": "yes"}),
        ("/sub?x", 301, {"Location": "/sub/?x"}),
        ("/files", 301, {"Location": "/files/"}),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answers_of_nginx_itself_are_behind_the_guard(
    one_house: House, method: str, path: str, status: int, found: dict[str, str]
) -> None:
    url = f"https://family.test{path}"
    for headers in ({}, sent("alice:no")):
        answer = one_house.fetch(url, method, **headers)
        assert answer.status_code == 401
        assert "Location" not in answer.headers
    answer = one_house.fetch(url, method, **ALICE)
    if method == "POST" and path in {"/sub?x", "/files"}:  # redirects to a folder keep the method
        status = 308
    assert answer.status_code == status
    assert {
        name: answer.headers[name].removeprefix("https://family.test").replace("%20", " ") for name in found
    } == found
    if path.startswith("/text"):
        assert answer.text == "hi /text"


def test_a_route_that_nginx_answers_is_behind_the_guard_for_every_kind_of_request(one_house: House) -> None:
    for method, headers in (("GET", {}), ("GET", {"Connection": "Upgrade", "Upgrade": "websocket"}), ("POST", {})):
        body = BODY if method == "POST" else b""
        assert one_house.fetch("https://family.test/answer/", method, body=body, **headers).status_code == 401
        answer = one_house.fetch("https://family.test/answer/", method, body=body, **headers, **ALICE)
        assert (answer.status_code, answer.text) == (200, "route")
    assert one_house.fetch("https://family.test/far", **ALICE).status_code == 401
    assert one_house.fetch("https://family.test/far", **sent("alice:other")).status_code == 301


def test_what_hand_written_nginx_opens_or_refuses_stays_so(one_house: House) -> None:
    assert one_house.fetch("https://family.test/opened").text == "opened"
    assert one_house.fetch("https://family.test/refused").status_code == 403


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic !",
        "Bearer x",
        "Basic " + "A" * 8000,
        "Digest username=alice",
        "basic " + ALICE["Authorization"][6:],
    ],
)
def test_odd_headers(one_house: House, value: str) -> None:
    is_right = value.startswith("basic ")
    assert one_house.fetch("https://family.test/", Authorization=value).status_code == (200 if is_right else 401)


def test_a_page_of_the_gate(one_house: House) -> None:
    page = one_house.fetch("https://family.test/", Accept="text/html,*/*;q=0.8")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Please sign in" in page.text
    assert one_house.fetch("https://family.test/", Accept="application/json").json()["status"] == 401


def test_the_server_receives_who_it_is_and_no_password(one_house: House) -> None:
    forged = {"Remote-User": "root", "remote_user": "root", "X-Daemun-User": "root"}
    said = one_house.fetch("https://family.test/", **ALICE, **forged).json()["headers"]
    assert said["remote-user"] == "alice"
    assert not {"authorization", "remote_user"} & said.keys()
    opened = one_house.fetch("https://family.test/share/x", Authorization="Bearer own", **forged).json()["headers"]
    assert opened["authorization"] == "Bearer own"


def test_what_is_nearer_replaces_what_is_further_out(one_house: House) -> None:
    assert one_house.fetch("https://family.test/share/").status_code == 200
    assert one_house.fetch("https://family.test/share/../").status_code == 401
    assert one_house.fetch("https://family.test/others/", **ALICE).status_code == 401
    assert one_house.fetch("https://family.test/others/", **sent("alice:other")).status_code == 200
    assert one_house.fetch("https://family.test/", **sent("alice:other")).status_code == 401


def test_one_of_the_conditions_is_enough_with_any(one_house: House) -> None:
    home = {"X-Forwarded-For": "203.0.113.7"}
    assert one_house.fetch("https://either.test/", **home).status_code == 200
    assert one_house.fetch("https://either.test/", **ALICE).status_code == 200
    assert one_house.fetch("https://either.test/").status_code == 401
    own = one_house.fetch("https://either.test/", **home, Authorization="Bearer own").json()["headers"]
    assert own["authorization"] == "Bearer own"
    assert one_house.fetch("https://both.test/", **home).status_code == 401
    assert one_house.fetch("https://both.test/", **ALICE).status_code == 403
    assert one_house.fetch("https://both.test/", **home, **ALICE).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method(one_house: House, method: str) -> None:
    body = BODY if method in {"POST", "PUT"} else b""
    assert one_house.fetch("https://family.test/up", method, body=body).status_code == 401
    assert one_house.fetch("https://family.test/up", method, body=body, **ALICE).status_code in {200, 501}


def test_http2(one_house: House) -> None:
    for headers, wanted in (({}, 401), (ALICE, 200)):
        answer = one_house.gate.ask("GET", "https://family.test/", headers=headers, http2=True)
        assert (answer.http_version, answer.status_code) == ("HTTP/2", wanted)


def test_an_event_stream(one_house: House) -> None:
    wanted = {"Accept": "text/event-stream"}
    assert one_house.fetch("https://family.test/events", **wanted).status_code == 401
    with (
        clients.client(one_house.gate.clients) as client,
        client.stream("GET", "https://family.test/events", headers={**wanted, **ALICE}) as answer,
    ):
        assert answer.status_code == 200
        assert next(answer.iter_raw())


async def test_websockets(one_house: House) -> None:
    context = clients.trust(one_house.gate.clients.ca)
    there = {"host": "127.0.0.1", "port": one_house.gate.https, "ssl": context, "server_hostname": "family.test"}
    # By hand: a client of websockets that is refused leaves its connection to the garbage collector.
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    assert one_house.fetch("https://family.test/ws/", **upgrade).status_code == 401
    async with websockets.asyncio.client.connect(
        "wss://family.test/ws/",
        open_timeout=60,
        additional_headers=ALICE,
        **there,  # type: ignore[arg-type]
    ) as socket:
        headers = json.loads(await socket.recv())["headers"]
        assert headers["remote-user"] == "alice"
        assert "authorization" not in headers


def test_what_is_open_to_all_stays_so(one_house: House) -> None:
    token = "a" * 43
    for scheme in ("http", "https"):
        answer = one_house.fetch(f"{scheme}://family.test/.well-known/acme-challenge/{token}")
        assert answer.text == f"{token}.{rendered.THUMBPRINT}"
    assert one_house.fetch("http://family.test/x").status_code == 301


def test_nobody_can_ask_the_judge_from_outside(one_house: House) -> None:
    (place,) = {
        line.split()[2]
        for line in one_house.gate.files["sites/second.test.conf"].decode().splitlines()
        if line.strip().startswith("location = /.daemun/judge/")
    }
    for headers in ({}, ALICE):
        answer = one_house.fetch(f"https://second.test{place}", **headers)
        assert answer.status_code == 404
        assert "X-Daemun-User" not in answer.headers


def test_a_server_that_is_down_shows_only_who_signed_in(one_house: House) -> None:
    assert one_house.fetch("https://family.test/gone/").status_code == 401
    assert one_house.fetch("https://family.test/gone/", **ALICE).status_code == 502


async def test_what_was_found_is_remembered_and_shared_with_nobody(one_house: House) -> None:
    home = {"X-Forwarded-For": "192.0.2.77"}
    assert one_house.fetch("https://second.test/", **home, **ALICE).status_code == 200
    before = await one_house.verified()
    for _ in range(20):
        assert one_house.fetch("https://second.test/", **home, **ALICE).status_code == 200
    assert await one_house.verified() == before
    # Another credential, another host with another policy, another method, another address.
    assert one_house.fetch("https://second.test/", **home, **sent("alice:pw2")).status_code == 401
    assert one_house.fetch("https://second.test/", **home).status_code == 401
    assert one_house.fetch("https://family.test/others/", **home, **ALICE).status_code == 401
    assert one_house.fetch("https://second.test/", "POST", **home, **ALICE).status_code == 200
    before = await one_house.verified()
    assert one_house.fetch("https://second.test/", **ALICE).status_code == 200
    assert await one_house.verified() == before + 1


def test_nobody_else_can_read_what_is_remembered(one_house: House) -> None:
    one_house.fetch("https://second.test/", **ALICE)
    named = one_house.gate.files["variables.conf"].decode().partition("proxy_cache_path ")[2].split()[0]
    folder = pathlib.Path(named)
    assert any(folder.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert judge_cache.find("/var/lib/daemun") != named
    done = other_account.run("print(os.listdir(sys.argv[1]))", named)
    assert "PermissionError" in done.stderr


async def test_ten_thousand_guesses(one_house: House) -> None:
    """Over kept connections, of one address; the user signs in from another one all the while."""
    before = await one_house.verified()
    statuses: list[int] = []
    guesser = {"X-Forwarded-For": "192.0.2.200"}
    with clients.client(one_house.gate.clients) as client:
        for number in range(10_000):
            headers = {**guesser, **sent(f"alice:{number}")}
            statuses.append(client.get("https://second.test/", headers=headers).status_code)
        last = client.get("https://second.test/", headers={**guesser, **ALICE})
    assert set(statuses) == {401, 429}
    assert last.status_code == 429
    assert int(last.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in last.headers
    assert await one_house.verified() - before < 60
    assert one_house.fetch("https://second.test/", **ALICE).status_code == 200


def test_a_judge_that_is_gone_lets_nobody_new_in(one: echo.EchoServer) -> None:
    alone = site(
        "alone.test",
        route("/", f"http://127.0.0.1:{one.port}"),
        route("/open/", f"http://127.0.0.1:{one.port}", options=guarded()),
        options=guarded(basic_auth=FAMILY),
    )
    with house(alone) as running:
        asyncio.run(running.judge.stop())
        for headers in ({}, ALICE, sent("alice:no")):
            answer = running.fetch("https://alone.test/", **headers)
            assert answer.status_code == 503
            assert "WWW-Authenticate" not in answer.headers
        assert running.fetch("https://alone.test/open/").status_code == 200
        policies = basic_auth_policies.find_policies(model.Desired(globals=SETTINGS, sites=(alone,)))
        asyncio.run(running.judge.prepare(policies, running.gate.files))
        assert running.fetch("https://alone.test/", **ALICE).status_code == 200


def test_for_every_site_at_the_gate(one: echo.EchoServer) -> None:
    there = f"http://127.0.0.1:{one.port}"
    settings = dataclasses.replace(
        SETTINGS, options=catalogue.with_value(SETTINGS.options, access_option.OPTION, Access(basic_auth=FAMILY))
    )
    sites = (site("a.test", there), site("b.test", there, options=guarded()))
    with house(*sites, settings=settings) as running:
        assert running.fetch("https://a.test/").status_code == 401
        assert running.fetch("https://a.test/", **ALICE).json()["headers"]["remote-user"] == "alice"
        assert running.fetch("https://b.test/").status_code == 200


def test_a_folder_of_another_account_is_never_given_to_nginx(tmp_path: pathlib.Path) -> None:
    """nginx would give what is in it to its workers, and follow a link that lies there."""
    configuration = f"proxy_cache_path {tmp_path}/there/judge keys_zone=x:1m;".encode()
    judge_cache.prepare(configuration)
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o711
    judge_cache.prepare(configuration)
    (tmp_path / "there").chmod(0o777)
    with pytest.raises(errors.EnvironmentProblemError, match="another account"):
        judge_cache.prepare(configuration)
    (tmp_path / "there").rmdir()
    (tmp_path / "else").mkdir()
    (tmp_path / "there").symlink_to(tmp_path / "else")
    with pytest.raises(errors.EnvironmentProblemError, match="another account"):
        judge_cache.prepare(configuration)
