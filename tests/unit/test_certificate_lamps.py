"""How good it stands with certificates."""

import dataclasses
import datetime

import pytest

from daemun.core import model
from daemun.core.certificates import certificate_lamps

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
States, Kinds, Lamps = model.CertificateState, model.CertificateKind, certificate_lamps.Lamp
VALID = model.CertificateStatus(
    name="a.test",
    host="a.test",
    names=("a.test",),
    state=States.VALID,
    kind=Kinds.PUBLIC,
    not_before=NOW - 30 * DAY,
    not_after=NOW + 60 * DAY,
    renew_at=NOW + 30 * DAY,
)


@pytest.mark.parametrize(
    ("status", "lamp"),
    [
        (VALID, Lamps.GOOD),
        (dataclasses.replace(VALID, not_after=NOW + DAY, renew_at=NOW), Lamps.GOOD),
        (dataclasses.replace(VALID, not_after=NOW), Lamps.BAD),
        (dataclasses.replace(VALID, state=States.LOCAL, kind=Kinds.LOCAL), Lamps.GOOD),
        (dataclasses.replace(VALID, state=States.PENDING, kind=Kinds.LOCAL), Lamps.WARNING),
        (dataclasses.replace(VALID, state=States.FAILING), Lamps.WARNING),
        (dataclasses.replace(VALID, state=States.FAILING, kind=Kinds.LOCAL), Lamps.BAD),
        (dataclasses.replace(VALID, state=States.FAILING, not_after=NOW - DAY), Lamps.BAD),
        (dataclasses.replace(VALID, state=States.NOT_SERVED), Lamps.BAD),
        (dataclasses.replace(VALID, state=States.INCOMPLETE), Lamps.BAD),
        (dataclasses.replace(VALID, state=States.INVALID, not_after=None), Lamps.BAD),
    ],
)
def test_a_lamp_is_what_visitors_get_and_never_days(
    status: model.CertificateStatus, lamp: certificate_lamps.Lamp
) -> None:
    assert certificate_lamps.judge(status, NOW) is lamp


def test_every_state_has_a_lamp() -> None:
    assert all(certificate_lamps.judge(dataclasses.replace(VALID, state=state), NOW) for state in States)


def test_trouble_comes_first_and_then_what_is_next() -> None:
    later = dataclasses.replace(VALID, host="later.test", renew_at=NOW + 31 * DAY)
    unknown = dataclasses.replace(VALID, host="z.test", renew_at=None, not_after=None)
    failing = dataclasses.replace(VALID, host="f.test", state=States.FAILING, next_attempt=NOW)
    bad = dataclasses.replace(VALID, host="y.test", state=States.INVALID)
    found = certificate_lamps.sort_by_trouble([unknown, later, VALID, failing, bad], NOW)
    assert [one.host for _, one in found] == ["y.test", "f.test", "a.test", "later.test", "z.test"]
