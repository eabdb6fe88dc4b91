"""What clients of a gate see of what containers say in nginx-proxy's words: from variables to the real nginx."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import socket
import ssl

import httpx
import pytest

from daemun.core import merge, model
from daemun.sources.docker import containers, nginx_proxy, nginx_proxy_folders, nginx_proxy_gate
from daemun.sources.docker import nginx_proxy_sites as sites
from tests.support import clients, echo, ports, rendered
from tests.support import docker_values as values

pytestmark = pytest.mark.nginx

LABEL = "com.github.nginx-proxy.nginx-proxy."


@dataclasses.dataclass(frozen=True)
class Gate:
    """nginx before the servers that stand for containers."""

    nginx: rendered.Running
    desired: model.Desired

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        port: int | None = None,
        headers: collections.abc.Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """port: of loopback, instead of the gate's own."""
        gate = self.nginx.clients
        if port is not None:
            gate = dataclasses.replace(gate, http=port, https=port)
        with clients.client(gate) as once:
            return once.request(method, url, headers=headers)

    def said(
        self, url: str, *, port: int | None = None, headers: collections.abc.Mapping[str, str] | None = None
    ) -> echo.Said:
        answer = self.ask(url, port=port, headers=headers)
        assert answer.status_code == 200, answer
        return echo.Said.parse(answer.content)


WEBSOCKET = {"Upgrade": "websocket", "Connection": "upgrade"}


@contextlib.contextmanager
def gate(
    *found: containers.Container,
    environ: collections.abc.Mapping[str, str] | None = None,
    folders: nginx_proxy_folders.Folders | None = None,
    is_on: bool = True,
) -> collections.abc.Iterator[Gate]:
    """Containers on 127.0.0.1, in compat mode with nginx-proxy's own environment."""
    own = nginx_proxy_gate.read_gate(environ or {})
    folders = folders or nginx_proxy_folders.Folders()
    compat = sites.Compat(is_on=is_on, gate=own, folders=folders)
    snapshot = values.snapshot(*found, dialect=nginx_proxy.make_dialect(compat))
    settings = own.apply(model.Globals(), folders) if is_on else model.Globals()
    desired = merge.merge_snapshots([model.Snapshot(source="file", globals=settings), snapshot])
    assert [str(one) for one in desired.problems if one.severity is model.Severity.ERROR] == []
    literal = tuple(_with_addresses(site, desired.pools) for site in desired.sites)
    with rendered.running(*literal, settings=desired.globals) as nginx:
        yield Gate(nginx=nginx, desired=desired)


def _with_addresses(site: model.Site, pools: tuple[model.Pool, ...]) -> model.Site:
    """The endpoints of pools as literal addresses: there is no DNS responder here."""
    return dataclasses.replace(site, routes=tuple(_with_address(route, pools) for route in site.routes))


def _with_address(route: model.Route, pools: tuple[model.Pool, ...]) -> model.Route:
    assert isinstance(route.action, model.Proxy)
    (target,) = route.action.targets
    (pool,) = (pool for pool in pools if pool.name == target.pool)
    targets = tuple(
        dataclasses.replace(target, pool=None, host=one.address, port=one.port) for one in pool.endpoints
    ) or (dataclasses.replace(target, pool=None, host="127.0.0.1", port=1),)
    return dataclasses.replace(route, action=dataclasses.replace(route.action, targets=targets, hold_s=0))


def container(
    server: echo.EchoServer,
    name: str = "web",
    labels: dict[str, str] | None = None,
    **environment: str,
) -> containers.Container:
    given = {"VIRTUAL_PORT": str(server.port), **environment}
    return values.container(name, labels=labels, environment=given, ip="127.0.0.1")


@pytest.fixture(scope="module")
def one() -> collections.abc.Iterator[echo.EchoServer]:
    with echo.echo_server("one") as server:
        yield server


@pytest.fixture(scope="module")
def two() -> collections.abc.Iterator[echo.EchoServer]:
    with echo.echo_server("two") as server:
        yield server


# --- hosts, paths, headers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(one: echo.EchoServer, two: echo.EchoServer) -> collections.abc.Iterator[Gate]:
    """Hosts without certificates."""
    with gate(
        container(one, "web", VIRTUAL_HOST=r"a.test,*.wild.test,end.*,~^(re|ex)\d{1,2}\.reg\.test$,127.0.0.9"),
        container(two, "app", VIRTUAL_HOST="a.test", VIRTUAL_PATH="/app/", VIRTUAL_DEST="/"),
        container(two, "raw", VIRTUAL_HOST="a.test", VIRTUAL_PATH="/raw"),
        container(two, "expression", VIRTUAL_HOST="a.test", VIRTUAL_PATH=r"~^/(v1|v2)/\w+$"),
        container(one, "only", VIRTUAL_HOST="only.test", VIRTUAL_PATH="/here/"),
        container(one, "inner", VIRTUAL_HOST="inner.test", NETWORK_ACCESS="internal"),
        values.container("dead", environment={"VIRTUAL_HOST": "dead.test", "VIRTUAL_PORT": "1"}, ip="127.0.0.1"),
    ) as found:
        yield found


@pytest.mark.parametrize(
    "host",
    [
        "a.test",
        "x.wild.test",
        "x.y.wild.test",
        "end.example",
        "end.co.uk",
        "re1.reg.test",
        "ex42.reg.test",
        "127.0.0.9",
    ],
)
def test_hosts(plain: Gate, host: str) -> None:
    assert plain.said(f"http://{host}/").server == "one"


@pytest.mark.parametrize("host", ["b.test", "wild.test", "re123.reg.test", "re1.reg.test.x", "x.end.example"])
def test_unknown_hosts_get_503(plain: Gate, host: str) -> None:
    assert plain.ask(f"http://{host}/").status_code == 503


def test_paths(plain: Gate) -> None:
    assert plain.said("http://a.test/app/x?y=1").path == "/x?y=1"
    assert plain.said("http://a.test/raw/x").path == "/raw/x"
    assert plain.said("http://a.test/v1/abc").server == "two"
    assert plain.said("http://a.test/v1/abc/d").server == "one"


def test_a_path_that_nobody_has_gets_404(plain: Gate) -> None:
    assert plain.said("http://only.test/here/").server == "one"
    assert plain.ask("http://only.test/there").status_code == 404


def test_a_server_that_does_not_answer_gives_502(plain: Gate) -> None:
    assert plain.ask("http://dead.test/").status_code == 502


def test_loopback_is_internal(plain: Gate) -> None:
    assert plain.said("http://inner.test/").server == "one"


def test_the_usual_headers(plain: Gate) -> None:
    headers = plain.said("http://a.test/app/x?y=1", headers={"Proxy": "evil"}).headers

    assert headers["host"] == "a.test"
    assert headers["x-real-ip"] == headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-ssl"] == "off"
    assert headers["x-forwarded-host"] == "a.test"
    assert headers["x-forwarded-port"] == "80"
    assert headers["x-original-uri"] == "/app/x?y=1"
    assert "proxy" not in headers


def test_a_downstream_proxy_is_believed_by_default(plain: Gate) -> None:
    headers = plain.said(
        "http://a.test/",
        headers={
            "X-Forwarded-For": "203.0.113.7",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "outer.test",
            "X-Forwarded-Port": "8443",
        },
    ).headers

    assert headers["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"
    assert headers["x-real-ip"] == "127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-ssl"]) == ("https", "on")
    assert (headers["x-forwarded-host"], headers["x-forwarded-port"]) == ("outer.test", "8443")


def test_a_downstream_proxy_that_is_not_trusted(one: echo.EchoServer) -> None:
    environ = {"TRUST_DOWNSTREAM_PROXY": "false"}
    with gate(container(one, VIRTUAL_HOST="a.test"), environ=environ) as found:
        claims = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.test"}
        headers = found.said("http://a.test/", headers=claims).headers

    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"]) == ("http", "a.test")


def test_https_is_refused_where_there_is_no_certificate(plain: Gate) -> None:
    assert clients.handshake(plain.nginx.clients, "a.test").alert == "TLSV1_UNRECOGNIZED_NAME"


def test_others_are_not_internal(one: echo.EchoServer) -> None:
    folders = nginx_proxy_folders.Folders(internal=("10.0.0.0/8",))
    with gate(container(one, VIRTUAL_HOST="a.test", NETWORK_ACCESS="internal"), folders=folders) as found:
        assert found.ask("http://a.test/").status_code == 403
        assert found.ask("http://a.test/", headers=WEBSOCKET).status_code == 403


# --- HTTPS -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secure(one: echo.EchoServer) -> collections.abc.Iterator[Gate]:
    def named(name: str, labels: dict[str, str] | None = None, **environment: str) -> containers.Container:
        host = f"{name}.test"
        return container(one, name, labels, VIRTUAL_HOST=host, LETSENCRYPT_HOST=host, **environment)

    with gate(
        named("plain"),
        named("noredirect", HTTPS_METHOD="noredirect"),
        named("nohttp", HTTPS_METHOD="nohttp"),
        named("nohttps", HTTPS_METHOD="nohttps"),
        named("off", HSTS="off"),
        named("long", HSTS="max-age=63072000; includeSubDomains; preload"),
        named("post", {LABEL + "non-get-redirect": "308"}),
        named("old", SSL_POLICY="Mozilla-Old"),
        named("modern", SSL_POLICY="Mozilla-Modern"),
        named("one", {LABEL + "http2.enable": "false"}),
        named("tokens", SERVER_TOKENS="on"),
        named("own", ACME_HTTP_CHALLENGE_LOCATION="false", HTTPS_METHOD="nohttps"),
    ) as found:
        yield found


def test_http_leads_to_https(secure: Gate) -> None:
    answer = secure.ask("http://plain.test/x?y=1")

    assert (answer.status_code, answer.headers["Location"]) == (301, _https(secure, "plain.test/x?y=1"))
    assert secure.ask("http://plain.test/", method="POST").status_code == 301


def _https(found: Gate, rest: str) -> str:
    host, slash, path = rest.partition("/")
    return f"https://{host}:{found.nginx.https}{slash}{path}"


def test_what_is_no_get_may_be_sent_as_it_is(secure: Gate) -> None:
    assert secure.ask("http://post.test/", method="POST").status_code == 308
    assert secure.ask("http://post.test/").status_code == 301
    assert secure.ask("http://post.test/", method="HEAD").status_code == 301


def test_methods(secure: Gate) -> None:
    assert secure.said("http://noredirect.test/").server == secure.said("https://noredirect.test/").server == "one"
    assert secure.said("https://nohttp.test/").server == "one"
    assert secure.ask("http://nohttp.test/").status_code == 503
    assert secure.said("http://nohttps.test/").server == "one"
    assert clients.handshake(secure.nginx.clients, "nohttps.test").alert == "TLSV1_UNRECOGNIZED_NAME"


def test_strict_transport_security(secure: Gate) -> None:
    def sent(host: str, path: str = "/") -> str | None:
        headers = dict(secure.ask(f"https://{host}{path}").headers)
        return headers.get("strict-transport-security")

    assert sent("plain.test") == "max-age=31536000"
    assert sent("long.test") == "max-age=63072000; includeSubDomains; preload"
    assert sent("off.test") is None
    assert sent("noredirect.test") is None


def _negotiates(found: Gate, host: str, version: ssl.TLSVersion) -> bool:
    context = ssl.create_default_context(cafile=str(found.nginx.clients.ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    url = f"https://{host}:{found.nginx.https}/"
    transport = httpx.HTTPTransport(verify=context)
    with httpx.Client(transport=transport, trust_env=False) as client:
        request = client.build_request("GET", url, extensions={"sni_hostname": host})
        request.url = request.url.copy_with(host="127.0.0.1")
        try:
            client.send(request)
        except httpx.ConnectError:
            return False
    return True


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_one_policy_changes_no_other_site(secure: Gate) -> None:
    """Defect 5 of nginx-proxy: there one site with an old policy lowers TLS for all."""
    assert _negotiates(secure, "old.test", ssl.TLSVersion.TLSv1_1)
    assert not _negotiates(secure, "plain.test", ssl.TLSVersion.TLSv1_1)
    assert _negotiates(secure, "plain.test", ssl.TLSVersion.TLSv1_2)
    assert not _negotiates(secure, "modern.test", ssl.TLSVersion.TLSv1_2)
    assert _negotiates(secure, "modern.test", ssl.TLSVersion.TLSv1_3)


def test_http2(secure: Gate) -> None:
    assert clients.handshake(secure.nginx.clients, "plain.test").protocol == "h2"
    assert clients.handshake(secure.nginx.clients, "one.test").protocol == "http/1.1"


def test_what_nginx_tells_of_itself(secure: Gate) -> None:
    assert secure.ask("https://plain.test/").headers["Server"] == "nginx"
    assert secure.ask("https://tokens.test/").headers["Server"].startswith("nginx/1.")


def test_the_challenge(secure: Gate) -> None:
    token = "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"

    assert secure.ask(f"http://plain.test{token}").text.endswith(f".{rendered.THUMBPRINT}")
    assert secure.said(f"http://own.test{token}").server == "one"


def test_ports_of_ones_own(one: echo.EchoServer) -> None:
    http, https = ports.free_port(), ports.free_port()
    own = container(
        one,
        VIRTUAL_HOST="a.test",
        LETSENCRYPT_HOST="a.test",
        EXTERNAL_HTTP_PORT=str(http),
        EXTERNAL_HTTPS_PORT=str(https),
    )
    with gate(own, container(one, "other", VIRTUAL_HOST="b.test")) as found:
        assert found.said("https://a.test/", port=https).server == "one"
        assert found.ask("http://a.test/x", port=http).headers["Location"] == f"https://a.test:{https}/x"
        assert found.ask("http://a.test/").status_code == 503
        assert found.ask("http://b.test/", port=http).status_code == 503
        assert found.said("http://b.test/").server == "one"


# --- the whole gate --------------------------------------------------------------------------------------------


def test_the_default_host(one: echo.EchoServer) -> None:
    with gate(container(one, VIRTUAL_HOST="a.test"), environ={"DEFAULT_HOST": "a.test"}) as found:
        assert found.said("http://unknown.test/").headers["host"] == "unknown.test"


@pytest.mark.parametrize(
    ("root", "status", "location"),
    [
        ("418", 418, None),
        ("none", 404, None),
        ("301 https://$host/app$request_uri", 301, "https://a.test/app/x"),
        ("200 'nothing here'", 200, None),
    ],
)
def test_the_default_root(one: echo.EchoServer, root: str, status: int, location: str | None) -> None:
    with gate(container(one, VIRTUAL_HOST="a.test", VIRTUAL_PATH="/app/"), environ={"DEFAULT_ROOT": root}) as found:
        answer = found.ask("http://a.test/x")

    assert (answer.status_code, answer.headers.get("Location")) == (status, location)


def test_a_gate_without_http2(one: echo.EchoServer) -> None:
    secure = container(one, VIRTUAL_HOST="a.test", LETSENCRYPT_HOST="a.test")
    with gate(secure, environ={"ENABLE_HTTP2": "false"}) as found:
        assert clients.handshake(found.nginx.clients, "a.test").protocol == "http/1.1"


def test_a_policy_for_all(one: echo.EchoServer) -> None:
    secure = container(one, VIRTUAL_HOST="a.test", LETSENCRYPT_HOST="a.test")
    with gate(secure, environ={"SSL_POLICY": "AWS-TLS13-1-3-2021-06"}) as found:
        assert not _negotiates(found, "a.test", ssl.TLSVersion.TLSv1_2)
        assert _negotiates(found, "a.test", ssl.TLSVersion.TLSv1_3)


def test_the_proxy_protocol(one: echo.EchoServer) -> None:
    environ = {"ENABLE_PROXY_PROTOCOL": "true"}
    with gate(container(one, VIRTUAL_HOST="a.test"), environ=environ) as found:
        line = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n"
        request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
        said = echo.Said.parse(_raw(found, line + request).split(b"\r\n\r\n", 1)[1])
        assert said.headers["x-real-ip"] == said.headers["x-forwarded-for"] == "203.0.113.7"
        assert b" 200 " not in _raw(found, request)


def _raw(found: Gate, request: bytes) -> bytes:
    answer = b""
    with socket.create_connection(("127.0.0.1", found.nginx.http), timeout=20) as connection:
        connection.sendall(request)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                answer += part
    return answer


def test_the_log(one: echo.EchoServer) -> None:
    environ = {"LOG_FORMAT": '{"host":"$host","status":"$status"}', "LOG_FORMAT_ESCAPE": "json"}
    with gate(container(one, VIRTUAL_HOST="a.test"), environ=environ) as found:
        found.ask("http://a.test/")
        logged = pathlib.Path(found.nginx.layout.logs, "access.log").read_text()

    assert logged.splitlines()[-1] == '{"host":"a.test","status":"200"}'


# --- the owner's folders ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Mounted:
    root: pathlib.Path

    def write(self, path: str, content: str | bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        target.chmod(0o644)
        target.parent.chmod(0o755)

    def read(self) -> nginx_proxy_folders.Folders:
        return nginx_proxy_folders.Reader(str(self.root), str(self.root / "html")).read()


@pytest.fixture
def mounted(tmp_path: pathlib.Path) -> Mounted:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):  # nginx's workers run under another account
        folder.chmod(0o755)
    return Mounted(tmp_path)


def test_hand_written_nginx(one: echo.EchoServer, mounted: Mounted) -> None:
    app = nginx_proxy_folders.sha1("/app/")
    replaced = nginx_proxy_folders.sha1("/replaced/")
    mounted.write("conf.d/mine.conf", 'map $host $greeting { default "hello $host"; }\nclient_max_body_size 10k;')
    mounted.write("conf.d/default.conf", "server { listen 80; } # nginx-proxy's own")
    mounted.write("proxy.conf", 'proxy_set_header X-Real-IP "hidden";')
    mounted.write("vhost.d/default", "add_header X-Vhost default;")
    mounted.write("vhost.d/b.test", "add_header X-Vhost b; location /static { return 200 $greeting; }")
    mounted.write("vhost.d/default_location", "add_header X-Location default;")
    mounted.write(f"vhost.d/b.test_{app}_location", "add_header X-Location app;")
    mounted.write(f"vhost.d/b.test_{replaced}_location_override", "location /replaced/ { return 200 replaced; }")
    with gate(
        container(one, "a", VIRTUAL_HOST="a.test"),
        container(one, "b", VIRTUAL_HOST="b.test"),
        container(one, "app", VIRTUAL_HOST="b.test", VIRTUAL_PATH="/app/"),
        container(one, "replaced", VIRTUAL_HOST="b.test", VIRTUAL_PATH="/replaced/"),
        folders=mounted.read(),
    ) as found:
        first = found.ask("http://a.test/")
        assert (first.headers["X-Vhost"], first.headers["X-Location"]) == ("default", "default")
        assert echo.Said.parse(first.content).headers["x-real-ip"] == "hidden"
        assert found.ask("http://b.test/static").text == "hello b.test"
        assert found.ask("http://b.test/app/").headers["X-Location"] == "app"
        assert found.ask("http://b.test/replaced/x").text == "replaced"
        with clients.client(found.nginx.clients) as client:
            assert client.post("http://a.test/", content=b"x" * 20_000).status_code == 413


def test_passwords(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("htpasswd/a.test", "me:{PLAIN}secret\n")
    mounted.write(f"htpasswd/b.test_{nginx_proxy_folders.sha1('/shut/')}", "me:{PLAIN}secret\n")
    with gate(
        container(one, "a", VIRTUAL_HOST="a.test", LETSENCRYPT_HOST="a.test"),
        container(one, "b", VIRTUAL_HOST="b.test"),
        container(one, "c", VIRTUAL_HOST="b.test", VIRTUAL_PATH="/shut/"),
        folders=mounted.read(),
    ) as found:
        refused = found.ask("https://a.test/")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="Restricted a.test"')
        assert found.ask("https://a.test/", headers=WEBSOCKET).status_code == 401
        with clients.client(found.nginx.clients) as client:
            assert client.get("https://a.test/", auth=("me", "secret")).status_code == 200
        assert found.ask("http://b.test/").status_code == 200
        assert found.ask("http://b.test/shut/").status_code == 401


def test_nginx_that_cannot_be_parsed_opens_nothing(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("vhost.d/a.test", "allow 10.0.0.0/8; deny all; }")
    folders = mounted.read()
    with gate(
        container(one, VIRTUAL_HOST="a.test"), container(one, "b", VIRTUAL_HOST="b.test"), folders=folders
    ) as found:
        assert found.ask("http://a.test/").status_code == 503
        assert found.ask("http://b.test/").status_code == 200
    assert 'unexpected "}"' in folders.problems[0].message


def test_certificates_of_the_folder(one: echo.EchoServer, mounted: Mounted) -> None:
    for name, hosts in {"a.test": ("a.test",), "wild.test": ("*.wild.test",), "x": ("named.test",)}.items():
        certificate, key = rendered.self_signed(*hosts)
        mounted.write(f"certs/{name}.crt", certificate)
        mounted.write(f"certs/{name}.key", key)
    with gate(
        container(one, "a", VIRTUAL_HOST="a.test"),
        container(one, "b", VIRTUAL_HOST="b.wild.test"),
        container(one, "c", VIRTUAL_HOST="named.test", CERT_NAME="x"),
        container(one, "d", VIRTUAL_HOST="deep.a.test"),
        folders=mounted.read(),
    ) as found:
        modes = {site.host: (site.tls.mode, site.tls.certificate) for site in found.desired.sites}
        root = str(mounted.root)
        assert modes == {
            "a.test": (model.TlsMode.FILES, f"{root}/certs/a.test.crt"),
            "b.wild.test": (model.TlsMode.FILES, f"{root}/certs/wild.test.crt"),
            "named.test": (model.TlsMode.FILES, f"{root}/certs/x.crt"),
            "deep.a.test": (model.TlsMode.OFF, None),
        }
        assert found.said("https://b.wild.test/").server == "one"
        assert found.ask("http://a.test/").status_code == 301


def test_certificates_of_clients(one: echo.EchoServer, mounted: Mounted) -> None:
    certificate, _ = rendered.self_signed("clients.test")
    mounted.write("certs/a.test.ca.crt", certificate)
    mounted.write("certs/b.test.ca.crt", certificate)
    mounted.write("certs/d.test.ca.crt", "no certificate")
    optional = {LABEL + "ssl_verify_client": "optional"}
    with gate(
        container(one, "a", VIRTUAL_HOST="a.test", LETSENCRYPT_HOST="a.test"),
        container(one, "b", optional, VIRTUAL_HOST="b.test", LETSENCRYPT_HOST="b.test"),
        container(one, "c", VIRTUAL_HOST="c.test", LETSENCRYPT_HOST="c.test"),
        container(one, "d", VIRTUAL_HOST="d.test", LETSENCRYPT_HOST="d.test"),
        folders=mounted.read(),
    ) as found:
        assert found.ask("https://d.test/").status_code == 503
        assert found.ask("https://a.test/").status_code == 400
        assert found.ask("https://b.test/").status_code == 200
        assert found.ask("https://c.test/").status_code == 200


def test_the_page_of_the_fallback(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("html/errors/50x.html", "<h1>come back later</h1>")
    with gate(container(one, VIRTUAL_HOST="a.test"), folders=mounted.read()) as found:
        answer = found.ask("http://unknown.test/")

    assert (answer.status_code, answer.text) == (503, "<h1>come back later</h1>")
