"""The API of uptime, the status page, the machine and alerts; with a gate that the test controls."""

import datetime
import pathlib

import pytest

from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_report
from daemun.core.options import status_page_option
from daemun.core.uptime import status_report, uptime_sums
from daemun.core.uptime.site_condition import Condition
from daemun.settings import Settings
from daemun.wiring import machine_parts
from tests.support import settings_house

House = settings_house.SettingsHouse
HOSTILE = settings_house.HOSTILE


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return settings_house.make(tmp_path)


async def test_uptime_of_all_and_of_one(house: House) -> None:
    assert (await house.client.get("/uptime"))["seen_at"] is None
    house.watch(good=0.0, bad=360.0, worse=1800.0)
    found = await house.client.get("/uptime?days=30")
    assert [(one["site"], one["uptime_percent"]) for one in found["rows"]] == [
        ("worse.test", 50.0),
        ("bad.test", 90.0),
        ("good.test", 100.0),
    ]
    assert found["rows"][0]["bars"] == "." * 29 + "X"
    assert (await house.client.get("/uptime?q=BAD"))["total"] == 1
    assert [one["site"] for one in (await house.client.get("/uptime?size=1&page=3"))["rows"]] == ["good.test"]
    one = await house.client.get("/uptime/bad.test?days=1")
    assert (one["down_s"], len(one["days"])) == (360.0, 1)
    assert one["incidents"][0]["cause"] == f"it refuses {HOSTILE}"
    assert (await house.client.fail("GET", "/uptime/none.test"))[0] == 404
    assert (await house.client.fail("GET", "/uptime?days=91"))[0] == 400
    happened = await house.client.get("/incidents")
    assert {one["site"] for one in happened["rows"]} == {"bad.test", "worse.test"}
    assert (await house.client.get("/incidents?size=1"))["total"] == 2


async def test_a_damaged_file_is_an_error_with_a_cure(house: House) -> None:
    pathlib.Path(house.paths.uptime_store).write_bytes(b"no database" * 1000)
    status, words = await house.client.fail("GET", "/uptime")
    assert (status, "set aside when `daemun up` starts anew" in words) == (503, True)


async def test_the_status_page(house: House) -> None:
    assert await house.client.get("/status-page") == {"page": None, "made_at": None, "failure": None}
    page = status_page_option.StatusPage(
        host="s.test", sites=(status_page_option.ShownEntry(host="a.test", name=HOSTILE),)
    )
    made_at = datetime.datetime(2026, 11, 30, 9, 10, 11, tzinfo=datetime.UTC)
    house.page = status_report.PageState(page=page, made_at=made_at)
    found = await house.client.get("/status-page")
    assert found["made_at"] == "2026-11-30T09:10:11Z"
    assert found["page"]["groups"] == [{"title": None, "sites": [{"host": "a.test", "name": HOSTILE}]}]


async def test_the_machine(house: House) -> None:
    found = await house.client.get("/machine")
    assert found["nginx"]["name"] == "nginx 1.31.3"
    assert found["nginx"]["weaknesses"][0]["title"] == HOSTILE
    assert found["memory"]["nginx_bytes"] is None
    assert found["load"] == [0.12, 0.2, 0.3]
    assert found["nginx"]["old_workers"]["generations"] == 0


async def test_findings_are_looked_for_once_a_minute(house: House) -> None:
    house.gate.findings = (
        model.Finding(topic="dns", weight=model.Weight.GOOD, message="good"),
        model.Finding(topic="disk", weight=model.Weight.BLOCKS, message=HOSTILE, cure="free some"),
    )
    found = await house.client.get("/machine/findings")
    assert [one["weight"] for one in found["findings"]] == ["blocks", "good"]
    house.gate.findings = ()
    assert await house.client.get("/machine/findings") == found


async def test_alerts(house: House) -> None:
    assert (await house.client.fail("GET", "/alerts"))[0] == 503
    at = datetime.datetime(2026, 11, 30, 9, 10, 11, tzinfo=datetime.UTC)
    alert = alert_ledger.Alert(
        danger=alert_ledger.Danger.UNSERVED,
        name="a",
        host="a.test",
        names=(),
        raised_at=at,
        cause=HOSTILE,
        cure="start",
    )
    sent = alert_ledger.SentMessage(target="k", event=alert_ledger.AlertEvent.UNSERVED, at=at)
    house.report = alert_report.AlertReport(
        targets=(alert_report.TargetReport(name="ntfy at ntfy.sh", sent=(sent,), error="timed out", failures=2),),
        dangers=(alert_report.DangerReport(alert=alert, sent_to=("ntfy at ntfy.sh",)),),
        wanted=frozenset({alert_ledger.Danger.UNSERVED}),
    )
    found = await house.client.get("/alerts")
    assert found["targets"][0]["sent"] == [{"event": "unserved", "at": "2026-11-30T09:10:11Z"}]
    assert (found["rows"][0]["about"], found["rows"][0]["cause"]) == ("a.test", HOSTILE)
    assert [one["kind"] for one in found["kinds"] if one["is_reported"]] == ["unserved"]


async def test_a_test_of_alerts_needs_to_change(house: House) -> None:
    assert (await house.client.fail("POST", "/alerts/test", {}, role="look"))[0] == 403
    house.gate.told_alerts = (model.SentAlert(target="mail to a@b.test", error="refused"),)
    answer = await house.client.request("POST", "/alerts/test", {})
    assert answer.json()["results"] == [{"target": "mail to a@b.test", "error": "refused", "remark": None}]
    assert house.client.noted[-1] == ("/alerts/test", "mail to a@b.test", 200)


def test_what_is_known_of_this_machine(tmp_path: pathlib.Path) -> None:
    for folder in ("store", "logs", "run"):
        (tmp_path / folder).mkdir()
    chosen = Settings(config=tmp_path / "daemun.yaml", state=tmp_path)
    found = machine_parts.MachineReader(chosen).look()
    assert found.total_bytes > found.available_bytes > 0
    assert found.daemon_bytes is None or found.daemon_bytes > 1 << 20
    assert found.nginx_bytes is None
    assert found.disks[0].total_bytes > 0


def test_days_that_many_sites_share_are_added_up_once() -> None:
    days = (uptime_sums.make_day(datetime.date(2026, 11, 30), 60.0),) * 90
    sites = [uptime_sums.SiteUptime(site=f"{n}.test", condition=Condition.UP, days=days) for n in range(3)]
    found = uptime_sums.worst_first(sites)
    assert len({id(total) for _, total in found}) == 1
