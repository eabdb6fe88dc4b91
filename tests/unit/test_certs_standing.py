"""When a CA is asked, from what is known of a certificate."""

import datetime

import pytest

from daemun.certs.managed import schedule
from daemun.certs.served import certificate_records, local_ca, shown_certificates
from daemun.core import model
from daemun.core.issuance import order_subject
from daemun.store import memory_store

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
CAS = (model.Authority(directory="https://ca.test/dir"),)


@pytest.mark.parametrize(
    ("noted", "asked"),
    [(-DAY, -DAY), (DAY, DAY), (7 * DAY, 7 * DAY), (5000 * DAY, 0 * DAY)],
    ids=["due", "tomorrow", "the longest wait there is", "noted by a clock that was years ahead"],
)
def test_after_a_failure(noted: datetime.timedelta, asked: datetime.timedelta) -> None:
    spec = model.CertificateSpec(name="a.test", host="a.test", names=("a.test",), mode=model.TlsMode.ACME)
    served = shown_certificates.ServedCertificate(
        kind=shown_certificates.CertificateSource.LOCAL,
        bundle=local_ca.load_or_create(memory_store.MemoryStore(), NOW).issue(["a.test"], NOW),
    )
    attempts = certificate_records.Attempts(
        asked=order_subject.fingerprint(spec, CAS), failures=1, next_attempt=NOW + noted, reason="no"
    )
    entry = schedule.ManagedCertificate(spec=spec, served=served, attempts=attempts)
    assert schedule.order_at(entry, CAS, NOW) == NOW + asked
