"""`listen` of a site in daemun.yaml: it is reached at its own ports alone, and redirects name them."""

import collections.abc
import dataclasses
import ssl

import httpx
import pytest

from daemun.sources import yaml_file
from tests.support import clients, echo, ports, rendered

pytestmark = pytest.mark.nginx

TOKEN = "a" * 43


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """http, https: of the sites."""

    running: rendered.Running
    http: int
    https: int

    def at(self, *, http: int | None = None, https: int | None = None) -> clients.GateAddress:
        gate = self.running.clients
        return dataclasses.replace(gate, http=http or gate.http, https=https or gate.https)


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[Gate]:
    http, https = ports.free_port(), ports.free_port()
    snapshot = yaml_file.parse(
        f"""\
sites:
  both.test: {{listen: {{http: {http}, https: {https}}}, aliases: [www.both.test], routes: {{/: "{one.url}"}}}}
  moved.test:
    listen: {{http: {http}, https: {https}}}
    aliases: [old.test]
    redirect_aliases: true
    routes: {{/: "{one.url}"}}
  secure.test: {{listen: {{https: {https}}}, routes: {{/: "{one.url}"}}}}
  plain.test: {{listen: {{http: {http}}}, tls: off, routes: {{/: "{one.url}"}}}}
  usual.test: "{one.url}"
""",
        file_name="daemun.yaml",
        base_dir="/etc/daemun",
    )
    assert not snapshot.problems
    with rendered.running(*snapshot.sites) as running:
        yield Gate(running=running, http=http, https=https)


@pytest.mark.parametrize("host", ["both.test", "www.both.test", "secure.test", "moved.test"])
def test_https_is_there_alone(gate: Gate, host: str) -> None:
    assert clients.get(gate.at(https=gate.https), f"https://{host}/").status_code == 200
    with pytest.raises((httpx.ConnectError, ssl.SSLError)):
        clients.get(gate.at(), f"https://{host}/")


def test_plain_http_is_there_alone_and_leads_to_the_port(gate: Gate) -> None:
    answer = clients.get(gate.at(http=gate.http), "http://both.test/x?y")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://both.test:{gate.https}/x?y")
    for host in ("both.test", "secure.test", "plain.test"):
        assert clients.get(gate.at(), f"http://{host}/").status_code == 404
    assert clients.get(gate.at(http=gate.http), "http://secure.test/").status_code == 404
    assert clients.get(gate.at(http=gate.http), "http://plain.test/").status_code == 200


def test_an_alias_keeps_the_port(gate: Gate) -> None:
    answer = clients.get(gate.at(https=gate.https), "https://old.test/", Host=f"old.test:{gate.https}")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://moved.test:{gate.https}/")


def test_challenges_come_to_the_gates_port(gate: Gate) -> None:
    for host in ("both.test", "secure.test"):
        answer = clients.get(gate.at(), f"http://{host}/.well-known/acme-challenge/{TOKEN}")
        assert answer.text == f"{TOKEN}.{rendered.THUMBPRINT}"


def test_other_sites_are_where_they_were(gate: Gate) -> None:
    assert clients.get(gate.at(), "https://usual.test/").status_code == 200
    with pytest.raises((httpx.ConnectError, ssl.SSLError)):
        clients.get(gate.at(https=gate.https), "https://usual.test/")
