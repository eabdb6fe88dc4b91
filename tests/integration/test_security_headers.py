"""`security_headers` and `robots`: what a client receives, of servers that send such headers and of others."""

import asyncio
import collections.abc
import contextlib
import pathlib

import httpx
import pytest

from daemun.core import model
from daemun.core.options import catalogue, hold_option, hsts_option, robots_option, security_headers_option
from daemun.core.options.robots_option import Robots
from daemun.core.options.security_headers_option import SecurityHeaders
from daemun.sources import nginx_snippet
from tests.support import clients, echo, header_server, ports, rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

HSTS = "max-age=31536000"
STANDARD = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
STRICT = (
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Embedder-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
)
PROMISE = "Strict-Transport-Security"
EVERY = (PROMISE, *STANDARD, *STRICT, "X-Robots-Tag")
ON, OFF, FULL = SecurityHeaders.ON, SecurityHeaders.OFF, SecurityHeaders.STRICT


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[rendered.Running]:
    folder = tmp_path_factory.mktemp("files")
    for path in (folder, *folder.parents[:-1]):
        with contextlib.suppress(PermissionError):
            path.chmod(path.stat().st_mode | 0o055)
    (folder / "page.html").write_text("page")
    with header_server.running() as there, echo.websocket_server() as chat:
        down = proxy(f"http://127.0.0.1:{ports.free_port()}", options=catalogue.values(hold_option.OPTION.set(0.0)))
        on = site(
            "on.test",
            route("/", there),
            route("/chat/", f"http://127.0.0.1:{chat}"),
            route("/files/", model.Files(folder=str(folder))),
            route("/old/", model.Redirect(to="/new/")),
            route("/down/", down),
            route("/off/", there, security_headers=OFF),
            route("/strict/", there, security_headers=FULL),
            route("/named/", there, response_headers=(("X-Frame-Options", "DENY"), ("X-More", "1"))),
            route("/removed/", there, response_headers=(("X-Frame-Options", ""),)),
            route("/written/", there, snippet=nginx_snippet.parse_snippet("add_header referrer-policy origin;")),
            security_headers=ON,
            hsts=None,
        )
        promising = site(
            "promising.test", there, security_headers=ON, hsts=hsts_option.Hsts(max_age_s=9, include_subdomains=True)
        )
        written = nginx_snippet.parse_snippet(
            "add_header X-Frame-Options DENY always; location /in/ { add_header X-In 1; return 200 in; }"
        )
        yield_to = site("written.test", there, security_headers=ON, snippet=written)
        plain = site("plain.test", there, tls=model.Tls(mode=model.TlsMode.OFF), http=model.HttpMode.SERVE)
        both = site("both.test", there, http=model.HttpMode.SERVE, security_headers=ON)
        local = site("app.localhost", there, security_headers=ON)
        hidden = site(
            "hidden.test",
            route("/", there),
            route("/shown here/", there, robots=Robots.ALL),
            robots=Robots.NONE,
        )
        own_robots = site("own.test", route("/", there), route("/robots.txt", there), robots=Robots.NONE)
        part = site("part.test", route("/", there), route("/in/", there, robots=Robots.NONE))
        sites = (on, promising, yield_to, plain, both, local, hidden, own_robots, part)
        with rendered.running(*sites) as running:
            yield running


def _seen(answer: httpx.Response) -> dict[str, list[str]]:
    return {name: found for name in EVERY if (found := answer.headers.get_list(name))}


def _each(**values: str) -> dict[str, list[str]]:
    return {name.replace("_", "-"): [value] for name, value in values.items()}


FULLY = {PROMISE: [HSTS], **{name: [value] for name, value in STANDARD.items()}}


@pytest.mark.parametrize("is_http2", [False, True])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/missing", 404),
        ("/files/page.html", 200),
        ("/files/none", 404),
        ("/files/.hidden", 404),
        ("/old/", 301),
        ("/down/", 502),
        ("/down", 301),
    ],
)
def test_every_answer_has_them_once(gate: rendered.Running, path: str, status: int, is_http2: bool) -> None:
    answer = gate.get(f"https://on.test{path}", http2=is_http2)
    assert (answer.status_code, _seen(answer)) == (status, FULLY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Frame-Options", "DENY"),
        ("x-frame-options", "ALLOWALL"),
        ("Referrer-Policy", "unsafe-url"),
        ("X-Content-Type-Options", "none"),
        ("Strict-Transport-Security", "max-age=0"),
        ("Content-Security-Policy", "default-src *"),
        ("Content-Security-Policy", "frame-ancestors https://portal.test"),
        ("X-Robots-Tag", "noindex"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/missing"])
def test_what_the_server_sends_itself_stays_as_it_is(gate: rendered.Running, path: str, name: str, value: str) -> None:
    answer = gate.get(f"https://on.test{path}?{httpx.QueryParams({name: value})}")
    expected = {**FULLY, next(one for one in EVERY if one.lower() == name.lower()): [value]}
    if "frame-ancestors" in value:  # browsers look at no X-Frame-Options beside it
        del expected["X-Frame-Options"]
    assert _seen(answer) == expected


def test_a_policy_of_the_server_stays_alone_in_strict(gate: rendered.Running) -> None:
    answer = gate.get("https://on.test/strict/")
    assert set(_seen(answer)) == {*FULLY, *STRICT}
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    answer = gate.get(
        "https://on.test/strict/?Content-Security-Policy=img-src+*&Cross-Origin-Opener-Policy=unsafe-none"
    )
    assert answer.headers.get_list("Content-Security-Policy") == ["img-src *"]
    assert answer.headers.get_list("Cross-Origin-Opener-Policy") == ["unsafe-none"]


def test_a_route_says_otherwise(gate: rendered.Running) -> None:
    assert _seen(gate.get("https://on.test/off/")) == {}
    assert _seen(gate.get("https://on.test/off/?X-Frame-Options=DENY")) == {"X-Frame-Options": ["DENY"]}


def test_response_headers_and_nginx_of_the_owner_count(gate: rendered.Running) -> None:
    for query in ("", "?X-Frame-Options=ALLOWALL"):
        named = gate.get(f"https://on.test/named/{query}")
        assert _seen(named) == {**FULLY, "X-Frame-Options": ["DENY"]}
        assert named.headers["X-More"] == "1"
        removed = gate.get(f"https://on.test/removed/{query}")
        assert _seen(removed) == {name: values for name, values in FULLY.items() if name != "X-Frame-Options"}
    assert _seen(gate.get("https://on.test/written/")) == {**FULLY, "Referrer-Policy": ["origin"]}
    assert _seen(gate.get("https://written.test/")) == {**FULLY, "X-Frame-Options": ["DENY"]}
    nested = gate.get("https://written.test/in/")
    assert nested.headers["X-In"] == "1"
    assert set(_seen(nested)) == set(FULLY)


def test_hsts_of_the_site_counts(gate: rendered.Running) -> None:
    for query in ("", "?Strict-Transport-Security=max-age%3D5"):
        answer = gate.get(f"https://promising.test/{query}")
        assert _seen(answer) == {**FULLY, PROMISE: ["max-age=9; includeSubDomains"]}


@pytest.mark.parametrize("url", ["http://both.test/", "https://both.test/", "https://app.localhost/"])
def test_https_is_promised_only_where_nothing_can_break(gate: rendered.Running, url: str) -> None:
    """`http: serve` is the owner's word that plain HTTP is used; on localhost it would hold for all ports."""
    assert _seen(gate.get(url)) == {name: [value] for name, value in STANDARD.items()}


def test_nothing_where_it_is_off(gate: rendered.Running) -> None:
    assert _seen(gate.get("http://plain.test/")) == {}
    assert _seen(gate.get("https://part.test/")) == {}


def test_websockets_work(gate: rendered.Running) -> None:
    async def talk() -> None:
        async with clients.websocket(gate.clients, "on.test", "/chat/") as socket:
            await socket.recv()  # what the server received
            await clients.echo(socket, "hello")

    asyncio.run(talk())


def test_robots_are_kept_out(gate: rendered.Running) -> None:
    for query in ("", "?X-Robots-Tag=all"):
        assert gate.get(f"https://hidden.test/x{query}").headers.get_list("X-Robots-Tag") == ["none"]
        assert gate.get(f"https://part.test/in/{query}").headers.get_list("X-Robots-Tag") == ["none"]
    assert gate.get("https://part.test/").headers.get_list("X-Robots-Tag") == []
    assert gate.get("https://hidden.test/shown%20here/?X-Robots-Tag=all").headers["X-Robots-Tag"] == "all"


def test_robots_txt(gate: rendered.Running) -> None:
    answer = gate.get("https://hidden.test/robots.txt")
    assert answer.text == "User-agent: *\nDisallow: /\nAllow: /shown%20here/\n"
    assert answer.headers["Content-Type"].startswith("text/plain")
    for other in ("own", "part", "on"):
        assert gate.get(f"https://{other}.test/robots.txt").text == "ok", "the server's own"


@pytest.mark.parametrize("own_blocks", [200, 0])
def test_for_the_whole_gate(own_blocks: int) -> None:
    """Also where sites share their blocks, and beside what an owner adds for all sites."""
    written = nginx_snippet.parse_snippet("add_header X-Gate 1 always; add_header X-Frame-Options DENY;")
    settings = model.Globals(
        options=catalogue.values(security_headers_option.OPTION.set(ON), robots_option.OPTION.set(Robots.NONE)),
        snippet=written,
    )
    with header_server.running() as there:
        sites = (site("a.test", there), site("off.test", there, security_headers=OFF, robots=Robots.ALL))
        with rendered.running(*sites, settings=settings, own_blocks=own_blocks) as nginx:
            expected = {**FULLY, "X-Frame-Options": ["DENY"], "X-Robots-Tag": ["none"]}
            answer = nginx.get("https://a.test/")
            assert (_seen(answer), answer.headers["X-Gate"]) == (expected, "1")
            assert nginx.get("https://a.test/robots.txt").text == "User-agent: *\nDisallow: /\n"
            theirs = nginx.get("https://a.test/?Referrer-Policy=origin")
            assert _seen(theirs) == {**expected, "Referrer-Policy": ["origin"]}
            answer = nginx.get("https://off.test/")
            assert (_seen(answer), answer.headers["X-Gate"]) == ({"X-Frame-Options": ["DENY"]}, "1")
            unknown = nginx.get("http://unknown.test/")
            assert unknown.status_code == 404
            assert unknown.headers.get_list("X-Content-Type-Options") == ["nosniff"]
            assert unknown.headers.get_list(PROMISE) == []


def test_a_page_that_hold_shows_has_them(tmp_path: pathlib.Path) -> None:
    """The daemon is not there: nginx's own page."""
    waiting = site("a.test", f"http://127.0.0.1:{ports.free_port()}", security_headers=ON)
    with rendered.running(waiting) as nginx:
        answer = nginx.get("https://a.test/", Accept="text/html")
        assert answer.status_code >= 500
        assert _seen(answer) == FULLY
