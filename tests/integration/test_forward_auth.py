"""Servers that judge requests, as their documentation has them: what visitors, servers and judges receive."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import socket
import tempfile

import httpx
import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue, proxy_headers_option, trusted_proxies_option
from daemun.core.options.access_option import Access
from daemun.core.options.forward_auth_forms import ForwardAuth, ForwardAuthKind
from tests.support import clients, echo, judges, ports, rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

SIGNED_IN = {"Cookie": judges.SESSION}
SETTINGS = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))


def judged(kind: ForwardAuthKind, judge: judges.Judge, **more: object) -> model.OptionValues:
    auth = ForwardAuth(kind=kind, url=judge.url)
    return catalogue.values(access_option.OPTION.set(Access(forward_auth=auth, **more)))  # type: ignore[arg-type]


PUBLIC = catalogue.values(access_option.OPTION.set(Access()))


@pytest.fixture(scope="module")
def judge() -> collections.abc.Iterator[judges.Judge]:
    with judges.running(judges.authelia) as judge:
        yield judge


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer, judge: judges.Judge, tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[rendered.Running]:  # fmt: skip  # noqa: E501
    there = f"http://127.0.0.1:{one.port}"
    folder = tmp_path_factory.mktemp("public")
    (folder / "index.html").write_text("page")
    for one_folder in (folder, *folder.parents):
        if one_folder.owner() == folder.owner():
            one_folder.chmod(one_folder.stat().st_mode | 0o055)
    with echo.websocket_server() as sockets:
        app = site(
            "app.test",
            route("/", there),
            route("/files/", model.Files(folder=str(folder))),
            route("/socket/", proxy(f"http://127.0.0.1:{sockets}")),
            route("/moved/", model.Redirect(to="https://else.test/")),
            route("/open/", there, options=PUBLIC),
            route("/prefixed/", proxy(f"{there}/inner/")),
            route("/away/", f"http://127.0.0.1:{ports.free_port()}"),
            options=judged(ForwardAuthKind.AUTHELIA, judge),
        )
        unknown = site("unknown.test", there, options=judged(ForwardAuthKind.AUTHELIA, judge))
        part = site(
            "app.test.part", route("/", there), route("/in/", there, options=judged(ForwardAuthKind.AUTHELIA, judge))
        )
        with rendered.running(app, unknown, part, settings=SETTINGS) as running:
            yield running


def fetch(gate: rendered.Running, url: str, method: str = "GET", **headers: str) -> httpx.Response:
    """url: or a path of app.test."""
    return gate.ask(method, f"https://app.test{url}" if url.startswith("/") else url, headers=headers)


def test_who_has_no_session_is_led_to_the_sign_in_page(gate: rendered.Running) -> None:
    answer = fetch(gate, "/a/b?x=1&y=2", Accept="text/html")
    assert answer.status_code == 302
    assert answer.headers["location"] == "https://auth.test/?rd=https://app.test/a/b?x=1&y=2&rm=GET"
    assert answer.headers.get_list("set-cookie") == ["authelia_session=1; Path=/", "other=2; Path=/"]


@pytest.mark.parametrize("path", ["/", "/files/", "/files/index.html", "/moved/", "/prefixed/x", "/away/", "/socket/"])
def test_every_kind_of_route_is_guarded(gate: rendered.Running, path: str) -> None:
    assert fetch(gate, path, Accept="text/html").status_code == 302
    assert fetch(gate, path, Accept="application/json").status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("size", [0, 5, 20_000, 2_000_000])
def test_other_methods_and_bodies(gate: rendered.Running, judge: judges.Judge, method: str, size: int) -> None:
    url, body = "https://app.test/", b"x" * size
    refused = gate.ask(method, url, body=body, headers={"Accept": "text/html"})
    assert refused.status_code == 303
    assert judge.last.method == "GET"
    assert judge.last.headers["x-forwarded-method"] == method
    assert judge.last.body == b""
    if method in {"POST", "PUT"}:
        assert gate.ask(method, url, body=body, headers=SIGNED_IN).status_code == 200


def test_who_is_signed_in_comes_in_and_the_server_learns_who(gate: rendered.Running) -> None:
    said = gate.said("https://app.test/x", **SIGNED_IN, **{"Remote-User": "root", "Remote-Name": "Root"})
    assert said.headers["remote-user"] == "alice"
    assert said.headers["remote-groups"] == "family,admins"
    assert "remote-name" not in said.headers, "the judge says nothing of it, and visitors may not"
    answer = fetch(gate, "/x", **SIGNED_IN)
    assert answer.headers.get_list("set-cookie") == [
        "authelia_session=new; Path=/; Expires=Wed, 09 Jun 2100 10:18:14 GMT",
        "second=2; Path=/",
    ]


def test_an_answer_without_identity_lets_in_without_one(gate: rendered.Running) -> None:
    said = gate.said("https://app.test/bypass/x", **{"Remote-User": "root", "Remote-Groups": "admins"})
    assert not {"remote-user", "remote-groups"} & said.headers.keys()


def test_what_the_judge_forbids_or_does_not_know_ends_as_it_says(gate: rendered.Running) -> None:
    forbidden = fetch(gate, "/forbidden/x", **SIGNED_IN)
    assert (forbidden.status_code, forbidden.text) == (403, "403 Forbidden")
    unknown = fetch(gate, "https://unknown.test/")
    assert (unknown.status_code, unknown.text) == (400, "400 Bad Request")


def test_a_public_route_and_the_challenge_stay_open(gate: rendered.Running) -> None:
    assert fetch(gate, "/open/").status_code == 200
    assert fetch(gate, "/.well-known/acme-challenge/abcdefghijklmnopqrstu").status_code == 200
    assert gate.get("http://app.test/").status_code == 301
    assert fetch(gate, "https://app.test.part/").status_code == 200
    assert fetch(gate, "https://app.test.part/in/", Accept="text/html").status_code == 302


_IDENTITY = ("Remote-User", "Remote-Sub", "X-User", "X-Role", "X-authentik-jwt", "X-authentik-entitlements")


@pytest.mark.parametrize("path", ["/open/", "/else/"])
@pytest.mark.parametrize("proxy_headers", [None, ("X-Else",)])
def test_headers_of_a_judge_cannot_be_invented_on_routes_without_it(
    one: echo.EchoServer, path: str, proxy_headers: tuple[str, ...] | None
) -> None:
    """A site whose routes have other judges, or none, before the same server."""
    there = f"http://127.0.0.1:{one.port}"
    of_own_form = ForwardAuth(
        kind=ForwardAuthKind.NGINX, url="http://127.0.0.1:9", copied=("X-User", "X-Role", "Authorization")
    )
    of_settings = () if proxy_headers is None else catalogue.values(proxy_headers_option.OPTION.set(proxy_headers))
    with judges.running(judges.authelia) as judge, judges.running(judges.tinyauth) as tinyauth:
        app = site(
            "app.test",
            route("/", there, options=catalogue.values(access_option.OPTION.set(Access(forward_auth=of_own_form)))),
            route("/third/", there, options=judged(ForwardAuthKind.AUTHENTIK, judge)),
            route("/open/", there, options=PUBLIC),
            route("/else/", there, options=judged(ForwardAuthKind.AUTHELIA, judge)),
            options=judged(ForwardAuthKind.TINYAUTH, tinyauth),
        )
        with rendered.running(app, settings=model.Globals(options=of_settings)) as gate:
            own = {"Authorization": "Bearer own", "X-Own": "own"}
            sent = {**dict.fromkeys(_IDENTITY, "forged"), **own, **SIGNED_IN}
            said = gate.said(f"https://app.test{path}", **sent).headers
    assert "forged" not in said.values()
    assert said.get("remote-user") == ("alice" if path == "/else/" else None)
    assert (said["authorization"], said["x-own"]) == ("Bearer own", "own")


def test_a_public_site_before_a_judge_of_the_gate(one: echo.EchoServer, judge: judges.Judge) -> None:
    there = f"http://127.0.0.1:{one.port}"
    settings = dataclasses.replace(SETTINGS, options=(*SETTINGS.options, *judged(ForwardAuthKind.TINYAUTH, judge)))
    with rendered.running(site("app.test", there, options=PUBLIC), settings=settings) as gate:
        assert "remote-sub" not in gate.said("https://app.test/", **{"Remote-Sub": "forged"}).headers


def test_http2(gate: rendered.Running) -> None:
    answer = gate.ask("GET", "https://app.test/x", headers={"Accept": "text/html"}, http2=True)
    assert answer.status_code == 302
    assert gate.ask("GET", "https://app.test/x", headers=SIGNED_IN, http2=True).status_code == 200
    assert gate.ask("POST", "https://app.test/x", body=b"x" * 50_000, headers=SIGNED_IN, http2=True).status_code == 200


_UPGRADE = (
    "GET /socket/ HTTP/1.1\nHost: app.test\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n{}\n"
)


@pytest.mark.parametrize(("cookie", "status"), [("", b"302"), (f"Cookie: {judges.SESSION}\n", b"101")])
def test_a_websocket_is_judged_at_its_handshake(
    gate: rendered.Running, judge: judges.Judge, cookie: str, status: bytes
) -> None:
    context = clients.trust(gate.clients.ca)
    with (
        socket.create_connection((clients.LOOPBACK, gate.https), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="app.test") as connection,
    ):
        connection.sendall(_UPGRADE.format(cookie).replace("\n", "\r\n").encode())
        assert connection.recv(4096).split(b" ", 2)[1] == status
    assert "upgrade" not in judge.last.headers


def test_what_the_judge_is_told(gate: rendered.Running, judge: judges.Judge) -> None:
    forged = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Original-URI": "/bypass/",
        "X-Original-URL": "https://app.test/bypass/",
        "X-Forwarded-Uri": "/bypass/",
        "X-Forwarded-Method": "OPTIONS",
        "X-Auth-Request-Redirect": "https://evil.test/",
        "Forwarded": "host=evil.test",
        "X-Authelia-URL": "https://evil.test/",
    }
    assert fetch(gate, "/x?q=%20", Accept="text/html", Authorization="Bearer t", **forged).status_code == 302
    told = judge.last.headers
    assert told["x-forwarded-uri"] == "/x?q=%20"
    assert told["x-forwarded-method"] == "GET"
    assert told["x-forwarded-for"] == "203.0.113.9", "the one that the trusted proxy in front names"
    assert told["authorization"] == "Bearer t"
    named = {"x-original-uri", "x-original-url", "x-auth-request-redirect", "forwarded", "x-authelia-url"}
    assert not named & told.keys()


@pytest.mark.parametrize(
    ("spelling", "told"),
    [
        ("/bypass/../secret", "/secret"),
        ("/bypass/%2e%2e/secret", "/secret"),
        ("//bypass/../secret", "/secret"),
        ("/bypass/..%2fsecret", "/secret"),
        ("/%62ypass/../secret", "/secret"),
        ("/bypass/./../secret", "/secret"),
        ("/secret;/bypass/", "/secret;/bypass/"),
        ("/secret%3bx", "/secret;x"),
        ("/se%63ret?a=/bypass/", "/secret?a=/bypass/"),
        ("/secret%20x", "/secret%20x"),
        ("/%EA%B0%80/x", "/%EA%B0%80/x"),
        ("/bypass/../%EA%B0%80", None),
        ("/bypass/%2e%2e/a%20b", None),
        ("/bypass%252f..%252fx", None),
        ("/bypass/..%5csecret", None),
    ],
)
def test_the_judge_is_told_of_the_path_that_nginx_decides_by(
    gate: rendered.Running, judge: judges.Judge, spelling: str, told: str | None
) -> None:
    """None: no one spelling of it is beyond doubt, so nobody is asked and nobody comes in."""
    before = len(judge.seen)
    asked = f"GET {spelling} HTTP/1.1\nHost: app.test\nConnection: close\n\n"
    status = gate.raw(asked, name="app.test", tls=True).split(b" ", 2)[1]
    if told is None:
        assert status in {b"400", b"403"}
        assert len(judge.seen) == before
    else:
        assert status == b"302"
        assert judge.last.headers["x-forwarded-uri"] == told


@pytest.mark.parametrize("kind", [ForwardAuthKind.AUTHELIA, ForwardAuthKind.OAUTH2_PROXY, ForwardAuthKind.NGINX])
def test_without_its_judge_nobody_comes_in(one: echo.EchoServer, kind: ForwardAuthKind) -> None:
    with judges.running(judges.authelia) as gone:
        options = judged(kind, gone)
    with rendered.running(site("app.test", f"http://127.0.0.1:{one.port}", options=options), settings=SETTINGS) as gate:
        for headers in ({}, SIGNED_IN):
            for accept in ("text/html", "application/json"):
                answer = fetch(gate, "/", **headers, Accept=accept)
                assert answer.status_code == 503
                assert "nginx" not in answer.text


def test_a_permission_is_remembered_for_the_same_request_alone(one: echo.EchoServer) -> None:
    """The judge is queried anew for whatever it could judge otherwise, and for each that it kept out."""

    def judging(query: judges.Query) -> judges.Judgement:
        if not judges.is_signed_in(query):
            return judges.Judgement(status=401)
        cookies = (("Set-Cookie", "a=b"),) if "/cookie" in query.headers["x-forwarded-uri"] else ()
        return judges.Judgement(status=204, headers=(("Remote-User", "alice"), ("Cache-Control", "no-store"), *cookies))

    with judges.running(judging) as judge:
        auth = ForwardAuth(kind=ForwardAuthKind.AUTHELIA, url=judge.url, remember_s=600)
        there = f"http://127.0.0.1:{one.port}"
        options = catalogue.values(access_option.OPTION.set(Access(forward_auth=auth)))
        each_time = judged(ForwardAuthKind.AUTHELIA, judge)
        sites = (
            site("app.test", route("/", there), route("/each/", there, options=each_time), options=options),
            site("app.test.other", there, options=options),
        )
        with (
            tempfile.TemporaryDirectory(prefix="daemun-judge-", dir="/dev/shm") as memory,
            rendered.running(*sites, settings=SETTINGS, judge_cache=memory) as gate,
        ):
            pathlib.Path(memory).chmod(0o711)

            def queries(url: str = "/", method: str = "GET", **headers: str) -> int:
                before = len(judge.seen)
                answer = fetch(gate, url, method, **headers)
                assert (answer.status_code == 200) is ("Cookie" in headers), answer
                if answer.status_code == 200:
                    assert echo.Said.parse(answer.content).headers["remote-user"] == "alice"
                return len(judge.seen) - before

            home = {**SIGNED_IN, "X-Forwarded-For": "198.51.100.7"}
            assert [queries(**home) for _ in range(3)] == [1, 0, 0]
            assert queries("/?a=b", **home) == queries("/other", **home) == 1
            assert queries(method="POST", **home) == 1
            assert queries("https://app.test.other/", **home) == 1
            assert queries(**{**home, "X-Forwarded-For": "198.51.100.8"}) == 1
            assert queries(**{**home, "Cookie": f"{judges.SESSION}; x=1"}) == 1
            assert queries(**home, Authorization="Basic YTpi") == 1
            assert queries(**home, Accept="text/html") == 1
            assert queries(**home, **{"User-Agent": "other"}) == 1
            assert queries(**home) == 0
            assert [queries("/cookie", **home) for _ in range(2)] == [1, 1]
            assert [queries("/each/", **home) for _ in range(2)] == [1, 1]
            assert [queries() > 0 for _ in range(2)] == [True, True]


def test_a_large_answer_of_the_judge(one: echo.EchoServer) -> None:
    def judging(query: judges.Query) -> judges.Judgement:
        return judges.Judgement(status=200, headers=(("Remote-Groups", "g" * 10_000),))

    with judges.running(judging) as judge:
        app = site("app.test", f"http://127.0.0.1:{one.port}", options=judged(ForwardAuthKind.AUTHELIA, judge))
        with rendered.running(app, settings=SETTINGS) as gate:
            assert fetch(gate, "/").status_code == 200


# --- other judges ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _guarding(
    one: echo.EchoServer, kind: ForwardAuthKind, judging: judges.Judging, *routes: model.Route, **more: object
) -> collections.abc.Iterator[rendered.Running]:
    with judges.running(judging) as judge:
        there = route("/", f"http://127.0.0.1:{one.port}")
        with rendered.running(
            site("app.test", there, *routes, options=judged(kind, judge, **more)), settings=SETTINGS
        ) as gate:
            yield gate


def test_oauth2_proxy(one: echo.EchoServer) -> None:
    with _guarding(one, ForwardAuthKind.OAUTH2_PROXY, judges.oauth2_proxy) as gate:
        refused = fetch(gate, "/a?b=c&d=e", Accept="text/html")
        assert refused.status_code == 302
        there = refused.headers["location"]
        assert there == "https://idp.test/authorize?state=https://app.test/a?b=c&d=e"
        assert refused.headers["set-cookie"].startswith("_oauth2_proxy_csrf=1")
        assert fetch(gate, "/a", Accept="application/json").status_code == 401
        assert fetch(gate, "/a", "POST", Accept="text/html").status_code == 401
        assert fetch(gate, "/a", Cookie="group=banned").status_code == 403
        assert "page of oauth2-proxy" in fetch(gate, "/oauth2/sign_in").text
        said = gate.said("https://app.test/", **SIGNED_IN, **{"X-Auth-Request-Groups": "admins"})
        assert said.headers["x-auth-request-user"] == "alice"
        assert "x-auth-request-groups" not in said.headers


def test_authentik(one: echo.EchoServer) -> None:
    with _guarding(one, ForwardAuthKind.AUTHENTIK, judges.authentik) as gate:
        refused = fetch(gate, "/", Accept="text/html")
        assert (refused.status_code, refused.headers["set-cookie"]) == (302, "authentik_proxy_12345678=1; Path=/")
        assert "page of the outpost for app.test" in fetch(gate, "/outpost.goauthentik.io/start?rd=x").text
        said = gate.said("https://app.test/", **SIGNED_IN, **{"X-authentik-jwt": "forged", "X-authentik-uid": "0"})
        assert said.headers["x-authentik-groups"] == "family|admins"
        assert not {"x-authentik-jwt", "x-authentik-uid"} & said.headers.keys()


def test_tinyauth(one: echo.EchoServer) -> None:
    with _guarding(one, ForwardAuthKind.TINYAUTH, judges.tinyauth) as gate:
        assert fetch(gate, "/x", Accept="text/html").status_code == 307
        assert gate.said("https://app.test/", **SIGNED_IN, **{"Remote-Email": "x"}).headers["remote-sub"] == "42"


def test_one_in_nginxs_own_form(one: echo.EchoServer) -> None:
    with judges.running(judges.of_nginx) as judge:
        auth = ForwardAuth(kind=ForwardAuthKind.NGINX, url=f"{judge.url}/check?strict=1", copied=("X-User",))
        options = catalogue.values(access_option.OPTION.set(Access(forward_auth=auth)))
        with rendered.running(site("app.test", f"http://127.0.0.1:{one.port}", options=options)) as gate:
            refused = fetch(gate, "/a", Accept="text/html")
            assert refused.status_code == 302
            assert refused.headers["location"] == "https://sign.test/?to=https://app.test/a"
            assert judge.last.path == "/check?strict=1"
            asked = fetch(gate, "/scripts/a")
            assert (asked.status_code, asked.headers["www-authenticate"]) == (401, 'Basic realm="judge"')
            assert fetch(gate, "/forbidden/").status_code == 403
            assert gate.said("https://app.test/", **SIGNED_IN, **{"X-User": "root"}).headers["x-user"] == "alice"


def test_the_home_network_or_a_sign_in(one: echo.EchoServer) -> None:
    with _guarding(one, ForwardAuthKind.AUTHELIA, judges.authelia, allow=("private",), any=True) as gate:
        assert fetch(gate, "/", **{"X-Forwarded-For": "192.168.1.2"}).status_code == 200
        assert fetch(gate, "/", Accept="text/html", **{"X-Forwarded-For": "198.51.100.1"}).status_code == 302
        assert fetch(gate, "/", **SIGNED_IN, **{"X-Forwarded-For": "198.51.100.1"}).status_code == 200


def test_the_home_network_and_a_sign_in(one: echo.EchoServer) -> None:
    with _guarding(one, ForwardAuthKind.AUTHELIA, judges.authelia, allow=("private",)) as gate:
        assert fetch(gate, "/", Accept="text/html", **{"X-Forwarded-For": "192.168.1.2"}).status_code == 302
        assert fetch(gate, "/", **SIGNED_IN, **{"X-Forwarded-For": "198.51.100.1"}).status_code == 403
        assert fetch(gate, "/", **SIGNED_IN, **{"X-Forwarded-For": "192.168.1.2"}).status_code == 200


def test_the_gates_judge_guards_sites_that_share_their_blocks(one: echo.EchoServer, judge: judges.Judge) -> None:
    there = f"http://127.0.0.1:{one.port}"
    sites = [site(name, there) for name in ("app.test", "app.test.b", "app.test.c")]
    settings = dataclasses.replace(SETTINGS, options=(*SETTINGS.options, *judged(ForwardAuthKind.AUTHELIA, judge)))
    with rendered.running(*sites, settings=settings, own_blocks=1) as gate:
        for one_site in sites:
            assert fetch(gate, f"https://{one_site.host}/", Accept="text/html").status_code == 302
            assert fetch(gate, f"https://{one_site.host}/", **SIGNED_IN).status_code == 200
        said = gate.said("https://app.test.c/", **SIGNED_IN, **{"Remote-Name": "forged"})
        assert said.headers["remote-user"] == "alice"
        assert "remote-name" not in said.headers
