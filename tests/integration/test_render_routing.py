"""What clients of a rendered gate see: names, paths, redirects, the default, the challenge."""

import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import socket
import ssl
import time

import httpx
import pytest

from daemun.core import certificate_choice, model
from daemun.core import layout as layout_
from daemun.core.options import catalogue, hsts_option
from tests.support import clients, echo, rendered
from tests.support.sites import proxy, route, site, upstream_tls

pytestmark = pytest.mark.nginx

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
CHALLENGE = "/.well-known/acme-challenge/"


@dataclasses.dataclass(frozen=True)
class Gate:
    nginx: rendered.Running
    one: echo.EchoServer
    two: echo.EchoServer

    def get(self, url: str, *, http2: bool = False, **headers: str) -> httpx.Response:
        return self._ask(url, headers, http2=http2)

    def said(self, url: str, **headers: str) -> echo.Said:
        answer = self._ask(url, headers, http2=False)
        assert answer.status_code == 200, answer
        return echo.Said.parse(answer.content)

    def _ask(self, url: str, headers: dict[str, str], *, http2: bool) -> httpx.Response:
        with clients.client(self.nginx.clients, http2=http2) as once:
            return once.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def raw(self, request: str, *, name: str | None = None, tls: bool = False) -> bytes:
        """The whole answer to a request written by hand; with TLS, name is the SNI."""
        with contextlib.ExitStack() as stack:
            port = self.nginx.https if tls else self.nginx.http
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                connection = stack.enter_context(context.wrap_socket(connection, server_hostname=name))
            connection.sendall(request.replace("\n", "\r\n").encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer


def _sites(one: str, two: str) -> tuple[model.Site, ...]:
    return (
        site(
            "paths.test",
            one,
            route("/replace/", f"{two}/new/"),
            route("/keep/", two),
            route("/root/", f"{two}/"),
            route("/bare", f"{two}/x"),
            route("/a.b+(c)/", f"{two}/dots/"),
            route("/keep/deep/", f"{one}/deeper/"),
            route("/한글/", f"{two}/k/"),
            route("/enc/", f"{two}/a%20b%25/"),
        ),
        site("none.test", route("/only/", one)),
        site("plain.test", one, http=model.HttpMode.SERVE),
        site("open.test", one, tls=model.Tls(mode=model.TlsMode.OFF)),
        site("shut.test", one, http=model.HttpMode.OFF),
        site("names.test", one, aliases=("also.test",)),
        site("lead.test", one, aliases=("www.lead.test",), redirect_aliases=True),
        site("*.wild.test", two),
        site("exact.wild.test", one),
        site("127.0.0.1", two),
        site(
            "strict.test",
            one,
            options=catalogue.values(hsts=hsts_option.Hsts(max_age_s=63072000, include_subdomains=True, preload=True)),
        ),
        site(
            "go.test",
            route("/to", model.Redirect(to="https://else.test$request_uri", options=catalogue.values(status=308))),
            route("/path", model.Redirect(to="https://else.test$uri$-price", options=catalogue.values(status=302))),
            one,
        ),
    )


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[Gate]:
    with echo.echo_server("one") as one, echo.echo_server("two") as two:
        given = _sites(f"http://127.0.0.1:{one.port}", f"http://127.0.0.1:{two.port}")
        with rendered.running(*given) as nginx:
            yield Gate(nginx, one, two)


# --- paths ---


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
def test_paths(gate: Gate, asked: str, server: str, received: str, kind: str) -> None:
    """A stream takes another location, and must reach the same place."""
    accept = "text/event-stream" if kind == "an event stream" else "*/*"
    answer = gate.raw(
        f"GET {asked} HTTP/1.1\nHost: paths.test\nAccept: {accept}\nConnection: close\n\n", name="paths.test", tls=True
    )
    body = answer.partition(b"\r\n\r\n")[2]
    said = echo.Said.parse(body[body.index(b"{") : body.rindex(b"}") + 1])
    assert (said.server, said.path) == (server, received)


def test_a_path_without_its_slash_is_redirected(gate: Gate) -> None:
    answer = gate.get("https://paths.test/keep?x=1")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/keep/?x=1"


def test_paths_without_a_route(gate: Gate) -> None:
    assert gate.get("https://none.test/only/x").status_code == 200
    assert gate.get("https://none.test/").status_code == 404
    assert gate.get("https://none.test/index.html").status_code == 404


def test_a_redirect_of_the_server_to_its_own_address_leads_back_here(gate: Gate) -> None:
    assert gate.get("https://paths.test/redirect").headers["Location"] == "/x"
    assert gate.get("https://paths.test/replace/redirect").headers["Location"] == "/replace/x"
    assert gate.get("https://paths.test/replace/redirect", Accept="text/event-stream").headers["Location"] == (
        "/replace/x"
    )


# --- names ---


def test_plain_http(gate: Gate) -> None:
    redirect = gate.get("http://paths.test/x?y=1")
    assert redirect.status_code == 301
    assert redirect.headers["Location"] == f"https://paths.test:{gate.nginx.https}/x?y=1"
    assert gate.said("http://plain.test/").server == "one"
    assert gate.said("https://plain.test/").server == "one"
    assert gate.said("http://open.test/").server == "one"
    assert gate.get("http://shut.test/").status_code == 404
    assert gate.said("https://shut.test/").server == "one"


def test_aliases(gate: Gate) -> None:
    assert gate.said("https://also.test/").headers["host"] == "also.test"
    answer = gate.get(f"https://www.lead.test:{gate.nginx.https}/a%20b?c", Host=f"www.lead.test:{gate.nginx.https}")
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://lead.test:{gate.nginx.https}/a%20b?c"
    assert gate.get("http://www.lead.test/x").headers["Location"] == "http://lead.test/x"


def test_wildcards(gate: Gate) -> None:
    assert gate.said("https://any.wild.test/").server == "two"
    assert gate.said("https://exact.wild.test/").server == "one"


def test_unknown_names(gate: Gate) -> None:
    assert gate.get("http://unknown.test/").status_code == 404
    assert gate.raw("GET / HTTP/1.0\n\n").startswith(b"HTTP/1.1 404")
    refused = clients.handshake(gate.nginx.clients, "unknown.test")
    assert refused.alert == "TLSV1_UNRECOGNIZED_NAME"
    assert clients.handshake(gate.nginx.clients, "open.test").alert == "TLSV1_UNRECOGNIZED_NAME"


def test_an_address_needs_no_name_in_the_handshake(gate: Gate) -> None:
    assert clients.handshake(gate.nginx.clients, None).names == {"127.0.0.1"}
    assert gate.said("https://127.0.0.1/").server == "two"
    request = "GET / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n"
    assert b'"two"' in gate.raw(request, tls=True)


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
def test_host_and_handshake_must_agree(gate: Gate, sni: str | None, host: str | None, status: int) -> None:
    request = f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n\n" if host else "GET / HTTP/1.0\n\n"
    answer = gate.raw(request, name=sni, tls=True)
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
def test_a_site_of_many_names_is_served_and_keeps_its_handshakes_apart(gate: Gate, others: tuple[str, ...]) -> None:
    url, other = _urls(gate)

    def certify(layout: layout_.Layout, desired: model.Desired) -> bytes:
        # One certificate for thousands of names would be larger than clients take.
        short = [dataclasses.replace(one, host=one.host.replace("*.", ""), aliases=()) for one in desired.enabled]
        for one, whole in zip(short, desired.enabled, strict=True):
            certificate, key = rendered.self_signed(one.host)
            for name in {certificate_choice.name_of(whole), *certificate_choice.folders(whole).values()}:
                folder = pathlib.Path(layout.live, name)
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "fullchain.pem").write_bytes(certificate)
                (folder / "privkey.pem").write_bytes(key)
                (folder / "privkey.pem").chmod(0o644)
        pathlib.Path(layout.live).chmod(0o755)
        return certificate

    sites = (site("many.test", url, aliases=others), site("names.test", other))
    with rendered.running(*sites, certify=certify) as nginx:
        at = dataclasses.replace(gate, nginx=nginx)

        def status(sni: str | None, host: str) -> int:
            request = f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n\n"
            return int(at.raw(request, name=sni, tls=True).split()[1])

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


def test_http2(gate: Gate) -> None:
    answer = gate.get("https://names.test/x", http2=True)
    assert answer.http_version == "HTTP/2"
    assert echo.Said.parse(answer.content).headers["host"] == "names.test"


# --- the default ---


def test_a_default_site(gate: Gate) -> None:
    default = model.Default(kind=model.DefaultKind.SITE, host="names.test")
    with rendered.running(*_sites(*_urls(gate)), settings=model.Globals(default=default)) as nginx:
        other = dataclasses.replace(gate, nginx=nginx)
        assert clients.handshake(nginx.clients, "unknown.test").names == {"names.test", "also.test"}
        request = "GET / HTTP/1.1\nHost: unknown.test\nConnection: close\n\n"
        answer = other.raw(request, name="unknown.test", tls=True)
        assert b'"unknown.test"' in answer
        assert other.get("http://unknown.test/x").headers["Location"] == f"https://unknown.test:{nginx.https}/x"
        assert b'"two"' in other.raw("GET / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n", tls=True)
        assert other.raw("GET / HTTP/1.0\n\n", tls=True).startswith(b"HTTP/1.1 404")
    only = site("names.test", _urls(gate)[0], http=model.HttpMode.SERVE)
    with rendered.running(only, settings=model.Globals(default=default)) as nginx:
        other = dataclasses.replace(gate, nginx=nginx)
        assert clients.handshake(nginx.clients, None).names == {"names.test"}
        assert other.said("http://unknown.test/").headers["host"] == "unknown.test"


def test_a_default_redirect(gate: Gate) -> None:
    redirect = model.Redirect(to="https://paths.test/?from=$host", options=catalogue.values(status=302))
    default = model.Default(kind=model.DefaultKind.REDIRECT, redirect=redirect)
    with rendered.running(site("paths.test", _urls(gate)[0]), settings=model.Globals(default=default)) as nginx:
        other = dataclasses.replace(gate, nginx=nginx)
        answer = other.get("http://unknown.test/x")
        assert (answer.status_code, answer.headers["Location"]) == (302, "https://paths.test/?from=unknown.test")
        assert clients.handshake(nginx.clients, "unknown.test").alert == "TLSV1_UNRECOGNIZED_NAME"
        assert clients.handshake(nginx.clients, None).alert == "TLSV1_UNRECOGNIZED_NAME"


def _urls(gate: Gate) -> tuple[str, str]:
    return f"http://127.0.0.1:{gate.one.port}", f"http://127.0.0.1:{gate.two.port}"


# --- redirects, HSTS ---


def test_redirect_routes(gate: Gate) -> None:
    answer = gate.get("https://go.test/to/x?y=1")
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://else.test/to/x?y=1")
    assert gate.get("https://go.test/path").headers["Location"] == "https://else.test/path$-price"
    assert gate.said("https://go.test/other").server == "one"


def test_a_line_break_in_the_path_ends_no_header(gate: Gate) -> None:
    answer = gate.get("https://go.test/path%0d%0aSet-Cookie:%20evil=1")
    assert answer.headers["Location"] == "https://else.test$-price"
    assert "Set-Cookie" not in answer.headers


def test_hsts_is_promised_over_https_only(gate: Gate) -> None:
    promise = "max-age=63072000; includeSubDomains; preload"
    assert gate.get("https://strict.test/").headers["Strict-Transport-Security"] == promise
    assert gate.get("https://strict.test/drop").headers["Strict-Transport-Security"] == promise
    assert "Strict-Transport-Security" not in gate.get("http://strict.test/").headers
    assert "Strict-Transport-Security" not in gate.get("https://paths.test/").headers


# --- the challenge ---


@pytest.mark.parametrize(
    "host",
    ["paths.test", "plain.test", "shut.test", "www.lead.test", "x.wild.test", "127.0.0.1", "unknown.test"],
)
def test_the_challenge_is_answered_for_every_name(gate: Gate, host: str) -> None:
    answer = gate.get(f"http://{host}{CHALLENGE}{TOKEN}")
    assert (answer.status_code, answer.text) == (200, f"{TOKEN}.{rendered.THUMBPRINT}")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["", "short", "a" * 257, f"{TOKEN}/", f"{TOKEN}/x", f"{TOKEN}.x", f"x%0a{TOKEN}"])
def test_what_is_no_token_is_404(gate: Gate, path: str) -> None:
    assert gate.get(f"http://paths.test{CHALLENGE}{path}").status_code == 404


def test_a_file_answers_a_challenge_first(gate: Gate) -> None:
    token = "another-client-of-ACME"
    file = pathlib.Path(gate.nginx.layout.challenges, token)
    file.write_text("its own answer")
    assert gate.get(f"http://paths.test{CHALLENGE}{token}").text == "its own answer"


def test_without_an_account_no_challenge_is_answered() -> None:
    with rendered.running(thumbprint=None) as nginx:
        assert clients.get(nginx.clients, f"http://a.test{CHALLENGE}{TOKEN}").status_code == 404


# --- logs ---


def _wait_for_line(log: pathlib.Path, sign: str) -> str:
    """nginx writes it after the client has the answer."""
    for _ in range(500):
        for line in log.read_text().splitlines():
            if sign in line:
                return line
        time.sleep(0.02)
    raise AssertionError(f"{sign} was not logged within 10 s")


def test_the_access_log(gate: Gate) -> None:
    gate.said("https://names.test/logged?x=1", User_Agent='quo"te')
    line = _wait_for_line(pathlib.Path(gate.nginx.layout.logs, "access.log"), "/logged")
    assert '"GET /logged?x=1 HTTP/1.1" 200' in line
    assert r"quo\x22te" in line
    assert 'host="names.test"' in line
    assert f'upstream="127.0.0.1:{gate.one.port}"' in line
    assert 'tls="TLSv1.3"' in line


def test_json_is_compressed_and_says_so(gate: Gate) -> None:
    answer = gate.get("https://names.test/", Accept_Encoding="gzip", X_Long="a" * 2000)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert json.loads(answer.text)["server"] == "one"


def test_a_site_without_servers_of_its_own(gate: Gate) -> None:
    """Only redirects and files: no upstream."""
    only = site("a.test", route("/", model.Redirect(to="https://b.test/")))
    with rendered.running(only) as nginx:
        assert clients.get(nginx.clients, "https://a.test/").headers["Location"] == "https://b.test/"


def test_a_verified_server_needs_the_right_name(gate: Gate, tmp_path: pathlib.Path) -> None:
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
            statuses = {one.path: clients.get(nginx.clients, f"https://a.test{one.path}").status_code for one in routes}
    assert statuses == {"/right/": 200, "/wrong/": 502, "/unknown/": 502, "/unverified/": 200}
