"""What was applied, certificates, containers and bans, over HTTPS: the API of a running daemon, and its pages."""

import collections.abc
import json
import typing

import httpx
import pytest

from tests.support import clients
from tests.support import daemon as daemon_support
from tests.support.daemon import signpost

pytestmark = pytest.mark.nginx

Json = dict[str, typing.Any]
BASE = "https://daemun.localhost"


class House:
    """A gate of one site, a token that may change, and the session of a link."""

    def __init__(self, daemon: daemon_support.Daemon) -> None:
        self.daemon = daemon
        self.sites = "sites:\n" + signpost("a.test", "a")
        daemon.write(self.sites)
        daemon.start()
        daemon.wait_sign("a.test", "a")
        made = json.loads(daemon.cli_good("dashboard", "tokens", "add", "deploy", "--role", "change", "--json"))
        self.token: str = made["token"]
        link = json.loads(daemon.cli_good("dashboard", "--json"))["url"]
        self.session: str = self.request("POST", "/sign-in", {"link": link}).json()["session"]
        daemon.wait(self.rows, "the first entry")

    def request(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        with clients.client(self.daemon.gate) as client:
            return client.request(method, f"{BASE}/api/v1{path}", json=body, headers=headers, timeout=120)

    def get(self, path: str) -> Json:
        answer = self.request("GET", path)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def page(self, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        headers = {"Cookie": f"__Host-daemun-dashboard={self.session}", "Origin": BASE}
        with clients.client(self.daemon.gate) as client:
            return client.request(method, f"{BASE}{path}", data=form, headers=headers, timeout=120)

    def rows(self) -> list[Json]:
        """Of the history, the newest first."""
        found: list[Json] = self.get("/history")["rows"]
        return found

    def find_undone(self, after: int) -> Json | None:
        """The newest entry, when it is a later one, of files that could not go live."""
        newest = self.rows()[0]
        return newest if newest["number"] > after and newest["state"] == "not live, undone" else None

    def apply(self, text: str) -> Json:
        """Write the file, and wait until the history has it. Returns: its entry."""
        before = self.rows()[0]["number"]
        self.daemon.write(text)
        return self.daemon.wait(
            lambda: next((one for one in self.rows()[:1] if one["number"] > before), None), "an entry of the file"
        )


@pytest.fixture(scope="module")
def house() -> collections.abc.Iterator[House]:
    with daemon_support.new_daemon() as daemon:
        yield House(daemon)


def test_forth_and_back(house: House) -> None:
    first = house.rows()[0]["number"]
    second = house.apply(house.sites + signpost("b.test", "b"))["number"]
    house.daemon.wait_sign("b.test", "b")
    (change,) = house.get(f"/diff?from={first}&to={second}")["changes"]
    assert (change["host"], change["kind"]) == ("b.test", "added")
    made = house.get(f"/diff?from={first}&to={second}&nginx=true")["nginx_files"]
    assert ("sites/b.test.conf", "added") in [(one["file"], one["kind"]) for one in made]
    assert "b.test" in house.get(f"/history/{second}")["content"]["daemun.yaml"]
    report = house.request("POST", f"/history/{first}/rollback", {"confirm_s": 3600}).json()
    assert (report["live"], report["trial"]["number"]) == (True, second)
    house.daemon.wait(lambda: house.daemon.sign("b.test") is None, "b.test to be gone")
    newest = house.rows()[0]
    assert (newest["by"], newest["user"]) == (f"dashboard: rollback {first}", "deploy, 127.0.0.1")
    assert house.get("/trial")["trial"]["number"] == second
    undone = house.page("POST", "/changes/undo", {})
    assert undone.status_code == 303
    house.daemon.wait_sign("b.test", "b")
    assert house.get("/trial")["trial"] is None
    noted = json.loads(house.daemon.cli_good("audit", "--json"))["entries"]
    assert [(one["target"], one["status"]) for one in noted if "rollback" in json.dumps(one)] == [
        (f"number {first}", 200)
    ]


def test_a_way_back_that_nginx_refuses_is_one_entry(house: House) -> None:
    good = house.apply(house.sites)
    bad = '  bad.test: {nginx: "no_such_directive on;", routes: {/: http://127.0.0.1:9}}\n'
    refused = house.apply(house.sites + bad)
    assert refused["state"] == "partly live"
    house.apply(house.sites + signpost("c.test", "c"))
    before = house.daemon.config.read_bytes()
    for by in ("dashboard: rollback", "daemun rollback"):
        known = house.rows()[0]["number"]
        if by.startswith("daemun"):
            failed = house.daemon.cli("rollback", str(refused["number"]))
            assert (failed.returncode, "no_such_directive" in failed.stderr) == (1, True)
        else:
            answer = house.request("POST", f"/history/{refused['number']}/rollback", {"confirm_s": 60})
            assert (answer.status_code, "no_such_directive" in answer.json()["error"]) == (422, True)
        assert house.daemon.config.read_bytes() == before
        row = house.daemon.wait(lambda: house.find_undone(known), "the entry")  # noqa: B023 - it is awaited here
        assert (row["number"], row["by"]) == (known + 1, f"{by} {refused['number']}")
    assert house.get("/trial")["trial"] is None
    assert good["number"] < refused["number"]
    house.daemon.wait_sign("c.test", "c")


def test_what_else_the_gate_knows(house: House) -> None:
    found = house.get("/certificates?q=a.test")
    assert [(row["host"], row["lamp"], row["state"]) for row in found["rows"]] == [("a.test", "good", "local")]
    assert house.get("/certificates/forecast")["more_entries"] == 0
    assert house.get("/containers")["rows"] == []
    assert house.request("POST", "/bans", {"address": "203.0.113.7", "seconds": 3600}).status_code == 201
    assert house.request("POST", "/bans", {"address": "127.0.0.1"}).status_code == 422
    assert [row["address"] for row in house.get("/bans")["rows"]] == ["203.0.113.7"]
    assert house.request("POST", "/bans/remove", {"address": "203.0.113.7"}).status_code == 200
    assert house.get("/attacks")["total"] == 0
    assert json.loads(house.daemon.cli_good("bans", "--attacks", "--json")) == {"attacks": []}
    assert "no attack was seen" in house.daemon.cli_good("bans", "--attacks")
    stray = house.daemon.state / "nginx" / "current" / "sites" / "x.test.conf"

    def look() -> list[Json]:
        """Again, as a round that an earlier change began may have made the files anew."""
        stray.write_bytes(b"# by hand\nserver { listen 127.0.0.1:1; }\n")
        found: list[Json] = house.get("/drift")["files"]
        return found

    assert {"file": "sites/x.test.conf", "kind": "added"} in house.daemon.wait(look, "the edited file to show")
    stray.unlink()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/changes/history", "dashboard: rollback"),
        ("/changes/compare?from=1&to=2", "daemun diff 1 2"),
        ("/changes/drift", "daemun status"),
        ("/certificates", "a.test"),
        ("/certificates/a.test", "story"),
        ("/settings/containers", "daemun.host"),
        ("/settings/bans", "daemun bans"),
        ("/settings/bans/attacks", "daemun bans"),
    ],
)
def test_pages_come_from_a_process_without_rights(house: House, path: str, words: str) -> None:
    answer = house.page("GET", path)
    assert (answer.status_code, words in answer.text) == (200, True)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
