"""Why a URL answers as it does, and the files of a site, for who may look and for owners."""

import pathlib
import typing

import pytest

from daemun import settings
from daemun.sources import yaml_file
from daemun.web import site_file_endpoints, why_endpoints
from daemun.wiring import site_files, site_stories
from tests.support import bad_servers, operator_client, ports, site_api

FILE = """\
listen: {{http: "127.0.0.1:{http}", https: "127.0.0.1:{https}"}}
sites:
  # the shop
  a.test:
    request_headers: {{X-Api-Key: "verysecretvalue"}}
    routes: {{/: "http://127.0.0.1:1"}}
  b.test: http://127.0.0.1:1
  c.test: {{access: {{allow: [192.0.2.1]}}, routes: {{/: "http://127.0.0.1:{server}"}}}}
  d.test:
    routes:
      /: http://127.0.0.1:{server}
      /admin/: {{to: "http://127.0.0.1:{server}", access: {{allow: [192.0.2.1]}}}}
  e.test: http://127.0.0.1:{server}
"""
NGINX = 'server {\n    server_name a.test;\n    proxy_set_header X-Api-Key "verysecretvalue";\n}\n'


class Place:
    """Of a gate whose nginx does not run."""

    def __init__(self, folder: pathlib.Path, server: int = 1) -> None:
        text = FILE.format(http=ports.free_port(), https=ports.free_port(), server=server)
        config = folder / "daemun.yaml"
        config.write_text(text)
        chosen = settings.Settings(config=config, state=folder / "state")
        (folder / "state").mkdir()
        self.current = folder / "state" / "nginx" / "current"
        (self.current / "sites").mkdir(parents=True)
        (self.current / "sites" / "a.test.conf").write_text(NGINX)
        snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir=folder)
        self.gate = site_api.gate_of(folder, *snapshot.sites)
        self.operators = operator_client.Operators()
        endpoints = (
            *why_endpoints.endpoints(self.gate, site_stories.SiteStories(chosen)),
            *site_file_endpoints.endpoints(self.gate, site_files.SiteFileReader(chosen)),
        )
        self.config = config
        self.client = site_api.Client(endpoints, self.operators)

    async def why(self, subject: object, role: str = "look") -> tuple[int, typing.Any]:
        answer = await self.client.request("POST", "/why", role=role, json={"subject": subject})
        return answer.status_code, answer.json()


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path)


async def test_the_story_of_a_url(place: Place) -> None:
    status, story = await place.why("https://a.test/x?token=verysecretvalue")
    assert status == 200
    assert story["ok"] is False
    assert {"cause", "cure", "chain"} <= set(story)
    assert "verysecretvalue" not in str(story)
    assert place.operators.noted == []


@pytest.mark.parametrize(
    "subject",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://router.internal/",
        "https://a.test:22/",
        "http://a.test@10.0.0.1/",
        "https://a.test.evil.example/",
        "https://[::1]:6379/",
    ],
)
async def test_who_may_look_looks_at_this_gate_alone(place: Place, subject: str) -> None:
    status, answer = await place.why(subject)
    assert status == 403, answer
    assert "owner" in answer["error"]


@pytest.mark.parametrize(
    "subject", ["c.test/x?turn=on", "d.test/admin/x?turn=on", "d.test/ADMIN;x/?turn=on", "d.test/y/..%5cadmin/?turn=on"]
)
async def test_who_may_look_sends_nothing_past_access(tmp_path: pathlib.Path, subject: str) -> None:
    with bad_servers.running() as server:
        place = Place(tmp_path, server.port)
        status, story = await place.why(f"https://{subject}")
        assert status == 200
        assert {one.split()[1] for one in server.seen} <= {"/", "/admin/"}
        assert (await place.why(f"https://{subject}", "own"))[0] == 200
        assert any("turn=on" in one for one in server.seen)
    assert "?turn=on" not in str(story["chain"])


async def test_who_may_look_sees_what_servers_answer_to_everybody(tmp_path: pathlib.Path) -> None:
    with bad_servers.running() as server:
        place = Place(tmp_path, server.port)
        assert (await place.why("https://e.test/x?y"))[1]["missing"] == []
        assert "GET /x?y" in server.seen
        assert "`access`" in str((await place.why("https://c.test/"))[1]["missing"])


@pytest.mark.parametrize("subject", ["", " ", "a" * 9000, "\x1b[31m", None, 7, ["https://a.test"]])
async def test_what_is_no_subject(place: Place, subject: object) -> None:
    assert (await place.why(subject))[0] == 400


@pytest.mark.parametrize(
    ("subject", "refusal"),
    [("file:///etc/passwd", 422), ("gopher://a.test/", 422), ("<script>", 422), ("f" * 32, 404), ("../../etc", 404)],
)
async def test_what_cannot_be_found_is_refused_in_words(place: Place, subject: str, refusal: int) -> None:
    status, answer = await place.why(subject, "own")
    assert status == refusal
    assert answer["error"].startswith("cannot")


async def test_files_without_secrets(place: Place) -> None:
    found = await place.client.get("/sites/a.test/files")
    assert found["hides_secrets"] is True
    assert [(one["name"], one["first"]) for one in found["source"]] == [("daemun.yaml", 3)]
    assert found["source"][0]["text"].splitlines()[0] == "  # the shop"
    assert "(hidden)" in found["source"][0]["text"]
    assert [one["name"] for one in found["nginx"]] == ["sites/a.test.conf"]
    assert "verysecretvalue" not in str(found)


async def test_owners_see_files_as_they_are(place: Place) -> None:
    found = await place.client.get("/sites/a.test/files", role="own")
    assert found["hides_secrets"] is False
    assert found["nginx"][0]["text"] == NGINX.rstrip("\n")
    assert "verysecretvalue" in found["source"][0]["text"]


async def test_a_site_of_the_shared_lists(place: Place) -> None:
    (place.current / "shared").mkdir()
    (place.current / "shared" / "names.conf").write_text("server_name a2.test;\nserver_name b.test www.b.test;\n")
    (place.current / "shared" / "servers.conf").write_text("a2.test 127.0.0.1:2;\nb.test 127.0.0.1:1;\n")
    (place.current / "shared.conf").write_text("server { include shared/names.conf; }\n")
    found = await place.client.get("/sites/b.test/files")
    assert [one["name"] for one in found["nginx"]] == ["shared", "shared.conf"]
    assert found["nginx"][0]["text"].splitlines()[1] == "server_name b.test www.b.test;"


async def test_a_file_that_is_no_yaml_any_more(place: Place) -> None:
    place.config.write_text("sites: [\n  a.test: {request_headers: {X-Api-Key: verysecretvalue}\n")
    answer = await place.client.request("GET", "/sites/a.test/files")
    assert answer.status_code == 422
    assert "verysecretvalue" not in answer.text
    assert (await place.client.request("GET", "/sites/a.test/files", role="own")).status_code == 200


async def test_nothing_runs_of_the_site(place: Place) -> None:
    (place.current / "sites" / "a.test.conf").unlink()
    assert (await place.client.get("/sites/a.test/files"))["nginx"] == []
