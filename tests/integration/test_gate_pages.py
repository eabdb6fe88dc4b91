"""The pages of certificates, containers and bans, in front of a gate that the test controls."""

import dataclasses
import datetime
import pathlib

import pytest

from daemun.core import model
from daemun.core.access import banned_networks
from daemun.dashboard.pages import settings_pages
from daemun.errors import RetryableError
from daemun.web import ban_endpoints, certificate_endpoints, container_endpoints
from tests.support import fake_gate, page_house

HOSTILE, ESCAPED = page_house.HOSTILE, page_house.ESCAPED


@dataclasses.dataclass(frozen=True, slots=True)
class House:
    gate: fake_gate.FakeGate
    pages: page_house.PageHouse


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    gate = fake_gate.FakeGate(config=tmp_path / "daemun.yaml", state=tmp_path)
    modules = (certificate_endpoints, container_endpoints, ban_endpoints)
    return House(gate, page_house.PageHouse(one for module in modules for one in module.endpoints(gate)))


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def good_certificate(host: str) -> model.CertificateStatus:
    day = datetime.timedelta(days=1)
    return dataclasses.replace(
        fake_gate.certificate(host, model.CertificateState.VALID),
        kind=model.CertificateKind.PUBLIC,
        issuer=HOSTILE,
        not_before=now() - day,
        not_after=now() + 80 * day,
        renew_at=now() + 20 * day,
    )


def failing_certificate() -> model.CertificateStatus:
    return dataclasses.replace(
        fake_gate.certificate("bad.test", model.CertificateState.FAILING, reason=HOSTILE),
        failures=3,
        failing_since=now() - datetime.timedelta(hours=5),
        last_error=f"the CA says {HOSTILE}",
        next_attempt=now() + datetime.timedelta(hours=2, minutes=30),
        held_until=now() + datetime.timedelta(hours=1),
    )


async def test_settings_lead_to_all_there_is(house: House) -> None:
    page = await house.pages.get("/settings")
    assert 'href="/settings/containers"' in page and 'href="/settings/bans"' in page
    there = {getattr(route, "path", "") for route in house.pages.pages.routes}
    missing = [part.path for part in settings_pages.PARTS if part.path not in there]
    assert not [path for path in missing if f'href="{path}"' in page]
    few = await house.pages.get("/settings", role="look", language="ko")
    assert "/settings/tokens" not in few and "/settings/bans" in few


# --- certificates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_certificates_have_trouble_first_with_cause_and_next_try(house: House, language: str) -> None:
    house.gate.tell(certificates=(good_certificate("a.test"), failing_certificate()))
    page = await house.pages.get("/certificates", language=language)
    assert page.index("bad.test") < page.index("a.test")
    assert "onerror=alert(1)>" not in page
    assert page.count(ESCAPED) >= 2
    assert '<svg class="days"' in page
    assert "daemun certs" in page


async def test_certificates_in_words(house: House) -> None:
    house.gate.tell(certificates=(good_certificate("a.test"), failing_certificate()))
    page = await house.pages.get("/certificates")
    assert "3 tries in a row failed" in page
    assert "in 2 h" in page
    assert "Renew now" in page
    assert "Renew now" not in await house.pages.get("/certificates", role="look")
    assert "bad.test" not in await house.pages.get("/certificates?q=A.TEST")
    assert "Needs a look" not in await house.pages.get("/certificates?lamp=good")


async def test_a_certificate_has_its_story_as_a_line_and_in_words(house: House) -> None:
    house.gate.tell(certificates=(failing_certificate(),))
    page = await house.pages.get("/certificates/bad.test")
    assert '<svg class="story"' in page
    assert "the first try failed; 3 in a row until now" in page
    assert f"the last try failed: the CA says {ESCAPED}" in page
    assert "daemun certs show bad.test" in page
    assert "No certificate of" in await house.pages.get("/certificates/none.test", status=404)


async def test_a_renewal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.gate.tell(certificates=(good_certificate("a.test"),))
    assert "Ordered" in await house.pages.post("/certificates/a.test/renew")
    assert house.gate.renewed == ["a.test"]
    refused = await house.pages.request("POST", "/certificates/a.test/renew", {}, role="look")
    assert refused.status_code == 403

    async def refuse(host: str, *, force: bool = False) -> bool:
        raise RetryableError(f"cannot renew before 13:00 UTC {HOSTILE}")

    monkeypatch.setattr(house.gate, "renew", refuse)
    assert f"cannot renew before 13:00 UTC {ESCAPED}" in await house.pages.post("/certificates/a.test/renew")


async def test_no_certificates(house: House) -> None:
    house.gate.tell(certificates=())
    assert "No site needs a certificate" in await house.pages.get("/certificates")
    for days in ("90", "365", "x", "-1"):
        assert "Nothing is renewed before" in await house.pages.get(f"/certificates?days={days}")


# --- containers --------------------------------------------------------------------------------------------------


async def test_containers_show_why_one_is_not_served_and_what_to_do(house: House) -> None:
    house.gate.tell(
        containers=(
            model.ContainerStatus(name="good-1", hosts=("a.test",), state="running", health="healthy", restarts=2),
            model.ContainerStatus(name=HOSTILE, hosts=(HOSTILE,), is_served=False, why=HOSTILE, cure="start it"),
        ),
        problems=(model.Problem(origin=model.Origin(source=model.CONTAINERS, place="engine"), message=HOSTILE),),
    )
    page = await house.pages.get("/settings/containers")
    assert page.index(ESCAPED) < page.index("good-1")
    assert "onerror=alert(1)>" not in page
    assert "start it" in page
    assert "healthy" in page
    assert "good-1" not in await house.pages.get("/settings/containers?lamp=bad")
    korean = await house.pages.get("/settings/containers", language="ko")
    assert "제공되지 않음" in korean


async def test_several_engines_and_which_of_them_answer(house: House) -> None:
    since = datetime.datetime(2026, 11, 30, 9, 10, 11, tzinfo=datetime.UTC)
    away = model.EngineStatus(name=HOSTILE, place=HOSTILE, answers=False, since=since, why="it did not answer in time")
    house.gate.tell(
        engines=(model.EngineStatus(name="local", place="unix:///d.sock"), away),
        containers=(model.ContainerStatus(name="web-1", engine="local", hosts=("a.test",)),),
    )
    page = await house.pages.get("/settings/containers")
    assert "unix:///d.sock" in page and "1 of 1 containers served" in page and "@local" in page
    assert "does not answer" in page and ESCAPED in page and "onerror=alert(1)>" not in page
    assert "응답하지 않음" in await house.pages.get("/settings/containers", language="ko")
    house.gate.tell(engines=(model.EngineStatus(name="", place="unix:///d.sock"),))
    assert "unix:///d.sock" not in await house.pages.get("/settings/containers"), "as ever"


async def test_no_containers(house: House) -> None:
    assert "daemun.host" in await house.pages.get("/settings/containers")


# --- bans --------------------------------------------------------------------------------------------------------


async def test_bans_are_made_and_removed_by_forms(house: House) -> None:
    assert "No address is refused" in await house.pages.get("/settings/bans")
    page = await house.pages.post("/settings/bans", {"address": " 203.0.113.7 ", "seconds": "3600"})
    assert "203.0.113.7 is refused on every site" in page
    assert "banned by hand" in page
    await house.pages.post("/settings/bans", {"address": "203.0.113.8", "seconds": ""})
    assert house.gate.banned["203.0.113.8"].until is None
    assert "for good" in await house.pages.get("/settings/bans")
    page = await house.pages.post("/settings/bans/remove", {"address": "203.0.113.7"})
    assert "203.0.113.7 is not refused any more" in page
    assert "it is not banned" in await house.pages.post("/settings/bans/remove", {"address": "203.0.113.7"})
    assert "No ban fits" in await house.pages.get("/settings/bans?q=nothing")


async def test_what_cannot_be_banned_stays_in_the_form_with_the_reason(house: House) -> None:
    async def refuse(address: str, seconds: int | None) -> banned_networks.Ban:
        raise RetryableError(f"cannot ban {address}")

    house.gate.ban = refuse  # type: ignore[method-assign]
    answer = await house.pages.request("POST", "/settings/bans", {"address": HOSTILE, "seconds": "3600"})
    assert answer.status_code == 422
    assert "onerror=alert(1)>" not in answer.text
    assert 'aria-invalid="true"' in answer.text
    answer = await house.pages.request("POST", "/settings/bans", {"address": "203.0.113.7", "seconds": "x"})
    assert answer.status_code == 422


async def test_who_may_look_alone_has_no_buttons_and_bans_nobody(house: House) -> None:
    page = await house.pages.get("/settings/bans", role="look")
    assert "Refuse an address" not in page
    for path in ("/settings/bans", "/settings/bans/remove"):
        answer = await house.pages.request("POST", path, {"address": "203.0.113.7"}, role="look")
        assert answer.status_code == 403
    assert house.gate.banned == {}


async def test_attacks(house: House) -> None:
    reasons = banned_networks.Reason
    house.gate.attacks = (
        banned_networks.Ban(
            network="203.0.113.7", reason=reasons.GUESSES, since=now(), until=now(), note="21 wrong passwords"
        ),
        banned_networks.Ban(network="203.0.113.8", reason=reasons.CROWDSEC, since=now(), note=HOSTILE),
    )
    page = await house.pages.get("/settings/bans/attacks")
    assert "guessed passwords" in page
    assert page.count(ESCAPED) == 2
    assert "onerror=alert(1)>" not in page
    house.gate.attacks = ()
    assert "No attack was seen" in await house.pages.get("/settings/bans/attacks")
