"""Where hand-written nginx meets ours: what locations of an owner's inherit, and whose line counts."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib
import queue
import socketserver
import tempfile
import threading
import typing

import httpx
import pytest

from daemun.core import directive, layout, model
from daemun.core.options import catalogue, header_options, hsts_option, spa_option
from daemun.core.render import render_tree
from daemun.core.services import dns_services, named_servers
from daemun.discovery import endpoints
from daemun.sources import included_files, nginx_snippet
from daemun.store import memory_store
from tests.support import clients, daemon, echo, features, rendered, responders, serving
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


_SIZES = (
    "proxy_buffers 8 8k;",
    "proxy_buffers 3 4k;",
    "proxy_buffers 4 4k;",
    "proxy_buffers 4 128k;",
    "proxy_buffer_size 4k;",
    "proxy_buffer_size 16k; proxy_buffers 4 16k;",
    "proxy_buffer_size 128k; proxy_buffers 8 128k;",
    "proxy_buffer_size 256K; proxy_buffers 4 256K;",
    "proxy_buffer_size 128k; proxy_buffers 4 256k; proxy_busy_buffers_size 256k;",
    "proxy_busy_buffers_size 8k;",
    "proxy_temp_file_write_size 8k;",
    "proxy_max_temp_file_size 8k; proxy_temp_file_write_size 8k;",
)


@pytest.mark.parametrize(
    ("module", "keeps_large_pieces"),
    [("proxy", True), ("proxy", False), ("fastcgi", True), ("uwsgi", False), ("scgi", True)],
)
def test_h2_sizes_of_buffers_that_stock_nginx_takes(module: str, keeps_large_pieces: bool) -> None:
    """At every level, with the first buffer of either allocator."""
    refused: dict[tuple[str, str], str] = {}
    there = f"{'http' if module == 'proxy' else module}://127.0.0.1:9"
    with rendered.prepared() as state:
        nginx = dataclasses.replace(rendered.nginx(), keeps_large_pieces=keeps_large_pieces)
        env = rendered.environment_of(state, nginx=nginx)
        for sizes in (one.replace("proxy", module) for one in _SIZES):
            goal = f"{module}_pass {there.removeprefix(f'{module}://')};"
            inner = f"location /in/ {{ {sizes} {goal} location /in/b/ {{ {module}_buffers 80 8k; {goal} }} }}"
            inside = (
                site("server.test", route("/", there), snippet=owned(sizes)),
                site("location.test", route("/", there, snippet=owned(sizes))),
                site("nested.test", "http://127.0.0.1:9", snippet=owned(inner)),
            )
            for settings, sites in (
                (model.Globals(snippet=owned(sizes)), (site("http.test", route("/", there)),)),
                (model.Globals(snippet=owned(f"server {{ listen 127.0.0.1:9; {inner} }}")), inside),
            ):
                files = render_tree.render_files(model.Desired(globals=settings, sites=sites), env)
                refusal = rendered.find_refusal(files, state)
                if refusal is not None:
                    refused[sizes, sites[0].host] = refusal
    assert refused == {}


def test_h2_an_answer_through_an_owners_buffers(one: echo.EchoServer) -> None:
    server = f"http://127.0.0.1:{one.port}"
    web = site(
        "buffers.test",
        server,
        route("/small/", server, snippet=owned("proxy_buffering on; proxy_buffers 8 8k;")),
        route("/large/", server, snippet=owned("proxy_buffer_size 256k; proxy_buffers 4 256k;")),
        snippet=owned("proxy_buffers 4 4k;"),
    )
    with rendered.running(web) as running:
        for path in ("/small/x", "/large/x", "/x"):
            assert said(fetch(running, f"https://buffers.test{path}")).path == path


@pytest.mark.parametrize(
    "texts",
    [
        ("proxy_buffers 8 8k;", "proxy_buffer_size 128k; proxy_buffers 4 256k; proxy_busy_buffers_size 256k;"),
        ("proxy_buffers 4 4k;", "proxy_buffers 8 128k; proxy_buffer_size 128k;"),
        ("proxy_buffers 4 8k; no_such_directive on;", "proxy_buffering on;"),
        ("proxy_buffer_size 8k;", "proxy_buffer_size 8k; proxy_buffers 2 4k;"),
    ],
)
def test_h2_files_whose_buffers_do_not_fit_set_each_other_aside_alone(
    one: echo.EchoServer, texts: tuple[str, str]
) -> None:
    parts = tuple(
        model.SnippetFile(place=f"/etc/nginx/conf.d/{number}.conf", snippet=owned(text))
        for number, text in enumerate(texts)
    )
    settings = model.Globals(snippet=tuple(node for part in parts for node in part.snippet), parts=parts)
    web = site("parts.test", f"http://127.0.0.1:{one.port}")
    with rendered.running(web, settings=settings, last_good={}) as running:
        assert len(running.refused) == 1
        assert running.refused[0].path.startswith("snippets/")
        assert said(fetch(running, "https://parts.test/x")).path == "/x"


def test_h2_sizes_that_do_not_fit_are_told_where_they_are_written() -> None:
    text = "client_max_body_size 1m;\nproxy_buffer_size 128k;\nproxy_buffers 2 8k;"
    written = nginx_snippet.parse_snippet(text, lambda line, column: f"daemun.yaml:{line + 10}:{column}")
    web = site("sizes.test", route("/", "http://127.0.0.1:9", snippet=written))
    with rendered.running(web, last_good={}) as running:
        assert [one.place for one in running.refused] == ["daemun.yaml:13:1"]


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


def test_h3_names_within_conditions(one: echo.EchoServer, two: echo.EchoServer) -> None:
    app, other, plain = f"http://app:{two.port}", f"http://other:{one.port}", one.url
    to_app, mine = f"if ($http_x_a) {{ proxy_pass {app}; }}", "proxy_set_header X-Mine $proxy_host;"
    raw = f"""
        location /plain/ {{ {to_app} proxy_pass {plain}; }}
        location /mine/ {{ {mine} {to_app} proxy_pass {plain}; }}
        location /both/ {{ {mine} {to_app} proxy_pass {other}; }}
        location /whole/ {{ if ($http_x_a) {{ set $to app; proxy_pass http://$to:{two.port}$request_uri; }} }}
        location /method/ {{ proxy_set_header X-Mine 1; limit_except GET {{ proxy_pass {app}; }} proxy_pass {plain}; }}
        location /tls/ {{ if ($http_x_a) {{ proxy_pass https://app:{two.port}; }} proxy_pass {plain}; }}
        location /grpc/ {{ if ($http_x_a) {{ grpc_pass grpcs://app:1; }} grpc_set_header X 1; grpc_pass 127.0.0.1:1; }}
        location /php/ {{ if ($http_x_a) {{ fastcgi_pass app:1; }} uwsgi_pass app:1; }}
    """
    inside = route("/in/", plain, snippet=owned(to_app))
    web = site("if.test", plain, inside, snippet=owned(raw))
    paths = ("/plain/", "/mine/", "/both/", "/in/")
    with _resolving(web, known={"app", "other"}) as running:
        for path in ("/both/x", "/in/x"):
            _until_said(running, f"https://if.test{path}")
        answer = daemon.wait_for(lambda: _found(running, "https://if.test/both/x", {"X-A": "1"}), "an answer of app")
        default = {path: said(fetch(running, f"https://if.test{path}")) for path in paths}
        other_way = {path: said(fetch(running, f"https://if.test{path}", headers={"X-A": "1"})) for path in paths}
        whole = said(fetch(running, "https://if.test/whole/a%2Fb?c", headers={"X-A": "1"}))
        methods = [said(fetch(running, "https://if.test/method/", method)) for method in ("GET", "POST")]
        redirects = [
            fetch(running, f"https://if.test{path}redirect", headers=headers).headers["Location"]
            for path in ("/plain/", "/both/")
            for headers in ({}, {"X-A": "1"})
        ]
    assert answer.path == "/both/x"
    assert {one.server for one in default.values()} == {"one"}
    assert {one.server for one in other_way.values()} == {"two"}
    hosts = {path: (default[path].headers["host"], other_way[path].headers["host"]) for path in paths}
    assert hosts == {
        "/plain/": ("if.test", "if.test"),
        "/in/": ("if.test", "if.test"),
        "/mine/": (f"127.0.0.1:{one.port}", f"app:{two.port}"),
        "/both/": (f"other:{one.port}", f"app:{two.port}"),
    }
    assert other_way["/both/"].headers["x-mine"] == f"app:{two.port}"
    assert (whole.server, whole.path) == ("two", "/whole/a%2Fb?c")
    assert [(one.server, one.headers["host"]) for one in methods] == [
        ("one", f"127.0.0.1:{one.port}"),
        ("two", f"app:{two.port}"),
    ]
    assert redirects[0] == "/plain/x"


def _found(running: rendered.Running, url: str, headers: dict[str, str]) -> echo.Said | None:
    answer = fetch(running, url, headers=headers)
    return said(answer) if answer.status_code == 200 else None


_BEFORE_PATHS = (
    ("set $a app; proxy_pass http://$a:{port}$request_uri;", "/v0/a%2Fb?c=1"),
    ("set $b http://app:{port}; proxy_pass $b$request_uri;", "/v1/a%2Fb?c=1"),
    ("set $c app:{port}; proxy_pass http://$c$request_uri;", "/v2/a%2Fb?c=1"),
    ("set $d app; proxy_pass http://$d:{port}$uri$is_args$args;", "/v3/a/b?c=1"),
    ("set $e app; set $p {port}; proxy_pass http://${e}:${p}${request_uri};", "/v4/a%2Fb?c=1"),
    ("proxy_pass http://app:{port}$request_uri;", "/v5/a%2Fb?c=1"),
    ("proxy_pass http://app:{port}$is_args$args;", "/?c=1"),
    ("set $f app:{port}; set $rest /fixed; proxy_pass http://$f$rest;", "/fixed"),
)


def test_h3_names_before_paths_of_variables(one: echo.EchoServer) -> None:
    raw = [f"location /v{number}/ {{ {lines} }}" for number, (lines, _) in enumerate(_BEFORE_PATHS)]
    cut = "location ~ ^/cut(/.*)$ { proxy_pass http://app:{port}$1; }"
    web = site("vars.test", one.url, snippet=owned("\n".join((*raw, cut)).replace("{port}", str(one.port))))
    with _resolving(web, known={"app"}) as running:
        paths = [_until_said(running, f"https://vars.test/v{number}/a%2Fb?c=1").path for number in range(len(raw))]
        assert paths == [path for _, path in _BEFORE_PATHS]
        assert _until_said(running, "https://vars.test/cut/x").path == "/x"


@pytest.mark.parametrize("goal", ["http://app:{port}", "http://$to$request_uri", "http://theirs", "http://kept"])
def test_e2_idle_connections_are_closed_before_servers_do(goal: str) -> None:
    """Many servers close after two seconds, and a POST that meets that is lost. nginx's own time is a minute."""
    with serving.in_thread(_Waiting(("127.0.0.1", 0), _WaitingHandler)) as server:
        port = server.server_address[1]
        groups = f"""
            upstream theirs {{ server 127.0.0.1:{port}; }}
            upstream kept {{ server app:{port}; keepalive 8; }}
        """
        raw = f"set $to app:{port}; location / {{ proxy_pass {goal.format(port=port)}; }}"
        web = site("idle.test", "http://127.0.0.1:9", snippet=owned(raw))
        with _resolving(web, known={"app"}, settings=model.Globals(snippet=owned(groups))) as running:
            daemon.wait_for(lambda: fetch(running, "https://idle.test/").status_code == 200, "an answer")
            assert server.closed.get(timeout=30) == b""


class _Waiting(socketserver.ThreadingTCPServer):
    """Answers one request, and waits for the end of the connection."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *given: typing.Any) -> None:
        super().__init__(*given)
        self.closed: queue.Queue[bytes] = queue.Queue()


class _WaitingHandler(socketserver.StreamRequestHandler):
    server: _Waiting

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.server.closed.put(self.rfile.read(1))


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
        "proxy_pass http://$host:8080$request_uri;",
        "proxy_pass http://app$arg_name:8080;",
        "proxy_pass http://app$arg_name;",
        "proxy_pass http://127.0.0.1:80$request_uri;",
        "if ($arg_x) { proxy_pass http://127.0.0.1:80; }",
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


# --- H6: files of recipes ---------------------------------------------------------------------------------------


def test_h6_files_that_lie_beside_most_nginx_conf(one: echo.EchoServer) -> None:
    with (
        folder() as base,
        responders.responder(responders.FastCgi) as php,
        responders.responder(responders.Uwsgi) as py,
    ):
        (base / "app").mkdir()
        (base / "app" / "x.php").write_text("")
        (base / "own.conf").write_text("add_header X-Own 1;")
        (base / "scgi_params").write_text("add_header X-Own 1;")
        raw = f"""
            location /proxied/ {{ include proxy_params; proxy_pass {one.url}; }}
            location ~ \\.php$ {{ root {base}; include fastcgi_params;
                fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_pass {php}; }}
            location ~ ^/app/.*\\.php/ {{ root {base}; include snippets/fastcgi-php.conf; fastcgi_pass {php}; }}
            location /conf/ {{ include /etc/nginx/fastcgi.conf; root /srv; fastcgi_pass {php}; }}
            location /py/ {{ include uwsgi_params; uwsgi_pass {py}; }}
            location /own/ {{ include own.conf; include scgi_params; return 204; }}
        """
        written = nginx_snippet.parse_snippet(raw, base=base)
        web = site("usual.test", one.url, snippet=included_files.expand(written, base))
        with rendered.running(web) as running:
            proxied = said(fetch(running, "https://usual.test/proxied/x")).headers
            paths = ("/a.php?q=1", "/app/x.php/more", "/conf/y", "/py/z")
            sent = {path: fetch(running, f"https://usual.test{path}").json()["parameters"] for path in paths}
            own = fetch(running, "https://usual.test/own/").headers.get_list("X-Own")
    assert (proxied["host"].split(":")[0], proxied["x-forwarded-proto"]) == ("usual.test", "https")
    assert sent["/a.php?q=1"]["SCRIPT_FILENAME"] == f"{base}/a.php"
    assert (sent["/a.php?q=1"]["QUERY_STRING"], sent["/a.php?q=1"]["HTTPS"]) == ("q=1", "on")
    assert sent["/app/x.php/more"]["SCRIPT_FILENAME"] == f"{base}/app/x.php"
    assert sent["/app/x.php/more"]["PATH_INFO"] == "/more"
    assert sent["/conf/y"]["SCRIPT_FILENAME"] == "/srv/conf/y"
    assert (sent["/py/z"]["PATH_INFO"], sent["/py/z"]["REQUEST_METHOD"]) == ("/py/z", "GET")
    assert own == ["1", "1"]
