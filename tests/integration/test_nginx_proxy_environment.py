"""What clients of a gate in nginx-proxy's place see of the proxy's own environment: what holds for the whole gate."""

import contextlib
import json
import pathlib
import socket

import pytest

from tests.support import clients, echo, until
from tests.support.compat_gate import CompatGate, container, gate

pytestmark = pytest.mark.nginx


@pytest.mark.shows(gate="DEFAULT_HOST")
def test_the_default_host(one: echo.EchoServer, two: echo.EchoServer) -> None:
    hosts = (
        container(one, VIRTUAL_HOST="a.test", ACME_HOST="a.test", HTTPS_METHOD="noredirect"),
        container(two, "other", VIRTUAL_HOST="b.test"),
    )
    with gate(*hosts, environ={"DEFAULT_HOST": "a.test"}) as found:
        assert found.said("http://unknown.test/").headers["host"] == "unknown.test"
        assert found.handshake("unknown.test").names == {"a.test"}
        assert found.said("http://b.test/").server == "two"


@pytest.mark.shows(gate="DEFAULT_HOST")
def test_a_default_host_that_is_not_there_is_told(one: echo.EchoServer) -> None:
    environ = {"DEFAULT_HOST": "missing.test"}
    with gate(container(one, VIRTUAL_HOST="a.test"), environ=environ, may_fail=True) as found:
        assert found.ask("http://unknown.test/").status_code == 503
        assert 'cannot answer unknown hosts from site "missing.test"' in str(found.desired.problems)


@pytest.mark.shows(gate="DEFAULT_ROOT")
@pytest.mark.parametrize(
    ("root", "status", "location"),
    [
        (None, 404, None),
        ("418", 418, None),
        ("none", 404, None),
        ("301 https://$host/app$request_uri", 301, "https://a.test/app/x"),
        ("200 'nothing here'", 200, None),
    ],
)
def test_the_default_root(one: echo.EchoServer, root: str | None, status: int, location: str | None) -> None:
    environ = {} if root is None else {"DEFAULT_ROOT": root}
    with gate(container(one, VIRTUAL_HOST="a.test", VIRTUAL_PATH="/app/"), environ=environ) as found:
        answer = found.ask("http://a.test/x")

    assert (answer.status_code, answer.headers.get("Location")) == (status, location)


@pytest.mark.shows(gate="ENABLE_PROXY_PROTOCOL")
def test_the_proxy_protocol(one: echo.EchoServer) -> None:
    environ = {"ENABLE_PROXY_PROTOCOL": "true"}
    with gate(container(one, VIRTUAL_HOST="a.test"), environ=environ) as found:
        line = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n"
        request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
        said = echo.Said.parse(_raw(found, line + request).split(b"\r\n\r\n", 1)[1])
        assert said.headers["x-real-ip"] == said.headers["x-forwarded-for"] == "203.0.113.7"
        assert b" 200 " not in _raw(found, request)


@pytest.mark.parametrize("believed", ["true", "false"])
@pytest.mark.parametrize(
    ("line", "port"),
    [
        (b"PROXY TCP4 1.2.3.4 4.3.2.1 8080 9090\r\n", "9090"),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 8080 443\r\n", "443"),
        (b"PROXY UNKNOWN\r\n", "80"),
    ],
)
def test_the_port_of_the_proxy_protocol(one: echo.EchoServer, line: bytes, port: str, believed: str) -> None:
    """M5: it is the balancer's that counts, not one that a client invents."""
    environ = {"ENABLE_PROXY_PROTOCOL": "true", "TRUST_DOWNSTREAM_PROXY": believed}
    with gate(container(one, VIRTUAL_HOST="a.test"), environ=environ) as found:
        request = b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Port: 7\r\nConnection: close\r\n\r\n"
        said = echo.Said.parse(_raw(found, line + request).split(b"\r\n\r\n", 1)[1])
        assert said.headers["x-forwarded-port"] == port


def _raw(found: CompatGate, request: bytes) -> bytes:
    answer = b""
    with socket.create_connection(("127.0.0.1", found.nginx.http), timeout=20) as connection:
        connection.sendall(request)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                answer += part
    return answer


# --- the log ---------------------------------------------------------------------------------------------------


def _log(one: echo.EchoServer, **environ: str) -> list[str]:
    """What is logged of one request. nginx opens the log as it starts, and has written it within a second."""
    with (
        gate(container(one, VIRTUAL_HOST="a.test"), environ=environ) as found,
        clients.client(found.nginx.clients) as client,
    ):
        client.get('http://a.test/x?"', headers={"User-Agent": 'it"s me'})
        file = pathlib.Path(found.nginx.layout.logs, "access.log")
        if not file.exists():
            return []
        until.true(lambda: file.read_text().endswith("\n"))
        return file.read_text().splitlines()


@pytest.mark.shows(gate="LOG_FORMAT LOG_FORMAT_ESCAPE")
def test_the_form_of_the_log(one: echo.EchoServer) -> None:
    form = '{"host":"$host","agent":"$http_user_agent","to":"$upstream_addr"}'
    (line,) = _log(one, LOG_FORMAT=form, LOG_FORMAT_ESCAPE="json")
    assert json.loads(line) == {"host": "a.test", "agent": 'it"s me', "to": f"127.0.0.1:{one.port}"}

    (line,) = _log(one, LOG_FORMAT="$host $http_user_agent", LOG_FORMAT_ESCAPE="none")
    assert line == 'a.test it"s me'


@pytest.mark.shows(gate="LOG_JSON")
def test_a_log_of_json(one: echo.EchoServer) -> None:
    (line,) = _log(one, LOG_JSON="true")

    said = json.loads(line)
    assert (said["status"], said["http_user_agent"]) == ("200", 'it"s me')
    assert said["upstream_addr"] == f"127.0.0.1:{one.port}"


@pytest.mark.shows(gate="DISABLE_ACCESS_LOGS")
def test_no_log(one: echo.EchoServer) -> None:
    assert _log(one, DISABLE_ACCESS_LOGS="true") == []
    assert len(_log(one)) == 1
