"""What is a danger, when, and when it is over."""

import collections.abc
import dataclasses
import datetime

import pytest

from daemun.alerts import alert_message
from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_outbox, alert_rules, alert_text
from daemun.core.alerts.alert_ledger import Danger
from daemun.core.model import CertificateKind as Kind
from daemun.core.model import CertificateState as State
from daemun.core.options import catalogue, maintenance_option
from tests.support.standings import DAY, HOUR, MINUTE, NOW, failing, served

LADDER = (MINUTE, 10 * MINUTE, 100 * MINUTE, DAY, DAY, DAY, DAY)

Looks = collections.abc.Iterable[tuple[datetime.datetime, model.CertificateStatus]]


def look(looks: Looks, start: alert_ledger.AlertLedger | None = None) -> alert_ledger.AlertLedger:
    found = start or alert_ledger.AlertLedger()
    for now, status in looks:
        found = alert_rules.judge_dangers(found, [status], now)
    return found


def fail(
    times: int,
    *,
    left: datetime.timedelta = 90 * DAY,
    life: datetime.timedelta = 90 * DAY,
    kind: Kind = Kind.LOCAL,
    start: datetime.datetime = NOW,
) -> Looks:
    """As many failures in a row, each at its moment of the ladder. left: at the first."""
    now = start
    for wait in LADDER[:times]:
        yield now, failing(attempt=now + wait, kind=kind, life=life, left=left - (now - start), now=now)
        now += wait


def dangers(found: alert_ledger.AlertLedger) -> set[Danger]:
    return {alert.danger for alert in found.alerts if alert.solved_at is None}


def told(found: alert_ledger.AlertLedger) -> alert_ledger.AlertLedger:
    """As if one target knew all there is."""
    alerts = tuple(dataclasses.replace(alert, notified=("t",)) for alert in found.alerts)
    return dataclasses.replace(found, alerts=alerts)


# --- a certificate that is not got -----------------------------------------------------------------------------


def test_a_first_certificate_is_told_of_after_the_quick_tries() -> None:
    assert dangers(look(fail(2))) == set()
    assert dangers(look(fail(3))) == {Danger.FAILING}


def test_what_is_long_in_coming_is_told_after_a_day() -> None:
    """As when a limit of the CA is waited for."""
    pending = served(kind=Kind.LOCAL, state=State.PENDING)
    assert dangers(look([(NOW, pending), (NOW + 23 * HOUR, pending)])) == set()
    assert dangers(look([(NOW, pending), (NOW + DAY, pending)])) == {Danger.FAILING}
    young = served(state=State.PENDING)
    assert dangers(look([(NOW, young), (NOW + 2 * DAY, young)])) == set(), "another one that is trusted is served"


def test_being_asked_for_is_no_failure() -> None:
    pending = served(kind=Kind.LOCAL, state=State.PENDING)
    assert dangers(look([(NOW, pending), *fail(2)])) == set()
    assert dangers(look([(NOW, pending), *fail(3)])) == {Danger.FAILING}


def test_looking_often_is_no_failure() -> None:
    once = list(fail(1))
    assert dangers(look(once * 10)) == set()


def test_failures_count_on_after_a_person_asked_anew() -> None:
    """`daemun certs renew` forgets the failures: the state is "pending" or "valid" until the next one."""
    pending = served(kind=Kind.LOCAL, state=State.PENDING)
    (one, two, three) = fail(3)
    assert dangers(look([one, (NOW, pending), two, (NOW, pending), three])) == {Danger.FAILING}


@pytest.mark.parametrize(
    ("life", "left", "silent", "told_after"),
    [
        (90 * DAY, 30 * DAY, 4, 6),  # a day: the sixth try comes a day after the fifth
        (6 * DAY, 2 * DAY, 4, 5),  # a tenth of two days is under five hours
    ],
)
def test_a_renewal_may_fail_for_a_while(
    life: datetime.timedelta, left: datetime.timedelta, silent: int, told_after: int
) -> None:
    assert dangers(look(fail(silent, life=life, left=left, kind=Kind.PUBLIC))) == set()
    assert Danger.FAILING in dangers(look(fail(told_after, life=life, left=left, kind=Kind.PUBLIC)))


def test_time_alone_makes_a_lasting_failure() -> None:
    """Between two daily tries, too."""
    looks = list(fail(4, left=30 * DAY, kind=Kind.PUBLIC))
    last = looks[-1][1]
    assert dangers(look([*looks, (NOW + 23 * HOUR, last)])) == set()
    assert dangers(look([*looks, (NOW + DAY, last)])) == {Danger.FAILING}


def test_a_new_name_that_is_not_got_is_told_soon() -> None:
    """The certificate that is served is young, but its visitors are warned."""
    assert dangers(look(fail(3, left=80 * DAY, kind=Kind.PUBLIC))) == {Danger.FAILING}


def test_another_certificate_solves_it_at_once() -> None:
    found = told(look(fail(3)))
    found = alert_rules.judge_dangers(found, [served()], NOW + HOUR)
    (alert,) = found.alerts
    assert alert.solved_at == NOW + HOUR
    assert found.watched == ()


def test_the_same_certificate_solves_it_only_after_a_while() -> None:
    """While the order runs that a person asked for, the failures so far are forgotten."""
    status = failing(kind=Kind.PUBLIC, left=80 * DAY)
    found = told(look(fail(3, kind=Kind.PUBLIC, left=80 * DAY)))
    at = NOW + HOUR
    well = served(left=80 * DAY - 11 * MINUTE, now=NOW + 11 * MINUTE)
    assert well.not_after == found.watched[0].not_after == status.not_after
    found = alert_rules.judge_dangers(found, [well], at)
    assert dangers(found) == {Danger.FAILING}
    again = alert_rules.judge_dangers(
        found, [failing(kind=Kind.PUBLIC, left=80 * DAY, attempt=at + MINUTE)], at + MINUTE
    )
    assert dangers(again) == {Danger.FAILING}
    assert dangers(alert_rules.judge_dangers(again, [well], at + alert_rules.STEADY)) == {Danger.FAILING}, (
        "it was not calm all the time"
    )
    assert dangers(alert_rules.judge_dangers(found, [well], at + alert_rules.STEADY)) == set()


def test_a_danger_nobody_knew_of_leaves_nothing() -> None:
    assert alert_rules.judge_dangers(look(fail(3)), [served()], NOW + HOUR) == alert_ledger.AlertLedger()


def test_a_site_that_wants_the_local_ca_is_in_no_danger() -> None:
    local = served(kind=Kind.LOCAL, state=State.LOCAL, left=DAY)
    assert alert_rules.judge_dangers(alert_ledger.AlertLedger(), [local], NOW) == alert_ledger.AlertLedger()
    assert alert_rules.judge_dangers(look(fail(3)), [local], NOW) == alert_ledger.AlertLedger()


def test_it_comes_again_before_its_end_was_told() -> None:
    found = alert_rules.judge_dangers(told(look(fail(3))), [served()], NOW + HOUR)
    found = look(fail(3, start=NOW + 2 * HOUR), found)
    (alert,) = found.alerts
    assert (alert.solved_at, alert.notified) == (None, ("t",))


def test_an_owners_files_may_be_half_replaced() -> None:
    broken = failing(attempt=None, kind=Kind.OWN)
    assert dangers(look([(NOW, broken), (NOW + 14 * MINUTE, broken)])) == set()
    assert dangers(look([(NOW, broken), (NOW + 15 * MINUTE, broken)])) == {Danger.FAILING}


# --- one that runs out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_danger"),
    [
        (served(life=90 * DAY, left=18 * DAY), False),
        (served(life=90 * DAY, left=17 * DAY), True),
        (served(life=6 * DAY, left=29 * HOUR), False),
        (served(life=6 * DAY, left=28 * HOUR), True),
        (served(life=90 * DAY, left=-DAY), True),
        (served(kind=Kind.OWN, life=365 * DAY, left=15 * DAY), False),
        (served(kind=Kind.OWN, life=365 * DAY, left=13 * DAY), True),
        (served(kind=Kind.OWN, life=30 * DAY, left=7 * DAY), False),
        (served(kind=Kind.OWN, life=30 * DAY, left=5 * DAY), True),
        (served(kind=Kind.LOCAL, state=State.PENDING, left=MINUTE), False),
    ],
)
def test_what_runs_out(status: model.CertificateStatus, is_danger: bool) -> None:
    assert (
        dangers(alert_rules.judge_dangers(alert_ledger.AlertLedger(), [status], NOW)) == {Danger.EXPIRING}
    ) is is_danger


def test_one_of_the_local_ca_in_its_place_is_no_solution() -> None:
    """What ran out is replaced by one of the local CA until a CA gives another."""
    found = told(look([(NOW, served(left=DAY))]))
    instead = failing(attempt=NOW + 3 * DAY)
    found = alert_rules.judge_dangers(found, [instead], NOW + 2 * DAY)
    assert dangers(found) == {Danger.EXPIRING}
    assert dangers(alert_rules.judge_dangers(found, [served()], NOW + 3 * DAY)) == set()


# --- one that is gone ------------------------------------------------------------------------------------------


def test_what_is_gone_is_over_after_a_while() -> None:
    found = told(look(fail(3)))
    gone = alert_rules.judge_dangers(found, [], NOW + HOUR)
    assert dangers(gone) == {Danger.FAILING}, "after a start nothing is known for a moment"
    gone = alert_rules.judge_dangers(gone, [], NOW + HOUR + alert_rules.STEADY)
    assert dangers(gone) == set()
    assert gone.watched == ()
    assert [alert.solved_at for alert in gone.alerts] == [NOW + HOUR + alert_rules.STEADY]


def test_the_word_that_it_is_over_is_not_owed_for_ever() -> None:
    found = alert_rules.judge_dangers(told(look(fail(3))), [served()], NOW + HOUR)
    assert alert_rules.judge_dangers(found, [served()], NOW + HOUR + alert_rules.LONGEST_MEMORY).alerts == ()


# --- sites that visitors do not get ------------------------------------------------------------------------------


def _trouble(since: datetime.datetime | None) -> model.SiteStatus:
    site = model.Site(host="a.test", aliases=("www.a.test",))
    return model.SiteStatus(
        site=site, state=model.SiteState.UNREACHABLE, reason="it refuses", cure="start it", since=since
    )


def test_a_site_in_maintenance_is_no_danger_until_that_has_ended() -> None:
    until = NOW + HOUR
    trouble = _trouble(NOW - 2 * alert_rules.UNSERVED_FOR)
    options = catalogue.values(maintenance_option.OPTION.set(maintenance_option.Maintenance(on=True, until=until)))
    closed = dataclasses.replace(trouble, site=dataclasses.replace(trouble.site, options=options))
    found = alert_rules.judge_dangers(alert_ledger.AlertLedger(), (), NOW, (closed,))
    assert found.alerts == ()
    assert [one.host for one in alert_rules.judge_dangers(found, (), until, (closed,)).alerts] == ["a.test"]
    raised = alert_rules.judge_dangers(alert_ledger.AlertLedger(), (), NOW, (trouble,))
    assert [one.solved_at for one in alert_rules.judge_dangers(raised, (), NOW, (closed,)).alerts] in ([], [NOW])


def test_a4_a_site_that_is_not_served_is_told_after_a_while_and_its_end_once() -> None:
    """A4: the alerts speak from what visitors receive, too."""
    young, old = _trouble(NOW), _trouble(NOW - alert_rules.UNSERVED_FOR)
    assert alert_rules.judge_dangers(alert_ledger.AlertLedger(), (), NOW, (young,)).alerts == ()
    found = alert_rules.judge_dangers(alert_ledger.AlertLedger(), (), NOW, (old,))
    assert [(alert.danger, alert.host) for alert in found.alerts] == [(alert_ledger.Danger.UNSERVED, "a.test")]
    (notice,) = alert_outbox.find_notices(found, (), "me", (old,))
    assert notice.event is alert_ledger.AlertEvent.UNSERVED
    assert alert_text.headline(notice) == "visitors do not get a.test"
    text = alert_text.text(notice, "gate1", NOW)
    assert "unreachable: it refuses" in text
    assert "start it" in text
    found = alert_outbox.note_delivered(found, "me", notice, NOW)
    assert alert_outbox.find_notices(alert_rules.judge_dangers(found, (), NOW, (old,)), (), "me", (old,)) == ()
    # After a start nothing is known for a while, which is no end.
    assert alert_rules.judge_dangers(found, (), NOW, None).alerts == found.alerts
    over = alert_rules.judge_dangers(found, (), NOW, ())
    (notice,) = alert_outbox.find_notices(over, (), "me")
    assert notice.event is alert_ledger.AlertEvent.SOLVED
    assert alert_text.headline(notice) == "solved: visitors get a.test again"
    assert alert_outbox.note_delivered(over, "me", notice, NOW).alerts == ()


# --- folders that cannot be written -------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_told_once_and_its_end_once() -> None:
    refused = {"/state/store": "/state/store cannot be written: no space left on device; free some space"}
    found = alert_rules.judge_dangers(alert_ledger.AlertLedger(), (), NOW, refused_folders=refused)
    (notice,) = alert_outbox.find_notices(found, (), "me")
    assert notice.event is alert_ledger.AlertEvent.UNWRITABLE
    assert alert_text.headline(notice) == "/state/store cannot be written"
    assert "no space left on device; free some space" in alert_text.text(notice, "gate1", NOW)
    assert "`daemun status` there shows more" in alert_text.text(notice, "gate1", NOW)
    body = alert_message.body_json(alert_message.AlertMessage(notice=notice, machine="gate1", version="1", at=NOW))
    assert (body["certificates"], body["sites"]) == ([], [])
    assert [(one["danger"], one["folder"]) for one in body["folders"]] == [("unwritable", "/state/store")]
    found = alert_outbox.note_delivered(found, "me", notice, NOW)
    again = alert_rules.judge_dangers(found, (), NOW, refused_folders=refused)
    assert alert_outbox.find_notices(again, (), "me") == ()
    over = alert_rules.judge_dangers(again, (), NOW)
    (notice,) = alert_outbox.find_notices(over, (), "me")
    assert alert_text.headline(notice) == "solved: /state/store can be written again"
    assert alert_outbox.note_delivered(over, "me", notice, NOW).alerts == ()
