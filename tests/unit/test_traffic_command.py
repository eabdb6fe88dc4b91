"""What `daemun traffic` shows of sums, and which times it takes."""

import datetime

import pytest

from daemun import errors
from daemun.cli import traffic_cells, traffic_details
from daemun.cli.commands import traffic
from daemun.core.traffic import traffic_sums, traffic_usage

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
_FOUND = tuple(
    (traffic_sums.Series(site, route, ""), traffic_sums.Sums(requests=1, bytes_out=size))
    for site, route, size in (("a.test", "/", 900), ("b.test", "/", 50), ("b.test", "/api/", 20), ("c.test", "/", 10))
)


@pytest.mark.parametrize(
    ("top", "names"),
    [
        (1, ["a.test", "(2 other sites)", "(all)"]),
        (2, ["a.test", "b.test", "(1 other site)", "(all)"]),
        (3, ["a.test", "b.test", "c.test", "(all)"]),
        (9, ["a.test", "b.test", "c.test", "(all)"]),
    ],
)
def test_the_largest_and_the_rest(top: int, names: list[str]) -> None:
    rows = traffic.rows_of(traffic_usage.by_site(_FOUND), _FOUND, top, is_of_site=False)
    assert [row[0] for row in rows] == names
    assert rows[-1][1] == "4"
    assert sum(int(row[1]) for row in rows[:-1]) == 4


def test_the_rest_of_the_routes() -> None:
    found = _FOUND[1:3]
    rows = traffic.rows_of(traffic_usage.by_route(found, "b.test"), found, 1, is_of_site=True)
    assert [row[:2] for row in rows] == [("/", "1"), ("(1 other route)", "1"), ("(all)", "2")]


def test_a_site_whose_only_route_is_every_path() -> None:
    """Its requests are counted without the name of a route."""
    unnamed = ((traffic_sums.Series("a.test", "", ""), traffic_sums.Sums(requests=1)),)
    found = traffic_cells.with_only_route(unnamed)
    rows = traffic.rows_of(traffic_usage.by_route(found, "a.test"), found, 9, is_of_site=True)
    assert [row[0] for row in rows] == ["/"]
    had_others = (*unnamed, (traffic_sums.Series("a.test", "/api/", ""), traffic_sums.Sums(requests=1)))
    assert traffic_cells.with_only_route(had_others) == had_others


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1h", NOW - datetime.timedelta(hours=1)),
        ("30d", NOW - datetime.timedelta(days=30)),
        ("2026-11-29T10:00:00Z", datetime.datetime(2026, 11, 29, 10, tzinfo=datetime.UTC)),
    ],
)
def test_times_are_those_of_logs(text: str, at: datetime.datetime, capsys: pytest.CaptureFixture[str]) -> None:
    assert traffic.read_since(text, NOW) == at
    assert not capsys.readouterr().err


def test_yesterday_is_a_time() -> None:
    assert datetime.timedelta() < NOW - traffic.read_since("yesterday", NOW) < datetime.timedelta(days=3)


def test_what_is_kept_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert traffic.read_since("2025-01-01T00:00:00Z", NOW).year == 2025
    assert traffic.read_since("100d", NOW) == NOW - datetime.timedelta(days=100)
    assert capsys.readouterr().err.count("traffic is kept for 90 days") == 2


@pytest.mark.parametrize("text", ["soon", "2027-01-01", "", "0s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(errors.ConfigError, match="cannot use --since"):
        traffic.read_since(text, NOW)


def test_what_is_known_beside_the_table() -> None:
    counts = {"200": 9, "502": 2, "403": 1, "TLSv1.3": 11, "TLSv1.2": 1, "cache HIT": 4, "held": 1, "retries": 2}
    found = (
        (traffic_sums.Series("a.test", "/", "127.0.0.1:1"), traffic_sums.Sums(requests=12, counts=counts)),
        (traffic_sums.Series("a.test", "/", ""), traffic_sums.Sums(requests=3, counts={"403": 3, "refused allow": 2})),
    )
    assert traffic_details.lines_of(traffic_usage.total(found)) == [
        "statuses: 200 (9), 403 (4), 502 (2)",
        "refused by the gate: 403 (3)",
        "refused by rule: allow (2)",
        "TLS: 1.3 (11), 1.2 (1)",
        "cache: HIT (4)",
        "waited for a server: 1 request",
        "further tries of servers: 2",
    ]


def test_many_statuses_fit_the_width() -> None:
    counts = {str(status): 10**12 for status in range(200, 600)}
    found = ((traffic_sums.Series("a.test", "/", "x"), traffic_sums.Sums(requests=1, counts=counts)),)
    lines = traffic_details.lines_of(traffic_usage.total(found))
    assert max(map(len, lines)) <= traffic_details.WIDTH
    assert len(lines) > 50
    assert traffic_details.lines_of(traffic_usage.total(())) == []
