"""What is wrong with a certificate, in the words that sites, `doctor` and problems share."""

import dataclasses
import datetime
import typing

import pytest

from daemun.core import model
from daemun.core.certificates import certificate_faults
from tests.support import fake_gate

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
STATE, KIND = model.CertificateState, model.CertificateKind


def failing(**values: typing.Any) -> model.CertificateStatus:
    return dataclasses.replace(fake_gate.certificate("a.test", STATE.FAILING), **values)


@pytest.mark.parametrize(
    ("state", "kind", "is_useless"),
    [
        (STATE.VALID, KIND.PUBLIC, None),
        (STATE.LOCAL, KIND.LOCAL, None),
        (STATE.PENDING, KIND.LOCAL, None),
        (STATE.NOT_SERVED, KIND.PUBLIC, None),  # the handshake tells
        (STATE.INVALID, KIND.OWN, True),
        (STATE.INCOMPLETE, KIND.OWN, False),
        (STATE.FAILING, KIND.LOCAL, True),
        (STATE.FAILING, KIND.OWN, False),
        (STATE.FAILING, KIND.PUBLIC, False),
    ],
)
def test_each_state(state: model.CertificateState, kind: model.CertificateKind, is_useless: bool | None) -> None:
    found = certificate_faults.find_fault(failing(state=state, kind=kind, reason="x"), NOW)
    assert (found.is_useless if found is not None else None) is is_useless
    assert found is None or (found.reason.endswith("x") and found.cure)


def test_one_that_cannot_be_renewed_is_useless_from_its_end_on() -> None:
    ending = failing(kind=KIND.PUBLIC, not_after=NOW)
    assert [
        found.is_useless
        for moment in (NOW - datetime.timedelta(seconds=1), NOW)
        if (found := certificate_faults.find_fault(ending, moment)) is not None
    ] == [False, True]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (
            'cannot validate "a.test": the CA finds no address for it in DNS; make an A record. The CA says: NXDOMAIN',
            'cannot validate "a.test": the CA finds no address for it in DNS; make an A record',
        ),
        (None, "no reason is known"),
        ("word " * 200, "word … (`daemun certs show a.test` tells all)"),
        ("two\nlines", "two lines"),
    ],
)
def test_c8_why_it_fails_is_one_line(reason: str | None, shown: str) -> None:
    found = certificate_faults.find_fault(failing(reason=reason, failures=1), NOW)
    assert found is not None
    assert found.reason.startswith("its certificate is not as asked for: ")
    assert found.reason.endswith(shown)
    assert "\n" not in found.reason
    assert len(found.reason) < 500


@pytest.mark.parametrize(
    ("values", "cure"),
    [
        ({}, "correct the files; daemun reads them again within a minute, and at once on `daemun apply`"),
        ({"failures": 2}, "`daemun certs renew a.test` tries at once"),
        (
            {"failures": 2, "next_attempt": NOW},
            "daemun tries again at 2026-03-01 00:00 UTC; `daemun certs renew a.test` tries at once",
        ),
        (
            {"failures": 2, "next_attempt": NOW, "held_until": NOW},
            "daemun tries again by itself at 2026-03-01 00:00 UTC, as the CA asked it to wait",
        ),
    ],
)
def test_what_to_do(values: dict[str, object], cure: str) -> None:
    assert certificate_faults.find_cure(failing(**values)) == cure


def test_problems_of_own_files_name_the_site_and_its_line() -> None:
    site = model.Site(host="a.test", origin=model.Origin(source="file", place="daemun.yaml:3:3"))
    own = model.Problem(origin=model.Origin(source="file", place="a.pem"), host="a.test", message="it expired")
    disk = model.Problem(origin=model.NOWHERE, host="a.test", message="the disk is full")
    gone = model.Problem(origin=model.Origin(source="file", place="b.pem"), host="b.test", message="it expired")
    placed = certificate_faults.place([own, disk, gone], [site])
    assert [str(one) for one in placed] == [
        'daemun.yaml:3:3: site "a.test": it expired',
        "the disk is full",
        "b.pem: it expired",
    ]
    status = fake_gate.certificate("a.test", STATE.INVALID, reason="it expired; it is for another name")
    assert [certificate_faults.is_reported(one, [status]) for one in placed] == [True, False, False]


def test_a_file_that_its_source_found_missing_is_reported_once() -> None:
    source = model.Origin(source="file", place="daemun.yaml:4:20")
    known = model.Problem(origin=source, host="a.test", message="no such file", file="a.pem", field=("tls", "key"))
    own = model.Problem(origin=model.Origin(source="file", place="a.pem"), host="a.test", message="cannot read a.pem")
    assert certificate_faults.place([own], [], known=[known]) == ()
