"""What is ordered from a CA, when a certificate is renewed, and when a failed order is tried again. Pure.

The time is an argument.
"""

import datetime

from daemun.core import model
from daemun.core.issuance import challenge_choice

LADDER = (datetime.timedelta(minutes=1), datetime.timedelta(minutes=10), datetime.timedelta(minutes=100))
DAILY = datetime.timedelta(days=1)
JITTER = 0.1
"""How far the daily step is off a day at most, so that many certificates that failed together part."""

LONGEST_WAIT = datetime.timedelta(days=7)
"""No CA's rate limit is longer than a week; a longer Retry-After is a mistake that must not end renewal for good."""

SHORT_LIFETIME = datetime.timedelta(days=10)


LOCAL_BACKDATED = datetime.timedelta(hours=1)
"""So much earlier than when it is made begins what the local CA signs: clocks of visitors may be behind."""


def renew_at(not_before: datetime.datetime, not_after: datetime.datetime) -> datetime.datetime:
    """When a third of the lifetime is left (day 60 of 90), or half of one shorter than ten days (day 3 of 6).

    Source: letsencrypt.org/docs/integration-guide ("when a third of the total lifetime is left"; for lifetimes of less
    than ten days "halfway through").
    """
    return not_after - _spare(not_before, not_after)


def last_moment(not_before: datetime.datetime, not_after: datetime.datetime) -> datetime.datetime:
    """No word of a CA puts renewal off beyond this: half of the usual spare time is left for what may go wrong (15 of
    90 days, 36 hours of six days)."""
    return not_after - _spare(not_before, not_after) / 2


def _spare(not_before: datetime.datetime, not_after: datetime.datetime) -> datetime.timedelta:
    lifetime = not_after - not_before
    return lifetime / (2 if lifetime < SHORT_LIFETIME else 3)


def next_attempt(
    failures: int,
    now: datetime.datetime,
    *,
    jitter: float = 0.5,
    expires_at: datetime.datetime | None = None,
) -> datetime.datetime:
    """When to try again after `failures` (at least 1) in a row: in 1, 10, 100 minutes, then daily.

    jitter: from 0 to 1, chosen at random; it shifts the daily step by up to JITTER. expires_at: of the certificate that
    is to be renewed: no step is longer than a quarter of the time that is left until then, so that one bad day of a CA
    after another ends no short lifetime.
    """
    wait = LADDER[failures - 1] if failures <= len(LADDER) else DAILY * (1 - JITTER + 2 * JITTER * jitter)
    if expires_at is not None and expires_at > now:
        wait = min(wait, max((expires_at - now) / 4, LADDER[0]))
    return now + wait


def hold_until(now: datetime.datetime, retry_after_s: float | None) -> datetime.datetime | None:
    """Until when a CA that sent Retry-After is left alone, a week at most; None: it sent none."""
    if retry_after_s is None or not retry_after_s > 0:
        return None
    return now + datetime.timedelta(seconds=min(retry_after_s, LONGEST_WAIT.total_seconds()))


def hosts_to_order(spec: model.CertificateSpec) -> tuple[str, ...]:
    """The names that are ordered from a CA; none when the certificate does not come from one.

    What nothing can prove, or no public CA signs, is left out: a site that has other names too gets a certificate for
    these, one that has none stays on the local CA.
    """
    if spec.mode is not model.TlsMode.ACME:
        return ()
    return tuple(
        name
        for name in spec.names
        if name not in spec.unordered and challenge_choice.choose_challenge(name, spec.ordering) is not None
    )
