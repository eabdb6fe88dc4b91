"""Where hand-written nginx meets ours: what locations of an owner's inherit, and whose line counts."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib
import tempfile
import threading

import httpx
import pytest

from daemun.core import directive, dns_services, layout, model, named_servers
from daemun.core.options import catalogue, header_options, hsts_option, spa_option
from daemun.core.render import render_tree
from daemun.discovery import endpoints
from daemun.sources import nginx_snippet
from daemun.store import memory_store
from tests.support import clients, daemon, echo, features, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

HSTS = "Strict-Transport-Security"


def owned(text: str) -> model.Snippet:
    return nginx_snippet.parse_snippet(text)


def fetch(running: rendered.Running, url: str, method: str = "GET", **kinds: object) -> httpx.Response:
    with clients.client(running.clients) as once:
        return once.request(method, url, **kinds)  # type: ignore[arg-type]


def said(answer: httpx.Response) -> echo.Said:
    assert answer.status_code == 200, answer
    return echo.Said.parse(answer.content)


@contextlib.contextmanager
def folder() -> collections.abc.Iterator[pathlib.Path]:
    """Where nginx's workers may read."""
    with tempfile.TemporaryDirectory(prefix="dm-") as name:
        path = pathlib.Path(name)
        path.chmod(0o755)
        yield path


# --- H1: our settings stand where everything inherits them -----------------------------------------------------


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    server = f"http://127.0.0.1:{one.port}"
    raw = f"""
        location /raw/ {{ proxy_pass {server}; }}
        location /headers/ {{ add_header X-Own yes always; return 200 "ok"; }}
        location /theirs/ {{ add_header strict-transport-security "max-age=5" always; return 200 "ok"; }}
        location /nested/ {{
            location /nested/in/ {{ add_header X-Own yes; return 200 "ok"; }}
            if ($arg_x) {{ add_header X-If yes; }}
            return 200 "ok";
        }}
        location = /judge {{ internal; proxy_pass {server}/judge; proxy_pass_request_body off;
            proxy_set_header Content-Length ""; }}
        location /judged/ {{ auth_request /judge; proxy_pass {server}; }}
    """
    inner = "if ($arg_x) { add_header X-If yes; } location /in/deep/ { add_header X-Deep yes; return 204; }"
    web = site(
        "raw.test",
        route("/", server),
        route(
            "/in/",
            server,
            snippet=owned(inner),
            options=catalogue.values(header_options.RESPONSE.set((("X-Route", "1"),))),
        ),
        snippet=owned(raw),
        options=catalogue.values(hsts_option.OPTION.set(hsts_option.Hsts(max_age_s=7))),
    )
    small = site(
        "small.test",
        route("/", server),
        snippet=owned(f"client_max_body_size 5; location /x/ {{ proxy_pass {server}; }}"),
    )
    with rendered.running(web, small) as running:
        yield running


@pytest.mark.parametrize("path", ["/raw/x", "/judged/x", "/x", "/in/x"])
def test_h1_bodies_of_more_than_a_megabyte(gate: rendered.Running, path: str) -> None:
    answer = fetch(gate, f"https://raw.test{path}", "POST", content=b"x" * (3 << 20))
    assert said(answer).body == f"{3 << 20} bytes"


def test_h1_the_owners_limit_for_a_site_counts(gate: rendered.Running) -> None:
    for path in ("/", "/x/"):
        assert fetch(gate, f"https://small.test{path}", "POST", content=b"123456").status_code == 413


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/headers/", {"X-Own": "yes"}),
        ("/nested/", {}),
        ("/nested/in/", {"X-Own": "yes"}),
        ("/nested/?x=1", {"X-If": "yes"}),
        ("/raw/x", {}),
        ("/in/x", {"X-Route": "1"}),
        ("/in/x?x=1", {"X-Route": "1", "X-If": "yes"}),
        ("/in/deep/", {"X-Route": "1", "X-Deep": "yes"}),
    ],
)
def test_h1_hsts_stays_beside_an_owners_add_header(gate: rendered.Running, path: str, more: dict[str, str]) -> None:
    answer = fetch(gate, f"https://raw.test{path}")
    assert answer.headers.get_list(HSTS) == ["max-age=7"]
    assert {name: answer.headers.get(name) for name in more} == more


def test_h1_an_owners_own_hsts_counts(gate: rendered.Running) -> None:
    assert fetch(gate, "https://raw.test/theirs/").headers.get_list(HSTS) == ["max-age=5"]


# --- H2: theirs replaces ours ----------------------------------------------------------------------------------


def test_h2_redirects_are_left_alone(one: echo.EchoServer) -> None:
    server = f"http://127.0.0.1:{one.port}"
    sites = (
        site("route.test", route("/", server, snippet=owned("proxy_redirect off;"))),
        site("site.test", server, snippet=owned("proxy_redirect off;")),
        site("other.test", route("/", server, snippet=owned(f"proxy_redirect {server}/ https://else.test/;"))),
        site("ours.test", server),
    )
    with rendered.running(*sites) as running:
        there = {one.host: fetch(running, f"https://{one.host}/a/redirect").headers["Location"] for one in sites}
    assert there == {
        "route.test": f"{server}/a/x",
        "site.test": f"{server}/a/x",
        "other.test": "https://else.test/a/x",
        "ours.test": "/a/x",
    }


def _own_lines(
    nodes: collections.abc.Iterable[directive.Node], level: str
) -> collections.abc.Iterator[tuple[str, directive.Directive]]:
    for node in nodes:
        if isinstance(node, directive.Comment):
            continue
        if node.block is None:
            yield level, node
        elif node.name in {"server", "location", "http"}:
            yield from _own_lines(node.block, node.name)


def _written_lines() -> dict[tuple[str, str], directive.Directive]:
    """One line of each directive that is written at each level, with arguments that nginx accepts."""
    found: dict[tuple[str, str], directive.Directive] = {}
    for feature in features.FEATURES.values():
        layout_env = rendered.environment_of(_LAYOUT, resolver="127.0.0.1:1")
        for path, content in render_tree.render_files(feature.desired, layout_env).items():
            if path == "nginx.conf" or path.startswith("sites/"):
                for level, line in _own_lines(nginx_snippet.parse_snippet(_readable(content)), ""):
                    found.setdefault((level or "", line.name), line)
    return found


def _readable(content: bytes) -> str:
    """`include` of relative paths is for daemun's own files only."""
    return "\n".join(line for line in content.decode().splitlines() if not line.strip().startswith("include "))


_LAYOUT = layout.Layout(state="/var/lib/daemun")
_NOT_AN_OWNERS = {"log_format", "listen", "server_name", "ssl_reject_handshake", "internal"}


@pytest.mark.parametrize("level", ["http", "server", "location"])
def test_h2_every_line_of_ours_can_be_written_by_an_owner(level: str, one: echo.EchoServer) -> None:
    """Each directive that we write at a level, once more by hand at the same level."""
    server = f"http://127.0.0.1:{one.port}"
    refused = {}
    with rendered.prepared() as state:
        for (place, name), line in _written_lines().items():
            if place != level or name in _NOT_AN_OWNERS or name.endswith("_pass") or "$daemun_to" in str(line):
                continue
            snippet = (line,)
            home = site(
                "h2.test",
                route("/", server, snippet=snippet if level == "location" else ()),
                snippet=snippet if level == "server" else (),
            )
            php = site(
                "php.test", route("/", "fastcgi://127.0.0.1:9000", snippet=snippet if level == "location" else ())
            )
            settings = dataclasses.replace(features.SETTINGS, snippet=snippet if level == "http" else ())
            desired = model.Desired(globals=settings, sites=(home, php))
            files = render_tree.render_files(desired, rendered.environment_of(state))
            refusal = rendered.find_refusal(files, state)
            if refusal is not None and ("duplicate" in refusal or "conflict" in refusal):
                refused[name] = refusal
    assert refused == {}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ('location / { return 200 "theirs"; }', "/any"),
        ('location ^~ /app/ { return 200 "theirs"; }', "/app/x"),
        ('location /app/ { return 200 "theirs"; }', "/app/x"),
        ('location = /files { return 200 "theirs"; }', "/files"),
    ],
)
def test_h2_an_owners_location_replaces_ours(one: echo.EchoServer, raw: str, path: str) -> None:
    server = f"http://127.0.0.1:{one.port}"
    with folder() as files:
        web = site(
            "loc.test",
            server,
            route("/app/", server),
            route("/files/", model.Files(folder=str(files))),
            snippet=owned(raw),
        )
        with rendered.running(web) as running:
            assert fetch(running, f"https://loc.test{path}").text == "theirs"


def test_h2_an_owners_return_comes_before_a_redirect() -> None:
    to = model.Redirect(to="https://else.test/")
    web = site("go.test", route("/", to, snippet=owned("if ($arg_stay) { return 204; }")))
    with rendered.running(web) as running:
        assert fetch(running, "https://go.test/?stay=1").status_code == 204
        assert fetch(running, "https://go.test/").headers["Location"] == "https://else.test/"


def test_h2_headers_hidden_for_a_site_stay_hidden(one: echo.EchoServer) -> None:
    server = f"http://127.0.0.1:{one.port}"
    web = site(
        "hide.test",
        route("/", server, options=catalogue.values(header_options.RESPONSE.set((("X-R", "1"),)))),
        snippet=owned("proxy_hide_header X-Powered-By;"),
    )
    with rendered.running(web) as running:
        assert "X-Powered-By" not in fetch(running, "https://hide.test/headers").headers


# --- H3: names in hand-written nginx ---------------------------------------------------------------------------


@contextlib.contextmanager
def _resolving(
    *sites: model.Site, known: collections.abc.Set[str], settings: model.Globals | None = None
) -> collections.abc.Iterator[rendered.Running]:
    """nginx beside a responder that knows these names, all at 127.0.0.1."""

    def resolve(host: str) -> list[str]:
        if host not in known:
            raise OSError(f"{host} is not known")
        return ["127.0.0.1"]

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> endpoints.Discovery:
        discovery = endpoints.Discovery(memory_store.MemoryStore(), resolve=resolve)
        await discovery.start()
        desired = model.Desired(globals=settings or model.Globals(), sites=sites)
        await discovery.publish(dns_services.find_services(desired), [])
        return discovery

    discovery = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        with rendered.running(*sites, settings=settings, resolver=discovery.address, workers=1) as running:
            yield running
    finally:
        asyncio.run_coroutine_threadsafe(discovery.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def _until_said(running: rendered.Running, url: str) -> echo.Said:
    """nginx learns of names a moment after it starts."""

    def look() -> echo.Said | None:
        answer = fetch(running, url)
        return said(answer) if answer.status_code == 200 else None

    return daemon.wait_for(look, f"an answer from {url}")


def test_h3_names_are_looked_up_while_nginx_runs(one: echo.EchoServer) -> None:
    port = one.port
    raw = f"""
        set $app_host app;
        set $app_port {port};
        location /plain/ {{ proxy_pass http://app:{port}; }}
        location /path/ {{ proxy_pass http://App:{port}/inner/; }}
        location /own-headers/ {{ proxy_pass http://app:{port}; proxy_set_header X-Mine 1; }}
        location /named-host/ {{ proxy_pass http://app:{port}; proxy_set_header Host $proxy_host; }}
        location = /variable {{ set $to http://app:{port}/whole; proxy_pass $to; }}
        location /parts/ {{ proxy_pass http://$app_host:$app_port; }}
        location = /judge {{ internal; proxy_pass http://app:{port}/judge; proxy_pass_request_body off;
            proxy_set_header Content-Length ""; proxy_set_header X-Original-URL $scheme://$host$request_uri; }}
        location /judged/ {{ auth_request /judge; proxy_pass http://app:{port}; }}
        location /gone/ {{ proxy_pass http://nowhere:{port}; }}
        location /group/ {{ proxy_pass http://theirs; }}
    """
    theirs = owned(
        f"upstream theirs {{ server app:{port} weight=2; server other:{port} backup; }} resolver 127.0.0.1:1;"
    )
    inside = route("/in/", f"http://127.0.0.1:{port}", snippet=owned(f"proxy_pass http://app:{port};"))
    web = site("names.test", f"http://127.0.0.1:{port}", inside, snippet=owned(raw))
    settings = model.Globals(snippet=theirs)
    with _resolving(web, known={"app", "other"}, settings=settings) as running:
        seen = {
            path: _until_said(running, f"https://names.test{path}")
            for path in (
                "/plain/x",
                "/path/x",
                "/own-headers/x",
                "/named-host/x",
                "/variable",
                "/parts/x?y=1",
                "/judged/x",
                "/group/x",
                "/in/x",
                "/other",
            )
        }
        assert fetch(running, "https://names.test/gone/").status_code == 502
        redirect = fetch(running, "https://names.test/path/redirect")
    assert {path: one.path for path, one in seen.items()} == {
        "/plain/x": "/plain/x",
        "/path/x": "/inner/x",
        "/own-headers/x": "/own-headers/x",
        "/named-host/x": "/named-host/x",
        "/variable": "/whole",
        "/parts/x?y=1": "/parts/x?y=1",
        "/judged/x": "/judged/x",
        "/group/x": "/group/x",
        "/in/x": "/in/x",
        "/other": "/other",
    }
    assert seen["/plain/x"].headers["host"] == "names.test"
    assert seen["/own-headers/x"].headers["host"] == f"app:{port}"
    assert seen["/named-host/x"].headers["host"] == f"app:{port}"
    assert redirect.headers["Location"] == f"http://127.0.0.1:{port}/inner/x"


def test_h3_a_name_that_nobody_knows_is_told() -> None:
    raw = owned("location / { proxy_pass http://authelia:9091; }")
    desired = model.Desired(globals=model.Globals(), sites=(site("a.test", "http://127.0.0.1:1", snippet=raw),))
    assert [str(one) for one in dns_services.find_services(desired)] == ["authelia:9091"]


@pytest.mark.parametrize(
    "line",
    [
        "proxy_pass http://127.0.0.1:80;",
        "proxy_pass http://[::1]:80;",
        "proxy_pass http://unix:/run/x.sock:/y;",
        "proxy_pass http://localhost:3000;",
        "proxy_pass http://$arg_host;",
        "proxy_pass http://$host:8080;",
        "proxy_pass http://theirs;",
        "fastcgi_pass unix:/run/php.sock;",
        "fastcgi_pass theirs;",
    ],
)
def test_h3_what_needs_no_name_stays_as_it_is(line: str) -> None:
    settings = model.Globals(snippet=owned("upstream theirs { server 127.0.0.1:1; }"))
    given = site("a.test", "http://127.0.0.1:1", snippet=owned(f"location /x/ {{ {line} }}"))
    found = named_servers.find_in_site(given, settings)
    assert (found.site, found.services) == (given, ())


# --- H4: index, root and try_files of a site -------------------------------------------------------------------


WORDPRESS = """
    index index.php;
    {root}
    {try_files}
    location ~ \\.php$ {{
        default_type text/plain;
        return 200 "$document_root $uri $args";
    }}
"""


@pytest.mark.parametrize("try_files", ["", "try_files $uri $uri/ /index.php?$args;"])
@pytest.mark.parametrize("has_root", [True, False])
@pytest.mark.parametrize("spa", [True, False])
def test_h4_wordpress(try_files: str, has_root: bool, spa: bool) -> None:
    with folder() as files:
        for path in ("index.php", "wp-admin/index.php", "style.css"):
            (files / path).parent.mkdir(exist_ok=True)
            (files / path).write_text("x")
        raw = WORDPRESS.format(root=f"root {files};" if has_root else "", try_files=try_files)
        web = site(
            "blog.test",
            route("/", model.Files(folder=str(files), options=catalogue.values(spa_option.OPTION.set(spa)))),
            snippet=owned(raw),
        )
        with rendered.running(web) as running:
            front, admin, style = (
                fetch(running, f"https://blog.test{path}") for path in ("/", "/wp-admin/", "/style.css")
            )
            pretty = fetch(running, "https://blog.test/2026/hello?x=1")
        shown = str(files)
        assert style.text == "x"
        if spa and not try_files:
            return
        assert front.text == f"{shown} /index.php "
        assert admin.text == f"{shown} /wp-admin/index.php "
        assert pretty.status_code == (200 if try_files else 404)
        if try_files:
            assert pretty.text == f"{shown} /index.php x=1"


def test_h4_without_words_of_the_owner_the_index_is_ours() -> None:
    with folder() as files:
        (files / "index.html").write_text("page")
        web = site(
            "files.test", route("/", model.Files(folder=str(files))), snippet=owned("location /x/ { return 204; }")
        )
        with rendered.running(web) as running:
            assert fetch(running, "https://files.test/").text == "page"
