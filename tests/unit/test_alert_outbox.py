"""Each target is told each danger once, and once more when it is over; bursts make few messages."""

import collections.abc
import datetime
import itertools

import hypothesis
from hypothesis import strategies

from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_outbox, alert_rules
from daemun.core.alerts.alert_ledger import AlertEvent
from tests.support.standings import DAY, HOUR, MINUTE, NOW, failing, served

Statuses = collections.abc.Sequence[model.CertificateStatus]
EMPTY = alert_ledger.AlertLedger()


def in_danger(
    *hosts: str, now: datetime.datetime = NOW, before: alert_ledger.AlertLedger = EMPTY
) -> alert_ledger.AlertLedger:
    return alert_rules.judge_dangers(before, [running_out(host) for host in hosts], now)


def running_out(host: str) -> model.CertificateStatus:
    return served(host, left=DAY)


def due(found: alert_ledger.AlertLedger, target: str, now: datetime.datetime) -> list[alert_ledger.Notice]:
    return [
        notice for notice in alert_outbox.find_notices(found, (), target) if notice.at is not None and notice.at <= now
    ]


def test_those_that_come_together_are_one_message() -> None:
    found = in_danger(*(f"{number}.test" for number in range(200)))
    assert due(found, "t", NOW) == []
    (notice,) = due(found, "t", NOW + alert_outbox.GATHER)
    assert (notice.event, len(notice.items)) == (AlertEvent.EXPIRING, 200)
    found = alert_outbox.note_delivered(found, "t", notice, NOW + alert_outbox.GATHER)
    assert due(found, "t", NOW + DAY) == []
    assert len(due(found, "other", NOW + DAY)) == 1, "the other one does not know yet"


def test_what_comes_soon_after_a_message_waits() -> None:
    found = in_danger("a.test")
    (notice,) = due(found, "t", NOW + alert_outbox.GATHER)
    sent_at = NOW + alert_outbox.GATHER
    found = alert_outbox.note_delivered(found, "t", notice, sent_at)
    found = in_danger("a.test", "b.test", now=NOW + MINUTE, before=found)
    assert due(found, "t", sent_at + alert_outbox.INTERVAL - MINUTE) == []
    (notice,) = due(found, "t", sent_at + alert_outbox.INTERVAL)
    assert [item.alert.host for item in notice.items] == ["b.test"]


def test_too_many_for_one_message_come_with_the_next() -> None:
    found = in_danger(*(f"{number}.test" for number in range(alert_outbox.MOST_ITEMS + 5)))
    (notice,) = due(found, "t", NOW + HOUR)
    found = alert_outbox.note_delivered(found, "t", notice, NOW + HOUR)
    (notice,) = due(found, "t", NOW + 2 * HOUR)
    assert len(notice.items) == 5


def test_what_is_over_before_it_was_told_is_never_told() -> None:
    found = alert_rules.judge_dangers(in_danger("a.test"), [served()], NOW + MINUTE)
    assert due(found, "t", NOW + DAY) == []


def test_what_is_over_while_it_is_told_is_told_to_be_over() -> None:
    found = in_danger("a.test")
    (notice,) = due(found, "t", NOW + MINUTE)
    found = alert_rules.judge_dangers(found, [served()], NOW + MINUTE)
    found = alert_outbox.note_delivered(found, "t", notice, NOW + 2 * MINUTE)
    (notice,) = due(found, "t", NOW + HOUR)
    assert notice.event is AlertEvent.SOLVED
    assert alert_outbox.note_delivered(found, "t", notice, NOW + HOUR).alerts == ()


def test_two_dangers_of_one_certificate_are_two_messages() -> None:
    found = EMPTY
    for number in range(4):
        status = failing(left=DAY, kind=model.CertificateKind.PUBLIC, attempt=NOW + number * MINUTE)
        found = alert_rules.judge_dangers(found, [status], NOW + number * HOUR)
    assert {notice.event for notice in due(found, "t", NOW + DAY)} == {AlertEvent.FAILING, AlertEvent.EXPIRING}


def test_a_target_that_is_gone_is_owed_nothing() -> None:
    found = in_danger("a.test")
    (notice,) = due(found, "t", NOW + MINUTE)
    found = alert_rules.judge_dangers(
        alert_outbox.note_delivered(found, "t", notice, NOW + MINUTE), [served()], NOW + HOUR
    )
    assert alert_outbox.forget_targets(found, {"other"}) == alert_ledger.AlertLedger()
    assert alert_outbox.forget_targets(found, {"t"}) == found


def test_how_long_a_target_is_left_alone() -> None:
    waits = [alert_outbox.retry_at(failures, NOW) - NOW for failures in (1, 2, 3, 8, 100)]
    assert [wait.total_seconds() for wait in waits] == [30, 60, 120, 3600, 3600]
    assert alert_outbox.retry_at(1, NOW, 600.0) - NOW == 10 * MINUTE
    assert alert_outbox.retry_at(1, NOW, 1e300) - NOW == HOUR
    assert alert_outbox.retry_at(1, NOW, -5.0) - NOW == MINUTE / 2


STEPS = strategies.lists(strategies.sampled_from(["danger", "well", "tell", "crash in telling"]), max_size=30)


@hypothesis.given(STEPS)
def test_whatever_happens_each_is_told_in_turn(steps: list[str]) -> None:
    """A target hears of a danger and of its end alternately, and at last it knows how things are."""
    found, now, heard = EMPTY, NOW, []
    status = served()
    for step in [*steps, "tell", "tell", "tell"]:
        now += HOUR
        status = {"danger": served(left=DAY), "well": served()}.get(step, status)
        found = alert_rules.judge_dangers(found, [status], now)
        for notice in due(found, "t", now) if step == "tell" else ():
            heard.append(notice.event)
            found = alert_outbox.note_delivered(found, "t", notice, now)
    assert all(one is not other for one, other in itertools.pairwise(heard))
    is_in_danger = status.not_after == NOW + DAY
    assert (heard[-1:] == [AlertEvent.EXPIRING]) is is_in_danger
