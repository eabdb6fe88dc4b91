"""Certificates that are kept beside the last one, and until when."""

import datetime

from daemun.certs.served import certificate_records, certificate_store, local_ca
from daemun.store import memory_store

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def test_a_clock_that_is_years_ahead_deletes_nothing_that_is_good() -> None:
    """What one machine of a fleet deletes, all have no more."""
    store, authority = memory_store.MemoryStore(), local_ca.load_or_create(memory_store.MemoryStore(), NOW)
    kept = certificate_store.CertificateStore(store)

    def issue(hosts: list[str], at: datetime.datetime, *, clock: datetime.datetime) -> None:
        found = authority.issue(hosts, at)
        kept.put_own("a", certificate_records.Issued(directory="https://ca.test", bundle=found), clock)

    issue(["a.test", "b.test"], NOW, clock=NOW)
    for number in (1, 2):  # kept, and not deleted
        issue(["a.test"], NOW + number * DAY, clock=NOW + 7000 * DAY)
        (first,) = kept.covering("b.test", NOW + number * DAY)
    later = first.bundle.not_after + 2 * DAY
    issue(["a.test"], later, clock=later)
    assert not kept.covering("b.test", NOW + 3 * DAY)
    assert not store.list(certificate_store.FOLDER)
