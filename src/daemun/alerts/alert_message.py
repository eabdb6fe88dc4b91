"""What is sent: a notice with its sender and time, and its JSON form. Pure."""

import dataclasses
import datetime
import typing

from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_rules, alert_text
from daemun.core.texts import cures, durations

Json = dict[str, typing.Any]

_DEGRADED = model.SiteState.DEGRADED

BODY_VERSION = 1
"""Of the JSON body (docs/certificates.md). Keys may be added without a new one."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """machine: the name of daemun's host. version: daemun's. at: now, aware UTC. options: of the commands that it names
    (`settings.Settings.options`)."""

    notice: alert_ledger.Notice
    machine: str
    version: str
    at: datetime.datetime
    options: str = ""

    @property
    def headline(self) -> str:
        return alert_text.headline(self.notice)

    @property
    def text(self) -> str:
        return cures.with_options(alert_text.text(self.notice, self.machine, self.at), self.options)

    @property
    def hosts(self) -> list[str]:
        return alert_text.hosts_of(self.notice)

    @property
    def is_urgent(self) -> bool:
        return is_urgent(self.notice, self.at)


def is_urgent(notice: alert_ledger.Notice, now: datetime.datetime) -> bool:
    """Whether visitors of a site are warned, or turned away, now."""
    if notice.event in {alert_ledger.AlertEvent.ERRORS, alert_ledger.AlertEvent.NODE_DOWN}:
        return True
    if notice.event is alert_ledger.AlertEvent.UNSERVED:
        return any(item.site is None or item.site.state is not _DEGRADED for item in notice.items)
    return notice.event in {alert_ledger.AlertEvent.FAILING, alert_ledger.AlertEvent.EXPIRING} and any(
        item.status is not None and not alert_rules.is_trusted(item.status, now) for item in notice.items
    )


def body_json(message: AlertMessage) -> Json:
    """The body of a webhook. Instants are RFC 3339 in UTC with whole seconds."""
    items = message.notice.items
    return {
        "version": BODY_VERSION,
        "event": message.notice.event.value,
        "summary": message.headline,
        "text": message.text,
        "sent_at": _instant(message.at),
        "daemun": {"version": message.version, "machine": message.machine},
        "certificates": [_item_json(item, message) for item in items if item.alert.danger.is_of_certificate],
        "sites": [_site_json(item, message) for item in items if item.alert.danger is alert_ledger.Danger.UNSERVED],
        "folders": [
            _folder_json(item, message) for item in items if item.alert.danger is alert_ledger.Danger.UNWRITABLE
        ],
        "gate": [_concern_json(item, message) for item in items if item.alert.danger.is_of_gate],
    }


def _site_json(item: alert_ledger.Item, message: AlertMessage) -> Json:
    return {
        "danger": item.alert.danger.value,
        "host": item.alert.host,
        "since": _instant(item.alert.raised_at),
        "solved_at": _instant(item.alert.solved_at),
        "state": item.site.state.value if item.site is not None else None,
        "reason": alert_text.reason_of(item, message.notice.event, message.at),
        "cure": item.site.cure if item.site is not None else None,
    }


def _folder_json(item: alert_ledger.Item, message: AlertMessage) -> Json:
    return {
        "danger": item.alert.danger.value,
        "folder": item.alert.host,
        "since": _instant(item.alert.raised_at),
        "solved_at": _instant(item.alert.solved_at),
        "reason": alert_text.reason_of(item, message.notice.event, message.at),
    }


def _concern_json(item: alert_ledger.Item, message: AlertMessage) -> Json:
    return {
        "danger": item.alert.danger.value,
        "about": item.alert.host,
        "since": _instant(item.alert.raised_at),
        "solved_at": _instant(item.alert.solved_at),
        "reason": alert_text.reason_of(item, message.notice.event, message.at),
        "cure": item.alert.cure or None,
    }


def _item_json(item: alert_ledger.Item, message: AlertMessage) -> Json:
    alert, status = item.alert, item.status
    not_after = status.not_after if status is not None else None
    return {
        "danger": alert.danger.value,
        "host": alert.host,
        "names": list(alert.names),
        "since": _instant(alert.raised_at),
        "solved_at": _instant(alert.solved_at),
        "reason": alert_text.reason_of(item, message.notice.event, message.at),
        "next_attempt": _instant(status.next_attempt if status is not None else None),
        "issuer": status.issuer if status is not None else None,
        "not_after": _instant(not_after),
        "days_left": None if not_after is None else durations.count_days(not_after - message.at),
        "trusted": status is not None and alert_rules.is_trusted(status, message.at),
    }


def _instant(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else durations.instant(moment)
