"""A CA's advice when a certificate is to be renewed (ACME Renewal Information, RFC 9773). Pure.

The time is an argument.
"""

import dataclasses
import datetime

from daemun.core.issuance import renewal_time

DEFAULT_POLL = datetime.timedelta(hours=6)
"""Without a Retry-After, and after an answer that is no advice (RFC 9773 section 4.3.3)."""

POLL_SOONEST, POLL_LATEST = datetime.timedelta(minutes=1), datetime.timedelta(days=1)
"""A Retry-After outside is a mistake: it must neither load the CA, nor hide a revocation that is to come (section
4.3.2)."""


SOONEST_AGAIN = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When the CA wants the certificate to be renewed. explanation_url: a page with why it differs from usual."""

    start: datetime.datetime
    end: datetime.datetime
    explanation_url: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RenewalAdvice:
    """What is known for one certificate. serial: of it, in hexadecimal. poll_at: when the CA is queried again.

    window: None: the CA has none. chosen: the moment in it, chosen once, so that looking again does not move it.
    """

    serial: str
    poll_at: datetime.datetime
    window: Window | None = None
    chosen: datetime.datetime | None = None


def update(
    before: RenewalAdvice | None,
    serial: str,
    window: Window | None,
    *,
    now: datetime.datetime,
    poll_s: float | None,
    at: float,
) -> RenewalAdvice:
    """The advice after the CA answered.

    before: what was known, perhaps of the certificate before. window: None: it gave none. poll_s: its Retry-After in
    seconds. at: from 0 to 1, chosen at random: where in a new window the moment lies (RFC 9773 section 4.2). While the
    window stays, so does the moment.

    A certificate that has just replaced another is not replaced within a day: a CA that by mistake wants each one to
    be renewed at once would be queried without end.
    """
    poll_at = now + _poll_wait(poll_s)
    if before is not None and before.serial == serial and before.window is not None and window is not None:
        is_same = (before.window.start, before.window.end) == (window.start, window.end)
        if is_same and before.chosen is not None:
            return dataclasses.replace(before, poll_at=poll_at, window=window)
    chosen = None if window is None else window.start + (window.end - window.start) * at
    if chosen is not None and before is not None and before.serial != serial:
        chosen = max(chosen, now + SOONEST_AGAIN)
    return RenewalAdvice(serial=serial, poll_at=poll_at, window=window, chosen=chosen)


def postpone(
    before: RenewalAdvice | None, serial: str, *, now: datetime.datetime, poll_s: float | None
) -> RenewalAdvice:
    """The CA did not answer: its answer before still counts (RFC 9773 section 4.3.3)."""
    poll_at = now + _poll_wait(poll_s)
    if before is not None and before.serial == serial:
        return dataclasses.replace(before, poll_at=poll_at)
    return RenewalAdvice(serial=serial, poll_at=poll_at)


def renew_at(
    advice: RenewalAdvice | None, not_before: datetime.datetime, not_after: datetime.datetime
) -> datetime.datetime:
    """When the certificate is renewed: when the CA wants it, never later than is safe; without its word as usual."""
    if advice is None or advice.chosen is None:
        return renewal_time.renew_at(not_before, not_after)
    return min(advice.chosen, renewal_time.last_moment(not_before, not_after))


def is_moved_up(advice: RenewalAdvice | None, not_before: datetime.datetime, not_after: datetime.datetime) -> bool:
    """Whether the CA wants the certificate to be renewed earlier than is usual: it is going to be revoked, or was."""
    default = renewal_time.renew_at(not_before, not_after)
    # A window around the usual moment may begin somewhat before it.
    return advice is not None and advice.window is not None and advice.window.end < default


def _poll_wait(poll_s: float | None) -> datetime.timedelta:
    if poll_s is None:
        return DEFAULT_POLL
    longest = POLL_LATEST.total_seconds()
    return max(datetime.timedelta(seconds=min(poll_s, longest)), POLL_SOONEST)
