"""Who gets alerts, and what is in danger, for who looks at it. Without secrets. Pure."""

import dataclasses
import datetime

from daemun.core.alerts import alert_ledger


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TargetReport:
    """sent: when it took a message of each kind last, the newest first. error: why it did not take the last one; None:
    it did. next_attempt: of what it did not take."""

    name: str
    sent: tuple[alert_ledger.SentMessage, ...] = ()
    error: str | None = None
    failures: int = 0
    next_attempt: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DangerReport:
    """sent_to: the names of the targets that know of it."""

    alert: alert_ledger.Alert
    sent_to: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AlertReport:
    """dangers: the newest first. wanted: the dangers that are reported at all."""

    targets: tuple[TargetReport, ...] = ()
    dangers: tuple[DangerReport, ...] = ()
    wanted: frozenset[alert_ledger.Danger] = frozenset()
