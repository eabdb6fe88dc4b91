"""The record of a failed attempt: when the next one is due, and the last failures. Pure."""

import datetime

from daemun.certs.orders import attempt_values, renewal_watch
from daemun.certs.served import certificate_records
from daemun.core import model
from daemun.core.issuance import order_subject, renewal_time

ELSEWHERE_AGAIN = datetime.timedelta(seconds=15)
"""When it is looked at again what another process ordered: it is known at once where that one got it."""


def note(
    wanted: attempt_values.AttemptInput, failed: attempt_values.Failed, now: datetime.datetime, *, jitter: float
) -> certificate_records.Attempts:
    """jitter: from 0 to 1, as of `renewal_time.next_attempt`."""
    spec, before = wanted.spec, wanted.before
    failures = (before.failures if before else 0) + failed.is_failure
    at = now
    if failed.is_elsewhere:
        at = now + ELSEWHERE_AGAIN
    elif failed.is_failure:
        expires_at = wanted.replaced.bundle.not_after if wanted.replaced is not None else None
        at = renewal_time.next_attempt(failures, now, jitter=jitter, expires_at=expires_at)
    holds = dict(failed.holds)
    waits = [holds.get(authority.directory, now) for authority in wanted.authorities]
    seen = before.seen if before is not None else ()
    if failed.seen is not None and failed.seen not in seen:
        seen = (*seen, failed.seen)[-renewal_watch.MOST_SEEN :]
    return certificate_records.Attempts(
        asked=order_subject.fingerprint(spec, wanted.authorities),
        failures=failures,
        next_attempt=max(at, min(waits)),
        reason=failed.reason,
        since=(before.since if before is not None else None) or (now if failed.is_failure else None),
        holds=failed.holds,
        rehearse=failed.rehearse,
        seen=seen,
        tries=_add_tries(before.tries if before is not None else (), failed, now),
    )


def _add_tries(
    before: tuple[model.OrderTry, ...], failed: attempt_values.Failed, now: datetime.datetime
) -> tuple[model.OrderTry, ...]:
    """Bounded: a CA may write much, and for months."""
    new = tuple(
        model.OrderTry(at=now, authority=directory, result=result[: certificate_records.LONGEST_RESULT])
        for directory, result in failed.tries
    )
    return (*before, *new)[-certificate_records.MOST_TRIES :]
