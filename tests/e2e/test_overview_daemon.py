"""The first screen of a real gate: what the API says of each site is what its visitors meet."""

import collections.abc
import datetime
import html
import json
import re
import shlex
import typing
import urllib.parse

import pytest

from bench.engine import replayed
from daemun.errors import DaemunError
from tests.support import bad_servers, dashboard_visitor, own_certificates, ports
from tests.support.daemon import Daemon, new_daemon

pytestmark = pytest.mark.nginx

Json = dict[str, typing.Any]
LABELLED = "web-1.test"


@pytest.fixture(scope="module", name="gate")
def run_gate() -> collections.abc.Iterator[Daemon]:
    with new_daemon() as daemon, bad_servers.running() as server, replayed.running(daemon.root, server.port) as engine:
        engine.do("appear 1 1")
        pair = own_certificates.make("old.test", ends=-datetime.timedelta(hours=1))
        chain, key = daemon.root / "chain.pem", daemon.root / "key.pem"
        chain.write_bytes(pair.chain)
        key.write_bytes(pair.key)
        dead = ports.free_port()
        daemon.write(f"""
            docker: {engine.url}
            sites:
              good.test: {{aliases: [www.good.test], routes: {{/: "http://127.0.0.1:{server.port}"}}}}
              down.test: http://127.0.0.1:{dead}
              shut.test: {{enabled: false, routes: {{/: "http://127.0.0.1:{dead}"}}}}
              old.test: {{tls: {{certificate: {chain}, key: {key}}}, routes: {{/: {{respond: {{status: 204}}}}}}}}
              held.test:
                routes: {{/: {{respond: {{status: 204}}}}}}
                nginx: |
                  "<script>alert(1)</script>" on;
            streams:
              mqtt: {{listen: "127.0.0.1:{ports.free_port()}", to: ["tcp://127.0.0.1:{dead}"]}}
            """)
        daemon.start()
        daemon.wait_state("good.test", "live")
        daemon.wait_state("down.test", "unreachable")
        yield daemon


def read(gate: Daemon, path: str, **query: str) -> Json:
    words = f"?{urllib.parse.urlencode(query)}" if query else ""
    return gate.control.read_overview(f"{path}{words}")


def row(gate: Daemon, name: str) -> Json:
    found = [one for one in read(gate, "/sites")["rows"] if one["name"] == name]
    assert len(found) == 1, f"{name} is {len(found)} times there"
    return typing.cast(Json, found[0])


def wait_row(gate: Daemon, name: str, is_so: collections.abc.Callable[[Json], bool], what: str) -> Json:
    def look() -> Json | None:
        found = [one for one in read(gate, "/sites")["rows"] if one["name"] == name]
        return found[0] if found and is_so(found[0]) else None

    # Requests are stored seldom where storing takes long, as on a busy machine.
    return gate.wait(look, what, within_s=180)


def lamps(one: Json) -> list[str]:
    return [one["lamps"][name]["lamp"] for name in ("settings", "certificate", "server")]


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        ("good.test", "live", ["good", "good", "good"]),
        ("down.test", "unreachable", ["good", "good", "bad"]),
        ("shut.test", "disabled", ["unknown", "unknown", "unknown"]),
        ("old.test", "wrong certificate", ["good", "bad", "good"]),
        ("held.test", "quarantined", ["bad", "good", "good"]),
        ("mqtt", "unreachable", ["good", "unknown", "bad"]),
        (LABELLED, "unreachable", ["good", "good", "bad"]),
    ],
)
def test_each_lamp_says_whose_fault_it_is(gate: Daemon, name: str, state: str, expected: list[str]) -> None:
    found = wait_row(gate, name, lambda one: one["state"] == state and lamps(one) == expected, f"the lamps of {name}")
    assert found["origin"].startswith("container " if name == LABELLED else "daemun.yaml:")
    if state not in {"live", "disabled"}:
        assert found["reason"]


def test_what_visitors_do_is_on_the_row(gate: Daemon) -> None:
    before = sum(row(gate, "good.test")["minutes"])
    for _ in range(3):
        assert gate.get("https://good.test/").status_code == 200
    assert gate.get("https://down.test/").status_code >= 502
    found = wait_row(gate, "good.test", lambda one: sum(one["minutes"]) >= before + 3, "three requests")
    assert len(found["minutes"]) == 60
    assert found["error_share"] == 0
    assert found["requests_per_s"] > 0
    assert found["p95_s"] is not None
    failed = wait_row(gate, "down.test", lambda one: one["error_share"] is not None, "the error")
    assert failed["error_share"] == 1
    assert row(gate, "mqtt")["requests_per_s"] is None
    totals = read(gate, "")["totals"]
    assert totals["requests_per_s"] > 0


def test_rows_are_found_sorted_and_paged(gate: Daemon) -> None:
    assert [one["name"] for one in read(gate, "/sites", q="WWW.good")["rows"]] == ["good.test"]
    assert [one["name"] for one in read(gate, "/sites", state="disabled")["rows"]] == ["shut.test"]
    assert [one["name"] for one in read(gate, "/sites", origin="docker")["rows"]] == [LABELLED]
    assert [one["name"] for one in read(gate, "/sites", kind="stream")["rows"]] == ["mqtt"]
    found = read(gate, "/sites", sort="name", order="desc", size="2", page="2")
    assert (found["total"], found["of"], found["page"], len(found["rows"])) == (7, 7, 2, 2)
    grouped = read(gate, "/sites", group="domain", q="test")
    assert {one["name"]: one["domain"] for one in grouped["rows"]}["good.test"] == "good.test"
    for wrong in ({"sort": "size"}, {"state": "odd"}, {"page": "0"}, {"size": "100000"}, {"q": "x" * 300}):
        with pytest.raises(DaemunError, match="cannot"):
            read(gate, "/sites", **wrong)


def test_what_needs_a_person_has_its_cure_and_what_does_it(gate: Daemon) -> None:
    wait_row(gate, "old.test", lambda one: one["state"] == "wrong certificate", "the expired certificate")
    for name in ("mqtt", LABELLED):
        wait_row(gate, name, lambda one: one["state"] == "unreachable", "dead servers")
    found = read(gate, "")
    needs = {one["title"]: one for one in found["needs"]["rows"]}
    assert {"down.test", "old.test", "held.test", "mqtt", LABELLED} <= needs.keys()
    assert not {"good.test", "shut.test"} & needs.keys()
    assert needs["down.test"]["actions"] == ["probe", "maintenance"]
    assert "nothing listens there" in needs["down.test"]["cause"]
    assert needs["held.test"]["actions"] == ["apply"]
    assert len(needs) == len(found["needs"]["rows"]), "each trouble is there once"
    assert "<script>" in needs["held.test"]["cause"], "nginx's words are as they are; pages escape them"
    assert all(one["cause"] and one["command"] for one in needs.values())
    assert found["totals"]["states"]["disabled"] == 1
    assert found["machine"]["nginx"]["answers"] is True
    assert found["totals"]["open_connections"] >= 0
    assert found["machine"]["disks"]
    as_of = datetime.datetime.fromisoformat(found["as_of"])
    assert abs(datetime.datetime.now(datetime.UTC) - as_of) < datetime.timedelta(minutes=5)


def test_a_change_is_on_the_row_with_who_made_it(gate: Daemon) -> None:
    gate.cli("add", "new.test", "http://127.0.0.1:9")
    found = wait_row(gate, "new.test", lambda one: one["changed"] is not None, "the change")
    assert found["changed"]["what"] == "added"
    assert found["changed"]["by"].startswith("daemun add new.test")
    (first, *_) = read(gate, "")["changes"]
    assert "added new.test" in first["changes"]


def test_pages_show_it_and_do_what_the_buttons_say(gate: Daemon) -> None:
    wait_row(gate, "down.test", lambda one: one["state"] == "unreachable", "the dead server")
    with dashboard_visitor.visiting(gate) as visitor:
        visitor.enter()
        home = visitor.page("/")
        assert "nothing listens there" in home
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in home
        assert "<script>alert" not in home
        assert "down.test was tried again" in visitor.follow(visitor.post("/do/probe", {"host": "down.test"})).text
        refused = visitor.follow(visitor.post("/do/apply", {"back": "/sites"})).text
        assert "All of it is live" not in refused
        assert "unknown directive" in refused
        found = visitor.page("/sites?q=www.good")
        assert 'href="/sites/good.test"' in found
        assert 'href="/sites/down.test"' not in found
        assert visitor.get("/search?q=down.test").headers["location"] == "/sites/down.test"
        changed = visitor.follow(visitor.post("/sites/selected", {"host": "good.test", "what": "maintenance_on"})).text
        assert "good.test" in changed
        assert gate.get("https://good.test/").status_code == 200, "a draft changes nothing yet"
        draft = visitor.api("/draft")["files"][0]["text"]
        assert "maintenance: true" in draft


def test_the_command_line_shows_what_the_page_shows(gate: Daemon) -> None:
    done = gate.cli("sites", "--numbers", "--search", "good", "--json")
    (one,) = json.loads(done.stdout)["rows"]
    assert one["name"] == "good.test"
    text = gate.cli("sites", "--sort", "requests", "--reverse").stdout
    assert text.index("good.test") < text.index("shut.test")
    assert "SETTINGS" in text.splitlines()[0]
    assert "wrong certificate" in gate.cli("sites", "--search", "old.test").stdout


def shown_command(gate: Daemon, text: str) -> list[str]:
    """That of the foot of a page, without daemun and without what goes on for ever."""
    (line,) = re.findall(r'class="foot-command".*?<code[^>]*>(.*?)</code>', text, re.DOTALL)
    words = shlex.split(html.unescape(line))
    assert words[0] == "daemun"
    assert str(gate.state) in words, "of this gate"
    return [word for word in words[1:] if word != "-f"]


SITES = (
    "q=www.good",
    "q=test&sort=-requests",
    "q=%27+%24%28id%29+-x",
    "state=disabled",
    "state=maintenance",
    "state=trouble",
    "state=wrong+certificate,disabled",
    "origin=docker",
    "origin=daemun.yaml",
    "kind=site&group=domain&sort=name",
    "state=live&origin=file&kind=site&sort=-changed",
)


def test_the_command_of_a_list_of_sites_has_its_filters(gate: Daemon) -> None:
    with dashboard_visitor.visiting(gate) as visitor:
        visitor.enter()
        for query in SITES:
            given = dict(urllib.parse.parse_qsl(query))
            sort = given.pop("sort", "")
            order = {"sort": sort.removeprefix("-"), "order": "desc"} if sort.startswith("-") else {"sort": sort}
            wanted = urllib.parse.urlencode({**given, **{name: word for name, word in order.items() if word}})
            done = gate.cli(*shown_command(gate, visitor.page(f"/sites?{query}")), "--json")
            assert done.returncode in {0, 3}, (query, done.stderr)
            found = [one["name"] for one in json.loads(done.stdout)["rows"]]
            assert found == [one["name"] for one in visitor.api(f"/sites?{wanted}")["rows"]], query


PAGES = (
    "/",
    "/search?q=test",
    "/sites/good.test",
    "/sites/good.test/traffic?span=hour&route=/api",
    "/sites/good.test/log?status=4xx,5xx&slow=250ms&method=GET&text=%27a+b%27",
    "/sites/good.test/log?text=-x",
    "/sites/good.test/files",
    "/sites/good.test/why",
    "/certificates",
    "/certificates?q=old&lamp=bad",
    "/certificates?days=90",
    "/certificates/good.test",
    "/changes",
    "/changes/history",
    "/changes/history/1",
    "/changes/compare?from=1&to=file",
    "/changes/file",
    "/changes/form?host=good.test",
    "/settings",
    "/settings/containers?q=web&lamp=bad",
    "/settings/bans?q=203&reason=guesses",
    "/settings/bans/attacks",
    "/settings/machine",
    "/settings/uptime?q=good&days=7",
    "/settings/uptime/good.test?days=30",
    "/settings/people?q=ann",
    "/settings/sessions",
    "/settings/tokens",
    "/settings/audit?q=sign&who=ann&since=1h",
)
_FILTERS = {"q", "lamp", "status", "slow", "method", "text", "reason", "who", "since", "days"}


_EXIT_WITH_1 = {"check", "diff", "doctor", "traffic", "why"}
"""Where they find something, or nothing at all."""


def test_the_command_of_every_page_works_and_has_its_filters(gate: Daemon) -> None:
    with dashboard_visitor.visiting(gate) as visitor:
        visitor.enter()
        for path in PAGES:
            words = shown_command(gate, visitor.page(path))
            done = gate.cli(*words)
            codes = {0, 1, 3} if words[0] in _EXIT_WITH_1 else {0, 3}
            assert done.returncode in codes, (path, words, done.stderr)
            values = dict(urllib.parse.parse_qsl(path.partition("?")[2]))
            told = " ".join(words)
            for name in values.keys() & _FILTERS:
                assert values[name].strip("'") in told, (path, name, words)
