"""Sites of the file over those of containers, as visitors meet them."""

import collections.abc
import dataclasses

import pytest

from daemun.core import model
from daemun.core.rounds import merge
from daemun.sources import yaml_file
from daemun.sources.docker import container_labels
from tests.support import docker_values, echo, rendered
from tests.support.sites import proxy, site

pytestmark = pytest.mark.nginx

FILE = """
trusted_proxies: [127.0.0.1]
sites:
  over.test:
    from: docker
    hsts: true
    access: {deny: [203.0.113.66]}
    routes:
      /admin/: {access: {allow: [203.0.113.0/24]}}
      /closed/: {deny: true}
      "= /version": {respond: {status: 200, body: file}}
  waiting.test:
    from: docker
    access: {allow: [203.0.113.0/24]}
    routes:
      /admin/: {access: {deny: [203.0.113.66]}}
      "= /version": {respond: {status: 200, body: file}}
"""
HOME, AWAY, BANNED = "203.0.113.7", "198.51.100.7", "203.0.113.66"
LABELS = (
    {"daemun.path": "/"},
    # What a hostile container would write.
    {"daemun.path": "/admin/public/", "daemun.access": "public"},
    {"daemun.path": "/closed/open/", "daemun.access": "public"},
    {"daemun.path": "/version", "daemun.access": "public"},
)


def of_labels(port: int) -> model.Site:
    """As containers have it, whose server is the one of this test."""
    routes = []
    for labels in LABELS:
        read = container_labels.read_requests(docker_values.container(labels={"daemun.host": "over.test", **labels}))
        assert read.faults == ()
        (found,) = read.requests
        routes.append(dataclasses.replace(found.route, action=proxy(f"http://127.0.0.1:{port}")))
    return dataclasses.replace(site("over.test", *routes), origin=model.Origin(source="docker", place="container web"))


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    file = yaml_file.parse(FILE, file_name="daemun.yaml", base_dir="/")
    assert file.problems == ()
    desired = merge.merge_snapshots([file, model.Snapshot(source="docker", sites=(of_labels(one.port),))])
    assert [(problem.severity, problem.field) for problem in desired.problems] == [
        (model.Severity.WARNING, ("routes", "/closed/open/"))
    ]
    with rendered.running(*desired.sites, settings=desired.globals) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "home", "away"),
    [
        ("/", 200, 200),
        ("/admin/", 200, 403),
        ("/admin/public/", 200, 403),
        ("/closed/open/", 403, 403),
        ("/version", 200, 200),
    ],
)
def test_labels_open_nothing_that_the_file_guards(gate: rendered.Running, path: str, home: int, away: int) -> None:
    assert (ask(gate, "over.test", path, HOME), ask(gate, "over.test", path, AWAY)) == (home, away)


def test_requests_reach_the_container_and_options_are_the_files(gate: rendered.Running) -> None:
    answer = gate.ask("GET", "https://over.test/chat", headers={"X-Forwarded-For": HOME})
    assert (answer.json()["path"], answer.headers["Strict-Transport-Security"]) == ("/chat", "max-age=31536000")
    assert gate.ask("GET", "https://over.test/version", headers={"X-Forwarded-For": HOME}).text == "file"
    assert ask(gate, "over.test", "/", BANNED) == 403


def test_without_its_container_the_site_has_nothing_but_what_is_the_files_own(gate: rendered.Running) -> None:
    assert {ask(gate, "waiting.test", path, HOME) for path in ("/", "/deep/er", "/admin/")} == {503}
    assert (ask(gate, "waiting.test", "/version", HOME), ask(gate, "waiting.test", "/version", AWAY)) == (200, 403)


def ask(gate: rendered.Running, host: str, path: str, address: str) -> int:
    return gate.ask("GET", f"https://{host}{path}", headers={"X-Forwarded-For": address}).status_code
