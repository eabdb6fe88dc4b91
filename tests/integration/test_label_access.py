"""Labels that say who may come in, beside what the file demands of every site, as visitors meet both."""

import collections.abc
import dataclasses

import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue, trusted_proxies_option
from daemun.core.rounds import merge
from daemun.sources.docker import container_labels
from tests.support import docker_values, echo, rendered
from tests.support.sites import proxy, site

pytestmark = pytest.mark.nginx

FILE = access_option.Access(deny=("203.0.113.66",))
GATE = model.Globals(
    options=catalogue.values(
        trusted_proxies_option.OPTION.set(("127.0.0.1",)),
        access_option.OPTION.set(FILE),
    )
)
HOME, AWAY, BANNED = "203.0.113.7", "198.51.100.7", "203.0.113.66"
LABELS = {
    "plain.test": {},
    "home.test": {"access.allow": "203.0.113.0/24"},
    "away.test": {"access.deny": "203.0.113.0/24"},
    "limited.test": {"access.rate_limit.rate": "1/m", "access.rate_limit.burst": "2"},
    "keyed.test": {"access.rate_limit.rate": "1/m", "access.rate_limit.by": "header X-Key"},
    "password.test": {"access.basic_auth.users": "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="},
    "public.test": {"access": "public"},
    "either.test": {"access.allow": "0.0.0.0/0", "access.any": "true"},
}


def of_labels(host: str, port: int) -> model.Site:
    """As a container has it, whose server is the one of this test."""
    labels = {"daemun.host": host, **{f"daemun.{key}": value for key, value in LABELS[host].items()}}
    read = container_labels.read_requests(docker_values.container(labels=labels))
    assert read.faults == ()
    (found,) = read.requests
    one = dataclasses.replace(found.route, action=proxy(f"http://127.0.0.1:{port}"))
    return dataclasses.replace(site(host, one), origin=model.Origin(source="docker", place="container web"))


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    sites = tuple(of_labels(host, one.port) for host in LABELS)
    snapshots = [model.Snapshot(source="file", globals=GATE), model.Snapshot(source="docker", sites=sites)]
    desired = merge.merge_snapshots(snapshots)
    # What would open what the file guards is not served at all.
    assert {one.host for one in sites} - {one.host for one in desired.sites} == {"public.test", "either.test"}
    assert all("the file guards every site" in problem.message for problem in desired.problems)
    with rendered.running(*desired.sites, settings=GATE) as running:
        yield running


def status(gate: rendered.Running, host: str, address: str, **headers: str) -> int:
    return gate.ask("GET", f"https://{host}/", headers={"X-Forwarded-For": address, **headers}).status_code


@pytest.mark.parametrize(
    ("host", "home", "away"),
    [
        ("plain.test", 200, 200),
        ("home.test", 200, 403),
        ("away.test", 403, 200),
        # There is no judge in this test: nobody comes in.
        ("password.test", 503, 503),
    ],
)
def test_both_hold(gate: rendered.Running, host: str, home: int, away: int) -> None:
    assert (status(gate, host, HOME), status(gate, host, AWAY)) == (home, away)
    assert status(gate, host, BANNED) == 403


def test_limits_are_of_the_containers_own_routes(gate: rendered.Running) -> None:
    assert [status(gate, "limited.test", HOME) for _ in range(3)] == [200, 200, 429]
    assert status(gate, "limited.test", AWAY) == 200
    assert status(gate, "limited.test", BANNED) == 403
    assert [status(gate, "keyed.test", HOME, **{"X-Key": key}) for key in "aab"] == [200, 429, 200]
    assert status(gate, "plain.test", HOME) == 200
