"""O6: which orders may ask a CA that is down."""

import datetime

import pytest

from daemun.certs.orders import ca_outages

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
CA, OTHER = "https://ca.test/dir", "https://other.test/dir"


@pytest.fixture(name="known")
def noted() -> ca_outages.Outages:
    known = ca_outages.Outages()
    known.note(CA, NOW, None)
    return known


def test_one_order_after_each_wait(known: ca_outages.Outages) -> None:
    now = NOW
    for minutes in (1, 2, 4, 5, 5):
        assert known.until((CA,), now) == now + minutes * MINUTE
        assert not known.admit(CA, now)
        now += minutes * MINUTE
        assert known.until((CA,), now) is None
        assert known.admit(CA, now)
        assert not known.admit(CA, now), "the others wait for what it finds"
        known.note(CA, now, None)
    known.end(CA)
    assert known.admit(CA, now)
    assert known.admit(CA, now)


def test_those_that_were_under_way_lengthen_nothing(known: ca_outages.Outages) -> None:
    for _ in range(15):
        known.note(CA, NOW + MINUTE / 2, None)
    assert known.until((CA,), NOW + MINUTE / 2) == NOW + MINUTE


def test_retry_after(known: ca_outages.Outages) -> None:
    known.note(CA, NOW, 3600)
    assert known.until((CA,), NOW + 59 * MINUTE) == NOW + 60 * MINUTE
    assert known.until((CA,), NOW + 60 * MINUTE) is None
    assert known.admit(CA, NOW + 60 * MINUTE)
    assert known.until((CA,), NOW + 60 * MINUTE) == NOW + 65 * MINUTE


def test_an_order_that_did_not_ask_leaves_it_to_the_next(known: ca_outages.Outages) -> None:
    assert known.admit(CA, NOW + MINUTE)
    known.withdraw(CA, NOW + MINUTE)
    assert known.until((CA,), NOW + MINUTE) is None
    assert known.admit(CA, NOW + MINUTE)
    assert not known.admit(CA, NOW + MINUTE)


def test_another_ca_may_be_asked(known: ca_outages.Outages) -> None:
    assert known.until((CA, OTHER), NOW) is None
    assert known.admit(OTHER, NOW)
    known.note(OTHER, NOW + MINUTE / 2, None)
    assert known.until((OTHER, CA), NOW + MINUTE / 2) == NOW + MINUTE
    assert known.until((), NOW) is None


def test_a_clock_that_is_set_back_holds_nothing_up(known: ca_outages.Outages) -> None:
    assert known.until((CA,), NOW - 60 * MINUTE) is None
