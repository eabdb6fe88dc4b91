"""Presets of applications in one nginx: it takes all of them, and what visitors and servers receive of some."""

import collections.abc

import pytest

from daemun import package_data
from daemun.core import model
from daemun.sources import known_apps, yaml_file
from tests.support import echo, header_server, rendered

pytestmark = pytest.mark.nginx

NAMES = package_data.list_names(known_apps.FOLDER, ".yaml")

CLOSED: dict[str, tuple[int, tuple[str, ...]]] = {
    "keycloak": (403, ("metrics", "health/ready")),
    "nextcloud": (404, ("config/config.php", "data/x", "occ", "lib/x", "db_structure.xml", "tests/x")),
    "synapse": (403, ("_synapse/admin/v1/users",)),
    "wordpress": (403, ("wp-content/uploads/2026/x.php", "files/x.PHP")),
}
"""Paths below an application that are closed, and how."""


def read(*lines: str) -> tuple[model.Site, ...]:
    text = "\n".join(["sites:", *(f"  {line}" for line in lines)])
    found = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/")
    assert found.problems == ()
    return found.sites


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    """Every preset in one configuration, which nginx tests before it runs. Without health checks servers are reached by
    their addresses."""
    with header_server.running() as sending:
        sites = read(
            *(f"{name}.all.test: {{app: {name}, routes: {{/: 'http://127.0.0.1:1'}}}}" for name in NAMES),
            f"cloud.test: {{app: nextcloud, routes: {{/: '{one.url}', /config/: '{one.url}'}}}}",
            f"small.test: {{app: nextcloud, routes: {{/: {{to: '{one.url}', max_body: 10}}}}}}",
            f"media.test: {{app: jellyfin, routes: {{/: {{to: '{sending}', health: off}}}}}}",
            f"shut.test: {{app: nextcloud, access: {{allow: [192.0.2.1]}}, routes: {{/: '{one.url}'}}}}",
            f"chat.test: {{app: synapse, routes: {{/: {{to: '{one.url}', health: off}}}}}}",
            f"blog.test: {{app: wordpress, routes: {{/: '{one.url}'}}}}",
            f"ai.test: {{app: ollama, routes: {{/: '{one.url}'}}}}",
            f"hole.test: {{/: {{to: '{one.url}', app: pihole}}}}",
            f"lab.test: {{app: gitlab, routes: {{/: '{one.url}'}}}}",
            f"dns.test: {{app: adguard, routes: {{/: '{one.url}'}}}}",
            *(
                f"{name}.below.test: {{/: '{one.url}', /at/: {{to: '{one.url}', app: {name}, health: off}}, "
                f"/at-root: {{to: '{one.url}/', app: {name}, health: off}}}}"
                for name in CLOSED
            ),
            f"own.test: {{/: '{one.url}', /at/: {{to: '{one.url}', app: nextcloud}}, /at/lib/: '{one.url}'}}",
        )
        assert len(sites) == len(NAMES) + len(CLOSED) + 11
        with rendered.running(*sites) as nginx:
            yield nginx


@pytest.mark.parametrize(
    ("url", "status", "location"),
    [
        ("https://cloud.test/.well-known/carddav", 301, "/remote.php/dav/"),
        ("https://cloud.test/.well-known/caldav", 301, "/remote.php/dav/"),
        (
            "https://cloud.test/.well-known/webfinger?resource=acct:a@cloud.test",
            301,
            "/index.php/.well-known/webfinger?resource=acct:a@cloud.test",
        ),
        ("https://cloud.test/data/nextcloud.log", 404, None),
        ("https://cloud.test/config/config.php", 200, None),
        ("https://cloud.test/remote.php/dav/", 200, None),
        ("https://shut.test/.well-known/carddav", 403, None),
        ("https://chat.test/_synapse/admin/v1/users", 403, None),
        ("https://chat.test/_synapse/client/x", 200, None),
        ("https://blog.test/wp-content/uploads/2026/x.PHP", 403, None),
        ("https://blog.test/wp-content/uploads/2026/x.jpg", 200, None),
        ("https://blog.test/index.php", 200, None),
        ("https://hole.test/", 302, "/admin/"),
        ("https://hole.test/admin/", 200, None),
    ],
)
def test_paths(gate: rendered.Running, url: str, status: int, location: str | None) -> None:
    answer = gate.get(url)
    assert answer.status_code == status
    assert answer.headers.get("location") == location


def test_bodies(gate: rendered.Running) -> None:
    assert gate.ask("PUT", "https://small.test/x", body=b"0123456789").status_code == 200
    assert gate.ask("PUT", "https://small.test/x", body=b"0123456789+").status_code == 413


def test_headers(gate: rendered.Running) -> None:
    assert gate.get("https://media.test/").headers["x-content-type-options"] == "nosniff"
    assert gate.said("https://ai.test/").headers["host"] == "localhost:11434"
    assert gate.said("https://lab.test/").headers["x-forwarded-ssl"] == "on"


def test_an_address_that_a_visitor_made_up(gate: rendered.Running) -> None:
    made_up = {"CF-Connecting-IP": "192.0.2.9", "True-Client-IP": "192.0.2.9"}
    answer = gate.ask("GET", "https://dns.test/", headers=made_up)
    received = echo.Said.parse(answer.content).headers
    assert "x-real-ip" in received
    assert "192.0.2.9" not in received.values()


def test_every_application_that_closes_paths_is_tried() -> None:
    closing = {
        name for name in NAMES for one in read(f"a.test: {{/: {{to: 'http://a', app: {name}}}}}") if refused(one)
    }
    assert closing == CLOSED.keys()


def refused(one: model.Site) -> list[str]:
    return [item.path for item in one.routes if isinstance(item.action, model.Respond) and item.action.refuses]


@pytest.mark.parametrize("name", CLOSED)
def test_paths_below_a_prefix_are_closed(gate: rendered.Running, name: str) -> None:
    status, paths = CLOSED[name]
    for path in paths:
        for below in ("/at/", "/AT/../at/", "/at//", "/at-root/", "/at-root"):
            assert gate.get(f"https://{name}.below.test{below}{path}").status_code == status, below + path
        assert gate.get(f"https://{name}.below.test/{path}").status_code == 200, "beside the prefix"
        assert gate.get(f"https://{name}.below.test/atlas/{path}").status_code == 200
    assert gate.get(f"https://{name}.below.test/at/index.php").status_code == 200


def test_a_path_of_the_owner_below_a_prefix_wins(gate: rendered.Running) -> None:
    assert gate.get("https://own.test/at/lib/x").status_code == 200
    assert gate.get("https://own.test/at/occ").status_code == 404
