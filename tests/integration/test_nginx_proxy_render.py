"""What clients of a gate see of what containers say in nginx-proxy's words: hosts, paths, headers, servers."""

import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import ssl

import pytest

from daemun.sources.docker import containers
from tests.support import clients, echo, nginx_proxy, ports, rendered, responders
from tests.support import docker_values as values
from tests.support.compat_gate import WEBSOCKET, CompatGate, Mounted, container, gate

pytestmark = pytest.mark.nginx

# --- hosts, paths, headers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(one: echo.EchoServer, two: echo.EchoServer) -> collections.abc.Iterator[CompatGate]:
    """Hosts without certificates."""
    with gate(
        container(one, "web", VIRTUAL_HOST=r"a.test,*.wild.test,end.*,~^(re|ex)\d{1,2}\.reg\.test$,127.0.0.9,[::9]"),
        container(two, "app", VIRTUAL_HOST="a.test", VIRTUAL_PATH="/app/", VIRTUAL_DEST="/"),
        container(two, "raw", VIRTUAL_HOST="a.test", VIRTUAL_PATH="/raw"),
        container(two, "expression", VIRTUAL_HOST="a.test", VIRTUAL_PATH=r"~^/(v1|v2)/\w+$"),
        container(one, "only", VIRTUAL_HOST="only.test", VIRTUAL_PATH="/here/"),
        container(1, "dead", VIRTUAL_HOST="dead.test"),
        container(one, "empty", VIRTUAL_HOST=""),
    ) as found:
        yield found


@pytest.mark.shows(container="VIRTUAL_HOST")
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
        "[::9]",
    ],
)
def test_hosts(plain: CompatGate, host: str) -> None:
    assert plain.said(f"http://{host}/").server == "one"


@pytest.mark.parametrize("host", ["b.test", "wild.test", "re123.reg.test", "re1.reg.test.x", "x.end.example"])
def test_unknown_hosts_get_503(plain: CompatGate, host: str) -> None:
    assert plain.ask(f"http://{host}/").status_code == 503


@pytest.mark.shows(container="VIRTUAL_PATH VIRTUAL_DEST")
def test_paths(plain: CompatGate) -> None:
    assert plain.said("http://a.test/app/x?y=1").path == "/x?y=1"
    assert plain.said("http://a.test/raw/x").path == "/raw/x"
    assert plain.said("http://a.test/rawer").path == "/rawer"
    assert plain.said("http://a.test/v1/abc").server == "two"
    assert plain.said("http://a.test/v1/abc/d").server == "one"


def test_a_path_that_nobody_has_gets_404(plain: CompatGate) -> None:
    assert plain.said("http://only.test/here/").server == "one"
    assert plain.ask("http://only.test/there").status_code == 404


def test_a_server_that_does_not_answer_gives_502(plain: CompatGate) -> None:
    assert plain.ask("http://dead.test/").status_code == 502


def test_the_usual_headers(plain: CompatGate) -> None:
    headers = plain.said("http://a.test/app/x?y=1", headers={"Proxy": "evil"}).headers

    assert headers["host"] == "a.test"
    assert headers["x-real-ip"] == headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-ssl"] == "off"
    assert headers["x-forwarded-host"] == "a.test"
    assert headers["x-forwarded-port"] == "80"
    assert headers["x-original-uri"] == "/app/x?y=1"
    assert "proxy" not in headers


@pytest.mark.shows(gate="TRUST_DOWNSTREAM_PROXY")
def test_a_downstream_proxy_is_believed_by_default(plain: CompatGate) -> None:
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


@pytest.mark.shows(gate="TRUST_DOWNSTREAM_PROXY")
@pytest.mark.parametrize(
    ("said", "passed_on", "ssl"),
    [
        ("wss", "wss", "on"),
        ("ws", "ws", "off"),
        ("f00", "f00", "off"),
        ("coap+tcp", "coap+tcp", "off"),
        ("https, http", "http", "off"),
        ("h\"'{}", "http", "off"),
        ("x" * 33, "http", "off"),
    ],
)
def test_a_downstream_proxy_has_its_own_word_for_the_protocol(
    plain: CompatGate, said: str, passed_on: str, ssl: str
) -> None:
    headers = plain.said("http://a.test/", headers={"X-Forwarded-Proto": said}).headers

    assert (headers["x-forwarded-proto"], headers["x-forwarded-ssl"]) == (passed_on, ssl)


@pytest.mark.shows(gate="TRUST_DOWNSTREAM_PROXY")
def test_a_downstream_proxy_that_is_not_trusted(one: echo.EchoServer) -> None:
    environ = {"TRUST_DOWNSTREAM_PROXY": "false"}
    with gate(container(one, VIRTUAL_HOST="a.test"), environ=environ) as found:
        claims = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.test"}
        headers = found.said("http://a.test/", headers=claims).headers

    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"]) == ("http", "a.test")


def test_https_is_refused_where_there_is_no_certificate(plain: CompatGate) -> None:
    assert plain.handshake("a.test").alert == "TLSV1_UNRECOGNIZED_NAME"


@pytest.mark.shows(container="NETWORK_ACCESS", file="network_internal.conf")
def test_internal_networks(one: echo.EchoServer, mounted: Mounted) -> None:
    inner = container(one, VIRTUAL_HOST="a.test", NETWORK_ACCESS="internal")
    with gate(inner, container(one, "b", VIRTUAL_HOST="b.test")) as found:
        assert found.said("http://a.test/").server == "one"

    mounted.write("network_internal.conf", "allow 10.0.0.0/8;\ndeny all;")
    with gate(inner, container(one, "b", VIRTUAL_HOST="b.test"), folders=mounted.read()) as found:
        assert found.ask("http://a.test/").status_code == 403
        assert found.ask("http://a.test/", headers=WEBSOCKET).status_code == 403
        assert found.said("http://b.test/").server == "one"


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("allow 10.0.0.0/8; add_header X-Mine yes; deny all;", 403),
        ("allow 10.0.0.0/8; allow unix:; deny all;", 403),
        ("deny 127.0.0.1; allow 127.0.0.0/8; deny all;", 403),
        ("deny 192.0.2.7; allow 127.0.0.0/8; deny all;", 200),
        ("allow 127.0.0.1;", 200),
        ("allow 10.0.0.0/8;", 403),
        ("allow all;", 200),
        ("proxy_read_timeout 7s; allow 10.0.0.0/8; deny all;", 403),
        ("client_max_body_size 1k; allow 127.0.0.1; deny all;", 200),
        ("return 403;", 403),
        ("if ($http_user_agent ~ curl) { return 403; } allow 10.0.0.1; deny all;", 403),
        ("satisfy any; auth_basic x; auth_basic_user_file /nowhere; deny all;", 401),
    ],
)
def test_internal_networks_as_they_are_written(
    one: echo.EchoServer, mounted: Mounted, written: str, status: int
) -> None:
    """M2."""
    mounted.write("network_internal.conf", written)
    inner = container(one, VIRTUAL_HOST="a.test", NETWORK_ACCESS="internal")
    with gate(inner, container(one, "b", VIRTUAL_HOST="b.test"), folders=mounted.read()) as found:
        assert found.ask("http://a.test/").status_code == status
        assert found.ask("http://a.test/", headers={"Accept": "text/event-stream"}).status_code == status
        assert found.said("http://b.test/").server == "one"


@pytest.mark.parametrize(
    ("included", "status"),
    [
        ("allow 127.0.0.0/8; deny all;", 200),
        ("allow 10.0.0.0/8;", 403),
        ("proxy_read_timeout 7s; allow 127.0.0.1; deny all;", 200),
        ("include own/more.conf; deny all;", 200),
        ("include own/none.conf; allow 127.0.0.1; deny all;", 403),
    ],
)
def test_internal_networks_in_an_included_file(
    one: echo.EchoServer, mounted: Mounted, included: str, status: int
) -> None:
    mounted.write("own/inner.conf", included)
    mounted.write("own/more.conf", "allow 127.0.0.1;")
    mounted.write("network_internal.conf", "include own/inner.conf;")
    inner = container(one, VIRTUAL_HOST="a.test", NETWORK_ACCESS="internal")
    with gate(inner, container(one, "b", VIRTUAL_HOST="b.test"), folders=mounted.read()) as found:
        assert found.ask("http://a.test/").status_code == status
        assert found.said("http://b.test/").server == "one"


@pytest.mark.parametrize(
    "written",
    [
        "allow 127.0.0.0/8; no_such_directive on;",
        "allow lots;",
        "allow 127.0.0.1; listen 80;",
        "allow 127.0.0.0/8; proxy_read_timeout 1s; proxy_read_timeout 2s;",
        "if ($no_such_variable) { return 403; }",
        "allow 127.0.0.1; }",
        "allow 127.0.0.1; deny all",
        "",
    ],
)
def test_internal_networks_that_cannot_be_used_let_nobody_in(
    one: echo.EchoServer, mounted: Mounted, written: str
) -> None:
    """M2: also where the file was good before, and let the client in."""
    hosts = (
        container(one, VIRTUAL_HOST="a.test", NETWORK_ACCESS="internal"),
        container(one, "b", VIRTUAL_HOST="b.test"),
    )
    mounted.write("network_internal.conf", "allow 127.0.0.0/8; deny all;")
    with gate(*hosts, folders=mounted.read()) as before:
        assert before.said("http://a.test/").server == "one"
    mounted.write("network_internal.conf", written)
    folders = mounted.read()
    with gate(*hosts, folders=folders, last_good=before.nginx.files) as found:
        assert found.ask("http://a.test/").status_code == 403
        assert found.ask("http://a.test/", headers=WEBSOCKET).status_code == 403
        assert found.said("http://b.test/").server == "one"
        told = "\n".join((*(str(problem) for problem in folders.problems), found.refusals()))
    assert "network_internal.conf" in told
    assert "no visitor is let in where" in told


# --- ports and several ports -----------------------------------------------------------------------------------


@pytest.mark.shows(container="VIRTUAL_PORT")
def test_which_port_of_a_container(one: echo.EchoServer, two: echo.EchoServer) -> None:
    def exposing(name: str, *exposed: int, **environment: str) -> containers.EngineContainer:
        given = {"VIRTUAL_HOST": f"{name}.test", **environment}
        return values.container(name, environment=given, ip="127.0.0.1", ports=exposed)

    with gate(
        exposing("named", one.port, two.port, VIRTUAL_PORT=str(two.port)),
        exposing("alone", one.port),
        exposing("unexposed", one.port, VIRTUAL_PORT=str(two.port)),
    ) as found:
        assert found.said("http://named.test/").server == "two"
        assert found.said("http://alone.test/").server == "one"
        assert found.said("http://unexposed.test/").server == "two"


@pytest.mark.shows(container="VIRTUAL_HOST_MULTIPORTS")
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_several_ports(one: echo.EchoServer, two: echo.EchoServer, form: str) -> None:
    own = ports.free_port()
    said = {
        "www.test": {},
        "service.test": {
            "/": {"port": two.port},
            "/secure/": {"port": one.port, "proto": "http", "dest": "/inner/"},
        },
        "apart.test": {"external_http_port": own, "/": {"port": one.port}},
    }
    text = json.dumps(said) if form == "json" else _yaml(said)
    given = {
        "VIRTUAL_HOST": "ignored.test",
        "VIRTUAL_PORT": "1",
        "VIRTUAL_PATH": "/x/",
        "VIRTUAL_HOST_MULTIPORTS": text,
    }
    several = values.container("web", environment=given, ip="127.0.0.1", ports=(one.port,))
    with gate(several) as found:
        assert found.said("http://www.test/x").server == "one"
        assert found.said("http://service.test/x").server == "two"
        assert found.said("http://service.test/secure/x").path == "/inner/x"
        assert found.said("http://apart.test/", port=own).server == "one"
        assert found.ask("http://apart.test/").status_code == 503
        assert found.ask("http://ignored.test/").status_code == 503


def _yaml(said: dict[str, dict[str, object]]) -> str:
    """As people write it."""
    lines = []
    for host, entry in said.items():
        lines.append(f"{host}:")
        for key, value in entry.items():
            lines.append(f'  "{key}":' if isinstance(value, dict) else f"  {key}: {value}")
            lines += [f"    {name}: {text}" for name, text in (value.items() if isinstance(value, dict) else ())]
    return "\n".join(lines)


@pytest.mark.shows(container="EXTERNAL_HTTP_PORT EXTERNAL_HTTPS_PORT")
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


# --- what servers speak ----------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: pathlib.Path) -> ssl.SSLContext:
    """Of a container whose certificate nobody trusts."""
    certificate, key = rendered.self_signed("container.test")
    (tmp_path / "own.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    return context


@pytest.mark.shows(container="VIRTUAL_PROTO")
def test_a_container_that_speaks_https(tls: ssl.SSLContext) -> None:
    with (
        echo.echo_server("secure", context=tls) as server,
        gate(container(server, VIRTUAL_HOST="a.test", VIRTUAL_PROTO="https")) as found,
    ):
        assert found.said("http://a.test/").server == "secure"


@pytest.mark.shows(container="VIRTUAL_PROTO VIRTUAL_ROOT")
@pytest.mark.parametrize(("protocol", "handler"), [("fastcgi", responders.FastCgi), ("uwsgi", responders.Uwsgi)])
def test_containers_that_speak_cgi(protocol: str, handler: type[responders.FastCgi]) -> None:
    def speaking(name: str, port: int, **environment: str) -> containers.EngineContainer:
        return container(port, name, VIRTUAL_HOST=f"{name}.test", VIRTUAL_PROTO=protocol, **environment)

    with responders.responder(handler) as place:
        port = int(place.rpartition(":")[2])
        with gate(speaking("usual", port), speaking("own", port, VIRTUAL_ROOT="/srv/app")) as found:
            default = _parameters(found, "http://usual.test/x.php?y=1")
            own = _parameters(found, "http://own.test/x.php")

    assert (default["DOCUMENT_ROOT"], own["DOCUMENT_ROOT"]) == ("/var/www/public", "/srv/app")
    assert (default["REQUEST_URI"], default["HTTP_X_FORWARDED_PROTO"]) == ("/x.php?y=1", "http")
    if protocol == "fastcgi":
        assert own["SCRIPT_FILENAME"] == "/srv/app/x.php"


def _parameters(found: CompatGate, url: str) -> dict[str, str]:
    answer = found.ask(url)
    assert answer.status_code == 200, answer
    parameters: dict[str, str] = answer.json()["parameters"]
    return parameters


@pytest.mark.shows(container="VIRTUAL_PROTO")
@pytest.mark.parametrize("protocol", ["grpc", "grpcs"])
def test_containers_that_speak_grpc(protocol: str, tls: ssl.SSLContext) -> None:
    tls.set_alpn_protocols(["h2"])
    context = tls if protocol == "grpcs" else None
    with responders.responder(responders.Http2, context=context) as place:
        port = int(place.rpartition(":")[2])
        speaking = container(port, VIRTUAL_HOST="a.test", VIRTUAL_PROTO=protocol, ACME_HOST="a.test")
        with gate(speaking) as found, clients.client(found.nginx.clients, http2=True) as client:
            answer = client.post(
                "https://a.test/a.B/c", content=b"hello", headers={"Content-Type": "application/grpc", "TE": "trailers"}
            )

    said = answer.json()
    assert (said["protocol"], said["path"], said["body"]) == ("HTTP/2", "/a.B/c", "hello")


# --- which of several servers, and over which connection --------------------------------------------------------


@pytest.mark.shows(label="loadbalance")
def test_which_of_several_containers(one: echo.EchoServer, two: echo.EchoServer) -> None:
    label = {f"{nginx_proxy.LABEL}loadbalance": "hash $arg_user consistent;"}
    with gate(
        container(one, "a", VIRTUAL_HOST="turns.test"),
        container(two, "b", VIRTUAL_HOST="turns.test"),
        container(one, "c", label, VIRTUAL_HOST="sticky.test"),
        container(two, "d", VIRTUAL_HOST="sticky.test"),
    ) as found:
        turns = [found.said("http://turns.test/").server for _ in range(4)]
        sticky = [{found.said(f"http://sticky.test/?user={user}").server for _ in range(3)} for user in range(20)]

    assert sorted(turns) == ["one", "one", "two", "two"]
    assert all(len(servers) == 1 for servers in sticky)
    assert set().union(*sticky) == {"one", "two"}


@pytest.mark.shows(label="keepalive")
@pytest.mark.parametrize(("label", "connections"), [(None, 1), ("auto", 1), ("8", 1), ("disabled", 4)])
def test_connections_that_are_kept(label: str | None, connections: int) -> None:
    labels = {} if label is None else {f"{nginx_proxy.LABEL}keepalive": label}
    with (
        echo.echo_server() as server,
        gate(container(server, "web", labels, VIRTUAL_HOST="a.test")) as found,
        clients.client(found.nginx.clients) as client,
    ):
        for _ in range(4):
            said = echo.Said.parse(client.get("http://a.test/").content)
            assert said.headers.get("connection") == ("close" if label == "disabled" else None)
        assert server.connections == connections
        # M7: what is upgraded stays so
        upgraded = echo.Said.parse(client.get("http://a.test/", headers=WEBSOCKET).content)
        assert upgraded.headers["connection"] == "upgrade"


@pytest.mark.shows(gate="PREFER_IPV6_NETWORK")
@pytest.mark.parametrize(("preferred", "server"), [("false", "four"), ("true", "six")])
def test_which_address_of_a_container(preferred: str, server: str) -> None:
    with contextlib.ExitStack() as stack:
        four = stack.enter_context(echo.echo_server("four"))
        stack.enter_context(echo.echo_server("six", host="::1", port=four.port))
        both = dataclasses.replace(
            container(four, VIRTUAL_HOST="a.test"), attachments=(values.attachment(ipv4="127.0.0.1", ipv6="::1"),)
        )
        found = stack.enter_context(gate(both, environ={"PREFER_IPV6_NETWORK": preferred}))
        assert found.said("http://a.test/").server == server


@pytest.mark.shows(gate="DOCKER_CONTAINER_FILTERS")
def test_which_containers_count(one: echo.EchoServer) -> None:
    environ = {"DOCKER_CONTAINER_FILTERS": "label=tier=front,health=healthy,health=none"}
    healths = {"none": containers.ContainerHealth.NONE, "starting": containers.ContainerHealth.STARTING}
    with gate(
        container(one, "front", {"tier": "front"}, VIRTUAL_HOST="front.test"),
        container(one, "back", {"tier": "back"}, VIRTUAL_HOST="back.test"),
        *(
            dataclasses.replace(container(one, name, {"tier": "front"}, VIRTUAL_HOST=f"{name}.test"), health=health)
            for name, health in healths.items()
        ),
        environ=environ,
    ) as found:
        answers = {
            host: found.ask(f"http://{host}.test/").status_code for host in ("front", "back", "none", "starting")
        }

    assert answers == {"front": 200, "back": 503, "none": 200, "starting": 503}
