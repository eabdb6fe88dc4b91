"""What is in danger beside certificates and sites, and what is reported of it."""

import dataclasses
import datetime

import pytest

from daemun.alerts import alert_message, ledger_store, notifier
from daemun.core import model
from daemun.core.access import banned_networks
from daemun.core.alerts import alert_ledger, alert_outbox, alert_rules, alert_text, gate_concerns
from daemun.core.alerts.alert_ledger import AlertEvent, Danger
from daemun.core.nginx_builds import nginx_weaknesses
from daemun.core.options import alerting_forms
from daemun.core.traffic import error_shares
from tests.support.standings import MINUTE, NOW

GB = 1 << 30
RULES = alerting_forms.Rules()
SITE = model.Site(host="a.test", origin=model.NOWHERE)
HELD = model.SiteStatus(site=SITE, state=model.SiteState.QUARANTINED, reason="nginx does not know x", cure="mend it")


def space(free_bytes: int, folder: str = "/var/lib/daemun") -> gate_concerns.DiskSpace:
    return gate_concerns.DiskSpace(folder=folder, free_bytes=free_bytes, total_bytes=100 * GB)


def weakness(name: str, severity: str, *, applies: bool = True) -> nginx_weaknesses.Weakness:
    return nginx_weaknesses.Weakness(name=name, title="a crash", severity=severity, fixed=("1.31.4",), applies=applies)


def of_machine(budget: int = 8, rules: alerting_forms.Rules = RULES, **facts: object) -> list[alert_ledger.Concern]:
    return list(gate_concerns.of_machine(gate_concerns.MachineFacts(**facts), rules, budget))  # type: ignore[arg-type]


def test_disks_with_little_room() -> None:
    percent, size = alerting_forms.FreeSpace(percent=5), alerting_forms.FreeSpace(size_bytes=2 * GB)
    assert gate_concerns.find_low([space(5 * GB)], percent) == ()
    assert gate_concerns.find_low([space(5 * GB - 1)], percent) == (space(5 * GB - 1),)
    assert gate_concerns.find_low([space(3 * GB)], size) == ()
    assert gate_concerns.find_low([space(GB)], None) == ()
    before = (space(4 * GB),)
    assert gate_concerns.find_low([space(5 * GB)], percent, before), "it is over when there is some room"
    assert not gate_concerns.find_low([space(6 * GB)], percent, before)
    (found,) = of_machine(low=(space(GB),))
    assert (found.danger, found.about) == (Danger.FILLING, "/var/lib/daemun")
    assert "1.0 GB of 100.0 GB are free" in found.cause


def test_old_workers() -> None:
    assert of_machine(old=7) == []
    (found,) = of_machine(old=8, old_bytes=512 << 20)
    assert found.cause == "8 generations of old workers still have connections, and take 512 MB"
    assert of_machine(rules=dataclasses.replace(RULES, old_workers=20), old=8) == []
    assert of_machine(rules=dataclasses.replace(RULES, old_workers=None), old=800) == []


def test_weaknesses() -> None:
    found = (weakness("CVE-1", "major"), weakness("CVE-2", "low"), weakness("CVE-3", "major", applies=False))
    serving = gate_concerns.ServingNginx(name="nginx 1.31.3", weaknesses=found)
    assert [one.name for one in of_machine(nginx=serving)] == ["CVE-1"]
    low = dataclasses.replace(RULES, nginx=alerting_forms.AlertSeverity.LOW)
    assert [one.name for one in of_machine(rules=low, nginx=serving)] == ["CVE-1", "CVE-2"]
    assert of_machine(rules=dataclasses.replace(RULES, nginx=None), nginx=serving) == []


def test_changes_that_are_not_live() -> None:
    def find(
        *sites: model.SiteStatus,
        error: str | None = None,
        unread: tuple[str, ...] = (),
        problems: tuple[model.Problem, ...] = (),
        engines: tuple[model.EngineStatus, ...] = (),
    ) -> list[tuple[str, str]]:
        found = gate_concerns.of_changes(sites, error, unread, problems, RULES, engines=engines)
        return [(one.about, one.cause) for one in found]

    assert find(HELD) == [("a.test", "nginx does not know x")]
    assert find(dataclasses.replace(HELD, has_page=True)) == [], "visitors do not get it: that is another danger"
    assert find(dataclasses.replace(HELD, state=model.SiteState.LIVE)) == []
    assert find(error="nginx refuses it") == [("the configuration", "nginx refuses it")]
    origin = model.Origin(source="file", place="daemun.yaml:3")
    problem = model.Problem(origin=origin, message="cannot read it; mend it", cure="mend it")
    assert find(unread=("file",), problems=(problem,)) == [("source file", f"{origin}: cannot read it")]
    assert find(unread=("docker",)) == [("source docker", "it cannot be read")]
    away = model.EngineStatus(name="nas", place="ssh://nas", answers=False, why="it did not answer in time")
    assert find(engines=(away, model.EngineStatus(name="local", place="unix:///d.sock"))) == [
        ("engine nas", "it did not answer in time")
    ]
    assert find(engines=(dataclasses.replace(away, name=""),))[0][0] == "engine ssh://nas"
    assert find(engines=(dataclasses.replace(away, is_wanted=False),)) == [], "its socket lies there, and is nobody's"
    assert not list(gate_concerns.of_changes([HELD], "x", (), (), dataclasses.replace(RULES, changes_s=None)))


def test_bans() -> None:
    def ban(number: int, minutes: int, reason: banned_networks.Reason) -> banned_networks.Ban:
        return banned_networks.Ban(network=f"192.0.2.{number}", reason=reason, since=NOW - minutes * MINUTE)

    guesses = [ban(number, number, banned_networks.Reason.GUESSES) for number in range(1, 90)]
    others = [ban(number, 1, banned_networks.Reason.CROWDSEC) for number in range(200)]
    rules = dataclasses.replace(RULES, bans=59)
    (found,) = gate_concerns.of_bans(lambda: [*guesses, *others], rules, "gate1", NOW)
    assert found.cause.startswith("59 addresses") and found.cause.endswith("192.0.2.1")
    assert not list(gate_concerns.of_bans(lambda: guesses, dataclasses.replace(RULES, bans=60), "gate1", NOW))

    def never() -> list[banned_networks.Ban]:
        raise AssertionError("there may be a hundred thousand")

    assert not list(gate_concerns.of_bans(never, RULES, "gate1", NOW))


def test_requests_that_fail() -> None:
    """Not of a site that is reported as unserved, nor of too few requests."""
    sites = [model.Site(host=host, origin=model.NOWHERE) for host in ("good.test", "bad.test", "few.test")]
    failed = [
        ("bad.test", 504, 1),
        ("bad.test", 502, 6),
        ("bad.test", 502, 6),
        ("good.test", 500, 3),
        ("few.test", 500, 19),
    ]
    requests = [("good.test", 300), ("bad.test", 21), ("few.test", 19), ("calm.test", 7)]
    shares = error_shares.gather(failed, requests)
    assert "calm.test" not in shares and error_shares.gather((), ()) == {}

    def find(*, unserved: tuple[str, ...] = (), are_logged: bool = True) -> list[alert_ledger.Concern]:
        found = gate_concerns.of_errors(shares, sites, RULES, unserved=unserved, are_logged=are_logged, now=NOW)
        return list(found)

    (found,) = find()
    assert (found.name, found.cause) == (
        "bad.test",
        "13 of its last 21 requests (62 %) got a 5xx, most of them 502",
    )
    assert found.cure.startswith("`daemun logs bad.test --status 5xx` shows them, ")
    (found,) = find(are_logged=False)
    assert found.cure.startswith("`daemun traffic bad.test` shows their routes, ")
    assert find(unserved=("bad.test",)) == []


# --- from concerns to messages ---------------------------------------------------------------------------------


def concern(name: str = "a.test", danger: Danger = Danger.UNAPPLIED, minutes: int = 5) -> alert_ledger.Concern:
    patience = datetime.timedelta(minutes=minutes)
    return alert_ledger.Concern(
        danger=danger, name=name, about=name, cause="it is wrong", cure="Mend it.", patience=patience
    )


def look(before: alert_ledger.AlertLedger, minutes: float, *concerns: alert_ledger.Concern) -> alert_ledger.AlertLedger:
    return alert_rules.judge_dangers(before, [], NOW + minutes * MINUTE, concerns=concerns)


def due(found: alert_ledger.AlertLedger, minutes: float) -> list[alert_ledger.Notice]:
    now = NOW + minutes * MINUTE
    return [one for one in alert_outbox.find_notices(found, [], "t") if one.at is not None and one.at <= now]


def test_once_when_it_lasts_and_once_more_when_it_is_over() -> None:
    found = look(alert_ledger.AlertLedger(), 0, concern())
    assert due(look(found, 4, concern()), 60) == []
    assert due(look(look(found, 4), 60), 120) == [], "it was over in time"
    assert due(look(look(found, 4), 6, concern()), 120) == [], "it began anew"
    found = look(found, 5, concern())
    (notice,) = due(found, 6)
    assert (notice.event, alert_text.headline(notice)) == (AlertEvent.UNAPPLIED, "a change is not live: a.test")
    text = alert_text.text(notice, "gate1", NOW)
    assert "a.test:\n  it is wrong\n  Mend it.\n" in text and "`daemun status`" in text
    found = ledger_store.decode(ledger_store.encode(found))  # a restart
    found = alert_outbox.note_delivered(found, "t", notice, NOW + 6 * MINUTE)
    assert due(look(found, 7, concern()), 60) == []
    (end,) = due(look(found, 20), 60)
    assert (end.event, alert_text.headline(end)) == (AlertEvent.SOLVED, "solved: changes are live again: a.test")
    assert due(alert_outbox.note_delivered(look(found, 20), "t", end, NOW + 30 * MINUTE), 600) == []


def test_many_are_one_message() -> None:
    concerns = [concern(f"{number}.test", minutes=0) for number in range(50)]
    (notice,) = due(look(alert_ledger.AlertLedger(), 0, *concerns), 1)
    assert len(notice.items) == 50
    assert alert_text.headline(notice) == "a change is not live: 0.test and 49 more"


@pytest.mark.parametrize(
    ("dangers", "headline"),
    [
        ((Danger.FILLING, Danger.BANS), "solved: what was reported of 0.test and 1 more"),
        ((Danger.FAILING, Danger.FILLING), "solved: what was reported of 0.test and 1 more"),
        ((Danger.FAILING, Danger.EXPIRING), "solved: the certificate of 0.test and 1 more"),
        ((Danger.ERRORS, Danger.ERRORS), "solved: few requests for 0.test and 1 more fail"),
    ],
)
def test_headlines_of_ends_of_several_kinds(dangers: tuple[Danger, ...], headline: str) -> None:
    alerts = [
        alert_ledger.Alert(danger=one, name=f"{number}.test", host=f"{number}.test", names=(), raised_at=NOW)
        for number, one in enumerate(dangers)
    ]
    items = tuple(alert_ledger.Item(alert=one) for one in alerts)
    assert alert_text.headline(alert_ledger.Notice(event=AlertEvent.SOLVED, items=items)) == headline


def test_several_weaknesses_of_one_nginx_are_one_paragraph_with_one_cure() -> None:
    names = ("CVE-1", "CVE-2", "CVE-3")
    weaknesses = tuple(weakness(name, "major") for name in names)
    concerns = of_machine(nginx=gate_concerns.ServingNginx(name="nginx 1.31.3", weaknesses=weaknesses))
    (notice,) = due(look(alert_ledger.AlertLedger(), 0, *concerns), 1)
    assert alert_text.text(notice, "gate1", NOW).splitlines()[:5] == [
        "nginx 1.31.3:",
        *(f"  {name} (major, mended in 1.31.4): a crash" for name in names),
        "  `daemun nginx list` shows what there is instead, `daemun nginx upgrade` lets it take over.",
    ]


@pytest.mark.parametrize("danger", [danger for danger in Danger if danger.is_of_gate])
def test_every_danger_has_words_and_an_entry_of_the_body(danger: Danger) -> None:
    found = look(alert_ledger.AlertLedger(), 0, concern("x", danger, 0))
    (notice,) = due(found, 1)
    for event in (notice.event, AlertEvent.SOLVED):
        message = alert_message.AlertMessage(
            notice=dataclasses.replace(notice, event=event), machine="gate1", version="1", at=NOW
        )
        assert "x" in message.headline and message.headline.isascii()
        (entry,) = alert_message.body_json(message)["gate"]
        assert (entry["danger"], entry["about"], entry["cure"]) == (danger.value, "x", "Mend it.")
        assert entry["reason"]
        assert message.is_urgent == (event in {AlertEvent.ERRORS, AlertEvent.NODE_DOWN})


def test_what_is_switched_off_is_forgotten() -> None:
    off = alerting_forms.Rules(
        certificates=False,
        sites_s=None,
        errors_percent=None,
        disk=None,
        changes_s=None,
        old_workers=None,
        nginx=None,
        fleet=False,
    )
    assert notifier.find_dangers(off) == set()
    assert notifier.find_dangers(RULES) == set(Danger) - {Danger.BANS}
    found = look(alert_ledger.AlertLedger(), 0, concern(minutes=0))
    assert alert_rules.forget_dangers(found, notifier.find_dangers(RULES)) == found
    assert alert_rules.forget_dangers(found, notifier.find_dangers(off)).alerts == ()
