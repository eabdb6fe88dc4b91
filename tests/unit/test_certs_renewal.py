"""When certificates are renewed and failed orders tried again."""

import datetime

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.core.issuance import renewal

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(("lifetime", "expected"), [(90 * DAY, 60 * DAY), (6 * DAY, 4 * DAY), (3 * MINUTE, 2 * MINUTE)])
def test_renewed_when_a_third_is_left(lifetime: datetime.timedelta, expected: datetime.timedelta) -> None:
    assert renewal.renew_at(NOW, NOW + lifetime) == NOW + expected


@pytest.mark.parametrize(
    ("failures", "wait"), [(1, MINUTE), (2, 10 * MINUTE), (3, 100 * MINUTE), (4, DAY), (5, DAY), (1000, DAY)]
)
def test_ladder(failures: int, wait: datetime.timedelta) -> None:
    assert renewal.next_attempt(failures, NOW) == NOW + wait


@pytest.mark.parametrize(
    ("retry_after_s", "wait"),
    [(None, MINUTE), (-5, MINUTE), (0, MINUTE), (30, MINUTE), (3600, 60 * MINUTE), (1e12, 7 * DAY)],
)
def test_what_the_ca_asks_for_makes_the_wait_longer_and_never_shorter(
    retry_after_s: float | None, wait: datetime.timedelta
) -> None:
    assert renewal.next_attempt(1, NOW, retry_after_s) == NOW + wait


@hypothesis.given(
    failures=strategies.integers(1, 10_000), retry_after_s=strategies.none() | strategies.floats(allow_nan=False)
)
def test_a_next_attempt_always_comes_and_never_at_once(failures: int, retry_after_s: float | None) -> None:
    wait = renewal.next_attempt(failures, NOW, retry_after_s) - NOW
    assert MINUTE <= wait <= 7 * DAY


def spec(mode: model.TlsMode, *names: str) -> model.CertificateSpec:
    return model.CertificateSpec(name="x", host=names[0], names=names, mode=mode)


def test_wildcards_are_not_asked_of_a_ca() -> None:
    acme = model.TlsMode.ACME
    assert renewal.hosts_to_order(spec(acme, "a.example.com", "b.example.com")) == ("a.example.com", "b.example.com")
    assert renewal.hosts_to_order(spec(acme, "*.example.com")) == ()
    assert renewal.hosts_to_order(spec(acme, "*.example.com", "example.com")) == ("example.com",)
    assert renewal.hosts_to_order(spec(model.TlsMode.LOCAL, "a.localhost")) == ()
    assert renewal.hosts_to_order(spec(model.TlsMode.FILES, "a.example.com")) == ()
