"""Lines of requests are added up as they are; times become percentiles that are near to the exact ones."""

import collections
import math
import random

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core.traffic import time_buckets, traffic_names, traffic_sums, traffic_usage

RUN = "/var/lib/daemun/run"


def _sum(*lines: str, at_s: float = 60) -> dict[traffic_sums.Key, traffic_sums.Sums]:
    addition = traffic_sums.Addition(RUN)
    addition.add("".join(f"{line}\n" for line in lines).encode(), at_s)
    assert not addition.unreadable
    return addition.sums()


def test_what_a_line_states() -> None:
    line = "shop.test|/api/ 2000.0401500 300TLSv1.3HIT 10.0.0.5:80|0.035"
    found = _sum(line, line, line.replace("2000", "4040"), at_s=125)
    series = traffic_sums.Series("shop.test", "/api/", "10.0.0.5:80")
    counts = {"200": 2, "404": 1, "t36": 3, "u33": 3, "TLSv1.3": 3, "cache HIT": 3}
    assert found == {(120, series): traffic_sums.Sums(requests=3, bytes_out=4500, bytes_in=900, counts=counts)}


def test_which_rule_refused() -> None:
    found = _sum(
        "a.test|/in/;allow 4030.00010 10 |",
        "a.test|/in/;countries;allow 4030.00010 10 |",
        "a.test;bans 4030.00010 10 |",
        "a.test;\u00e9 4030.00010 10 |",
        "_;bans 4030.00010 10 |",
        "a.test 4030.00010 10 |",
    )
    refused = {
        (series.site, series.route): traffic_sums.find_refused(sums.counts) for (_, series), sums in found.items()
    }
    assert refused == {
        ("a.test", "/in/"): {"allow": 1, "countries": 1},
        ("a.test", ""): {"bans": 1, traffic_names.OTHER_RULE: 1},
        ("", ""): {"bans": 1},
    }
    (usage, _) = traffic_usage.by_site([(series, sums) for (_, series), sums in found.items()])
    assert (usage.site, usage.requests) == ("a.test", 5)
    assert usage.refused_by_rule == {"allow": 1, "bans": 1, "countries": 1, traffic_names.OTHER_RULE: 1}


@pytest.mark.parametrize("name", ["a;b.test", "a.test;bans"])
def test_no_name_is_read_as_a_rule(name: str) -> None:
    assert traffic_names.decode(traffic_names.encode(name, "/;allow")) == (name, "/;allow")
    assert traffic_names.decode_rule(traffic_names.encode(name, "/;allow")) == ""


def test_tries_of_servers_and_requests_that_waited() -> None:
    hold = f"unix:{RUN}/hold.sock"
    found = _sum(
        "a.test 2000.30010 10 10.0.0.1:80, 10.0.0.2:80|0.100, 0.150",
        f"a.test 2009.00010 10 10.0.0.1:80 : {hold} : 10.0.0.1:80|0.001 : 8.000 : 0.010",
        "a.test 4030.00010 10 |",
        "a.test 1013600.00010 10 10.0.0.1:80|3600.000",
    )
    by_server = {series.server: sums.counts for (_, series), sums in found.items()}
    waited = {"200": 1, "101": 1, "held": 1, "retries": 1}
    assert {key: count for key, count in by_server["10.0.0.1:80"].items() if key[0] not in "tu"} == waited
    assert by_server["10.0.0.2:80"] == {
        "200": 1,
        f"t{time_buckets.bucket_of(300)}": 1,
        f"u{time_buckets.bucket_of(250)}": 1,
        "retries": 1,
    }
    assert by_server[""] == {"403": 1, "t0": 1}
    # A WebSocket's time is none of an answer, and what was waited for is none of a server.
    times = {key for key in by_server["10.0.0.1:80"] if key[0] in "tu"}
    assert times == {f"t{time_buckets.bucket_of(9000)}", f"u{time_buckets.bucket_of(11)}"}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a.test",
        "\0\0\0\0",
        "a.test 2000.0401500 300 ",
        "a.test 2x00.0401500 300 |",
        "a.test 200soon1500 300 |",
        "a.test 2000.040many 300 |",
        "a.test 2000.0401500 300TLSv1.3\1 |",
        "a.test 2000.0401500 300 10.0.0.1:80|never",
        "a.test 2000.0401500 300 10.0.0.1:80|inf",
        "a.test 2000.0401500 300 10.0.0.1:80|1e400",
        f"a.test 2000.0401500 300 10.0.0.1:80|{'9' * 400}",
        f"a.test 2000.040{'9' * 25} 300 |",
        f"a.test 2000.0401500 {'9' * 25} |",
        f"a.test 200{'9' * 400}.0401500 300 |",
        "a.test 2000.040-1500 300 |",
        "\xff 2000.0401500 300 |",
    ],
)
def test_a_line_that_is_none_is_counted_apart(line: str) -> None:
    addition = traffic_sums.Addition(RUN)
    addition.add(f"{line}\na.test 2000.0401500 300 |\n".encode("latin-1"), 60)
    assert [sums.requests for sums in addition.sums().values()] == [1]
    assert addition.unreadable == (1 if line else 0)


@hypothesis.given(
    strategies.text(min_size=1, max_size=30), strategies.none() | strategies.text(min_size=1, max_size=30)
)
def test_names_come_back_and_break_no_line(host: str, route: str | None) -> None:
    hypothesis.assume(host != "_")
    hypothesis.assume(not any(0xD800 <= ord(sign) < 0xE000 for sign in host + (route or "")))
    written = traffic_names.encode(host, route)
    assert traffic_names.decode(written) == (host, route or "")
    assert not set(written) & set(' $"\n\\;{}')
    assert written.isascii()


def test_a_long_name_fits_into_a_word_of_nginx() -> None:
    names = {traffic_names.encode("a.test", f"/{'대문' * 2000}{number}") for number in range(3)}
    assert len(names) == 3
    assert max(map(len, names)) < 600


def test_a_minute_has_its_own_sums() -> None:
    addition = traffic_sums.Addition(RUN)
    for at_s in (59.9, 60.0, 119.9, 120.0):
        addition.add(b"a.test 2000.0401500 300 |\n", at_s)
    assert {minute: sums.requests for (minute, _), sums in addition.sums().items()} == {0: 1, 60: 2, 120: 1}


# Times of three servers in milliseconds: files and a cache, an application, and a slow one that is idle in between.
_DISTRIBUTIONS = {
    "cached pages": lambda draw: draw.lognormvariate(math.log(3), 0.8),
    "an application": lambda draw: draw.gammavariate(2, 45) if draw.random() < 0.93 else draw.lognormvariate(7, 0.7),
    "slow to wake": lambda draw: draw.paretovariate(1.3) * 120 if draw.random() < 0.8 else draw.gauss(8000, 900),
}


@pytest.mark.parametrize("name", _DISTRIBUTIONS)
def test_percentiles_are_within_five_percent(name: str) -> None:
    draw = random.Random(15)
    times = sorted(max(0, round(_DISTRIBUTIONS[name](draw))) for _ in range(20_000))
    counts = collections.Counter(map(time_buckets.bucket_of, times))
    for share in (0.01, 0.5, 0.9, 0.95, 0.99, 0.999):
        exact = times[math.ceil(share * len(times)) - 1]
        found = time_buckets.percentile_ms(counts, share)
        assert found is not None
        assert abs(found - exact) <= 0.05 * exact, (share, exact, found)


@hypothesis.given(strategies.integers(min_value=0, max_value=time_buckets.LONGEST_MS))
def test_a_bucket_is_near_to_its_times(time_ms: int) -> None:
    bucket = time_buckets.bucket_of(time_ms)
    assert abs(time_buckets.middle_ms(bucket) - time_ms) <= 0.035 * time_ms
    assert time_buckets.bucket_of(time_ms + 1) in {bucket, bucket + 1}


def test_who_used_most_comes_first() -> None:
    found = _sum(
        "small.test 2000.010100 10 10.0.0.1:80|0.010",
        "large.test|/a/ 2000.010900 10 10.0.0.1:80|0.010",
        "large.test|/b/ 5020.01050 10 10.0.0.1:80|0.010",
        "large.test|/b/ 4030.00050 10 |",
        "_ 4040.00010 10 |",
    )
    rows = [(series, sums) for (_, series), sums in found.items()]
    sites = traffic_usage.by_site(rows)
    assert [(one.site, one.requests, one.errors) for one in sites] == [
        ("large.test", 3, 1),
        ("small.test", 1, 0),
        ("", 1, 0),
    ]
    assert sites[0].refused == {"403": 1}
    assert sites[0].servers == {"10.0.0.1:80": 2}
    assert [(one.route, one.bytes_out) for one in traffic_usage.by_route(rows, "large.test")] == [
        ("/a/", 900),
        ("/b/", 100),
    ]
    whole = traffic_usage.total(rows)
    assert (whole.requests, whole.bytes_out, whole.bytes_in) == (5, 1110, 50)
