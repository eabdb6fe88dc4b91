"""Sums of minutes become steps of equal length, with zeros and nothing where nothing was."""

import pytest

from daemun.core.traffic import traffic_series, traffic_sums

SERIES = traffic_sums.Series("a.test", "/api/", "10.0.0.1:80")


def _row(start_s: int, **counts: int) -> traffic_series.Row:
    named = {name.lstrip("_").replace("__", " "): count for name, count in counts.items()}
    sums = traffic_sums.Sums(requests=counts.get("_200", 0), bytes_out=10, bytes_in=3, counts=named)
    return start_s, SERIES, sums


def test_rows_of_one_step_are_added() -> None:
    rows = [_row(60, _200=1, t5=1), _row(120, _200=2, _502=1, t7=3, held=1, retries=2), _row(360, _304=1)]
    found = traffic_series.join(rows, 0, 600, 300)
    assert found.count == 2
    assert found.columns["requests"] == (3, 0)
    assert (found.columns["2xx"], found.columns["3xx"], found.columns["5xx"]) == ((3, 0), (0, 1), (1, 0))
    assert found.columns["bytes_out"] == (20, 10)
    assert (found.columns["held"], found.columns["retries"]) == ((1, 0), (2, 0))
    assert found.columns["p50_s"] == (0.007, None)


def test_what_the_cache_did() -> None:
    row = _row(0, cache__HIT=4, cache__STALE=1, cache__MISS=2, cache__EXPIRED=1, cache__BYPASS=3)
    columns = traffic_series.join([row], 0, 60, 60).columns
    assert [columns[name] for name in ("cache_hit", "cache_miss", "cache_bypass")] == [(5,), (3,), (3,)]


def test_what_rules_refused() -> None:
    row = _row(0, refused__allow=4, refused__rate_limit=1)
    assert traffic_series.join([row], 0, 60, 60).columns["refused"] == (5,)


def test_rows_of_another_time_are_left_out() -> None:
    found = traffic_series.join([_row(0, _200=1), _row(120, _200=1), _row(180, _200=1)], 60, 180, 60)
    assert found.columns["requests"] == (0, 1)


def test_strange_counts_are_no_columns() -> None:
    row = _row(0, _999=1, TLSv1=1, tx=1, u=1)
    assert set(traffic_series.join([row], 0, 60, 60).columns) == {*traffic_series.COUNTED, *traffic_series.TIMED}


@pytest.mark.parametrize("span", traffic_series.GraphSpan)
@pytest.mark.parametrize("now_s", [0.0, 1_790_000_000.5, 1_790_003_599.999])
def test_the_last_step_is_under_way(span: traffic_series.GraphSpan, now_s: float) -> None:
    steps = traffic_series.STEPS[span]
    for step_s in (steps.fine_s, steps.coarse_s):
        begin_s, end_s = traffic_series.bounds(span, step_s, now_s)
        assert end_s - step_s <= now_s < end_s
        assert end_s - begin_s >= steps.length_s
        assert (end_s - begin_s) % step_s == 0
        assert (end_s - begin_s) // step_s <= 720
