"""What may be known of a certificate, for tests of those who look at it."""

import datetime

from daemun.core import model

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)


def served(
    host: str = "a.test",
    *,
    life: datetime.timedelta = 90 * DAY,
    left: datetime.timedelta = 60 * DAY,
    kind: model.CertificateKind = model.CertificateKind.PUBLIC,
    state: model.CertificateState = model.CertificateState.VALID,
    attempt: datetime.datetime | None = None,
    reason: str | None = None,
    now: datetime.datetime = NOW,
) -> model.CertificateStatus:
    """A certificate of a life, with this much of it left at `now`; renewed when a third is left."""
    not_after = now + left
    return model.CertificateStatus(
        name=host,
        host=host,
        names=(host,),
        state=state,
        kind=kind,
        issuer="daemun local CA" if kind is model.CertificateKind.LOCAL else "Example CA",
        not_before=not_after - life,
        not_after=not_after,
        renew_at=None if kind is model.CertificateKind.OWN else not_after - life / 3,
        next_attempt=attempt,
        reason=reason,
    )


def failing(
    host: str = "a.test",
    *,
    attempt: datetime.datetime | None = NOW,
    left: datetime.timedelta = 90 * DAY,
    life: datetime.timedelta = 90 * DAY,
    kind: model.CertificateKind = model.CertificateKind.LOCAL,
    reason: str = "the CA said no",
    now: datetime.datetime = NOW,
) -> model.CertificateStatus:
    """One that is not got: another `attempt` is another failure."""
    return served(
        host,
        life=life,
        left=left,
        kind=kind,
        state=model.CertificateState.FAILING,
        attempt=attempt,
        reason=reason,
        now=now,
    )
