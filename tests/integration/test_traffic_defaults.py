"""E1, E2, E3, E5, E6, E7, E8 and N14: what people fall over where nginx's defaults are kept."""

import collections.abc
import contextlib
import itertools
import select
import socket
import socketserver
import threading
import time

import h2.events
import httpx
import pytest

from daemun.core import model, render_environment
from daemun.core.options import (
    catalogue,
    compress_option,
    proxy_headers_option,
    redirect_status_option,
    timeout_option,
    trusted_proxies_option,
    underscores_option,
    when_option,
)
from daemun.core.render import standard_headers
from daemun.sources import nginx_snippet
from tests.support import clients, echo, rendered, serving
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

TEXT = b"text " * 1000
ETAG = '"strong"'


class _Server(socketserver.ThreadingTCPServer):
    """Speaks HTTP as each test wants it. patience_s: how long it waits for a next request, or to send an answer."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer: collections.abc.Callable[["_Handler", str, str], None], patience_s: float = 60) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.patience_s = patience_s
        self.seen: list[dict[str, str]] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that ends."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.server.connections += 1
        self.connection.settimeout(self.server.patience_s)
        with contextlib.suppress(TimeoutError):
            while line := self.rfile.readline():
                method, path, _ = line.decode().split()
                found: dict[str, str] = {"": path}
                while (header := self.rfile.readline().strip()) != b"":
                    name, _, value = header.decode().partition(":")
                    found[name.lower()] = value.strip()
                self.rfile.read(int(found.get("content-length", "0")))
                self.server.seen.append(found)
                self.server.answer(self, method, path)

    def send(self, status: str, body: bytes = b"", **given: str) -> None:
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items()]
        head = "\r\n".join([f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""])
        self.wfile.write(head.encode() + body)


@contextlib.contextmanager
def _serving(server: _Server, *sites: model.Site, **changes: object) -> collections.abc.Iterator[rendered.Running]:
    with serving.in_thread(server), rendered.running(*sites, **changes) as nginx:  # type: ignore[arg-type]
        yield nginx


# --- E1 --------------------------------------------------------------------------------------------------------


def test_e1_a_long_download_to_a_slow_client_is_complete() -> None:
    """nginx would keep a gigabyte, and then read nothing for as long as the client is busy with that: servers give up.

    It goes at the client's pace from the first byte: the server cannot send far more than the client has read.
    """
    size, piece = 256 << 20, bytes(1 << 16)
    sent, is_held = [0], threading.Event()

    def answer(handler: _Handler, method: str, path: str) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent[0] < size:
            if not select.select([], [handler.connection], [], 2)[1]:
                is_held.set()
                continue
            sent[0] += handler.connection.send(piece[: size - sent[0]])
        is_held.set()

    server = _Server(answer)
    with _serving(server, site("a.test", server.url, http=model.HttpMode.SERVE)) as nginx:
        with socket.create_connection(("127.0.0.1", nginx.http), timeout=60) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
            client.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            assert is_held.wait(60)
            assert sent[0] < size // 4
            got = 0
            while part := client.recv(1 << 18):
                got += len(part)
        assert got > size


# --- E2 --------------------------------------------------------------------------------------------------------


def test_e2_no_post_meets_a_connection_that_its_server_ends() -> None:
    """gunicorn keeps idle connections for 2 s. The gate lets go of them before."""
    server = _Server(lambda handler, method, path: handler.send("200 OK", b"ok"), patience_s=2)
    with _serving(server, site("a.test", server.url)) as nginx, clients.client(nginx.clients) as client:
        for pause_s in (0, 1.95, 2.0):
            time.sleep(pause_s)
            assert client.post("https://a.test/", content=b"x").status_code == 200


def test_e2_how_long_connections_are_kept_can_be_said() -> None:
    server = _Server(lambda handler, method, path: handler.send("200 OK", b"ok"))
    kept = proxy(
        server.url, options=catalogue.values(timeout_option.OPTION.set(timeout_option.Timeouts(keepalive_s=30)))
    )
    with _serving(server, site("a.test", route("/", kept))) as nginx, clients.client(nginx.clients) as client:
        for _ in range(2):
            client.get("https://a.test/")
            time.sleep(1.5)
        client.get("https://a.test/")
    assert (len(server.seen), server.connections) == (3, 1)


# --- E3 --------------------------------------------------------------------------------------------------------


def _compressible(handler: _Handler, method: str, path: str) -> None:
    if "part" in path:
        handler.send(
            "206 Partial Content", TEXT, ETag=ETAG, Content_Type="text/plain", Content_Range="bytes 0-4999/9999"
        )
    else:
        handler.send("200 OK", TEXT, ETag=ETAG, Content_Type="application/x-own" if "own" in path else "text/plain")


@pytest.fixture(scope="module")
def compressing() -> collections.abc.Iterator[rendered.Running]:
    server = _Server(_compressible)
    own, off = compress_option.Compress(types=("application/x-own",)), compress_option.Compress(is_on=False)
    with _serving(
        server,
        site(
            "a.test",
            server.url,
            route("/off/", server.url, options=catalogue.values(compress_option.OPTION.set(off))),
            route("/types/", server.url, options=catalogue.values(compress_option.OPTION.set(own))),
        ),
        site(
            "off.test",
            server.url,
            route("/on/", server.url, options=catalogue.values(compress_option.OPTION.set(compress_option.Compress()))),
            options=catalogue.values(compress_option.OPTION.set(off)),
        ),
    ) as nginx:
        yield nginx


@pytest.mark.parametrize(
    ("method", "url", "sent", "is_compressed"),
    [
        ("GET", "https://a.test/", {}, True),
        ("HEAD", "https://a.test/own", {}, False),
        ("POST", "https://a.test/", {}, False),
        ("PUT", "https://a.test/", {}, False),
        ("PROPFIND", "https://a.test/", {}, False),
        ("REPORT", "https://a.test/", {"Depth": "1"}, False),
        ("GET", "https://a.test/", {"Range": "bytes=0-4999"}, False),
        ("GET", "https://a.test/part", {}, False),
        ("GET", "https://a.test/", {"Translate": "f"}, False),
        ("GET", "https://a.test/", {"User-Agent": "davfs2/1.6.1 neon/0.32"}, False),
        ("GET", "https://a.test/", {"User-Agent": "Mozilla/5.0 (Linux) mirall/3.13"}, False),
        ("GET", "https://a.test/", {"User-Agent": "Microsoft-WebDAV-MiniRedir/10.0"}, False),
        ("GET", "https://a.test/off/x", {}, False),
        ("PUT", "https://a.test/off/x", {}, False),
        ("GET", "https://off.test/off", {}, False),
        ("PUT", "https://off.test/off", {}, False),
        ("GET", "https://a.test/types/own", {}, True),
        ("GET", "https://a.test/types/x", {}, False),
        ("GET", "https://a.test/own", {}, False),
        ("GET", "https://off.test/", {}, False),
        ("GET", "https://off.test/on/", {}, True),
    ],
)
@pytest.mark.parametrize("is_http2", [False, True])
def test_e3_what_is_compressed(
    compressing: rendered.Running, method: str, url: str, sent: dict[str, str], is_compressed: bool, is_http2: bool
) -> None:
    with clients.client(compressing.clients, http2=is_http2) as client:
        content = b"x" if method in {"POST", "PUT"} else b""
        answer = client.request(method, url, headers={"Accept-Encoding": "gzip", **sent}, content=content)
    assert answer.headers.get("Content-Encoding") == ("gzip" if is_compressed else None)
    assert answer.headers["ETag"] == (f"W/{ETAG}" if is_compressed else ETAG)


@pytest.mark.parametrize(
    ("program", "is_compressed"),
    [
        ("Evolution/3.46.4", False),
        ("iOS/17.1 (21B74) dataaccessd/1.0", False),
        ("macOS/13.4 (22F66) CalendarAgent/980", False),
        ("macOS/13.4 AddressBookCore/2514", False),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.3", False),
        ("Mozilla/5.0 (X11; Linux x86_64) KIO/5.103.0 kioworker/5.103.0", False),
        ("vdirsyncer/0.19", False),
        ("khal/0.11", False),
        ("WinSCP/6.1 neon/0.32.5", False),
        ("Mountain Duck/4.14", False),
        ("Joplin/1.0", False),
        ("OmniFocus/4.0", False),
        ("eM Client/9", False),
        ("Zotero/7", False),
        ("LibreOffice 7.5 curl/7.88", False),
        ("DAVx5/4.3", False),
        ("python-caldav/1.3", False),
        ("Tasks/13 (ical4android; okhttp)", False),
        ("okhttp/4.9", True),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", True),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.1 Safari/605.1.15", True),
    ],
)
def test_e3_programs_that_edit_get_strong_tags(
    compressing: rendered.Running, program: str, is_compressed: bool
) -> None:
    answer = clients.get(compressing.clients, "https://a.test/", Accept_Encoding="gzip", User_Agent=program)
    assert answer.headers["ETag"] == (f"W/{ETAG}" if is_compressed else ETAG)


def test_e3_compression_can_be_off_for_the_whole_gate() -> None:
    server = _Server(_compressible)
    settings = model.Globals(
        options=catalogue.values(compress_option.OPTION.set(compress_option.Compress(is_on=False)))
    )
    on = site("on.test", server.url, options=catalogue.values(compress_option.OPTION.set(compress_option.Compress())))
    with _serving(server, site("a.test", server.url), on, settings=settings) as nginx:
        for host, expected in (("a.test", None), ("on.test", "gzip")):
            answer = clients.get(nginx.clients, f"https://{host}/", Accept_Encoding="gzip")
            assert answer.headers.get("Content-Encoding") == expected


# --- E5 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "http://a.test/x?y=1", 301),
        ("HEAD", "http://a.test/x?y=1", 301),
        ("POST", "http://a.test/x?y=1", 308),
        ("PUT", "http://a.test/x?y=1", 308),
        ("DELETE", "http://a.test/x?y=1", 308),
        ("GETTER", "http://a.test/x?y=1", 308),
        ("PROPFIND", "http://a.test/x?y=1", 308),
        ("POST", "http://www.a.test/x?y=1", 308),
        ("POST", "http://old.test/x?y=1", 301),
        ("POST", "http://temporary.test/x?y=1", 307),
    ],
)
def test_e5_what_is_no_get_stays_what_it_is(redirecting: rendered.Running, method: str, url: str, status: int) -> None:
    with clients.client(redirecting.clients) as client:
        answer = client.request(method, url, content=b"pay" if method == "POST" else b"")
    assert answer.status_code == status
    assert answer.headers["Location"].endswith("/x?y=1")


@pytest.fixture(scope="module")
def redirecting() -> collections.abc.Iterator[rendered.Running]:
    there = "http://127.0.0.1:9"
    with rendered.running(
        site("a.test", there, aliases=("www.a.test",), redirect_aliases=True),
        site("old.test", there, options=catalogue.values(redirect_status_option.OPTION.set(301))),
        site("temporary.test", there, options=catalogue.values(redirect_status_option.OPTION.set(307))),
    ) as nginx:
        yield nginx


# --- E6, N14 ---------------------------------------------------------------------------------------------------


def _raw(nginx: rendered.Running, host: str, *lines: str) -> None:
    with socket.create_connection(("127.0.0.1", nginx.http), timeout=30) as connection:
        text = "\r\n".join(["GET / HTTP/1.1", f"Host: {host}", "Connection: close", *lines, "", ""])
        connection.sendall(text.encode())
        assert connection.makefile("rb").readline().split()[1] == b"200"


def test_e6_headers_with_underscores_pass_where_they_may_and_alias_nothing() -> None:
    server = _Server(lambda handler, method, path: handler.send("200 OK"))
    with _serving(
        server,
        site("a.test", server.url, http=model.HttpMode.SERVE),
        site(
            "b.test",
            server.url,
            http=model.HttpMode.SERVE,
            options=catalogue.values(underscores_option.OPTION.set(True)),
        ),
    ) as nginx:
        aliases = [
            first + "".join(joint + part for joint, part in zip(joints, parts, strict=True))
            for name in ("X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "Remote-User", "X-Auth-Request-User")
            for first, *parts in [name.split("-")]
            for joints in itertools.product("-_", repeat=len(parts))
        ]
        claims = [f"{alias}: 6.6.6.6" for alias in aliases]
        _raw(nginx, "a.test", "api_key: 1", *claims)
        _raw(nginx, "b.test", "api_key: 1", *claims)
    without, with_ = server.seen
    assert "api_key" not in without
    assert with_["api_key"] == "1"
    for seen in server.seen:
        assert "6.6.6.6" not in seen.values()
    assert not [name for name in with_ if "_" in name and name != "api_key"]


CLAIMS = (
    "Remote-User",
    "X-Forwarded-User",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Path",
    "X-Original-URI",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-authentik-username",
    "X-WebAuth-User",
    "X-Remote-Group",
    "X-Userinfo",
    "X-Vouch-User",
    "X-Consumer-Username",
    "X-Authenticated-User",
    "X-Authenticated-Userid",
    "X-MS-Client-Principal",
    "X-MS-Client-Principal-Name",
    "X-MS-Client-Principal-ID",
    "X-Amzn-Oidc-Identity",
    "X-Amzn-Oidc-Data",
    "X-Amzn-Oidc-Accesstoken",
    "SSL-Client-Verify",
    "Ssl-Client-S-Dn",
    *("Client-Cert", "Client-Cert-Chain", "Ssl-Client-Subject-Dn", "Ssl-Client-Issuer-Dn", "SSL-Client-DN"),
    *("X-Amzn-Mtls-Clientcert", "X-Amzn-Mtls-Clientcert-Leaf", "X-Amzn-Mtls-Clientcert-Subject", "X-ARR-ClientCert"),
    *("X-Client-Verify", "X-Client-DN", "X-SSL-Client-DN", "X-SSL-Cert"),
    "X-Scheme",
    "X-Script-Name",
    "X-Ingress-Path",
    "X-Forwarded-Context",
    "X-Url-Scheme",
    "Front-End-Https",
    "X-Host",
    "X-Original-Host",
    "X-HTTP-Host-Override",
    "X-Envoy-External-Address",
    "X-Azure-ClientIP",
    "X-Appengine-User-Ip",
    "X-ProxyUser-Ip",
)


def _claim(nginx: rendered.Running, host: str = "a.test", *, http2: bool = False) -> None:
    claims = {name.upper() if number % 2 else name: "me" for number, name in enumerate(CLAIMS)}
    with clients.client(nginx.clients, http2=http2) as client:
        assert client.get(f"https://{host}/", headers={**claims, "X-Mine": "me"}).status_code == 200


@pytest.mark.parametrize("http2", [False, True])
def test_n14_what_applications_believe_of_proxies_no_visitor_can_say(http2: bool) -> None:
    server = _Server(lambda handler, method, path: handler.send("200 OK"))
    own = route("/", server.url, request_headers=(("X-Other", "1"),))
    with _serving(server, site("a.test", server.url), site("own.test", own)) as nginx:
        for host in ("a.test", "own.test"):
            _claim(nginx, host, http2=http2)
    for seen in server.seen:
        assert [name for name, value in seen.items() if value == "me"] == ["x-mine"]


def test_n14_a_trusted_proxy_may_say_it_and_the_list_is_the_owner_s() -> None:
    server = _Server(lambda handler, method, path: handler.send("200 OK"))
    trusting = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.0/8",))))
    with _serving(server, site("a.test", server.url), settings=trusting) as nginx:
        _claim(nginx)
    assert {name for name, value in server.seen[-1].items() if value == "me"} == {
        "x-mine",
        *(name.lower() for name in CLAIMS),
    }
    for names, passing in (
        (("X-Mine",), {name.lower() for name in CLAIMS}),
        ((proxy_headers_option.DEFAULT, "X-Mine"), set[str]()),
    ):
        server = _Server(lambda handler, method, path: handler.send("200 OK"))
        with _serving(
            server,
            site("a.test", server.url),
            settings=model.Globals(options=catalogue.values(proxy_headers_option.OPTION.set(names))),
        ) as nginx:
            _claim(nginx)
        assert {name for name, value in server.seen[-1].items() if value == "me"} == passing


def test_n14_the_usual_list_can_be_written_by_an_owner() -> None:
    names = standard_headers.from_proxies(model.Globals())
    assert {name.lower() for name in CLAIMS} <= {name.lower() for name in names}
    assert (
        standard_headers.from_proxies(model.Globals(options=catalogue.values(proxy_headers_option.OPTION.set(names))))
        == names
    )


# --- E7 --------------------------------------------------------------------------------------------------------


def test_e7_early_hints_pass_over_http_2() -> None:
    if render_environment.Feature.EARLY_HINTS not in rendered.nginx().features:
        pytest.skip("this nginx lacks early_hints")

    def answer(handler: _Handler, method: str, path: str) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        handler.send("200 OK", b"page")

    server = _Server(answer)
    with _serving(server, site("a.test", server.url)) as nginx:
        assert clients.get(nginx.clients, "https://a.test/").text == "page"
        found = clients.http2_events(nginx.clients, "a.test", "/")
    (hints,) = [event for event in found if isinstance(event, h2.events.InformationalResponseReceived)]
    assert dict(hints.headers or ())[b"link"] == b"</a.css>; rel=preload"


def _trailers(found: list[h2.events.Event]) -> dict[bytes, bytes]:
    (event,) = [event for event in found if isinstance(event, h2.events.TrailersReceived)]
    return {bytes(name): bytes(value) for name, value in event.headers or ()}


@pytest.mark.parametrize("accept_encoding", ["", "gzip"])
def test_d3_trailers_pass(accept_encoding: str) -> None:
    """What stands behind a body reaches clients of both versions."""
    if render_environment.Feature.TRAILERS not in rendered.nginx().features:
        pytest.skip("this nginx lacks proxy_pass_trailers")

    def answer(handler: _Handler, method: str, path: str) -> None:
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
            b"3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"
        )

    server = _Server(answer)
    with _serving(server, site("a.test", server.url, http=model.HttpMode.SERVE)) as nginx:
        found = clients.http2_events(nginx.clients, "a.test", "/", ("accept-encoding", accept_encoding))
        assert _trailers(found)[b"x-sum"] == b"9"
        with socket.create_connection(("127.0.0.1", nginx.http), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            received = b""
            while part := connection.recv(65_536):
                received += part
        assert received.lower().endswith(b"0\r\nx-sum: 9\r\n\r\n")


# --- E8 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("http2", [False, True])
def test_e8_a_prefix_without_its_slash_leads_to_it(http2: bool) -> None:
    with (
        echo.echo_server() as server,
        rendered.running(
            site("a.test", route("/static/", f"http://127.0.0.1:{server.port}"), http=model.HttpMode.SERVE)
        ) as nginx,
    ):
        for url in ("https://a.test/static?x=1", "https://a.test:9443/static?x=1", "http://a.test:81/static?x=1"):
            with clients.client(nginx.clients, http2=http2 and url.startswith("https")) as client:
                answer = client.get(url)
            assert (answer.status_code, answer.headers["Location"]) == (301, "/static/?x=1")
            assert str(httpx.URL(url).join(answer.headers["Location"])) == url.replace("/static?", "/static/?")


@pytest.mark.parametrize(
    ("method", "path", "status", "there"),
    [
        ("GET", "/sub", 301, "/sub/"),
        ("HEAD", "/sub?x=1", 301, "/sub/?x=1"),
        ("POST", "/sub?x=1", 308, "/sub/?x=1"),
        ("PROPFIND", "/sub", 308, "/sub/"),
        ("POST", "/%ED%95%9C%EA%B8%80", 308, "/%ED%95%9C%EA%B8%80/"),
        ("POST", "/both", 200, None),
        ("POST", "/by-hand", 405, None),
        ("POST", "/other", 200, None),
        ("GET", "/files?x=1", 301, "/files/?x=1"),
        ("POST", "/files?x=1", 308, "/files/?x=1"),
        ("HEAD", "/forum", 301, "/forum/"),
        ("POST", "/forum", 308, "/forum/"),
        ("POST", "/%EA%B2%8C%EC%8B%9C%ED%8C%90$x", 308, "/%EA%B2%8C%EC%8B%9C%ED%8C%90%24x/"),
        ("GET", "/written-files", 405, None),
        ("GET", "/written-forum", 405, None),
        ("POST", "/list", 308, "/list/"),
    ],
)
def test_e5_a_prefix_without_its_slash_keeps_the_method(
    sloping: rendered.Running, method: str, path: str, status: int, there: str | None
) -> None:
    answer = sloping.ask(method, f"https://a.test{path}")
    assert (answer.status_code, answer.headers.get("Location")) == (status, there)


def test_e5_the_slash_leads_as_the_owner_chose(sloping: rendered.Running) -> None:
    for host, status in (("moved", 301), ("kept", 307)):
        for path in ("/sub", "/files", "/forum", "/list"):
            answer = sloping.ask("POST", f"https://{host}.test{path}")
            assert (answer.status_code, answer.headers["Location"]) == (status, f"{path}/")


@pytest.fixture(scope="module")
def sloping() -> collections.abc.Iterator[rendered.Running]:
    server = _Server(lambda handler, method, path: handler.send("200 OK"))
    routes = [route(path, server.url) for path in ("/", "/sub/", "/한글/", "/both", "/both/", "/by-hand/")]
    files = model.Files(folder="/srv")
    fpm = model.Target(scheme=model.Scheme.FASTCGI, host="127.0.0.1", port=1)
    forum = model.Proxy(targets=(fpm,), php=model.Php(folder="/srv"))
    posted = catalogue.values(when_option.OPTION.set(when_option.When(method=("POST",))))
    listed = (route("/list/", server.url, options=posted, entry=0), route("/list/", files, entry=1))
    others = (route("/files/", files), route("/forum/", forum), *listed)
    routes += [*others, route("/게시판$x/", forum), route("/written-files/", files), route("/written-forum/", forum)]
    written = nginx_snippet.parse_snippet(
        "location = /by-hand { return 405; } location /written-files { return 405; } "
        "location ^~ /written-forum { return 405; }"
    )
    chosen = {
        host: catalogue.values(redirect_status_option.OPTION.set(status))
        for host, status in (("moved.test", 301), ("kept.test", 307))
    }
    with _serving(
        server,
        site("a.test", *routes, snippet=written),
        *(site(host, route("/sub/", server.url), *others, options=options) for host, options in chosen.items()),
    ) as nginx:
        yield nginx
