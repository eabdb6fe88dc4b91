"""What is not urgent waits until the quiet time ends."""

import datetime
import zoneinfo

import pytest

from daemun.alerts import alert_message
from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_outbox, alert_rules
from daemun.core.options import alerting_forms, quiet_hours
from tests.support.standings import DAY, MINUTE, NOW, served

UTC = datetime.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        ("22:00-07:00", "2026-05-01T21:59:59Z", None),
        ("22:00-07:00", "2026-05-01T22:00:00Z", "2026-05-02T07:00:00Z"),
        ("22:00-07:00", "2026-05-02T06:59:59Z", "2026-05-02T07:00:00Z"),
        ("22:00-07:00", "2026-05-02T07:00:00Z", None),
        ("09:00 - 17:30", "2026-05-02T12:00:00Z", "2026-05-02T17:30:00Z"),
        ("09:00-17:30", "2026-05-02T08:00:00Z", None),
        ("0:00-6:00", "2026-05-02T00:00:00Z", "2026-05-02T06:00:00Z"),
    ],
)
def test_when_it_is_quiet(hours: str, now: str, end: str | None) -> None:
    found = quiet_hours.find_end(quiet_hours.parse(hours), at(now), UTC)
    assert found == (None if end is None else at(end))


def test_in_a_time_zone_also_in_the_night_in_which_clocks_change() -> None:
    hours = quiet_hours.parse("22:00-07:00")
    assert quiet_hours.find_end(hours, at("2026-05-01T20:30:00Z"), BERLIN) == at("2026-05-02T05:00:00Z")
    assert quiet_hours.find_end(hours, at("2026-10-24T21:00:00Z"), BERLIN) == at("2026-10-25T06:00:00Z")
    assert quiet_hours.find_end(hours, at("2026-05-01T21:30:00Z"), None) in {
        None,
        *(at("2026-05-01T21:30:00Z") + datetime.timedelta(minutes=30) * half for half in range(1, 19)),
    }


@pytest.mark.parametrize("text", ["", "22-7", "22:00", "24:00-07:00", "22:60-07:00", "07:00-07:00", "22:00-07:00 Uhr"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="expected hours"):
        quiet_hours.parse(text)


def test_zones() -> None:
    assert alerting_forms.find_zone("Asia/Seoul") is not None
    for name in ("", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "a\0b"):
        assert alerting_forms.find_zone(name) is None


def test_what_is_not_urgent_waits() -> None:
    until = NOW + 5 * 60 * MINUTE
    found = alert_rules.judge_dangers(alert_ledger.AlertLedger(), [served("a.test", left=DAY)], NOW)

    def due_at(status: model.CertificateStatus, *, passes: bool) -> datetime.datetime | None:
        (notice,) = alert_outbox.find_notices(
            found,
            [status],
            "t",
            quiet_until=until,
            is_urgent=lambda notice: passes and alert_message.is_urgent(notice, NOW),
        )
        return notice.at

    warned = served("a.test", left=-DAY)
    assert due_at(served("a.test", left=DAY), passes=True) == until
    assert due_at(warned, passes=True) == NOW + alert_outbox.GATHER
    assert due_at(warned, passes=False) == until
