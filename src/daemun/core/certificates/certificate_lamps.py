"""How good it stands with a certificate, for people. Pure: the time is an argument."""

import datetime
import enum

from daemun.core import model


class Lamp(enum.Enum):
    """GOOD: visitors get what they should. WARNING: they do, and something is to be looked at, or comes by itself.
    BAD: some do not."""

    BAD = "bad"
    WARNING = "warning"
    GOOD = "good"


_USUAL = {
    model.CertificateState.VALID: Lamp.GOOD,
    model.CertificateState.LOCAL: Lamp.GOOD,
    model.CertificateState.PENDING: Lamp.WARNING,
    model.CertificateState.FAILING: Lamp.WARNING,
    model.CertificateState.INVALID: Lamp.BAD,
    model.CertificateState.INCOMPLETE: Lamp.BAD,
    model.CertificateState.NOT_SERVED: Lamp.BAD,
}


def judge(status: model.CertificateStatus, now: datetime.datetime) -> Lamp:
    """By what visitors get and what is planned, never by days that are left: some certificates live for six."""
    is_over = status.not_after is not None and status.not_after <= now
    is_good = status.kind in {model.CertificateKind.PUBLIC, model.CertificateKind.OWN} and not is_over
    if is_over or (status.state is model.CertificateState.FAILING and not is_good):
        return Lamp.BAD
    return _USUAL[status.state]
