"""Drafts of a running daemon, over HTTPS: reviewed, applied, undone, refused by nginx, beside commands, and killed."""

import collections.abc
import concurrent.futures
import json
import os
import typing

import httpx
import pytest

from tests.support import clients
from tests.support import daemon as daemon_support
from tests.support.daemon import signpost

pytestmark = pytest.mark.nginx

Json = dict[str, typing.Any]
API = "https://daemun.localhost/api/v1"


class House:
    """A gate of one site, and a token that may change."""

    def __init__(self, daemon: daemon_support.Daemon) -> None:
        self.daemon = daemon
        daemon.write("# ours\nsites:\n" + signpost("a.test", "a"))
        daemon.start()
        daemon.wait_sign("a.test", "a")
        made = json.loads(daemon.cli_good("dashboard", "tokens", "add", "deploy", "--role", "change", "--json"))
        self.token: str = made["token"]
        self.before = daemon.config.read_text()

    def request(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        with clients.client(self.daemon.gate) as client:
            headers = {"Authorization": f"Bearer {self.token}"}
            return client.request(method, f"{API}{path}", json=body, headers=headers, timeout=120)

    def send(self, method: str, path: str, body: Json | None = None) -> Json:
        answer = self.request(method, path, body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def add(self, host: str, sign: str) -> None:
        """A site that is a signpost, in the draft."""
        add = {"what": "add", "host": host, "target": "http://127.0.0.1:9"}
        values = {"redirect": f"https://sign.test/{sign}", "status": 302}
        change = {"what": "set", "host": host, "path": "/", "values": values, "unset": ["to"]}
        self.send("POST", "/draft/edits", {"edits": [add, change]})


@pytest.fixture(scope="module")
def house() -> collections.abc.Iterator[House]:
    with daemon_support.new_daemon() as daemon:
        yield House(daemon)


def test_a_draft_goes_live_on_trial_and_back(house: House) -> None:
    house.add("b.test", "b")
    review = house.send("POST", "/draft/review")
    assert [one for one in review["problems"] if one["is_new"]] == []
    assert [(one["host"], one["kind"]) for one in review["plan"]["sites"]] == [("b.test", "added")]
    assert review["plan"]["reload"] is True
    assert "sites/b.test.conf" in [one["file"] for one in review["nginx_files"]]
    assert house.daemon.config.read_text() == house.before
    body = {"version": review["version"], "confirm_s": 3600, "message": "a second one"}
    applied = house.send("POST", "/draft/apply", body)
    assert (applied["live"], [one["host"] for one in applied["sites"]]) in [(True, ["b.test"]), (True, [])]
    house.daemon.wait_sign("b.test", "b")
    newest = house.send("GET", "/history")["rows"][0]
    assert (newest["by"], newest["user"], newest["message"]) == (
        "dashboard: draft",
        "deploy, 127.0.0.1",
        "a second one",
    )
    house.daemon.cli_good("apply", "--undo")
    house.daemon.wait(lambda: house.daemon.sign("b.test") is None, "b.test to be gone")
    undone = f"daemun apply --undo, back to {applied['trial']['number']}"
    house.daemon.wait(lambda: house.send("GET", "/history")["rows"][0]["by"] == undone, "who undid it in the history")
    assert house.daemon.config.read_text() == house.before


def test_what_nginx_refuses_is_in_the_review_and_never_stays(house: House) -> None:
    edit = {"what": "set", "host": "a.test", "values": {"nginx": "no_such_directive on;"}}
    house.send("POST", "/draft/edits", {"edits": [edit]})
    review = house.send("POST", "/draft/review")
    (problem,) = [one for one in review["problems"] if one["is_new"]]
    assert (problem["host"], "no_such_directive" in problem["message"]) == ("a.test", True)
    answer = house.request("POST", "/draft/apply", {})
    assert (answer.status_code, "no_such_directive" in answer.text) == (422, True)
    assert house.daemon.config.read_text() == house.before
    assert house.send("GET", "/trial")["trial"] is None
    house.daemon.wait_sign("a.test", "a")
    house.send("DELETE", "/draft")


def test_a_command_meanwhile_is_not_overwritten(house: House) -> None:
    house.add("c.test", "c")
    house.daemon.cli_good("disable", "a.test")
    answer = house.request("POST", "/draft/apply", {"confirm_s": 0})
    assert answer.status_code == 409, answer.text
    (conflict,) = answer.json()["conflicts"]
    assert (conflict["theirs"][0]["host"], conflict["mine"][0]["host"]) == ("a.test", "c.test")
    # Both stand beside each other in the file, so a person decides.
    assert conflict["can_be_merged"] is False
    house.send("DELETE", "/draft")
    house.daemon.cli_good("enable", "a.test")
    house.before = house.daemon.config.read_text()


def test_a_daemon_that_is_killed_goes_back_all_the_same(house: House) -> None:
    house.add("d.test", "d")
    house.send("POST", "/draft/apply", {"confirm_s": 5})
    house.daemon.kill()
    house.daemon.start()
    house.daemon.wait(lambda: house.daemon.config.read_text() == house.before, "the file as it was")
    house.daemon.wait(lambda: house.daemon.sign("d.test") is None, "d.test to be gone")
    house.daemon.wait_sign("a.test", "a")
    house.daemon.wait(lambda: house.send("GET", "/trial")["trial"] is None, "the end of the trial")


def test_a_daemon_that_is_stopped_while_it_applies_leaves_nothing(house: House) -> None:
    """nginx waits for a file in its test, as for a name server that does not answer."""
    pipe, included = house.daemon.root / "pipe", house.daemon.root / "included.conf"
    os.mkfifo(pipe)
    included.write_text(f"include {pipe};\n")
    house.add("e.test", "e")
    edit = {"what": "set", "host": "e.test", "values": {"nginx": f"include {included};"}}
    house.send("POST", "/draft/edits", {"edits": [edit]})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(house.request, "POST", "/draft/apply", {"confirm_s": 0})
        house.daemon.wait(lambda: "e.test" in house.daemon.config.read_text(), "the file to be written")
        assert house.daemon.terminate() == 0
        assert house.daemon.config.read_text() == house.before
        assert answer.exception() is not None or answer.result().status_code >= 500
    house.daemon.start()
    house.daemon.wait_sign("a.test", "a")
    assert house.send("GET", "/trial")["trial"] is None
    assert "e.test" in house.send("GET", "/draft")["files"][0]["text"]
    house.send("DELETE", "/draft")
