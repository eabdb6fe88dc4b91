"""Servers that speak something else than HTTP/1.1, each with a small real server behind a rendered gate."""

import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import tempfile
import typing

import h2.events
import httpx
import pytest

from daemun.core import model, render_environment
from daemun.core.directive import Directive, Expr
from daemun.core.options import cache_option
from daemun.nginx import answers_folder, worker_account
from tests.support import bad_servers, clients, own_certificates, rendered, responders
from tests.support.sites import proxy, route, site, upstream_tls

pytestmark = pytest.mark.nginx

SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "ftp",
    "X-Forwarded-Host": "evil.test",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6",
    "Proxy": "http://evil.test",
    "X-Forwarded-Prefix": "/evil",
}
CGI_SCHEMES = (model.Scheme.FASTCGI, model.Scheme.SCGI, model.Scheme.UWSGI)
HANDLERS = {
    model.Scheme.FASTCGI: responders.FastCgi,
    model.Scheme.SCGI: responders.Scgi,
    model.Scheme.UWSGI: responders.Uwsgi,
}


def parse(answer: httpx.Response) -> dict[str, typing.Any]:
    """What the server received, as `responders` tells it."""
    assert answer.status_code == 200, answer
    said: dict[str, typing.Any] = json.loads(answer.content)
    return said


# --- FastCGI, SCGI, uwsgi ---


def cgi_site(scheme: model.Scheme, place: str, unix: pathlib.Path) -> model.Site:
    url = f"{scheme.value}://{place}"
    owners = (Directive(f"{scheme.value}_param", (Expr("SERVER_NAME"), Expr("owner"))),)
    return site(
        f"{scheme.value}.test",
        route("/", url, root="/srv/$app/"),
        route("/app/", f"{url}/inner/", index=("front.php",)),
        route("/m t/", f"{url}/"),
        route("/unix/", f"{scheme.value}://unix:{unix}"),
        route(
            "/own/",
            url,
            host_header="inner.test",
            request_headers=(("X-Forwarded-Proto", "own"), ("X-Mine", "$request_method"), ("User-Agent", "")),
            response_headers=(("X-Hidden", ""), ("X-Shown", "1")),
            snippet=owners,
        ),
    )


@pytest.fixture(scope="module")
def cgi() -> collections.abc.Iterator[rendered.Running]:
    """A site for each scheme, named after it."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="daemun-test-")))
        folder.chmod(0o755)
        sites = []
        for scheme, handler in HANDLERS.items():
            place = stack.enter_context(responders.responder(handler))
            unix = folder / scheme.value
            stack.enter_context(responders.responder(handler, socket=unix))
            sites.append(cgi_site(scheme, place, unix))
        yield stack.enter_context(rendered.running(*sites))


@pytest.mark.parametrize("scheme", CGI_SCHEMES)
def test_standard_parameters(cgi: rendered.Running, scheme: model.Scheme) -> None:
    url = f"https://{scheme.value}.test/a%20b/c?q=1"
    said = parse(cgi.ask("POST", url, body=b"body", headers={"Content-Type": "text/x", **SPOOFED}))
    assert said["body"] == "body"
    parameters = said["parameters"]
    expected = {
        "REQUEST_METHOD": "POST",
        "REQUEST_URI": "/a%20b/c?q=1",
        "DOCUMENT_URI": "/a b/c",
        "QUERY_STRING": "q=1",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "4",
        "DOCUMENT_ROOT": "/srv/$app",
        "REQUEST_SCHEME": "https",
        "HTTPS": "on",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": f"{scheme.value}.test",
        "SERVER_PORT": "443",
        "HTTP_HOST": f"{scheme.value}.test",
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": f"{scheme.value}.test",
        "HTTP_X_REAL_IP": "127.0.0.1",
    }
    assert {name: parameters.get(name) for name in expected} == expected
    assert not {"HTTP_PROXY", "HTTP_FORWARDED", "HTTP_X_FORWARDED_PREFIX"} & set(parameters)


@pytest.mark.parametrize("scheme", CGI_SCHEMES)
@pytest.mark.parametrize(
    ("path", "request_uri", "document_uri"),
    [
        ("/app/x%20y?z", "/inner/x%20y?z", "/inner/x y"),
        ("/app/", "/inner/", "/inner/"),
        ("/%61pp/x?z=1", "/inner/x?z=1", "/inner/x"),
    ],
)
def test_replaced_paths(
    cgi: rendered.Running, scheme: model.Scheme, path: str, request_uri: str, document_uri: str
) -> None:
    parameters = parse(cgi.get(f"https://{scheme.value}.test{path}"))["parameters"]
    assert (parameters["REQUEST_URI"], parameters["DOCUMENT_URI"]) == (request_uri, document_uri)


@pytest.mark.parametrize("scheme", CGI_SCHEMES)
def test_unix_sockets(cgi: rendered.Running, scheme: model.Scheme) -> None:
    assert parse(cgi.get(f"https://{scheme.value}.test/unix/x"))["parameters"]["REQUEST_URI"] == "/unix/x"


@pytest.mark.parametrize("scheme", CGI_SCHEMES)
def test_an_owner_s_headers_and_parameters(cgi: rendered.Running, scheme: model.Scheme) -> None:
    answer = cgi.get(f"https://{scheme.value}.test/own/")
    parameters = json.loads(answer.content)["parameters"]
    assert parameters["HTTP_HOST"] == "inner.test"
    assert parameters["HTTP_X_FORWARDED_PROTO"] == "own"
    assert parameters["HTTP_X_MINE"] == "GET"
    assert parameters["SERVER_NAME"] == "owner"
    assert "HTTP_USER_AGENT" not in parameters
    assert "X-Hidden" not in answer.headers
    assert answer.headers["X-Shown"] == "1"


@pytest.mark.parametrize(
    ("path", "filename", "name", "info"),
    [
        ("/", "/srv/$app/index.php", "/index.php", ""),
        ("/a/b", "/srv/$app/index.php", "/index.php", ""),
        ("/a/b.php", "/srv/$app/a/b.php", "/a/b.php", ""),
        ("/a/b.php/c/d", "/srv/$app/a/b.php", "/a/b.php", "/c/d"),
        ("/up/x.jpg/y.php", "/srv/$app/up/x.jpg/y.php", "/up/x.jpg/y.php", ""),
        ("/a.phpx", "/srv/$app/index.php", "/index.php", ""),
        ("/../etc/x.php", "/srv/$app/etc/x.php", "/etc/x.php", ""),
        ("/a%0ab.php", "/srv/$app/a\nb.php", "/a\nb.php", ""),
        ("/app/x", "/var/www/html/front.php", "/front.php", ""),
        ("/app/x.php/y", "/var/www/html/inner/x.php", "/inner/x.php", "/y"),
    ],
)
def test_php_scripts(cgi: rendered.Running, path: str, filename: str, name: str, info: str) -> None:
    parameters = parse(cgi.get(f"https://fastcgi.test{path}"))["parameters"]
    found = {key: parameters[key] for key in ("SCRIPT_FILENAME", "SCRIPT_NAME", "PATH_INFO")}
    assert found == {"SCRIPT_FILENAME": filename, "SCRIPT_NAME": name, "PATH_INFO": info}


@pytest.mark.parametrize("scheme", ["uwsgi", "scgi"])
def test_wsgi_paths(cgi: rendered.Running, scheme: str) -> None:
    assert parse(cgi.get(f"https://{scheme}.test/a%20b"))["parameters"]["PATH_INFO"] == "/a b"
    assert parse(cgi.get(f"https://{scheme}.test/app/b"))["parameters"]["PATH_INFO"] == "/inner/b"


@pytest.mark.parametrize("scheme", CGI_SCHEMES)
def test_f1_cgi_servers_are_told_the_prefix(cgi: rendered.Running, scheme: model.Scheme) -> None:
    url = f"https://{scheme.value}.test"
    mounted = parse(cgi.get(f"{url}/m%20t/x?y"))["parameters"]
    assert mounted["HTTP_X_FORWARDED_PREFIX"] == "/m%20t"
    if scheme is not model.Scheme.FASTCGI:
        assert (mounted["SCRIPT_NAME"], mounted["PATH_INFO"]) == ("/m t", "/x")
    inner = parse(cgi.get(f"{url}/app/x"))["parameters"]
    assert inner["HTTP_X_FORWARDED_PREFIX"] == "/app"
    if scheme is not model.Scheme.FASTCGI:
        assert inner.get("SCRIPT_NAME", "") == ""
    whole = parse(cgi.get(f"{url}/other"))["parameters"]
    assert whole.get("HTTP_X_FORWARDED_PREFIX", "") == ""
    assert scheme is model.Scheme.FASTCGI or whole.get("SCRIPT_NAME", "") == ""


# --- memcached ---


def test_memcached() -> None:
    stored = {"/key?a=1": "plain", "/cache/x": "replaced"}
    with responders.responder(responders.Memcached, stored=stored) as place:
        memory = site("memory.test", f"memcached://{place}", route("/short/", f"memcached://{place}/cache/"))
        with rendered.running(memory) as nginx:
            assert nginx.get("https://memory.test/key?a=1").text == "plain"
            assert nginx.get("https://memory.test/short/x").text == "replaced"
            assert nginx.get("https://memory.test/none").status_code == 404


# --- HTTP/2 ---


@contextlib.contextmanager
def speaking(scheme: str, feature: render_environment.Feature) -> collections.abc.Iterator[rendered.Running]:
    """SCHEME.test, before a server of HTTP/2. Skips: where nginx lacks what it needs for that."""
    if feature not in rendered.nginx().features:
        pytest.skip(f"this nginx cannot speak {scheme} to servers")
    with responders.responder(responders.Http2) as place:
        url = f"{scheme}://{place}"
        mine = route("/mine/", url, request_headers=(("X-Mine", "1"), ("X-Real-IP", "")))
        kept = [] if scheme != "h2c" else [route("/kept/", url, cache=cache_option.Cache(for_s=600.0))]
        own = site(f"{scheme}.test", url, route("/pkg.Service/", f"{url}/other.Service/"), mine, *kept)
        with rendered.running(own) as nginx:
            yield nginx


@pytest.fixture(scope="module")
def h2c() -> collections.abc.Iterator[rendered.Running]:
    with speaking("h2c", render_environment.Feature.HTTP2_UPSTREAM) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def grpc() -> collections.abc.Iterator[rendered.Running]:
    with speaking("grpc", render_environment.Feature.GRPC) as nginx:
        yield nginx


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_h2c(h2c: rendered.Running, accept: str) -> None:
    headers = {"Accept": accept, **SPOOFED}
    said = parse(h2c.ask("POST", "https://h2c.test/a%2Fb?q", body=b"body", headers=headers))
    assert (said["protocol"], said["path"], said["body"]) == ("HTTP/2", "/a%2Fb?q", "body")
    headers = said["parameters"]
    assert headers["host"] == "h2c.test"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert not {"forwarded", "proxy", "connection", "upgrade"} & set(headers)
    assert parse(h2c.get("https://h2c.test/pkg.Service/x y"))["path"] == "/other.Service/x%20y"


def test_h2c_passes_trailers(h2c: rendered.Running) -> None:
    """gRPC's status is one; its servers require that the client takes them."""
    found = clients.http2_events(h2c.clients, "h2c.test", "/pkg.Service/x", ("te", "trailers"))
    (trailers,) = [event for event in found if isinstance(event, h2.events.TrailersReceived)]
    assert dict(trailers.headers or ())[b"grpc-status"] == b"0"
    body = b"".join(event.data for event in found if isinstance(event, h2.events.DataReceived))
    assert json.loads(body)["parameters"]["te"] == "trailers"


def test_answers_of_h2c_servers_are_kept(h2c: rendered.Running) -> None:
    answers_folder.note_room(h2c.layout, worker_account.choose(None))
    first = h2c.get("https://h2c.test/kept/x", X_Secret_Of_Visitor="1")
    again = h2c.get("https://h2c.test/kept/x")
    own = h2c.get("https://h2c.test/kept/x", Cookie="session=1")
    assert [one.headers["X-Cache"] for one in (first, again, own)] == ["MISS", "HIT", "BYPASS"]
    assert again.text == first.text
    assert parse(first)["protocol"] == "HTTP/2"
    assert "x-secret-of-visitor" not in parse(first)["parameters"]


def test_h2c_servers_get_websockets_over_http1(h2c: rendered.Running) -> None:
    """RFC 8441 is not spoken by nginx, so an upgrade goes over HTTP/1.1, on connections of its own."""
    for _ in range(2):
        assert parse(h2c.get("https://h2c.test/x"))["protocol"] == "HTTP/2"
        said = parse(h2c.get("https://h2c.test/pkg.Service/x", Upgrade="websocket", Connection="Upgrade"))
        assert (said["protocol"], said["path"]) == ("HTTP/1.1", "/other.Service/x")
        assert said["parameters"]["upgrade"] == "websocket"


# --- HTTP/2 over TLS ---

BOTH = ("http/1.1", "h2")
SPEAKING = {
    "alone": (responders.Http2Alone, ("h2",)),
    "both": (responders.Http2, BOTH),
    "unchosen": (responders.Http2Alone, ()),
    "http1": (responders.Http1Alone, ("http/1.1",)),
}
"""Which protocols a server takes, and what it lets a handshake choose from."""


@pytest.fixture(scope="module")
def h2_over_tls(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[rendered.Running]:
    """KIND.test for each kind of server, whose certificate is verified; wrong.test, with another name."""
    if render_environment.Feature.HTTP2_UPSTREAM not in rendered.nginx().features:
        pytest.skip("this nginx cannot speak HTTP/2 to servers")
    folder = tmp_path_factory.mktemp("h2")
    folder.chmod(0o755)
    pair = own_certificates.make("inner.test")
    (folder / "root.pem").write_bytes(pair.root)
    tls = model.UpstreamTls(ca_file=str(folder / "root.pem"), name="inner.test")
    with contextlib.ExitStack() as stack:
        sites = []
        for kind, (handler, chosen_from) in SPEAKING.items():
            context = bad_servers.server_context(folder, pair)
            if chosen_from:
                context.set_alpn_protocols(chosen_from)
            place = stack.enter_context(responders.responder(handler, context=context))
            url = f"h2://{place}"
            checked = upstream_tls(tls)
            kept = route("/kept/", proxy(url, options=checked), cache=cache_option.Cache(for_s=600.0))
            inner = route("/app/", proxy(f"{url}/inner/", options=checked))
            sites.append(site(f"{kind}.test", route("/", proxy(url, options=checked)), inner, kept))
        wrong = upstream_tls(dataclasses.replace(tls, name="other.test"))
        sites.append(site("wrong.test", route("/", proxy(url, options=wrong))))
        yield stack.enter_context(rendered.running(*sites))


@pytest.mark.parametrize("kind", ["alone", "both", "unchosen"])
def test_h2_servers_get_http2_over_tls(h2_over_tls: rendered.Running, kind: str) -> None:
    answer = h2_over_tls.ask("POST", f"https://{kind}.test/a%2Fb?q", body=b"body", headers=SPOOFED)
    said = parse(answer)
    assert (said["protocol"], said["path"], said["body"]) == ("HTTP/2", "/a%2Fb?q", "body")
    assert said["parameters"][":scheme"] == "https"
    assert said["parameters"]["host"] == f"{kind}.test"
    assert said["parameters"]["x-forwarded-for"] == "127.0.0.1"
    assert answer.headers["X-ALPN"] == ("None" if kind == "unchosen" else "h2")
    assert parse(h2_over_tls.get(f"https://{kind}.test/app/x y"))["path"] == "/inner/x%20y"


def test_h2_to_a_server_of_http1_fails(h2_over_tls: rendered.Running) -> None:
    """nginx leaves no choice, as docs/nginx.md says."""
    assert h2_over_tls.get("https://http1.test/").status_code == 502


def test_certificates_of_h2_servers_are_verified(h2_over_tls: rendered.Running) -> None:
    assert h2_over_tls.get("https://wrong.test/").status_code == 502


def test_h2_passes_trailers(h2_over_tls: rendered.Running) -> None:
    found = clients.http2_events(h2_over_tls.clients, "alone.test", "/x", ("te", "trailers"))
    (trailers,) = [event for event in found if isinstance(event, h2.events.TrailersReceived)]
    assert dict(trailers.headers or ())[b"grpc-status"] == b"0"


def test_answers_of_h2_servers_are_kept(h2_over_tls: rendered.Running) -> None:
    answers_folder.note_room(h2_over_tls.layout, worker_account.choose(None))
    found = [h2_over_tls.get("https://alone.test/kept/x") for _ in range(2)]
    assert [one.headers["X-Cache"] for one in found] == ["MISS", "HIT"]


def test_h2_servers_get_websockets_over_http1(h2_over_tls: rendered.Running) -> None:
    for _ in range(2):
        assert parse(h2_over_tls.get("https://both.test/x"))["protocol"] == "HTTP/2"
        said = parse(h2_over_tls.get("https://both.test/app/x", Upgrade="websocket", Connection="Upgrade"))
        assert (said["protocol"], said["path"]) == ("HTTP/1.1", "/inner/x")


@pytest.mark.parametrize(("path", "received"), [("/pkg.Service/Method", "/other.Service/Method"), ("/a.B/C", "/a.B/C")])
def test_grpc(grpc: rendered.Running, path: str, received: str) -> None:
    headers = {"Content-Type": "application/grpc", "TE": "trailers", **SPOOFED}
    said = parse(grpc.ask("POST", f"https://grpc.test{path}", body=b"message", headers=headers, http2=True))
    assert (said["path"], said["body"]) == (received, "message")
    headers = said["parameters"]
    assert headers["te"] == "trailers"
    assert headers["host"] == "grpc.test"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert not {"forwarded", "proxy"} & set(headers)


def test_grpc_headers_of_the_owner(grpc: rendered.Running) -> None:
    headers = parse(grpc.ask("POST", "https://grpc.test/mine/x", body=b"m", http2=True))["parameters"]
    assert headers["x-mine"] == "1"
    assert "x-real-ip" not in headers
    assert headers["x-forwarded-for"] == "127.0.0.1"
