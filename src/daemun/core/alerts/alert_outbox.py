"""Which messages a target is to be sent, and when. Pure: the time is an argument.

What comes within GATHER of the first goes together with it; what comes later waits until INTERVAL after that message:
a CA that is down for two hundred certificates makes few messages, not two hundred.
"""

import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.alerts import alert_ledger

GATHER = datetime.timedelta(seconds=10)
INTERVAL = datetime.timedelta(minutes=5)
MOST_ITEMS = 1000
"""In one message; more of them go with the next."""

FIRST_PAUSE = datetime.timedelta(seconds=30)
LONGEST_PAUSE = datetime.timedelta(hours=1)

SOON = datetime.timedelta(minutes=1)
_SOON = frozenset({alert_ledger.AlertEvent.NODE_DOWN, alert_ledger.AlertEvent.FLEET_DATABASE})
"""Not gathered: it lasted for a while when it was noticed. The next such message comes after SOON: another machine."""
_EVENTS = {danger: alert_ledger.AlertEvent(danger.value) for danger in alert_ledger.Danger}


def find_notices(
    ledger: alert_ledger.AlertLedger,
    statuses: collections.abc.Iterable[model.CertificateStatus],
    target: str,
    troubles: collections.abc.Iterable[model.SiteStatus] = (),
    *,
    quiet_until: datetime.datetime | None = None,
    is_urgent: collections.abc.Callable[[alert_ledger.Notice], bool] = lambda _: False,
) -> tuple[alert_ledger.Notice, ...]:
    """All that this target does not know yet, one message of each kind, the earliest first. quiet_until: before then
    only what is urgent is sent; None: everything is."""
    sites = {one.site.host: one for one in troubles}
    known = {status.name: status for status in statuses}
    sent = {each.event: each.at for each in ledger.sent if each.target == target}
    found: dict[alert_ledger.AlertEvent, list[alert_ledger.Alert]] = {}
    for alert in ledger.alerts:
        if alert.solved_at is None and target not in alert.notified:
            found.setdefault(_EVENTS[alert.danger], []).append(alert)
        elif alert.solved_at is not None and target in alert.notified:
            found.setdefault(alert_ledger.AlertEvent.SOLVED, []).append(alert)
    notices = []
    for event, alerts in found.items():
        at = min(alert.solved_at or alert.raised_at for alert in alerts)
        if event not in _SOON:
            at += GATHER
        if event in sent:
            at = max(at, sent[event] + (SOON if event in _SOON else INTERVAL))
        items = tuple(_make_item(alert, known, sites) for alert in alerts[:MOST_ITEMS])
        notice = alert_ledger.Notice(event=event, items=items, at=at)
        if quiet_until is not None and at < quiet_until and not is_urgent(notice):
            notice = dataclasses.replace(notice, at=quiet_until)
        notices.append(notice)
    return tuple(sorted(notices, key=lambda notice: (notice.at, notice.event.value)))


def _make_item(
    alert: alert_ledger.Alert, statuses: dict[str, model.CertificateStatus], sites: dict[str, model.SiteStatus]
) -> alert_ledger.Item:
    if alert.danger is alert_ledger.Danger.UNSERVED:
        return alert_ledger.Item(alert=alert, site=sites.get(alert.host))
    return alert_ledger.Item(alert=alert, status=statuses.get(alert.name))


def note_delivered(
    ledger: alert_ledger.AlertLedger, target: str, notice: alert_ledger.Notice, now: datetime.datetime
) -> alert_ledger.AlertLedger:
    """The ledger once the target knows. What ended or began meanwhile is still to be sent."""
    delivered = {(item.alert.name, item.alert.danger): item.alert for item in notice.items}
    alerts = []
    for alert in ledger.alerts:
        notified = alert.notified
        if delivered.pop((alert.name, alert.danger), None) is not None:
            rest = tuple(other for other in notified if other != target)
            notified = rest if notice.event is alert_ledger.AlertEvent.SOLVED else (*rest, target)
        if notified or alert.solved_at is None:
            alerts.append(dataclasses.replace(alert, notified=notified))
    if notice.event is not alert_ledger.AlertEvent.SOLVED:  # what is left was over before any target knew of it
        alerts += (dataclasses.replace(alert, solved_at=now, notified=(target,)) for alert in delivered.values())
    sent = (each for each in ledger.sent if (each.target, each.event) != (target, notice.event))
    return dataclasses.replace(
        ledger, alerts=tuple(alerts), sent=(*sent, alert_ledger.SentMessage(target=target, event=notice.event, at=now))
    )


def forget_targets(
    ledger: alert_ledger.AlertLedger, targets: collections.abc.Collection[str]
) -> alert_ledger.AlertLedger:
    """The ledger without targets other than these."""
    alerts = (
        dataclasses.replace(alert, notified=tuple(target for target in alert.notified if target in targets))
        for alert in ledger.alerts
    )
    return dataclasses.replace(
        ledger,
        alerts=tuple(alert for alert in alerts if alert.notified or alert.solved_at is None),
        sent=tuple(each for each in ledger.sent if each.target in targets),
    )


def retry_at(failures: int, now: datetime.datetime, retry_after_s: float | None = None) -> datetime.datetime:
    """When to try a target again after `failures` (at least 1) in a row: in 30 s, then twice as long, up to an hour.

    retry_after_s: the wait that it demands, in seconds; it makes the wait longer, never shorter, an hour at most.
    """
    wait = min(FIRST_PAUSE * (1 << min(failures - 1, 10)), LONGEST_PAUSE)
    if retry_after_s is not None:
        wait = max(wait, min(datetime.timedelta(seconds=min(retry_after_s, 86400.0)), LONGEST_PAUSE))
    return now + wait
