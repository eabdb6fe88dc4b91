"""A notice in words: for a mail's subject and text, and for a phone. Pure."""

import collections.abc
import datetime
import re

from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_rules
from daemun.core.texts import durations

MOST_HOSTS = 50
"""Named in one text; the rest is counted."""
_MOST_CAUSES = 20
_HEADLINES = {
    alert_ledger.AlertEvent.FAILING: "cannot get a certificate for {}",
    alert_ledger.AlertEvent.EXPIRING: "the certificate of {} runs out",
    alert_ledger.AlertEvent.UNSERVED: "visitors do not get {}",
    alert_ledger.AlertEvent.UNWRITABLE: "{} cannot be written",
    alert_ledger.AlertEvent.ERRORS: "many requests for {} fail",
    alert_ledger.AlertEvent.FILLING: "{} is nearly full",
    alert_ledger.AlertEvent.UNAPPLIED: "a change is not live: {}",
    alert_ledger.AlertEvent.OLD_WORKERS: "{} keeps too many old workers",
    alert_ledger.AlertEvent.WEAK: "{} has known weaknesses",
    alert_ledger.AlertEvent.BANS: "many addresses are banned on {}",
    alert_ledger.AlertEvent.NODE_DOWN: "machine {} of the fleet is down",
    alert_ledger.AlertEvent.FLEET_DATABASE: "the fleet's database is not reached from {}",
}
_SOLVED_CERTIFICATE = "solved: the certificate of {}"
_SOLVED_SEVERAL = "solved: what was reported of {}"
"""Dangers of several kinds."""
_SOLVED = {
    alert_ledger.Danger.UNSERVED: "solved: visitors get {} again",
    alert_ledger.Danger.UNWRITABLE: "solved: {} can be written again",
    alert_ledger.Danger.ERRORS: "solved: few requests for {} fail",
    alert_ledger.Danger.FILLING: "solved: {} has room again",
    alert_ledger.Danger.UNAPPLIED: "solved: changes are live again: {}",
    alert_ledger.Danger.OLD_WORKERS: "solved: {} keeps few old workers",
    alert_ledger.Danger.WEAK: "solved: {} is no longer served by",
    alert_ledger.Danger.BANS: "solved: few addresses are banned on {}",
    alert_ledger.Danger.NODE_DOWN: "solved: machine {} of the fleet is back",
    alert_ledger.Danger.FLEET_DATABASE: "solved: the fleet's database is reached from {} again",
}
_ENDS = {
    alert_ledger.Danger.UNWRITABLE: "it can be written again",
    alert_ledger.Danger.ERRORS: "few of the last requests failed, or hardly any came",
    alert_ledger.Danger.FILLING: "it has room again",
    alert_ledger.Danger.UNAPPLIED: "what is wanted is live",
    alert_ledger.Danger.OLD_WORKERS: "they ended, or are few again",
    alert_ledger.Danger.WEAK: "another one serves, or its configuration does not lay the weakness open",
    alert_ledger.Danger.BANS: "no more were banned in the last hour",
    alert_ledger.Danger.NODE_DOWN: "it gives signs of life again, or left the fleet",
    alert_ledger.Danger.FLEET_DATABASE: "it answers, and this machine has what changed meanwhile",
}


def headline(notice: alert_ledger.Notice) -> str:
    """One line: what happened to which host. ASCII, because host names are."""
    if notice.event is alert_ledger.AlertEvent.TEST:
        return "a test of daemun's alerts"
    hosts = hosts_of(notice)
    whose = hosts[0] if len(hosts) == 1 else f"{hosts[0]} and {len(hosts) - 1} more"
    if notice.event is alert_ledger.AlertEvent.SOLVED:
        forms = {_SOLVED.get(item.alert.danger, _SOLVED_CERTIFICATE) for item in notice.items}
        words = forms.pop() if len(forms) == 1 else _SOLVED_SEVERAL
    else:
        words = _HEADLINES[notice.event]
    return words.format(whose)


def text(notice: alert_ledger.Notice, machine: str, now: datetime.datetime) -> str:
    """Some lines: each cause once, with those it concerns, and what happens next. machine: daemun's host."""
    if notice.event is alert_ledger.AlertEvent.TEST:
        return (
            f"This is a test: daemun on {machine} can reach you.\n"
            "It reports what is in danger, such as a certificate, a site or the disk, and when that is over.\n"
        )
    groups = _group(notice, now)
    parts = _join(_paragraph(group, notice.event, now) for group in groups[:_MOST_CAUSES])
    if len(groups) > _MOST_CAUSES:
        parts.append(f"And {len(groups) - _MOST_CAUSES} more causes.")
    is_of_certificates = any(item.alert.danger.is_of_certificate for item in notice.items)
    parts.append(f"daemun on {machine}; `daemun {'certs' if is_of_certificates else 'status'}` there shows more.")
    return "\n\n".join(parts) + "\n"


def hosts_of(notice: alert_ledger.Notice) -> list[str]:
    """The site of each certificate, or the folder, each once, in the order of the notice."""
    return list(dict.fromkeys(item.alert.host for item in notice.items))


def reason_of(item: alert_ledger.Item, event: alert_ledger.AlertEvent, now: datetime.datetime) -> str:
    """Why, in words: of a danger its cause, of its end what is served now."""
    if item.alert.danger is alert_ledger.Danger.UNSERVED:
        return _reason_of_site(item, event)
    if not item.alert.danger.is_of_certificate:
        return _ENDS[item.alert.danger] if event is alert_ledger.AlertEvent.SOLVED else item.alert.cause
    return _reason_of_certificate(item, event, now)


def _reason_of_certificate(item: alert_ledger.Item, event: alert_ledger.AlertEvent, now: datetime.datetime) -> str:
    status = item.status
    if event is alert_ledger.AlertEvent.SOLVED:
        return _describe_end(item, now)
    if status is None:
        return "no reason is known"
    is_expiring = item.alert.danger is alert_ledger.Danger.EXPIRING
    if is_expiring and status.kind is model.CertificateKind.OWN and status.state is not model.CertificateState.INVALID:
        return "it is a file of the owner, which daemun does not renew; replace it"
    if status.state is model.CertificateState.PENDING and item.alert.cause:
        return item.alert.cause  # the next attempt is under way, and its status has no cause yet
    return status.reason or ("it was not renewed yet" if is_expiring else "no reason is known")


def _reason_of_site(item: alert_ledger.Item, event: alert_ledger.AlertEvent) -> str:
    if event is alert_ledger.AlertEvent.SOLVED:
        return "visitors get it again, or it is there no longer"
    return "no reason is known" if item.site is None else f"{item.site.state.words}: {item.site.reason}"


# --- a danger or its end ---------------------------------------------------------------------------------------


def _describe_end(item: alert_ledger.Item, now: datetime.datetime) -> str:
    status = item.status
    if status is None:
        return "it is needed no longer"
    if status.state is model.CertificateState.LOCAL:
        return "it comes from the local CA now, as was asked for"
    if status.not_after is None:
        return "it is there"
    return f"{status.issuer or 'an unknown CA'} signed it, {durations.left(status.not_after, now)}"


def _group(notice: alert_ledger.Notice, now: datetime.datetime) -> list[list[alert_ledger.Item]]:
    """Those with one cause together. The host in a reason makes no other cause of it."""
    groups: dict[str, list[alert_ledger.Item]] = {}
    for item in notice.items:
        reason = reason_of(item, notice.event, now)
        if (
            item.alert.danger is alert_ledger.Danger.EXPIRING
            and item.status is not None
            and item.status.not_after is not None
        ):
            reason += f" {durations.left(item.status.not_after, now)}"
        groups.setdefault(_without_names(reason, item.alert), []).append(item)
    return list(groups.values())


def _without_names(reason: str, alert: alert_ledger.Alert) -> str:
    own = sorted({alert.host, *alert.names}, key=len, reverse=True)
    return re.sub("|".join(re.escape(name) for name in own), "\0", reason) if own else reason


def _paragraph(
    group: collections.abc.Sequence[alert_ledger.Item], event: alert_ledger.AlertEvent, now: datetime.datetime
) -> str:
    first = group[0]
    hosts = list(dict.fromkeys(item.alert.host for item in group))
    shown = ", ".join(hosts[:MOST_HOSTS])
    if len(hosts) > MOST_HOSTS:
        shown += f" and {len(hosts) - MOST_HOSTS} more"
    lines = [f"{shown}:", f"  {reason_of(first, event, now)}"]
    if event is alert_ledger.AlertEvent.UNSERVED and first.site is not None and first.site.cure:
        lines.append(f"  {first.site.cure}")
    if event is not alert_ledger.AlertEvent.SOLVED and first.alert.cure:
        lines.append(f"  {first.alert.cure}")
    if event is not alert_ledger.AlertEvent.SOLVED and first.status is not None:
        lines += (f"  {line}" for line in _outlook(first.status, len(group), now))
    return "\n".join(lines)


def _join(paragraphs: collections.abc.Iterable[str]) -> list[str]:
    """Several causes of one subject with one cure, such as the weaknesses of an nginx, are one paragraph."""
    joined: list[str] = []
    for paragraph in paragraphs:
        subject, _, rest = paragraph.partition("\n")
        before = joined[-1] if joined else ""
        causes, _, cure = before.rpartition("\n")
        if rest.count("\n") == 1 and before.startswith(f"{subject}\n") and rest.endswith(f"\n{cure}"):
            joined[-1] = f"{causes}\n{rest}"
        else:
            joined.append(paragraph)
    return joined


def _outlook(status: model.CertificateStatus, count: int, now: datetime.datetime) -> list[str]:
    lines = []
    if not alert_rules.is_trusted(status, now):
        lines.append("Visitors are warned: no certificate that they trust is served.")
    elif status.not_after is not None:
        what = "The one that is served" if count == 1 else "The one that is served for the first of them"
        lines.append(
            f"{what} is valid until {durations.moment(status.not_after)} ({durations.left(status.not_after, now)})."
        )
    if status.next_attempt is not None:
        at = status.next_attempt
        sooner = f"; sooner: daemun certs renew {status.host if count == 1 else 'HOST'}"
        if status.held_until is not None and now < status.held_until:
            sooner = ", as the CA asked it to wait"
        lines.append(f"daemun tries again {durations.ahead(at, now)} ({durations.moment(at)}){sooner}")
    return lines
