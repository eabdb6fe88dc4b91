"""Rates: sums of the last seconds, what they are in a second, and which come first."""

import pytest

from daemun.core.traffic import recent_sums, traffic_rates, traffic_sums, traffic_usage

A, B = (traffic_sums.Series(site, "", "") for site in ("a.test", "b.test"))


def _sums(requests: int) -> traffic_sums.Sums:
    return traffic_sums.Sums(requests=requests, bytes_out=10 * requests, counts={"200": requests, "t1": requests})


def _requests(recent: recent_sums.RecentSums, span_s: float) -> tuple[dict[str, int], float]:
    found, long_s = recent.within(span_s)
    return {series.site: sums.requests for series, sums in found}, long_s


def test_what_was_before_counts_until_enough_came_after_it() -> None:
    recent = recent_sums.RecentSums(((A, _sums(90)),), began_s=10.0, now_s=100.0)
    assert _requests(recent, 10) == ({"a.test": 90}, 90.0)
    for now_s in range(102, 112, 2):
        recent.add({(0, B): _sums(1)}, float(now_s))
        if now_s < 110:
            assert _requests(recent, 10) == ({"a.test": 90, "b.test": (now_s - 100) // 2}, now_s - 10.0)
    assert _requests(recent, 10) == ({"b.test": 5}, 10.0)
    assert _requests(recent, 60) == ({"a.test": 90, "b.test": 5}, 100.0)


def test_only_a_minute_is_kept_however_often_is_looked() -> None:
    recent = recent_sums.RecentSums((), began_s=0.0, now_s=0.0)
    for step in range(1, 2001):
        recent.add({(0, A): _sums(1)}, step / 10)
    found, long_s = _requests(recent, 1000)
    assert 60 <= long_s <= 62.1
    assert found == {"a.test": round(long_s * 10)}
    assert len(recent._slices) <= 65


def test_sums_that_were_given_stay_as_they_were() -> None:
    first, second = _sums(1), _sums(2)
    recent = recent_sums.RecentSums(((A, first),), began_s=0.0, now_s=1.0)
    recent.add({(0, A): second}, 2.0)
    assert _requests(recent, 60) == ({"a.test": 3}, 2.0)
    assert _requests(recent, 60) == ({"a.test": 3}, 2.0)
    assert (first.requests, second.requests) == (1, 2)


_FOUND = (
    (traffic_sums.Series("slow.test", "", ""), traffic_sums.Sums(requests=10, counts={"200": 10, "t900": 10})),
    (traffic_sums.Series("busy.test", "", ""), traffic_sums.Sums(requests=90, bytes_in=9, counts={"200": 90})),
    (traffic_sums.Series("bad.test", "", ""), traffic_sums.Sums(requests=5, counts={"502": 2, "404": 3})),
    (traffic_sums.Series("large.test", "", ""), traffic_sums.Sums(requests=1, bytes_out=5000, counts={"101": 1})),
)


@pytest.mark.parametrize(
    ("order", "first"),
    [
        (traffic_rates.Order.REQUESTS, "busy.test"),
        (traffic_rates.Order.ERRORS, "bad.test"),
        (traffic_rates.Order.TIME, "slow.test"),
        (traffic_rates.Order.BYTES, "large.test"),
        (traffic_rates.Order.NAME, "bad.test"),
    ],
)
def test_what_comes_first(order: traffic_rates.Order, first: str) -> None:
    rates = [traffic_rates.make(one, 10.0) for one in traffic_usage.by_site(_FOUND)]
    arranged = traffic_rates.arrange(rates, order)
    assert arranged[0].site == first
    assert len(arranged) == 4


def test_rates_are_of_a_second() -> None:
    rate = traffic_rates.make(traffic_usage.total(_FOUND), 10.0)
    assert (rate.requests, rate.requests_per_s, rate.bytes_out_per_s) == (106, 10.6, 500.0)
    assert (rate.client_errors, rate.server_errors) == (3, 2)
