"""What clients of a rendered gate see: names, paths, redirects, the default, the challenge."""

import collections.abc
import json
import pathlib
import socket
import ssl

import pytest

from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.certificates import certificate_choice
from daemun.core.options import catalogue, hsts_option, status_option
from tests.support import clients, echo, rendered, until
from tests.support.sites import proxy, route, site, upstream_tls

pytestmark = pytest.mark.nginx

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
CHALLENGE = "/.well-known/acme-challenge/"


# --- paths ---


@pytest.fixture(scope="module")
def paths(one: echo.EchoServer, two: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    routes = (
        route("/", one.url),
        route("/replace/", f"{two.url}/new/"),
        route("/keep/", two.url),
        route("/root/", f"{two.url}/"),
        route("/bare", f"{two.url}/x"),
        route("/a.b+(c)/", f"{two.url}/dots/"),
        route("/keep/deep/", f"{one.url}/deeper/"),
        route("/한글/", f"{two.url}/k/"),
        route("/enc/", f"{two.url}/a%20b%25/"),
    )
    with rendered.running(site("paths.test", *routes)) as nginx:
        yield nginx


@pytest.mark.parametrize(
    ("asked", "server", "received"),
    [
        ("/", "one", "/"),
        ("/a%2Fb//c?x=%20", "one", "/a%2Fb//c?x=%20"),
        ("/replace/", "two", "/new/"),
        ("/replace/a%2Fb?q=1", "two", "/new/a%2Fb?q=1"),
        ("/replace/a%20b%3Fc%23", "two", "/new/a%20b%3Fc%23"),
        ("/replace/%0a", "two", "/new/%0a"),
        ("/keep/a%2Fb?q=1", "two", "/keep/a%2Fb?q=1"),
        ("/root/x/y", "two", "/x/y"),
        ("/bare", "two", "/x"),
        ("/bareback", "two", "/xback"),
        ("/a.b+(c)/x", "two", "/dots/x"),
        ("/aXb+(c)/x", "one", "/aXb+(c)/x"),
        ("/keep/deep/er", "one", "/deeper/er"),
        ("/%ED%95%9C%EA%B8%80/x", "two", "/k/x"),
        ("/enc/x", "two", "/a%20b%25/x"),
        ("/keep/../replace/x", "two", "/new/x"),
    ],
)
@pytest.mark.parametrize("kind", ["an ordinary request", "an event stream"])
def test_paths(paths: rendered.Running, asked: str, server: str, received: str, kind: str) -> None:
    """A stream takes another location, and must reach the same place."""
    accept = "text/event-stream" if kind == "an event stream" else "*/*"
    answer = paths.raw(
        f"GET {asked} HTTP/1.1\nHost: paths.test\nAccept: {accept}\nConnection: close\n\n", name="paths.test", tls=True
    )
    body = answer.partition(b"\r\n\r\n")[2]
    said = echo.Said.parse(body[body.index(b"{") : body.rindex(b"}") + 1])
    assert (said.server, said.path) == (server, received)


def test_a_path_without_its_slash_is_redirected(paths: rendered.Running) -> None:
    answer = paths.get("https://paths.test/keep?x=1")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/keep/?x=1"


def test_paths_without_a_route(one: echo.EchoServer) -> None:
    with rendered.running(site("none.test", route("/only/", one.url))) as nginx:
        assert nginx.get("https://none.test/only/x").status_code == 200
        assert nginx.get("https://none.test/").status_code == 404
        assert nginx.get("https://none.test/index.html").status_code == 404


def test_a_redirect_of_the_server_to_its_own_address_leads_back_here(paths: rendered.Running) -> None:
    assert paths.get("https://paths.test/redirect").headers["Location"] == "/x"
    assert paths.get("https://paths.test/replace/redirect").headers["Location"] == "/replace/x"
    stream = paths.get("https://paths.test/replace/redirect", Accept="text/event-stream")
    assert stream.headers["Location"] == "/replace/x"


# --- names ---


def test_plain_http(one: echo.EchoServer) -> None:
    sites = (
        site("usual.test", one.url),
        site("plain.test", one.url, http=model.HttpMode.SERVE),
        site("open.test", one.url, tls=model.Tls(mode=model.TlsMode.OFF)),
        site("shut.test", one.url, http=model.HttpMode.OFF),
    )
    with rendered.running(*sites) as nginx:
        redirect = nginx.get("http://usual.test/x?y=1")
        assert redirect.status_code == 301
        assert redirect.headers["Location"] == f"https://usual.test:{nginx.https}/x?y=1"
        assert nginx.said("http://plain.test/").server == "one"
        assert nginx.said("https://plain.test/").server == "one"
        assert nginx.said("http://open.test/").server == "one"
        assert clients.handshake(nginx.clients, "open.test").alert == "TLSV1_UNRECOGNIZED_NAME"
        assert nginx.get("http://shut.test/").status_code == 404
        assert nginx.said("https://shut.test/").server == "one"


def test_aliases(one: echo.EchoServer) -> None:
    sites = (
        site("names.test", one.url, aliases=("also.test",)),
        site("lead.test", one.url, aliases=("www.lead.test",), redirect_aliases=True),
    )
    with rendered.running(*sites) as nginx:
        assert nginx.said("https://also.test/").headers["host"] == "also.test"
        answer = nginx.get(f"https://www.lead.test:{nginx.https}/a%20b?c", Host=f"www.lead.test:{nginx.https}")
        assert answer.status_code == 301
        assert answer.headers["Location"] == f"https://lead.test:{nginx.https}/a%20b?c"
        assert nginx.get("http://www.lead.test/x").headers["Location"] == f"https://lead.test:{nginx.https}/x"


def test_wildcards(one: echo.EchoServer, two: echo.EchoServer) -> None:
    with rendered.running(site("*.wild.test", two.url), site("exact.wild.test", one.url)) as nginx:
        assert nginx.said("https://any.wild.test/").server == "two"
        assert nginx.said("https://exact.wild.test/").server == "one"


def test_unknown_names(one: echo.EchoServer) -> None:
    with rendered.running(site("names.test", one.url)) as nginx:
        assert nginx.get("http://unknown.test/").status_code == 404
        assert nginx.raw("GET / HTTP/1.0\n\n").startswith(b"HTTP/1.1 404")
        assert clients.handshake(nginx.clients, "unknown.test").alert == "TLSV1_UNRECOGNIZED_NAME"


def test_an_address_needs_no_name_in_the_handshake(one: echo.EchoServer, two: echo.EchoServer) -> None:
    with rendered.running(site("127.0.0.1", two.url), site("names.test", one.url)) as nginx:
        assert clients.handshake(nginx.clients, None).names == {"127.0.0.1"}
        assert nginx.said("https://127.0.0.1/").server == "two"
        request = "GET / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n"
        assert b'"two"' in nginx.raw(request, tls=True)


@pytest.fixture(scope="module")
def several_names(one: echo.EchoServer, two: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    sites = (
        site("paths.test", one.url),
        site("names.test", one.url, aliases=("also.test",)),
        site("*.wild.test", two.url),
        site("exact.wild.test", one.url),
        site("127.0.0.1", two.url),
    )
    with rendered.running(*sites) as nginx:
        yield nginx


@pytest.mark.parametrize(
    ("sni", "host", "status"),
    [
        ("paths.test", "paths.test", 200),
        ("also.test", "names.test", 200),
        ("a.wild.test", "b.wild.test", 200),
        ("paths.test", "names.test", 421),
        ("names.test", "paths.test", 421),
        ("exact.wild.test", "paths.test", 421),
        (None, "paths.test", 421),
        (None, "127.0.0.1", 200),
        ("paths.test", "127.0.0.1", 421),
        ("paths.test", "unknown.test", 404),
        (None, "unknown.test", 404),
        ("paths.test", None, 404),
        (None, None, 404),
    ],
)
def test_host_and_handshake_must_agree(
    several_names: rendered.Running, sni: str | None, host: str | None, status: int
) -> None:
    request = f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n\n" if host else "GET / HTTP/1.0\n\n"
    answer = several_names.raw(request, name=sni, tls=True)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer


def _long_names(count: int) -> tuple[str, ...]:
    return tuple(f"a-rather-long-name-of-{number}.of-a-customer-with-many-names.example.com" for number in range(count))


@pytest.mark.parametrize(
    "others",
    [
        _long_names(95),
        _long_names(700),
        _long_names(5000),
        ("*.wild.many.test", "127.0.0.1", "hostnames", "volatile", *_long_names(100)),
    ],
    ids=["95", "700", "5000", "kinds"],
)
def test_a_site_of_many_names_is_served_and_keeps_its_handshakes_apart(
    one: echo.EchoServer, two: echo.EchoServer, others: tuple[str, ...]
) -> None:
    def certify(layout: layout_.Layout, desired: model.Desired) -> bytes:
        # One certificate for thousands of names would be larger than clients take.
        for whole in desired.enabled:
            certificate, key = rendered.self_signed(whole.host.replace("*.", ""))
            for name in {certificate_choice.name_of(whole), *certificate_choice.folders(whole).values()}:
                folder = pathlib.Path(layout.live, name)
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "fullchain.pem").write_bytes(certificate)
                (folder / "privkey.pem").write_bytes(key)
                (folder / "privkey.pem").chmod(0o644)
        pathlib.Path(layout.live).chmod(0o755)
        return certificate

    sites = (site("many.test", one.url, aliases=others), site("names.test", two.url))
    with rendered.running(*sites, certify=certify) as nginx:

        def status(sni: str | None, host: str) -> int:
            request = f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n\n"
            return int(nginx.raw(request, name=sni, tls=True).split()[1])

        shown = {"*.wild.many.test": "x.wild.many.test"}
        mine = [shown.get(name, name) for name in (others[0], others[-1], *others[:5])]
        for name in mine:
            sni = None if name == "127.0.0.1" else name
            assert status(sni, name) == 200, name
            assert status(sni, "many.test") == 200, name
            assert status(sni, "names.test") == 421, name
            assert status("names.test", name) == 421, name
            assert status("many.test", name.upper()) == 200, name
        if "127.0.0.1" in others:
            assert (status(None, "many.test"), status(None, "names.test")) == (200, 421)
        assert status("many.test", "unknown.test") == 404
        assert status("names.test", "names.test") == 200


def test_http2(one: echo.EchoServer) -> None:
    with rendered.running(site("names.test", one.url)) as nginx:
        answer = nginx.get("https://names.test/x", http2=True)
    assert answer.http_version == "HTTP/2"
    assert echo.Said.parse(answer.content).headers["host"] == "names.test"


# --- the default ---


def test_a_default_site(one: echo.EchoServer, two: echo.EchoServer) -> None:
    default = model.Default(kind=model.DefaultKind.SITE, host="names.test")
    sites = (site("names.test", one.url, aliases=("also.test",)), site("127.0.0.1", two.url))
    with rendered.running(*sites, settings=model.Globals(default=default)) as nginx:
        assert clients.handshake(nginx.clients, "unknown.test").names == {"names.test", "also.test"}
        request = "GET / HTTP/1.1\nHost: unknown.test\nConnection: close\n\n"
        assert b'"unknown.test"' in nginx.raw(request, name="unknown.test", tls=True)
        assert nginx.get("http://unknown.test/x").headers["Location"] == f"https://unknown.test:{nginx.https}/x"
        assert b'"two"' in nginx.raw("GET / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n", tls=True)
        assert nginx.raw("GET / HTTP/1.0\n\n", tls=True).startswith(b"HTTP/1.1 404")
    only = site("names.test", one.url, http=model.HttpMode.SERVE)
    with rendered.running(only, settings=model.Globals(default=default)) as nginx:
        assert clients.handshake(nginx.clients, None).names == {"names.test"}
        assert nginx.said("http://unknown.test/").headers["host"] == "unknown.test"


def test_a_default_redirect(one: echo.EchoServer) -> None:
    redirect = model.Redirect(
        to="https://paths.test/?from=$host", options=catalogue.values(status_option.OPTION.set(302))
    )
    default = model.Default(kind=model.DefaultKind.REDIRECT, redirect=redirect)
    with rendered.running(site("paths.test", one.url), settings=model.Globals(default=default)) as nginx:
        answer = nginx.get("http://unknown.test/x")
        assert (answer.status_code, answer.headers["Location"]) == (302, "https://paths.test/?from=unknown.test")
        assert clients.handshake(nginx.clients, "unknown.test").alert == "TLSV1_UNRECOGNIZED_NAME"
        assert clients.handshake(nginx.clients, None).alert == "TLSV1_UNRECOGNIZED_NAME"


# --- redirects, HSTS ---


def test_redirect_routes(one: echo.EchoServer) -> None:
    go = site(
        "go.test",
        route("/to", model.Redirect(to="https://else.test$request_uri"), status=308),
        route("/path", model.Redirect(to="https://else.test$uri$-price"), status=302),
        one.url,
    )
    with rendered.running(go) as nginx:
        answer = nginx.get("https://go.test/to/x?y=1")
        assert (answer.status_code, answer.headers["Location"]) == (308, "https://else.test/to/x?y=1")
        assert nginx.get("https://go.test/path").headers["Location"] == "https://else.test/path$-price"
        assert nginx.said("https://go.test/other").server == "one"


def test_a_line_break_in_the_path_ends_no_header() -> None:
    go = site("go.test", route("/path", model.Redirect(to="https://else.test$uri$-price"), status=302))
    with rendered.running(go) as nginx:
        answer = nginx.get("https://go.test/path%0d%0aSet-Cookie:%20evil=1")
    assert answer.headers["Location"] == "https://else.test/path%0d%0aSet-Cookie:%20evil=1$-price"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/q/a%20b?x=%2F", "https://b.test/base/q/a%20b"),
        ("/q/a%3Fb", "https://b.test/base/q/a%3Fb"),
        ("/q/a%23b", "https://b.test/base/q/a%23b"),
        ("/q/100%25", "https://b.test/base/q/100%25"),
        ("/q/caf%C3%A9", "https://b.test/base/q/caf%C3%A9"),
        ("/q/a%2Fb//c", "https://b.test/base/q/a%2Fb//c"),
        ("/q/%0d%0aX:y", "https://b.test/base/q/%0d%0aX:y"),
        ("/q/a/../../q/b", "https://b.test/base/q/b"),
        ("/q/%2e%2E/q/b", "https://b.test/base/q/b"),
        ("/q/..a/b..", "https://b.test/base/q/..a/b.."),
        ("//q/b", "https://b.test/base/q/b"),
        ("/here/x", "/here/x/"),
        ("//else.test/here/../../here/x", "/here/x/"),
    ],
)
def test_g2_the_path_in_a_redirect_is_what_the_visitor_sent(
    redirecting: rendered.Running, path: str, there: str
) -> None:
    with socket.create_connection(("127.0.0.1", redirecting.http), timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: go.test\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    (found,) = [line for line in answer.split("\r\n") if line.startswith("Location: ")]
    assert found == f"Location: {there}"


@pytest.fixture(scope="module")
def redirecting() -> collections.abc.Iterator[rendered.Running]:
    go = site(
        "go.test",
        route("/q/", model.Redirect(to="https://b.test/base$uri")),
        route("/here/", model.Redirect(to="$uri/")),
        tls=model.Tls(mode=model.TlsMode.OFF),
        http=model.HttpMode.SERVE,
    )
    with rendered.running(go) as nginx:
        yield nginx


def test_hsts_is_promised_over_https_only(one: echo.EchoServer) -> None:
    hsts = hsts_option.Hsts(max_age_s=63072000, include_subdomains=True, preload=True)
    promise = "max-age=63072000; includeSubDomains; preload"
    with rendered.running(site("strict.test", one.url, hsts=hsts), site("paths.test", one.url)) as nginx:
        assert nginx.get("https://strict.test/").headers["Strict-Transport-Security"] == promise
        assert nginx.get("https://strict.test/drop").headers["Strict-Transport-Security"] == promise
        assert "Strict-Transport-Security" not in nginx.get("http://strict.test/").headers
        assert "Strict-Transport-Security" not in nginx.get("https://paths.test/").headers


# --- the challenge ---


@pytest.fixture(scope="module")
def challenged(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    sites = (
        site("usual.test", one.url),
        site("plain.test", one.url, http=model.HttpMode.SERVE),
        site("shut.test", one.url, http=model.HttpMode.OFF),
        site("lead.test", one.url, aliases=("www.lead.test",), redirect_aliases=True),
        site("*.wild.test", one.url),
        site("127.0.0.1", one.url),
    )
    with rendered.running(*sites) as nginx:
        yield nginx


@pytest.mark.parametrize(
    "host",
    ["usual.test", "plain.test", "shut.test", "www.lead.test", "x.wild.test", "127.0.0.1", "unknown.test"],
)
def test_the_challenge_is_answered_for_every_name(challenged: rendered.Running, host: str) -> None:
    answer = challenged.get(f"http://{host}{CHALLENGE}{TOKEN}")
    assert (answer.status_code, answer.text) == (200, f"{TOKEN}.{rendered.THUMBPRINT}")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["", "short", "a" * 257, f"{TOKEN}/", f"{TOKEN}/x", f"{TOKEN}.x", f"x%0a{TOKEN}"])
def test_what_is_no_token_is_404(challenged: rendered.Running, path: str) -> None:
    assert challenged.get(f"http://usual.test{CHALLENGE}{path}").status_code == 404


def test_a_file_answers_a_challenge_first(challenged: rendered.Running) -> None:
    token = "another-client-of-ACME"
    file = pathlib.Path(challenged.layout.challenges, token)
    file.write_text("its own answer")
    assert challenged.get(f"http://usual.test{CHALLENGE}{token}").text == "its own answer"


def test_without_an_account_no_challenge_is_answered() -> None:
    with rendered.running(thumbprint=None) as nginx:
        assert nginx.get(f"http://a.test{CHALLENGE}{TOKEN}").status_code == 404


# --- logs ---


def test_the_access_log(one: echo.EchoServer) -> None:
    with rendered.running(site("names.test", one.url)) as nginx:
        nginx.said("https://names.test/logged?x=1", User_Agent='quo"te')
        log = pathlib.Path(nginx.layout.logs, "access.log")
        until.true(lambda: log.read_text().endswith("\n"))  # nginx writes it after the client has the answer
        (line,) = log.read_text().splitlines()
    assert '"GET /logged?x=1 HTTP/1.1" 200' in line
    assert r"quo\x22te" in line
    assert 'host="names.test"' in line
    assert f'upstream="127.0.0.1:{one.port}"' in line
    assert 'tls="TLSv1.3"' in line


def test_json_is_compressed_and_says_so(one: echo.EchoServer) -> None:
    with rendered.running(site("names.test", one.url)) as nginx:
        answer = nginx.get("https://names.test/", Accept_Encoding="gzip", X_Long="a" * 2000)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert json.loads(answer.text)["server"] == "one"


def test_a_site_without_servers_of_its_own() -> None:
    """Only redirects and files: no upstream."""
    only = site("a.test", route("/", model.Redirect(to="https://b.test/")))
    with rendered.running(only) as nginx:
        assert nginx.get("https://a.test/").headers["Location"] == "https://b.test/"


def test_a_verified_server_needs_the_right_name(tmp_path: pathlib.Path) -> None:
    certificate, key = rendered.self_signed("inner.test")
    (tmp_path / "c.pem").write_bytes(certificate)
    (tmp_path / "k.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    with echo.echo_server("secure", context=context) as server:
        url = f"https://127.0.0.1:{server.port}"
        ca = str(tmp_path / "c.pem")
        right = proxy(url, options=upstream_tls(model.UpstreamTls(ca_file=ca, name="inner.test")))
        wrong = proxy(url, options=upstream_tls(model.UpstreamTls(ca_file=ca, name="outer.test")))
        unknown = proxy(url, options=upstream_tls(model.UpstreamTls(name="inner.test")))
        unverified = proxy(url, options=upstream_tls(model.UpstreamTls(verify=False)))
        routes = [route(f"/{name}/", action) for name, action in locals().items() if isinstance(action, model.Proxy)]
        with rendered.running(site("a.test", *routes)) as nginx:
            statuses = {one.path: nginx.get(f"https://a.test{one.path}").status_code for one in routes}
    assert statuses == {"/right/": 200, "/wrong/": 502, "/unknown/": 502, "/unverified/": 200}
