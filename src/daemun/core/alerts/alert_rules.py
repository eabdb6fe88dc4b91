"""What is in danger, from what is known of the certificates. Pure: the time is an argument.

A first failure passes mostly (a record in DNS that is minutes old, a CA that is down for an hour), so it is no danger.
An end that is not proved by another certificate is believed only after a while: `daemun certs renew` forgets the
failures before it tries anew, and right after a start no certificate is known at all.
"""

import collections.abc
import dataclasses
import datetime
import types

from daemun.core import model
from daemun.core.alerts import alert_ledger
from daemun.core.options import maintenance_option

FAILURES = 3
"""The quick tries: the second comes a minute after the first, the third ten minutes after that."""
LEFT_PART = 10
"""A renewal may fail for a tenth of the time that is left, ..."""
LONGEST_PATIENCE = datetime.timedelta(days=1)
"""... but no longer than this, before an alert: five tries."""
LIFE_PART = 5
"""Less than a fifth of its life left is a danger: a CA's certificate is renewed well before."""
OWN_LEFT = datetime.timedelta(days=14)
"""An owner's file that lives for years is no danger for months: then this is the limit."""
STEADY = datetime.timedelta(minutes=15)
"""How long what cannot be proved must last. An order takes about five minutes at most."""
UNSERVED_FOR = datetime.timedelta(minutes=5)
"""How long visitors must go without a site: applications are restarted, and moved."""
LONGEST_MEMORY = datetime.timedelta(days=7)
"""How long a target that cannot be reached is owed the word that a danger is over."""


def judge_dangers(
    before: alert_ledger.AlertLedger,
    statuses: collections.abc.Iterable[model.CertificateStatus],
    now: datetime.datetime,
    troubles: collections.abc.Iterable[model.SiteStatus] | None = None,
    refused_folders: collections.abc.Mapping[str, str] = types.MappingProxyType({}),
    *,
    concerns: collections.abc.Iterable[alert_ledger.Concern] = (),
    unserved_for: datetime.timedelta = UNSERVED_FOR,
) -> alert_ledger.AlertLedger:
    """The ledger after a look at every certificate. troubles: the sites that visitors do not get, of which those in
    maintenance are none; None: that is not known yet. refused_folders: those of the state directory that cannot be
    written, with the cause. unserved_for: how long visitors must go without a site."""
    by_name = {status.name: status for status in statuses}
    remembered = {watched.name: watched for watched in before.watched}
    concerned = {alert.name for alert in before.alerts if alert.danger.is_of_certificate}
    watched = {name: _watch(remembered.get(name), status, now) for name, status in by_name.items()}
    for name in (remembered.keys() | concerned) - by_name.keys():
        gone = remembered.get(name) or alert_ledger.Watched(name=name)
        gone = dataclasses.replace(gone, calm_since=gone.calm_since or now)
        if not _is_steady(gone, now):
            watched[name] = gone
    alerts = {(alert.name, alert.danger): alert for alert in before.alerts}
    for name, danger in [*alerts]:
        if name not in watched and danger.is_of_certificate:
            _solve(alerts, name, danger, now)
    for name, status in by_name.items():
        for danger, is_danger in _judge(watched[name], status, now).items():
            if is_danger:
                _raise(alerts, _alert_of(danger, status, now))
            elif is_danger is False:
                _solve(alerts, name, danger, now)
    if troubles is not None:
        open_ones = {
            one.site.host: one for one in troubles if not maintenance_option.OPTION.of(one.site).is_closed(now)
        }
        _judge_sites(alerts, open_ones, now, unserved_for)
    _judge_folders(alerts, refused_folders, now)
    begun = _judge_concerns(alerts, {(one.name, one.danger): one for one in concerns}, before.begun, now)
    kept = (alert for alert in alerts.values() if alert.solved_at is None or now - alert.solved_at < LONGEST_MEMORY)
    return dataclasses.replace(
        before,
        watched=tuple(watched[name] for name in sorted(watched) if watched[name] != alert_ledger.Watched(name=name)),
        alerts=tuple(sorted(kept, key=lambda alert: (alert.raised_at, alert.host, alert.name, alert.danger.value))),
        begun=begun,
    )


def forget_dangers(
    ledger: alert_ledger.AlertLedger, wanted: collections.abc.Container[alert_ledger.Danger]
) -> alert_ledger.AlertLedger:
    """The ledger without alerts of dangers that are no more to be reported: their end is not reported either."""
    kept = tuple(alert for alert in ledger.alerts if alert.danger in wanted)
    return ledger if len(kept) == len(ledger.alerts) else dataclasses.replace(ledger, alerts=kept)


def is_trusted(status: model.CertificateStatus, now: datetime.datetime) -> bool:
    """Whether visitors see a certificate that is not of the local CA, and is not expired."""
    is_valid = status.not_after is None or now < status.not_after
    return status.kind is not model.CertificateKind.LOCAL and is_valid


def _judge_sites(
    alerts: "_Alerts",
    troubles: dict[str, model.SiteStatus],
    now: datetime.datetime,
    unserved_for: datetime.timedelta,
) -> None:
    for name, danger in [*alerts]:
        if danger is alert_ledger.Danger.UNSERVED and name not in troubles:
            _solve(alerts, name, danger, now)
    for host, trouble in troubles.items():
        if trouble.since is not None and now - trouble.since >= unserved_for:
            danger = alert_ledger.Danger.UNSERVED
            new = alert_ledger.Alert(danger=danger, name=host, host=host, names=trouble.site.names, raised_at=now)
            _raise(alerts, new)


def _judge_folders(alerts: "_Alerts", refused: collections.abc.Mapping[str, str], now: datetime.datetime) -> None:
    danger = alert_ledger.Danger.UNWRITABLE
    for name, kind in [*alerts]:
        if kind is danger and name not in refused:
            _solve(alerts, name, danger, now)
    for folder, cause in refused.items():
        _raise(
            alerts,
            alert_ledger.Alert(danger=danger, name=folder, host=folder, names=(), raised_at=now, cause=cause),
        )


def _judge_concerns(
    alerts: "_Alerts",
    concerns: dict[tuple[str, alert_ledger.Danger], alert_ledger.Concern],
    before: collections.abc.Iterable[alert_ledger.BegunConcern],
    now: datetime.datetime,
) -> tuple[alert_ledger.BegunConcern, ...]:
    """Returns: since when each of them lasts."""
    since = {(one.name, one.danger): one.at for one in before}
    for name, danger in [*alerts]:
        if danger.is_of_gate and (name, danger) not in concerns:
            _solve(alerts, name, danger, now)
    begun = []
    for key, one in concerns.items():
        at = since.get(key, now)
        begun.append(alert_ledger.BegunConcern(danger=one.danger, name=one.name, at=at))
        if now - at >= one.patience:
            new = alert_ledger.Alert(
                danger=one.danger,
                name=one.name,
                host=one.about,
                names=(),
                raised_at=now,
                cause=one.cause,
                cure=one.cure,
            )
            _raise(alerts, new)
    return tuple(sorted(begun, key=lambda one: (one.danger.value, one.name)))


# --- one certificate -------------------------------------------------------------------------------------------


def _watch(
    before: alert_ledger.Watched | None, status: model.CertificateStatus, now: datetime.datetime
) -> alert_ledger.Watched:
    if status.state is model.CertificateState.FAILING:
        if before is None or before.failing_since is None:
            before = alert_ledger.Watched(name=status.name, failing_since=now, failures=1, attempt=status.next_attempt)
        another = before.attempt != status.next_attempt
        return dataclasses.replace(
            before,
            failures=before.failures + another,
            attempt=status.next_attempt,
            not_after=status.not_after,
            calm_since=None,
        )
    if status.state is model.CertificateState.PENDING:
        since = now if before is None or before.failing_since is None else before.failing_since
        return dataclasses.replace(
            before or alert_ledger.Watched(name=status.name),
            failing_since=since,
            not_after=status.not_after,
            calm_since=None,
        )
    if before is None or before.failing_since is None:
        return alert_ledger.Watched(name=status.name)
    is_another = status.not_after != before.not_after
    if status.state is model.CertificateState.LOCAL or is_another:
        return alert_ledger.Watched(name=status.name)
    calm = dataclasses.replace(before, calm_since=before.calm_since or now)
    return alert_ledger.Watched(name=status.name) if _is_steady(calm, now) else calm


def _is_steady(watched: alert_ledger.Watched, now: datetime.datetime) -> bool:
    return watched.calm_since is not None and now - watched.calm_since >= STEADY


def _judge(
    watched: alert_ledger.Watched, status: model.CertificateStatus, now: datetime.datetime
) -> dict[alert_ledger.Danger, bool | None]:
    """Whether there is danger; None: that is not known now, so it is as before."""
    return {
        alert_ledger.Danger.FAILING: _is_failing(watched, status, now),
        alert_ledger.Danger.EXPIRING: _is_expiring(status, now),
    }


def _is_failing(watched: alert_ledger.Watched, status: model.CertificateStatus, now: datetime.datetime) -> bool | None:
    """Nothing here ends a danger: `_watch` forgets since when, once all is well."""
    since = watched.failing_since
    if since is None:
        return False
    if status.state is model.CertificateState.PENDING:  # a limit of the CA is waited for, or it is very slow
        is_lasting = not is_trusted(status, now) and now - since >= LONGEST_PATIENCE
    elif status.state is not model.CertificateState.FAILING:
        is_lasting = False
    elif status.next_attempt is None:  # the owner's files: no order is tried, and they may be half replaced
        is_lasting = now - since >= STEADY
    else:
        is_lasting = watched.failures >= FAILURES and now - since >= _patience(status, since, now)
    return True if is_lasting else None


def _patience(status: model.CertificateStatus, since: datetime.datetime, now: datetime.datetime) -> datetime.timedelta:
    """How long failures may last; none where visitors of some name are warned, or a person waits for what they
    requested for before its time."""
    is_due = status.renew_at is not None and now >= status.renew_at
    if status.not_after is None or not is_due or not is_trusted(status, now):
        return datetime.timedelta(0)
    return min((status.not_after - since) / LEFT_PART, LONGEST_PATIENCE)


def _is_expiring(status: model.CertificateStatus, now: datetime.datetime) -> bool | None:
    if status.state is model.CertificateState.LOCAL:
        return False
    if status.kind not in {model.CertificateKind.PUBLIC, model.CertificateKind.OWN}:
        return None  # one of the local CA stands in for it
    if status.not_before is None or status.not_after is None:
        return None
    least = (status.not_after - status.not_before) / LIFE_PART
    if status.kind is model.CertificateKind.OWN:
        least = min(least, OWN_LEFT)
    return status.not_after - now < least


# --- alerts ----------------------------------------------------------------------------------------------------

_Alerts = dict[tuple[str, alert_ledger.Danger], alert_ledger.Alert]


def _raise(alerts: _Alerts, new: alert_ledger.Alert) -> None:
    """A target that knows of it from before, and not yet of its end, gets neither."""
    alert = alerts.get((new.name, new.danger), new)
    if alert.solved_at is not None:
        alert = dataclasses.replace(alert, raised_at=new.raised_at, solved_at=None)
    alerts[new.name, new.danger] = dataclasses.replace(
        alert, host=new.host, names=new.names, cause=new.cause, cure=new.cure
    )


def _alert_of(
    danger: alert_ledger.Danger, status: model.CertificateStatus, now: datetime.datetime
) -> alert_ledger.Alert:
    return alert_ledger.Alert(
        danger=danger,
        name=status.name,
        host=status.host,
        names=status.names,
        raised_at=now,
        cause=status.reason or "",
    )


def _solve(alerts: _Alerts, name: str, danger: alert_ledger.Danger, now: datetime.datetime) -> None:
    alert = alerts.get((name, danger))
    if alert is None or alert.solved_at is not None:
        return
    if alert.notified:
        alerts[name, danger] = dataclasses.replace(alert, solved_at=now)
    else:  # no target knew
        del alerts[name, danger]
