"""The API of certificates, containers and bans; with a gate that the test controls."""

import dataclasses
import datetime
import pathlib

import pytest

from daemun.core import model
from daemun.core.access import banned_networks
from daemun.errors import RetryableError
from daemun.web import ban_endpoints, certificate_endpoints, container_endpoints
from tests.support import fake_gate, operator_client

HOSTILE = "<script>alert(1)</script>"


@dataclasses.dataclass(frozen=True, slots=True)
class House:
    gate: fake_gate.FakeGate
    client: operator_client.OperatorClient


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    gate = fake_gate.FakeGate(config=tmp_path / "daemun.yaml", state=tmp_path)
    modules = (certificate_endpoints, container_endpoints, ban_endpoints)
    every = [one for module in modules for one in module.endpoints(gate)]
    return House(gate, operator_client.OperatorClient(every))


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def good_certificate(host: str) -> model.CertificateStatus:
    day = datetime.timedelta(days=1)
    return dataclasses.replace(
        fake_gate.certificate(host, model.CertificateState.VALID),
        kind=model.CertificateKind.PUBLIC,
        not_before=now() - day,
        not_after=now() + 80 * day,
        renew_at=now() + 20 * day,
    )


# --- certificates ------------------------------------------------------------------------------------------------


async def test_certificates_have_trouble_first(house: House) -> None:
    failing = dataclasses.replace(
        fake_gate.certificate("bad.test", model.CertificateState.FAILING, reason=f"the CA says {HOSTILE}"),
        failures=3,
        failing_since=now(),
        next_attempt=now() + datetime.timedelta(hours=1),
    )
    house.gate.tell(certificates=(good_certificate("a.test"), failing, good_certificate("b.test")))
    found = await house.client.get("/certificates")
    assert [(row["host"], row["lamp"]) for row in found["rows"]] == [
        ("bad.test", "bad"),
        ("a.test", "good"),
        ("b.test", "good"),
    ]
    assert found["lamps"] == {"bad": 1, "warning": 0, "good": 2}
    worst = found["rows"][0]
    assert (worst["reason"], worst["failures"]) == (f"the CA says {HOSTILE}", 3)
    assert "next_try" in [step["kind"] for step in worst["story"]]
    assert (await house.client.get("/certificates?q=B.TEST&lamp=good"))["total"] == 1
    assert (await house.client.get("/certificates?size=1&page=2"))["rows"][0]["host"] == "a.test"
    assert (await house.client.get("/certificates/bad.test"))["certificates"] == [worst]
    assert (await house.client.fail("GET", "/certificates/none.test"))[0] == 404


async def test_what_comes(house: House) -> None:
    house.gate.tell(certificates=(good_certificate("a.test"), good_certificate("b.test")))
    found = await house.client.get("/certificates/forecast?days=30")
    assert [(one["host"], one["what"]) for one in found["entries"]] == [("a.test", "renew"), ("b.test", "renew")]
    assert (found["more_entries"], found["more_unrenewed"]) == (0, 0)
    assert (await house.client.fail("GET", "/certificates/forecast?days=99999"))[0] == 400


async def test_a_forecast_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_endpoints, "MOST_ENTRIES", 3)
    house.gate.tell(certificates=tuple(good_certificate(f"{n}.test") for n in range(5)))
    found = await house.client.get("/certificates/forecast")
    assert (len(found["entries"]), found["more_entries"], sum(day["count"] for day in found["days"])) == (3, 2, 5)


async def test_a_renewal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.gate.tell(certificates=(good_certificate("a.test"),))
    answer = await house.client.request("POST", "/certificates/A.test/renew", {})
    assert (answer.status_code, house.gate.renewed) == (202, ["a.test"])
    assert (await house.client.fail("POST", "/certificates/b.test/renew", {}))[0] == 404
    assert (await house.client.fail("POST", "/certificates/a.test/renew", {}, role="look"))[0] == 403
    assert house.client.noted[0] == ("/certificates/A.test/renew", "a.test", 202)

    async def refuse(host: str, *, force: bool = False) -> bool:
        raise RetryableError("cannot renew before 13:00 UTC")

    monkeypatch.setattr(house.gate, "renew", refuse)
    assert await house.client.fail("POST", "/certificates/a.test/renew", {}) == (503, "cannot renew before 13:00 UTC")


# --- containers --------------------------------------------------------------------------------------------------


async def test_containers_that_are_not_served_come_first(house: House) -> None:
    started = datetime.datetime(2026, 11, 30, 9, 10, 11, tzinfo=datetime.UTC)
    engine = model.Origin(source=model.CONTAINERS, place="container bad")
    problem = model.Problem(origin=engine, message=HOSTILE)
    elsewhere = model.Problem(origin=model.NOWHERE, message="another")
    house.gate.tell(
        containers=(
            model.ContainerStatus(name="a", hosts=("a.test",), state="running", health="healthy", started_at=started),
            model.ContainerStatus(name="look", hosts=("b.test",), why="exposes no port"),
            model.ContainerStatus(
                name="bad", hosts=(HOSTILE,), is_served=False, why=HOSTILE, cure="start it", restarts=7
            ),
        ),
        problems=(problem, elsewhere),
    )
    found = await house.client.get("/containers")
    assert [(row["name"], row["lamp"]) for row in found["rows"]] == [("bad", "bad"), ("look", "warning"), ("a", "good")]
    assert (found["rows"][0]["cure"], found["rows"][0]["restarts"]) == ("start it", 7)
    assert found["rows"][2]["started_at"] == "2026-11-30T09:10:11Z"
    assert [one["message"] for one in found["problems"]] == [HOSTILE]
    assert (await house.client.get("/containers?q=B.TEST"))["total"] == 1
    assert (await house.client.get("/containers?lamp=good"))["rows"][0]["name"] == "a"
    assert found["engines"] == []


async def test_engines_with_how_many_of_their_containers_are_served(house: House) -> None:
    since = datetime.datetime(2026, 11, 30, 9, 10, 11, tzinfo=datetime.UTC)
    house.gate.tell(
        engines=(
            model.EngineStatus(name="local", place="unix:///d.sock"),
            model.EngineStatus(name="nas", place="ssh://nas", answers=False, since=since, why=HOSTILE),
        ),
        containers=(
            model.ContainerStatus(name="web-1", engine="nas", hosts=("a.test",)),
            model.ContainerStatus(name="web-1", engine="local", hosts=("a.test",)),
            model.ContainerStatus(name="web-2", engine="nas", is_served=False),
        ),
    )
    found = await house.client.get("/containers")
    local, nas = found["engines"]
    assert (local["name"], local["answers"], local["since"], local["containers"], local["served"]) == (
        *("local", True, None),
        *(1, 1),
    )
    assert (nas["endpoint"], nas["answers"], nas["since"], nas["why"]) == (
        *("ssh://nas", False),
        *("2026-11-30T09:10:11Z", HOSTILE),
    )
    assert (nas["containers"], nas["served"]) == (2, 1)
    assert [(one["name"], one["engine"]) for one in (await house.client.get("/containers?q=@nas"))["rows"]] == [
        ("web-2", "nas"),
        ("web-1", "nas"),
    ]


# --- bans --------------------------------------------------------------------------------------------------------


async def test_bans_are_made_and_removed(house: House) -> None:
    answer = await house.client.request("POST", "/bans", {"address": "203.0.113.7", "seconds": 60})
    assert answer.status_code == 201
    assert (await house.client.request("POST", "/bans", {"address": "203.0.113.8"})).json()["until"] is None
    found = await house.client.get("/bans")
    assert (found["total"], found["reasons"]["owner"]) == (2, 2)
    assert (await house.client.get("/bans?q=113.8"))["rows"][0]["address"] == "203.0.113.8"
    removed = await house.client.request("POST", "/bans/remove", {"address": "203.0.113.8"})
    assert removed.json()["address"] == "203.0.113.8"
    assert (await house.client.fail("POST", "/bans/remove", {"address": "203.0.113.8"}))[0] == 404
    assert house.client.noted[:3] == [
        ("/bans", "203.0.113.7", 201),
        ("/bans", "203.0.113.8", 201),
        ("/bans/remove", "203.0.113.8", 200),
    ]
    assert [one.after for one in house.client.operators.noted[:2]] == ["until 2026-03-01T12:01:00Z", "for good"]


@pytest.mark.parametrize(
    "body", [{}, {"address": 7}, {"address": "203.0.113.7", "seconds": 0}, {"address": "203.0.113.7", "seconds": True}]
)
async def test_bans_of_another_form_are_refused(house: House, body: operator_client.Json) -> None:
    assert (await house.client.fail("POST", "/bans", body))[0] == 400
    assert house.gate.banned == {}


async def test_who_attacked_lately(house: House) -> None:
    reasons = banned_networks.Reason
    guesser = banned_networks.Ban(
        network="203.0.113.7", reason=reasons.GUESSES, since=now(), until=now(), note="21 wrong passwords"
    )
    scans = banned_networks.Ban(network="203.0.113.8", reason=reasons.CROWDSEC, since=now(), note=HOSTILE)
    house.gate.attacks = (guesser, scans, dataclasses.replace(scans, network="203.0.113.9"))
    found = await house.client.get("/attacks?size=2")
    assert (found["total"], [row["waits"] for row in found["rows"]]) == (3, [True, False])
    assert found["kinds"] == [
        {"reason": "crowdsec", "kind": HOSTILE, "count": 2},
        {"reason": "guesses", "kind": "", "count": 1},
    ]
    house.gate.banned = {guesser.network: guesser}
    assert (await house.client.get("/bans?reason=guesses"))["total"] == 1
    assert (await house.client.get("/bans?reason=crowdsec"))["total"] == 0


@pytest.mark.parametrize(("method", "path"), [("POST", "/bans"), ("POST", "/bans/remove")])
async def test_who_may_look_alone_bans_nobody(house: House, method: str, path: str) -> None:
    assert (await house.client.fail(method, path, {"address": "203.0.113.7"}, role="look"))[0] == 403
    assert house.gate.banned == {}
