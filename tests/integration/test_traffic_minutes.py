"""What the first screen reads of stored requests: rates of the last minutes, and requests by minute of some sites."""

import contextlib
import pathlib

from daemun.core.traffic import traffic_sums
from daemun.traffic import traffic_minutes, traffic_store

NOW_S = 1_800_000_030.0
MINUTE = int(NOW_S) - int(NOW_S) % 60


def _write(path: pathlib.Path, *rows: tuple[str, str, int, int]) -> None:
    """Site, server, minutes ago and requests, of which one of ten got a 502."""
    with contextlib.closing(traffic_store.TrafficStore(path)) as store:
        sums = {
            (MINUTE - 60 * ago, traffic_sums.Series(site, "/", server)): traffic_sums.Sums(
                requests=count,
                bytes_out=1000 * count,
                counts={"200": count - count // 10, "502": count // 10, "t5": count},
            )
            for site, server, ago, count in rows
        }
        store.add(sums, (), NOW_S)


def test_requests_by_minute_of_the_sites_that_are_shown(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "traffic.sqlite"
    _write(
        path,
        ("a.test", "x", 0, 3),
        ("a.test", "y", 0, 4),
        ("a.test", "x", 59, 5),
        ("a.test", "x", 60, 6),
        ("b.test", "x", 1, 7),
    )
    found = traffic_minutes.count_minutes(path, ["a.test", "c.test"], NOW_S, 60)
    assert found.keys() == {"a.test"}
    assert (found["a.test"][0], found["a.test"][-1], sum(found["a.test"]), len(found["a.test"])) == (5, 7, 12, 60)
    hostile = "'); DROP TABLE sums; --"
    assert traffic_minutes.count_minutes(path, [hostile, *map(str, range(2000))], NOW_S, 60) == {}
    assert traffic_minutes.count_minutes(path, ["b.test"], NOW_S, 60)["b.test"][-2] == 7


def test_rates_of_the_last_minutes(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "traffic.sqlite"
    _write(path, ("a.test", "x", 0, 10), ("a.test", "y", 5, 20), ("b.test", "x", 6, 100))
    found = traffic_minutes.read_rates(path, NOW_S)
    assert found is not None
    rates, span_s = found
    assert span_s == 330
    assert rates.keys() == {"a.test"}
    assert (rates["a.test"].requests, rates["a.test"].server_errors) == (30, 3)
    assert rates["a.test"].requests_per_s == 30 / 330


def test_what_cannot_be_read_is_no_failure(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "traffic.sqlite"
    assert traffic_minutes.count_minutes(path, ["a.test"], NOW_S, 60) == {}
    assert traffic_minutes.read_rates(path, NOW_S) == ({}, 330)
    path.write_bytes(b"no database" * 100)
    assert traffic_minutes.count_minutes(path, ["a.test"], NOW_S, 60) == {}
    assert traffic_minutes.read_rates(path, NOW_S) is None
