"""What happened to a certificate and what comes, in the order of time. Pure: the time is an argument."""

import dataclasses
import datetime

from daemun.core import model
from daemun.core.issuance import renewal_time


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoryEvent:
    """at: None: now. kind: of `KINDS`. detail: the issuer, or a cause, in words."""

    at: datetime.datetime | None
    kind: str
    detail: str | None = None
    count: int = 0


KINDS = {
    "issued": "issued by {detail}",
    "failing_since": "the first try failed; so many in a row until now: {count}",
    "last_failure": "the last try failed: {detail}",
    "tried": "a try failed",
    "waits": "{detail}",
    "held": "no order is sent before, as the CA demands or its limits require",
    "next_try": "the next try",
    "ordered": "it is being ordered",
    "renewal": "daemun renews it",
    "own_renewal": "you renew it: it is your own file",
    "end": "it ends",
    "ended": "it ended",
}
"""In English, by kind."""


def make_story(status: model.CertificateStatus, now: datetime.datetime) -> tuple[StoryEvent, ...]:
    """What has no time stands where now is."""
    found: list[StoryEvent] = []
    if status.not_before is not None:
        # When a CA of others signed it, nobody but that CA knows; when the local one did, follows.
        is_local = status.kind is model.CertificateKind.LOCAL
        issued_at = status.not_before + renewal_time.LOCAL_BACKDATED if is_local else status.not_before
        found.append(StoryEvent(at=issued_at, kind="issued", detail=status.issuer))
    if status.failing_since is not None:
        found.append(StoryEvent(at=status.failing_since, kind="failing_since", count=status.failures))
    found += [
        StoryEvent(at=one.at, kind="tried", detail=one.authority or None)
        for one in status.tries
        if one.at != status.failing_since
    ]
    if status.last_error is not None and not status.tries:
        found.append(StoryEvent(at=None, kind="last_failure", detail=status.last_error))
    elif status.reason is not None:
        found.append(StoryEvent(at=None, kind="waits", detail=status.reason))
    if status.state is model.CertificateState.PENDING and status.next_attempt is None:
        found.append(StoryEvent(at=None, kind="ordered"))
    if status.held_until is not None and status.held_until > now:
        found.append(StoryEvent(at=status.held_until, kind="held"))
    if status.next_attempt is not None:
        found.append(StoryEvent(at=status.next_attempt, kind="next_try"))
    elif status.renew_at is not None:
        found.append(StoryEvent(at=status.renew_at, kind="renewal"))
    if status.not_after is not None:
        if status.kind is model.CertificateKind.OWN:
            found.append(StoryEvent(at=None, kind="own_renewal"))
        found.append(StoryEvent(at=status.not_after, kind="end" if status.not_after > now else "ended"))
    return tuple(sorted(found, key=lambda one: one.at or now))


def describe(event: StoryEvent) -> str:
    """In English, without the time."""
    return KINDS[event.kind].format(detail=event.detail or "an unknown CA", count=event.count)
