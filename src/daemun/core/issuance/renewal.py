"""What a CA is asked for, when a certificate is renewed, and when a failed order is tried again. Pure.

The time is an argument.
"""

import datetime

from daemun.core import model
from daemun.core.issuance import proof

LADDER = (datetime.timedelta(minutes=1), datetime.timedelta(minutes=10), datetime.timedelta(minutes=100))
DAILY = datetime.timedelta(days=1)
LONGEST_WAIT = datetime.timedelta(days=7)
"""No CA's rate limit is longer than a week; a longer Retry-After is a mistake that must not end renewal for good."""


def renew_at(not_before: datetime.datetime, not_after: datetime.datetime) -> datetime.datetime:
    """When a third of the lifetime is left: day 60 of 90, and early enough for certificates of six days.

    Source: letsencrypt.org/docs/integration-guide ("renew ... when a third of the total lifetime is left").
    """
    return not_after - (not_after - not_before) / 3


def next_attempt(failures: int, now: datetime.datetime, retry_after_s: float | None = None) -> datetime.datetime:
    """When to try again after `failures` (at least 1) in a row: in 1, 10, 100 minutes, then daily.

    retry_after_s: the wait the CA asked for, in seconds; it makes the wait longer, never shorter, a week at most.
    """
    wait = LADDER[failures - 1] if failures <= len(LADDER) else DAILY
    if retry_after_s is not None and retry_after_s > 0:
        asked = datetime.timedelta(seconds=min(retry_after_s, LONGEST_WAIT.total_seconds()))
        wait = max(wait, asked)
    return now + wait


def hosts_to_order(spec: model.CertificateSpec) -> tuple[str, ...]:
    """The names that a CA is asked to sign; none when the certificate does not come from one.

    What nothing can prove is left out: a site that has other names too gets a certificate for these, one that has none
    stays on the local CA.
    """
    if spec.mode is not model.TlsMode.ACME:
        return ()
    return tuple(name for name in spec.names if proof.choose_challenge(name, spec.ordering) is not None)
