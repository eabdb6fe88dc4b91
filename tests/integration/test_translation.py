"""A server's path in the place of a route's: what reaches the server, and what of its answer reaches the visitor."""

import collections.abc
import contextlib
import dataclasses
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import tempfile
import urllib.parse

import pytest

from daemun.core import model, render_environment
from daemun.core.options import buffering_option, catalogue, spa_option, translate_option
from daemun.sources import nginx_snippet
from tests.support import rendered, responders, serving
from tests.support.sites import proxy, route, site, target

pytestmark = pytest.mark.nginx


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked for; `?Location=` and `?Set-Cookie=` become headers."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(302 if "Location" in query else 200)
        for name in ("Location", "Set-Cookie", "Refresh"):
            for value in query.get(name, ()):
                self.send_header(name, value.replace("PORT", str(self.server.server_port)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_MOVE = do_COPY = _answer  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        """Tests read what was answered."""


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[rendered.Running]:
    with contextlib.ExitStack() as stack:
        server = _Server(("127.0.0.1", 0), _Handler)
        stack.enter_context(serving.in_thread(server))
        there = f"http://127.0.0.1:{server.server_address[1]}"
        web = site(
            "web.test",
            route("/", there),
            route("/app/", f"{there}/"),
            route("/rabbit/", f"{there}/"),
            route("/deep/", f"{there}/a/b/"),
            route("/bare", f"{there}/x"),
            route("/한글/", f"{there}/k/"),
            route("/off-dav/", proxy(there, options=catalogue.values(translate_option.OPTION.set(False)))),
            route("/off/", proxy(f"{there}/", options=catalogue.values(translate_option.OPTION.set(False)))),
            snippet=nginx_snippet.parse_snippet(f"location /by-hand/ {{ proxy_pass {there}; }}"),
        )
        whole = site("whole.test", route("/", f"{there}/inner/"))
        named = site(
            "shop.example.test",
            route("/", _beside(there, "http://app.internal.example.test:8080", "http://[fd00::7]:80")),
            route("/app/", _beside(f"{there}/", "http://backend.local/")),
        )
        theirs = site(
            "theirs.test", route("/", there), snippet=_owned("proxy_cookie_domain localhost owner.theirs.test;")
        )
        elsewhere = f"""
            location = /unrelated {{ rewrite ^ /x break; proxy_pass {there}; }}
            location /front/ {{ rewrite ^/front/(.*) /app/front/$1 last; }}
            rewrite ^/old/(.*)$ /app/new/$1 last;
            rewrite ^/$ /app/ last;
            rewrite ^/app/moved https://else.test/ permanent;
        """
        led = site("led.test", route("/app/", f"{there}/"), snippet=_owned(elsewhere))
        within = site("within.test", route("/app/", f"{there}/"), snippet=_owned("rewrite ^/app/a/(.*) /app/b/$1;"))
        yield stack.enter_context(rendered.running(web, whole, named, theirs, led, within, own_blocks=2))


def _beside(there: str, *others: str) -> model.Proxy:
    """others: servers of the route that get no request."""
    downs = (dataclasses.replace(target(url), down=True) for url in others)
    return model.Proxy(targets=(target(there), *downs))


def _owned(text: str) -> model.Snippet:
    return nginx_snippet.parse_snippet(text)


def _raw(
    gate: rendered.Running,
    path: str,
    *,
    host: str = "web.test",
    method: str = "GET",
    more: str = "",
    body: str = "",
) -> bytes:
    """httpx would write some of these paths otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", gate.https), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n{body}".encode()
        )
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def _body(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"200", answer
    found: dict[str, object] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    return found


# --- F2 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "received"),
    [
        ("/rabbit/api/queues/%2F/q1", "/api/queues/%2F/q1"),
        ("/rabbit/api/queues/%2f/q1?x=%2F", "/api/queues/%2f/q1?x=%2F"),
        ("/rabbit/a%2Bb+c", "/a%2Bb+c"),
        ("/rabbit/a//b", "/a//b"),
        ("/deep//a", "/a/b//a"),
        ("/rabbit/%41%7e~", "/%41%7e~"),
        ("/rabbit/a%20b%3Fc%23d", "/a%20b%3Fc%23d"),
        ("/rabbit/http%3A%2F%2Fx.test%2F", "/http%3A%2F%2Fx.test%2F"),
        ("/rabbit/http://x.test/y", "/http://x.test/y"),
        ("/rabbit/%0a%0D", "/%0a%0D"),
        ("/rabbit/a[b]|c", "/a[b]|c"),
        ("/rabbit/a?b=/../c", "/a?b=/../c"),
        ("/rabbit/%E2%82%AC?a=b%", "/%E2%82%AC?a=b%"),
        ("/rabbit/...%2F..a/.b", "/...%2F..a/.b"),
        ("/rabbit/", "/"),
        ("/rabbit/%", None),
        ("/deep/c%2Fd", "/a/b/c%2Fd"),
        ("/bare%2Fd", "/x%2Fd"),
        ("/bareback", "/xback"),
        ("/%ED%95%9C%EA%B8%80/a%2Fb", "/k/a%2Fb"),
        ("/%ed%95%9c%ea%b8%80/a%2Fb", "/k/a/b"),
        ("/x/../rabbit/a%2Fb", "/a/b"),
        ("//rabbit/a%2Fb", "/a/b"),
        ("/r%61bbit/a%2Fb", "/a/b"),
    ],
)
@pytest.mark.parametrize("kind", ["an ordinary request", "a WebSocket"])
def test_f2_the_rest_of_the_path_is_what_the_visitor_sent(
    gate: rendered.Running, asked: str, received: str | None, kind: str
) -> None:
    more = "Upgrade: websocket\r\n" if kind == "a WebSocket" else ""
    answer = _raw(gate, asked, more=more)
    if received is None:
        assert answer.split(b" ")[1] == b"400"
    else:
        assert _body(answer)["path"] == received


@pytest.mark.parametrize(
    "rest",
    [
        "..%2f..%2fsecret",
        "x/../../deep/y%2F",
        "../deep/x%2F",
        "%2e%2e/deep/%2F",
        "%2e%2e%2fdeep/%2F",
        ".%2e/deep/%2F",
        "%2E./deep//",
        "a/%2e/b%2F",
        "a%2f..%2fb",
        "a/..;/..;/secret%2F",
        "..;/secret",
        "..%3b/secret%2F",
        "a/..\\secret%2F",
        "..%5csecret%2F",
        "a%5c..%5c..%5csecret",
        "a/..",
        "a%2f..",
        "a%2F%2e%2e",
        "./a%2Fb",
        "//../a%2F",
    ],
)
def test_f2_nothing_leads_out_of_the_prefix(gate: rendered.Running, rest: str) -> None:
    answer = _raw(gate, f"/deep/{rest}")
    status = answer.split(b" ")[1]
    if status != b"200":
        assert status == b"400"
        return
    said = _body(answer)
    headers = said["headers"]
    assert isinstance(headers, dict)
    if "x-forwarded-prefix" not in headers:
        return  # nginx resolved the dots, and the path is one of the other route's
    path = urllib.parse.unquote(str(said["path"]).split("?")[0]).replace("\\", "/").replace(";", "/")
    assert ".." not in path.split("/"), path
    assert path.startswith("/a/b/"), path


# Where the prefix has no slash at its end and the server's path has one, dots that follow the prefix would lead out.

SERVERS: dict[str, type[responders._Handler]] = {
    "h2c": responders.Http2,
    "grpc": responders.Http2,
    "fastcgi": responders.FastCgi,
    "scgi": responders.Scgi,
    "uwsgi": responders.Uwsgi,
    "memcached": responders.Memcached,
}
SCHEMES = ("http", *SERVERS)
OUT = (
    "../admin",
    "%2e%2e/admin",
    ".%2E/x.php",
    "..%2fadmin",
    "..//admin",
    "..",
    "../",
    "%2e%2e",
    "..?x=1",
    "..;/admin",
    "..%3b/admin",
    "..;a=b",
    "..\\admin",
    "..%5cadmin",
    "./admin",
    ".;/admin",
    ".%5c..%5cadmin",
    "/..;/admin",
    "/a/..%5c..%5cadmin",
    "x/..;/..;/admin",
)
KINDS = {
    "an ordinary request": ("GET", "", ""),
    "a WebSocket": ("GET", "Upgrade: websocket\r\n", ""),
    "a body": ("POST", "Content-Length: 50000\r\n", "x" * 50_000),
    "a chunked body": ("POST", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n"),
}


@pytest.fixture(scope="module")
def without_slash() -> collections.abc.Iterator[rendered.Running]:
    with contextlib.ExitStack() as stack:
        server = _Server(("127.0.0.1", 0), _Handler)
        stack.enter_context(serving.in_thread(server))
        places = {"http": f"127.0.0.1:{server.server_address[1]}"}
        stored = {"/zz/../admin": "out", "/zz/...": "in"}
        for scheme, handler in SERVERS.items():
            places[scheme] = stack.enter_context(responders.responder(handler, stored=stored))
        sites = [
            site(
                f"{scheme}.test",
                route("/app", f"{scheme}://{place}/zz/"),
                route("/v1.2+b", f"{scheme}://{place}/zz/"),
                route("/bare", f"{scheme}://{place}/zz"),
                route("/rt", f"{scheme}://{place}/"),
                route(
                    "/at-once",
                    proxy(f"{scheme}://{place}/zz/", options=catalogue.values(buffering_option.OPTION.set(False))),
                ),
                route("/down", f"{scheme}://127.0.0.1:1/zz/"),
            )
            for scheme, place in places.items()
            if _is_built(scheme)
        ]
        yield stack.enter_context(rendered.running(*sites))


def _is_built(scheme: str) -> bool:
    needed = {"h2c": render_environment.Feature.HTTP2_UPSTREAM, "grpc": render_environment.Feature.GRPC}
    return scheme not in needed or needed[scheme] in rendered.nginx().features


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prefix", ["/app", "/v1.2+b", "/bare", "/rt", "/at-once", "/down"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_f2_dots_behind_a_prefix_without_a_slash_lead_nowhere(
    without_slash: rendered.Running, scheme: str, prefix: str, kind: str
) -> None:
    if not _is_built(scheme):
        pytest.skip("this nginx has no such module")
    method, more, body = KINDS[kind]
    for rest in OUT:
        answer = _raw(without_slash, f"{prefix}{rest}", host=f"{scheme}.test", method=method, more=more, body=body)
        assert answer.split(b" ")[1] == b"400", (rest, answer)


@pytest.mark.parametrize(
    ("asked", "received"),
    [
        ("/app...", "/zz/..."),
        ("/app..x/y", "/zz/..x/y"),
        ("/app.x", "/zz/.x"),
        ("/app/x", "/zz//x"),
        ("/app", "/zz/"),
        ("/v1.2+b..x", "/zz/..x"),
        ("/bare/x..", "/zz/x.."),
        ("/rt...", "/..."),
        ("/rtx?a=/../b", "/x?a=/../b"),
        ("/at-oncex..", "/zz/x.."),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "fastcgi", "scgi", "uwsgi"])
def test_f2_other_dots_reach_the_server(
    without_slash: rendered.Running, scheme: str, asked: str, received: str
) -> None:
    said = _body(_raw(without_slash, asked, host=f"{scheme}.test"))
    if scheme == "http":
        assert said["path"] == received
    else:
        parameters = said["parameters"]
        assert isinstance(parameters, dict)
        assert parameters["REQUEST_URI"] == received


@pytest.mark.parametrize("spa", [False, True])
@pytest.mark.parametrize("path", ["/assets", "/assets/"])
def test_f2_dots_lead_out_of_no_folder(path: str, spa: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="daemun-test-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for place in ("public/index.html", "admin", "x.php", "publicadmin"):
            (folder / place).parent.mkdir(exist_ok=True)
            (folder / place).write_text(f"this is {place}")
        files = model.Files(folder=str(folder / "public"), options=catalogue.values(spa_option.OPTION.set(spa)))
        with rendered.running(site("files.test", route(path, files))) as running:
            assert b"this is public/index.html" in _raw(running, "/assets/", host="files.test")
            for rest in (*OUT, "admin", "/../admin", "/..%2fadmin", "/%2e%2e/%2e%2e/admin"):
                answer = _raw(running, f"/assets{rest}", host="files.test")
                assert answer.split(b" ")[1] in {b"400", b"404"} or b"this is public/index.html" in answer, (
                    rest,
                    answer,
                )
                assert not any(f"this is {place}".encode() in answer for place in ("admin", "x.php", "publicadmin"))


# --- F1 --------------------------------------------------------------------------------------------------------


def _header(answer: bytes, name: str) -> list[str]:
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return [line.split(": ", 1)[1] for line in lines if line.lower().startswith(f"{name.lower()}: ")]


@pytest.mark.parametrize(
    ("prefix", "said", "seen"),
    [
        ("/app/", "/app2/login", "/app/app2/login"),
        ("/app/", "/login?next=/x", "/app/login?next=/x"),
        ("/app/", "/", "/app/"),
        ("/app/", "/app/login", "/app/login"),
        ("/app/", "/app", "/app"),
        ("/app/", "/app?x=1", "/app?x=1"),
        ("/app/", "login", "login"),
        ("/app/", "../login", "../login"),
        ("/app/", "?x=1", "?x=1"),
        ("/app/", "//else.test/x", "//else.test/x"),
        ("/app/", "https://else.test/x", "https://else.test/x"),
        ("/app/", "https://web.test/x", "https://web.test/x"),
        ("/app/", "http://web.test:PORT/app", "/app"),
        ("/app/", "http://web.test:PORT/login", "/app/login"),
        ("/app/", "https://WEB.test:PORT/login", "/app/login"),
        ("/app/", "http://127.0.0.1:PORT/login", "/app/login"),
        ("/app/", "http://127.0.0.1:PORT/app/login", "/app/login"),
        ("/app/", "http://127.0.0.1:PORT", "/app/"),
        ("/app/", "http://127.0.0.1:PORT?x", "/app/?x"),
        ("/app/", "http://127.0.0.1:1/login", "http://127.0.0.1:1/login"),
        ("/app/", "http://127.0.0.1:PORT.else.test/", "http://127.0.0.1:PORT.else.test/"),
        ("/deep/", "/a/b/c", "/deep/c"),
        ("/deep/", "/a/b", "/deep/"),
        ("/deep/", "/a/bc", "/a/bc"),
        ("/deep/", "/deep/c", "/deep/c"),
        ("/deep/", "http://web.test:PORT/a/b/c", "/deep/c"),
        ("/bare", "/x/y", "/bare/y"),
        ("/other/", "/login", "/login"),
        ("/other/", "http://web.test:PORT/x", "/x"),
        ("/other/", "https://web.test:PORT/x", "/x"),
        ("/other/", "http://127.0.0.1:PORT/x", "/x"),
        ("/other/", "http://127.0.0.1:PORT", "/"),
        ("/other/", "http://127.0.0.1:PORT?x", "/?x"),
        ("/other/", "http://web.test:PORT", "/"),
        ("/other/", "http://127.0.0.1:PORT0/x", "http://127.0.0.1:PORT0/x"),
        ("/other/", "http://localhost:PORT/x", "/x"),
        ("/other/", "http://0.0.0.0:PORT", "/"),
        ("/other/", "http://[::1]:PORT/x?y", "/x?y"),
        ("/other/", "http://[::]:PORT/x", "/x"),
        ("/other/", "http://localhost/x", "http://localhost/x"),
        ("/other/", "http://localhost:1/x", "http://localhost:1/x"),
        ("/other/", "http://localhost:PORT.else.test/", "http://localhost:PORT.else.test/"),
        ("/other/", "//else.test/x", "//else.test/x"),
        ("/other/", "x", "x"),
        ("/app/", "http://localhost:PORT/login", "/app/login"),
        ("/app/", "http://0.0.0.0:PORT", "/app/"),
        ("/deep/", "http://localhost:PORT/a/b/c", "/deep/c"),
        ("/off/", "/login", "/login"),
        ("/off/", "http://127.0.0.1:PORT/x", "http://127.0.0.1:PORT/x"),
        ("/한글/", "/k/x", "/%ED%95%9C%EA%B8%80/x"),
    ],
)
def test_f1_redirects(gate: rendered.Running, prefix: str, said: str, seen: str) -> None:
    path = f"{urllib.parse.quote(prefix)}?Location={urllib.parse.quote(said, safe='')}"
    (there,) = _header(_raw(gate, path), "Location")
    port = said and _port(gate)
    assert there == seen.replace("PORT", str(port))


def _port(gate: rendered.Running) -> int:
    host = str(_body(_raw(gate, "/?x=1"))["path"])
    assert host == "/?x=1"
    (there,) = _header(_raw(gate, "/off/?Location=PORT"), "Location")
    return int(there)


@pytest.mark.parametrize(
    ("prefix", "said", "seen"),
    [
        ("/app/", "a=b; Path=/", "a=b; Path=/app/"),
        ("/app/", "a=b; path=/x; HttpOnly", "a=b; path=/app/x; HttpOnly"),
        ("/app/", "a=b; Path=/app/; Secure", "a=b; Path=/app/; Secure"),
        ("/app/", "a=b; Path=/app", "a=b; Path=/app"),
        ("/app/", "a=b", "a=b"),
        ("/deep/", "a=b; Path=/a/b/", "a=b; Path=/deep/"),
        ("/other/", "a=b; Path=/x", "a=b; Path=/x"),
        ("/off/", "a=b; Path=/x", "a=b; Path=/x"),
        ("/app/", "__Host-a=b; Path=/; Secure", "__Host-a=b; Path=/; Secure"),
        ("/app/", "__host-Http-a=b; Secure; Path=/", "__host-Http-a=b; Secure; Path=/"),
        ("/deep/", "__Host-a=b; Path=/; Secure", "__Host-a=b; Path=/; Secure"),
        ("/app/", "__Secure-a=b; Path=/; Secure", "__Secure-a=b; Path=/app/; Secure"),
        ("/app/", "a=__Host-b=c; Path=/", "a=__Host-b=c; Path=/app/"),
        ("/app/", "a__Host-=c; Path=/", "a__Host-=c; Path=/app/"),
    ],
)
def test_f1_cookies(gate: rendered.Running, prefix: str, said: str, seen: str) -> None:
    answer = _raw(gate, f"{prefix}?Set-Cookie={urllib.parse.quote(said, safe='')}")
    assert _header(answer, "Set-Cookie") == [seen]


@pytest.mark.parametrize(
    ("host", "prefix", "said", "seen"),
    [
        # The server's own name, or one above it.
        ("shop.example.test", "/", "app.internal.example.test", ""),
        ("shop.example.test", "/", ".App.Internal.Example.Test", ""),
        ("shop.example.test", "/", "app.internal.example.test:8080", ""),
        ("shop.example.test", "/", "internal.example.test", ""),
        ("shop.example.test", "/", "fd00::7", ""),
        ("shop.example.test", "/", "[fd00::7]", ""),
        ("shop.example.test", "/app/", "backend.local", ""),
        ("web.test", "/", "127.0.0.1", ""),
        ("web.test", "/", "127.0.0.1:PORT", ""),
        # What no visitor's host is.
        ("web.test", "/", "localhost", ""),
        ("web.test", "/app/", "localhost:3000", ""),
        ("web.test", "/", "backend", ""),
        ("web.test", "/", "0.0.0.0", ""),
        ("web.test", "/", "[::1]", ""),
        ("web.test", "/", "web.test:8443", ""),
        ("web.test", "/by-hand/", "localhost", ""),
        # What browsers take, and what is another's.
        ("web.test", "/", "web.test", "web.test"),
        ("web.test", "/", ".WEB.test", ".WEB.test"),
        ("shop.example.test", "/", "example.test", "example.test"),
        ("shop.example.test", "/", ".example.test", ".example.test"),
        ("shop.example.test", "/", "backend.local", "backend.local"),
        ("shop.example.test", "/", "hop.example.test", "hop.example.test"),
        ("shop.example.test", "/", "nternal.example.test", "nternal.example.test"),
        ("web.test", "/", "else.test", "else.test"),
        ("web.test", "/", "", ""),
        # Where it is the owner's.
        ("web.test", "/off/", "localhost", "localhost"),
        ("web.test", "/by-hand/", "else.test", "else.test"),
        ("theirs.test", "/", "localhost", "owner.theirs.test"),
        ("theirs.test", "/", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_f1_domains_of_cookies(gate: rendered.Running, host: str, prefix: str, said: str, seen: str) -> None:
    cookies = [f"a=b; Domain={said}; HttpOnly", "c=d"]
    path = f"{prefix}?" + "&".join(f"Set-Cookie={urllib.parse.quote(one, safe='')}" for one in cookies)
    assert _header(_raw(gate, path, host=host), "Set-Cookie") == [f"a=b; Domain={seen}; HttpOnly", "c=d"]


def test_f1_a_cookie_that_names_the_server_is_sent_back(gate: rendered.Running) -> None:
    """As curl does it, and browsers (RFC 6265 section 5.2.3): an empty `Domain` is none."""
    with tempfile.TemporaryDirectory() as folder:
        jar = str(pathlib.Path(folder) / "jar")
        said = urllib.parse.quote("a=b; Domain=127.0.0.1", safe="")
        base = ["curl", "-sk", "-m", "20", "-c", jar, "-b", jar, "--resolve", f"web.test:{gate.https}:127.0.0.1"]
        for path in (f"/?Set-Cookie={said}", "/"):
            done = subprocess.run([*base, f"https://web.test:{gate.https}{path}"], capture_output=True, check=True)
        assert json.loads(done.stdout)["headers"]["cookie"] == "a=b"


def test_f1_a_cookie_for_the_whole_host_among_others(gate: rendered.Running) -> None:
    """Browsers refuse `__Host-` with another path than /. nginx does not tell which cookie a path is of."""
    said = ("b=1; Path=/x", "__Host-a=b; Path=/; Secure", "c=1; Path=/x")
    answer = _raw(gate, "/app/?" + "&".join(f"Set-Cookie={urllib.parse.quote(one, safe='')}" for one in said))
    assert _header(answer, "Set-Cookie") == ["b=1; Path=/app/x", "__Host-a=b; Path=/; Secure", "c=1; Path=/app/x"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("/app/", "/app"), ("/bare", "/bare"), ("/한글/", "/%ED%95%9C%EA%B8%80"), ("/other/", None), ("/off/", None)],
)
def test_f1_the_server_is_told_the_prefix(gate: rendered.Running, prefix: str, expected: str | None) -> None:
    headers = _body(_raw(gate, urllib.parse.quote(prefix), more="X-Forwarded-Prefix: /evil\r\n"))["headers"]
    assert isinstance(headers, dict)
    assert headers.get("x-forwarded-prefix") == expected


@pytest.mark.parametrize(
    ("prefix", "said", "seen"),
    [
        ("/app/", "https://web.test/app/new%2F.txt", "http://web.test/new%2F.txt"),
        ("/app/", "http://web.test/app/new.txt", "http://web.test/new.txt"),
        ("/app/", "/app/new.txt", "http://web.test/new.txt"),
        ("/deep/", "https://web.test/deep/new.txt", "http://web.test/a/b/new.txt"),
        ("/deep/", "https://web.test/deep/../new.txt", None),
        ("/deep/", "https://web.test/deep/x%2f%2e%2e/../new.txt", None),
        ("/app/", "https://web.test/other/new.txt", None),
        ("/app/", "https://else.test/app/new.txt", "https://else.test/app/new.txt"),
        ("/off/", "https://web.test/off/new.txt", "https://web.test/off/new.txt"),
        ("/dav/", "https://web.test/dav/new%2F.txt", "http://web.test/dav/new%2F.txt"),
        ("/dav/", "https://WEB.test/dav/new.txt", "http://web.test/dav/new.txt"),
        ("/dav/", "http://web.test/dav/new.txt", "http://web.test/dav/new.txt"),
        ("/dav/", "https://web.test", "http://web.test"),
        ("/dav/", "https://web.test.else.test/x", "https://web.test.else.test/x"),
        ("/dav/", "https://else.test/dav/new.txt", "https://else.test/dav/new.txt"),
        ("/dav/", "/dav/new.txt", "/dav/new.txt"),
        ("/off-dav/", "https://web.test/off-dav/new.txt", "https://web.test/off-dav/new.txt"),
        ("/by-hand/", "https://web.test/by-hand/new.txt", "https://web.test/by-hand/new.txt"),
    ],
)
def test_f1_destination_of_webdav(gate: rendered.Running, prefix: str, said: str, seen: str | None) -> None:
    headers = _body(_raw(gate, f"{prefix}old.txt", method="MOVE", more=f"Destination: {said}\r\n"))["headers"]
    assert isinstance(headers, dict)
    assert headers.get("destination") == seen


def test_f1_a_prefix_of_the_server_for_the_whole_site(gate: rendered.Running) -> None:
    (there,) = _header(_raw(gate, "/?Location=/inner/x", host="whole.test"), "Location")
    assert there == "/x"
    assert _body(_raw(gate, "/a%2Fb", host="whole.test"))["path"] == "/inner/a%2Fb"


def test_f1_sites_that_share_their_blocks() -> None:
    with contextlib.ExitStack() as stack:
        server = _Server(("127.0.0.1", 0), _Handler)
        stack.enter_context(serving.in_thread(server))
        there = f"http://127.0.0.1:{server.server_address[1]}"
        running = stack.enter_context(rendered.running(*(site(f"{n}.test", there) for n in "abc"), own_blocks=1))
        for said in (
            "http://c.test:PORT/x",
            "https://c.test:PORT/x",
            "http://127.0.0.1:PORT/x",
            "http://localhost:PORT/x",
            "http://0.0.0.0:PORT/x",
        ):
            answer = _raw(running, f"/?Location={urllib.parse.quote(said, safe='')}", host="c.test")
            assert _header(answer, "Location") == ["/x"]
        for domain, seen in (("127.0.0.1", ""), ("localhost", ""), ("c.test", "c.test"), ("a.test", "a.test")):
            answer = _raw(running, f"/?Set-Cookie=a=b%3B+Domain={domain}", host="c.test")
            assert _header(answer, "Set-Cookie") == [f"a=b; Domain={seen}"]
        answer = _raw(running, "/old", host="c.test", method="MOVE", more="Destination: https://c.test/new%2F\r\n")
        headers = _body(answer)["headers"]
        assert isinstance(headers, dict)
        assert headers["destination"] == "http://c.test/new%2F"
