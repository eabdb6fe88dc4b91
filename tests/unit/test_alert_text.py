"""What a person reads."""

import dataclasses

from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_text
from daemun.core.alerts.alert_ledger import AlertEvent, Danger
from tests.support.standings import DAY, MINUTE, NOW, failing, served


def notice(
    event: AlertEvent, *statuses: model.CertificateStatus, danger: Danger = Danger.FAILING
) -> alert_ledger.Notice:
    items = (
        alert_ledger.Item(
            alert=alert_ledger.Alert(danger=danger, name=one.name, host=one.host, names=one.names, raised_at=NOW),
            status=one,
        )
        for one in statuses
    )
    return alert_ledger.Notice(event=event, items=tuple(items))


def test_a_failure_says_why_what_visitors_see_and_when_it_is_tried_again() -> None:
    told = notice(
        AlertEvent.FAILING, failing(reason='cannot validate "a.test": no address', attempt=NOW + 100 * MINUTE)
    )
    assert alert_text.headline(told) == "cannot get a certificate for a.test"
    assert alert_text.text(told, "gate1", NOW).splitlines() == [
        "a.test:",
        '  cannot validate "a.test": no address',
        "  Visitors are warned: no certificate that they trust is served.",
        "  daemun tries again in 100 minutes (2026-05-01 13:40 UTC); sooner: daemun certs renew a.test",
        "",
        "daemun on gate1; `daemun certs` there shows more.",
    ]


def test_one_cause_is_said_once() -> None:
    hosts = [f"{number}.example.com" for number in range(60)]
    same = [failing(host, reason=f'cannot validate "{host}": port 80 is closed') for host in hosts]
    other = failing("b.test", reason="the CA is down")
    told = notice(AlertEvent.FAILING, *same, other)
    text = alert_text.text(told, "gate1", NOW)
    assert alert_text.headline(told) == "cannot get a certificate for 0.example.com and 60 more"
    assert text.count("port 80 is closed") == text.count("the CA is down") == 1
    assert "49.example.com and 10 more:" in text


def test_what_runs_out() -> None:
    own = served(left=5 * DAY, kind=model.CertificateKind.OWN)
    told = notice(AlertEvent.EXPIRING, own, danger=Danger.EXPIRING)
    text = alert_text.text(told, "gate1", NOW)
    assert alert_text.headline(told) == "the certificate of a.test runs out"
    assert "a file of the owner, which daemun does not renew; replace it" in text
    assert "valid until 2026-05-06 12:00 UTC (5 days left)" in text
    assert "Visitors are warned" not in text


def test_the_end() -> None:
    told = notice(AlertEvent.SOLVED, served())
    assert alert_text.headline(told) == "solved: the certificate of a.test"
    assert "Example CA signed it, 60 days left" in alert_text.text(told, "gate1", NOW)
    gone = alert_ledger.Notice(event=AlertEvent.SOLVED, items=(dataclasses.replace(told.items[0], status=None),))
    assert "it is needed no longer" in alert_text.text(gone, "gate1", NOW)
