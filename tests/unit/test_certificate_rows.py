"""All certificates as a list: those in trouble first, with what to do."""

import dataclasses
import datetime

import pytest

from daemun.core import model
from daemun.core.dashboard import certificate_rows

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
States, Kinds = model.CertificateState, model.CertificateKind
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
    ("status", "light", "has_cure"),
    [
        (VALID, "good", False),
        (dataclasses.replace(VALID, not_before=NOW - DAY, not_after=NOW + 2 * DAY), "good", False),
        (dataclasses.replace(VALID, not_after=NOW), "bad", True),
        (dataclasses.replace(VALID, state=States.LOCAL, kind=Kinds.LOCAL), "good", False),
        (dataclasses.replace(VALID, state=States.PENDING, kind=Kinds.LOCAL), "warning", False),
        (dataclasses.replace(VALID, state=States.FAILING, failures=1), "warning", True),
        (dataclasses.replace(VALID, state=States.FAILING, failures=1, kind=Kinds.LOCAL), "bad", True),
        (dataclasses.replace(VALID, state=States.NOT_SERVED), "bad", True),
        (dataclasses.replace(VALID, state=States.INCOMPLETE), "warning", True),
        (dataclasses.replace(VALID, state=States.INVALID), "bad", True),
    ],
)
def test_what_is_not_good_has_a_cure(status: model.CertificateStatus, light: str, has_cure: bool) -> None:
    row = certificate_rows.make_row(status, NOW)
    assert (row.lamp.light.value, row.cure is not None) == (light, has_cure)


def test_every_state_has_its_place() -> None:
    every = [dataclasses.replace(VALID, state=state, not_before=before) for state in States for before in (None, NOW)]
    assert len(certificate_rows.sort_by_trouble(every, NOW)) == len(every)


def test_trouble_comes_first_and_then_what_is_next() -> None:
    later = dataclasses.replace(VALID, host="later.test", renew_at=NOW + 31 * DAY)
    unknown = dataclasses.replace(VALID, host="z.test", renew_at=None, not_after=None)
    failing = dataclasses.replace(VALID, host="f.test", state=States.FAILING, next_attempt=NOW)
    bad = dataclasses.replace(VALID, host="y.test", state=States.INVALID)
    found = certificate_rows.sort_by_trouble([unknown, later, VALID, failing, bad], NOW)
    assert [row.status.host for row in found] == ["y.test", "f.test", "a.test", "later.test", "z.test"]
