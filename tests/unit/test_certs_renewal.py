"""When certificates are renewed and failed orders tried again."""

import datetime
import math

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.core.issuance import renewal_time

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("lifetime", "expected"),
    [
        (90 * DAY, 60 * DAY),
        (64.5 * DAY, 43 * DAY),
        (45 * DAY, 30 * DAY),
        (10 * DAY, 20 * DAY / 3),
        (6 * DAY, 3 * DAY),
        (4 * MINUTE, 2 * MINUTE),
    ],
)
def test_renewed_when_a_third_is_left_or_half_of_a_short_lifetime(
    lifetime: datetime.timedelta, expected: datetime.timedelta
) -> None:
    assert renewal_time.renew_at(NOW, NOW + lifetime) == NOW + expected


@pytest.mark.parametrize(
    ("failures", "wait"), [(1, MINUTE), (2, 10 * MINUTE), (3, 100 * MINUTE), (4, DAY), (5, DAY), (1000, DAY)]
)
def test_ladder(failures: int, wait: datetime.timedelta) -> None:
    assert renewal_time.next_attempt(failures, NOW) == NOW + wait


def test_many_that_failed_together_part() -> None:
    first, last = (renewal_time.next_attempt(4, NOW, jitter=at) for at in (0.0, 1.0))
    assert (first, last) == (NOW + 0.9 * DAY, NOW + 1.1 * DAY)


@pytest.mark.parametrize(
    ("failures", "left", "wait"),
    [
        (9, 30 * DAY, DAY),
        (9, 2 * DAY, DAY / 2),
        (3, 4 * MINUTE, MINUTE),
        (9, 2 * MINUTE, MINUTE),
        (9, -DAY, DAY),
        (1, DAY, MINUTE),
    ],
)
def test_no_step_is_longer_than_a_quarter_of_the_time_left(
    failures: int, left: datetime.timedelta, wait: datetime.timedelta
) -> None:
    assert renewal_time.next_attempt(failures, NOW, expires_at=NOW + left) == NOW + wait


@pytest.mark.parametrize(
    ("retry_after_s", "wait"),
    [(None, None), (-5, None), (0, None), (math.nan, None), (30, 0.5 * MINUTE), (3600, 60 * MINUTE), (1e12, 7 * DAY)],
)
def test_what_a_ca_asks_for_is_obeyed_for_a_week_at_most(
    retry_after_s: float | None, wait: datetime.timedelta | None
) -> None:
    assert renewal_time.hold_until(NOW, retry_after_s) == (None if wait is None else NOW + wait)


@hypothesis.given(failures=strategies.integers(1, 10_000), jitter=strategies.floats(0, 1))
def test_a_next_attempt_always_comes_and_never_at_once(failures: int, jitter: float) -> None:
    wait = renewal_time.next_attempt(failures, NOW, jitter=jitter) - NOW
    assert MINUTE <= wait <= 1.1 * DAY


def spec(mode: model.TlsMode, *names: str) -> model.CertificateSpec:
    return model.CertificateSpec(name="x", host=names[0], names=names, mode=mode)


def test_wildcards_are_not_asked_of_a_ca() -> None:
    acme = model.TlsMode.ACME
    assert renewal_time.hosts_to_order(spec(acme, "a.example.com", "b.example.com")) == (
        "a.example.com",
        "b.example.com",
    )
    assert renewal_time.hosts_to_order(spec(acme, "*.example.com")) == ()
    assert renewal_time.hosts_to_order(spec(acme, "*.example.com", "example.com")) == ("example.com",)
    assert renewal_time.hosts_to_order(spec(model.TlsMode.LOCAL, "a.localhost")) == ()
    assert renewal_time.hosts_to_order(spec(model.TlsMode.FILES, "a.example.com")) == ()
