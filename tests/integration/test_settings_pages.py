"""The pages of uptime, the status page, the machine and alerts, in front of endpoints that the test controls."""

import datetime

import pytest

from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_report
from daemun.core.options import status_page_option
from daemun.core.uptime import status_report
from daemun.web import machine_endpoints
from tests.support import page_house, settings_house

HOSTILE, ESCAPED = page_house.HOSTILE, page_house.ESCAPED
AT = datetime.datetime(2026, 11, 30, 9, 10, 11, tzinfo=datetime.UTC)


Built = tuple[settings_house.SettingsHouse, page_house.PageHouse]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Once: all templates of the dashboard are compiled for it."""
    house = settings_house.make(tmp_path_factory.mktemp("gate"))
    return house, page_house.PageHouse(house.endpoints())


@pytest.fixture
def house(built: Built, monkeypatch: pytest.MonkeyPatch) -> settings_house.SettingsHouse:
    """A gate of which nothing is known."""
    monkeypatch.setattr(machine_endpoints, "KEPT_S", 0.0)
    built[0].clear()
    return built[0]


@pytest.fixture
def pages(built: Built, house: settings_house.SettingsHouse) -> page_house.PageHouse:
    return built[1]


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_every_page_in_both_languages_with_nothing_and_with_something(
    house: settings_house.SettingsHouse, pages: page_house.PageHouse, language: str
) -> None:
    paths = ("/settings/uptime", "/settings/status-page", "/settings/machine", "/settings/machine?look=1")
    for path in paths:
        await pages.get(path, language=language, role="look")
    house.watch(good=0.0, bad=360.0)
    alert = alert_ledger.Alert(
        danger=alert_ledger.Danger.UNSERVED, name="a", host=HOSTILE, names=(), raised_at=AT, cause=HOSTILE, cure=HOSTILE
    )
    house.report = alert_report.AlertReport(
        targets=(alert_report.TargetReport(name=HOSTILE, error=HOSTILE, failures=2, next_attempt=AT),),
        dangers=(alert_report.DangerReport(alert=alert, sent_to=(HOSTILE,)),),
    )
    entry = status_page_option.ShownEntry(
        title=HOSTILE, sites=(status_page_option.ShownSite(host="a.test", name=HOSTILE),)
    )
    page = status_page_option.StatusPage(host="s.test", title=HOSTILE, notice=HOSTILE, sites=(entry,))
    house.page = status_report.PageState(page=page, made_at=AT, failure=HOSTILE)
    house.gate.findings = (model.Finding(topic="dns", weight=model.Weight.BLOCKS, message=HOSTILE, cure=HOSTILE),)
    for path in (*paths, "/settings/uptime/bad.test", "/settings/alerts"):
        text = await pages.get(path, language=language, role="look")
        assert "onerror=alert(1)>" not in text, path


async def test_uptime_has_the_worst_first_and_leads_to_what_happened(
    house: settings_house.SettingsHouse, pages: page_house.PageHouse
) -> None:
    house.watch(good=0.0, bad=360.0)
    text = await pages.get("/settings/uptime")
    assert text.index("bad.test") < text.index("good.test")
    assert "90.00 %" in text
    assert "daemun uptime" in text
    assert "good.test" not in await pages.get("/settings/uptime?q=BAD&days=7")
    details = await pages.get("/settings/uptime/bad.test?days=90")
    assert "it refuses &lt;script&gt;" in details
    assert "down" in details
    await pages.get("/settings/uptime/none.test", status=404)


async def test_the_status_page(house: settings_house.SettingsHouse, pages: page_house.PageHouse) -> None:
    assert "There is no status page" in await pages.get("/settings/status-page")
    page = status_page_option.StatusPage(host="s.test", sites=())
    house.page = status_report.PageState(page=page, made_at=AT)
    text = await pages.get("/settings/status-page")
    assert 'href="https://s.test/"' in text
    assert "All sites of the gate." in text


async def test_the_machine_has_weaknesses_and_findings_with_cures(
    house: settings_house.SettingsHouse, pages: page_house.PageHouse
) -> None:
    house.gate.findings = (
        model.Finding(topic="disk", weight=model.Weight.BLOCKS, message="it is full", cure="free some"),
        model.Finding(topic="dns", weight=model.Weight.GOOD, message="it leads here"),
    )
    text = await pages.get("/settings/machine")
    assert "CVE-1" in text
    assert "laid open" in text
    assert "it is full" not in text
    looked = await pages.get("/settings/machine?look=1")
    assert "free some" in looked
    assert "1 thing is as it should be" in looked


async def test_a_test_of_alerts(house: settings_house.SettingsHouse, pages: page_house.PageHouse) -> None:
    house.report = alert_report.AlertReport(targets=(alert_report.TargetReport(name="ntfy at ntfy.sh"),))
    assert "Send a test" not in await pages.get("/settings/alerts", role="look")
    assert "Send a test" in await pages.get("/settings/alerts")
    house.gate.told_alerts = (model.SentAlert(target="ntfy at ntfy.sh"),)
    assert "The test was taken." in await pages.post("/settings/alerts/test")
    house.gate.told_alerts = (model.SentAlert(target="ntfy at ntfy.sh", error=HOSTILE),)
    failed = await pages.post("/settings/alerts/test")
    assert "1 of 1 did not take the test." in failed
    assert ESCAPED in failed
    house.gate.told_alerts = ()
    assert "No alert is sent" in await pages.post("/settings/alerts/test")
