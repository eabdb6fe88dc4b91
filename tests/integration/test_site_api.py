"""What the page of one site reads: numbers over time, servers with their history, routes, certificate, rules."""

import dataclasses
import datetime
import pathlib
import time

import pytest

from daemun.certs.served import local_ca
from daemun.core import model
from daemun.core.certificates import certificate_story
from daemun.core.traffic import traffic_series, traffic_sums
from daemun.sources import yaml_file
from daemun.traffic import traffic_files, traffic_store
from daemun.web import site_endpoints
from tests.support import fake_gate, operator_client, site_api

FILE = """
sites:
  a.test:
    aliases: [www.a.test]
    routes:
      /: {to: ["http://10.0.0.1:80", "http://10.0.0.2:80"]}
      /api/: {to: "http://10.0.0.3:80", access: {allow: private}}
"""


class Gate:
    def __init__(self, folder: pathlib.Path) -> None:
        (folder / "state" / "logs").mkdir(parents=True)
        (folder / "state" / "store").mkdir(parents=True)
        site = yaml_file.parse(FILE, file_name="daemun.yaml", base_dir=folder).sites[0]
        self.gate = site_api.gate_of(folder, site)
        self.records = site_api.Records(folder / "state")
        self.operators = operator_client.Operators()
        self.client = site_api.Client(site_endpoints.endpoints(self.gate, self.records), self.operators)

    def count(self, *rows: tuple[float, str, traffic_sums.Sums]) -> None:
        """Sums are stored as a daemon does."""
        store, _ = traffic_store.open_store(pathlib.Path(self.records.paths.traffic_store))
        for at_s, route, sums in rows:
            minute = int(at_s) - int(at_s) % traffic_sums.MINUTE_S
            store.add({(minute, traffic_sums.Series("a.test", route, "10.0.0.1:80")): sums}, (), at_s)
        store.close()


@pytest.fixture
def house(tmp_path: pathlib.Path) -> Gate:
    return Gate(tmp_path)


def _sums(requests: int, **counts: int) -> traffic_sums.Sums:
    named = {"200": requests, **{name.lstrip("_"): count for name, count in counts.items()}}
    return traffic_sums.Sums(requests=requests, bytes_out=1000 * requests, bytes_in=100 * requests, counts=named)


async def test_requests_over_time(house: Gate) -> None:
    now_s = time.time()
    house.count((now_s - 1800, "/", _sums(5, t5=5)), (now_s, "/api/", _sums(3, t40=3, _502=1)))
    found = await house.client.get("/sites/a.test/traffic?span=hour")
    columns = found["columns"]
    assert found["step_s"] == 60
    assert set(columns) == {*traffic_series.COUNTED, *traffic_series.TIMED}
    assert all(len(column) == found["count"] == 60 for column in columns.values())
    assert sum(columns["requests"]) == 8
    assert next(value for value in columns["p50_s"] if value is not None) == 0.005
    assert [(one["route"], one["requests"], one["errors"]) for one in found["routes"]] == [("/", 5, 0), ("/api/", 3, 1)]
    one = await house.client.get("/sites/a.test/traffic?span=hour&steps=coarse&route=/api/")
    assert (one["step_s"], sum(one["columns"]["requests"])) == (300, 3)


async def test_what_each_rule_refused(house: Gate) -> None:
    now_s = time.time()
    refused = traffic_sums.Sums(requests=5, counts={"403": 2, "429": 3, "refused allow": 2, "refused rate_limit": 3})
    house.count((now_s, "/", refused), (now_s, "/api/", traffic_sums.Sums(requests=1, counts={"refused allow": 1})))
    house.count((now_s - 7200, "/", refused))
    found = await house.client.get("/sites/a.test/traffic?span=hour")
    assert (found["refused_by_rule"], sum(found["columns"]["refused"])) == ({"allow": 3, "rate_limit": 3}, 6)
    by_route = {one["route"]: one["refused_by_rule"] for one in found["routes"]}
    assert by_route == {"/": {"allow": 2, "rate_limit": 3}, "/api/": {"allow": 1}}
    one = await house.client.get("/sites/a.test/traffic?span=hour&route=/api/")
    assert one["refused_by_rule"] == {"allow": 1}


async def test_lines_that_are_not_stored_yet_are_counted(house: Gate) -> None:
    house.count((time.time() - 120, "", _sums(2)))
    log = pathlib.Path(house.records.paths.logs) / traffic_files.NAME
    log.write_bytes(b"a.test 2000.00510 7 |\nother.test 2000.00510 7 |\n" * 4)
    found = await house.client.get("/sites/a.test/traffic?span=day")
    assert sum(found["columns"]["requests"]) == 6


@pytest.mark.parametrize("span", ["hour", "day", "30d", "90d"])
async def test_every_span_of_a_site_that_nobody_visited(house: Gate, span: str) -> None:
    found = await house.client.get(f"/sites/a.test/traffic?span={span}")
    assert sum(found["columns"]["requests"]) == 0
    assert set(found["columns"]["p95_s"]) == {None}
    assert found["routes"] == []


async def test_hours_of_weeks_ago(house: Gate) -> None:
    house.count((time.time() - 20 * 86400, "/", _sums(5)), (time.time() - 60 * 86400, "/", _sums(7)))
    totals = [
        sum((await house.client.get(f"/sites/a.test/traffic?span={span}"))["columns"]["requests"])
        for span in ("day", "30d", "90d")
    ]
    assert totals == [0, 5, 12]


async def test_a_damaged_file_is_an_error_with_a_cure(house: Gate) -> None:
    pathlib.Path(house.records.paths.traffic_store).write_bytes(b"no database" * 1000)
    answer = await house.client.request("GET", "/sites/a.test/traffic")
    assert answer.status_code == 503
    assert "daemun up" in answer.json()["error"]


@pytest.mark.parametrize("query", ["span=year", "span=", "steps=tiny", "span=%00"])
async def test_a_query_that_cannot_be_used(house: Gate, query: str) -> None:
    answer = await house.client.request("GET", f"/sites/a.test/traffic?{query}")
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"]


@pytest.mark.parametrize("part", ["", "/traffic", "/servers", "/routes", "/certificate", "/access"])
async def test_who_may_look_and_what_is_not_there(house: Gate, part: str) -> None:
    assert (await house.client.request("GET", f"/sites/a.test{part}", role=None)).status_code == 401
    assert (await house.client.request("GET", f"/sites/WWW.a.test{part}")).status_code == 200
    for host in ("gone.test", "..%2f..", "%3Cscript%3E", "a" * 3000):
        assert (await house.client.request("GET", f"/sites/{host}{part}")).status_code == 404
    house.gate.tell(sites=())
    answer = await house.client.request("GET", f"/sites/a.test{part}")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": 'there is no site "a.test" (any more); `daemun sites` lists all'},
    )


async def test_the_site_itself(house: Gate) -> None:
    problem = model.Problem(origin=model.Origin(source="file", place="daemun.yaml:3"), message="odd", host="a.test")
    other = model.Problem(origin=problem.origin, message="else", host="b.test")
    house.gate.tell(problems=(problem, other))
    found = await house.client.get("/sites/a.test")
    assert (found["host"], found["state"], found["aliases"]) == ("a.test", "live", ["www.a.test"])
    assert [one["message"] for one in found["problems"]] == ["odd"]
    assert found["certificate"]["state"] == "local"
    assert found["lamps"]["settings"]["why"] == "odd"
    assert {name: one["lamp"] for name, one in found["lamps"].items()} == {
        "settings": "bad",
        "certificate": "bad",
        "server": "unknown",
    }


async def test_servers_and_their_history(house: Gate) -> None:
    at = fake_gate.NOON
    history = (
        model.ServerChange(at, model.Trouble.REFUSED, "it refuses <script>"),
        model.ServerChange(at + datetime.timedelta(minutes=3), None),
    )
    look = model.RouteLook(path="/", servers=(model.ServerLook(server="10.0.0.1:80", at=at, history=history),))
    house.gate.looks["a.test"] = model.SiteLook(routes=(look,))
    found = await house.client.get("/sites/a.test/servers")
    assert found["since"] == "2026-03-01T12:00:00Z"
    assert found["routes"][0]["servers"][0]["changes"] == [
        {"at": "2026-03-01T12:00:00Z", "state": "refused", "cause": "it refuses <script>"},
        {"at": "2026-03-01T12:03:00Z", "state": "answers", "cause": None},
    ]


async def test_routes_as_rows_and_as_a_picture(house: Gate) -> None:
    found = await house.client.get("/sites/a.test/routes")
    assert [(one["path"], one["lamp"], len(one["servers"])) for one in found["rows"]] == [
        ("/", "unknown", 2),
        ("/api/", "unknown", 1),
    ]
    assert [one["text"] for one in found["rows"][1]["rules"]] == ["only from private"]
    assert [box["text"] for box in found["picture"]["boxes"] if box["kind"] == "path"] == ["/", "/api/"]


async def test_rules_of_the_whole_gate_hold(house: Gate) -> None:
    settings = yaml_file.parse("access: {deny: [203.0.113.7]}", file_name="daemun.yaml", base_dir="/").globals
    assert settings is not None
    house.records.settings = settings
    found = await house.client.get("/sites/a.test/access")
    assert [[one["path"], one["own"], [rule["text"] for rule in one["rules"]]] for one in found["places"]] == [
        [None, False, ["not from 203.0.113.7"]],
        ["/api/", True, ["only from private"]],
    ]


async def test_the_story_of_a_certificate(house: Gate) -> None:
    failing = model.CertificateStatus(
        name="a.test",
        host="a.test",
        names=("a.test",),
        state=model.CertificateState.FAILING,
        kind=model.CertificateKind.PUBLIC,
        issuer="Pebble",
        not_before=fake_gate.NOON,
        not_after=fake_gate.NOON + datetime.timedelta(days=36500),
        failures=2,
        failing_since=fake_gate.NOON + datetime.timedelta(days=30),
        last_error="DNS points elsewhere",
        next_attempt=fake_gate.NOON + datetime.timedelta(days=36000),
        renew_at=fake_gate.NOON + datetime.timedelta(days=20),
    )
    house.gate.tell(certificates=(failing,))
    found = await house.client.get("/sites/a.test/certificate")
    story = found["certificates"][0]["story"]
    assert [one["kind"] for one in story] == ["issued", "failing_since", "last_failure", "next_try", "end"]
    assert [one["past"] for one in story] == [True, True, True, False, False]
    assert story[2]["text"] == "the last try failed: DNS points elsewhere"


def test_a_certificate_that_ended_and_one_of_the_owner() -> None:
    ended = fake_gate.certificate("a.test")
    now = fake_gate.NOON + datetime.timedelta(days=100)
    assert [one.kind for one in certificate_story.make_story(ended, now)] == ["issued", "renewal", "ended"]


def test_one_of_the_local_ca_has_the_moment_it_was_made_at_and_its_renewal() -> None:
    made = fake_gate.certificate("a.test")
    assert made.not_before is not None
    local = dataclasses.replace(
        made,
        kind=model.CertificateKind.LOCAL,
        state=model.CertificateState.LOCAL,
        renew_at=made.not_before + datetime.timedelta(days=20),
    )
    story = certificate_story.make_story(local, made.not_before + datetime.timedelta(days=2))
    assert [one.kind for one in story] == ["issued", "renewal", "end"]
    assert [one.at for one in story[:2]] == [made.not_before + local_ca.BACKDATED, local.renew_at]


async def test_a_look_needs_the_right_to_change_and_is_noted(house: Gate) -> None:
    assert (await house.client.request("POST", "/sites/a.test/probe")).status_code == 403
    answer = await house.client.request("POST", "/sites/www.a.test/probe", role="change")
    assert answer.json() == {"left": 0}
    assert house.gate.probed == ["a.test"]
    assert [(one.status, one.target) for one in house.operators.noted] == [(403, ""), (200, "a.test")]


async def test_a_purge(house: Gate) -> None:
    assert (await house.client.request("POST", "/sites/a.test/purge", role="change", json={})).json() == {"purged": 0}
    answer = await house.client.request("POST", "/sites/a.test/purge", role="change", json={"path": "blog"})
    assert answer.status_code == 422
    assert "begins with a slash" in answer.json()["error"]
    assert [one.target for one in house.operators.noted] == ["a.test", "a.testblog"]
