"""Numbers, times and lines of the pages, and the state of lists in addresses."""

import datetime

import pytest

from daemun.dashboard import figures, list_view, page_frame

KEYS = ("host", "requests")
HOST = list_view.Column(key="host", label="Host")
REQUESTS = list_view.Column(key="requests", label="Requests", number=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"),
        (0, "0"),
        (0.123, "0.12"),
        (12.34, "12.3"),
        (9999, "9999"),
        (12345, "12.3 k"),
        (1e6, "1 M"),
        (2.5e9, "2.50 G"),
    ],
)
def test_numbers(value: float | None, expected: str) -> None:
    assert figures.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (123456789, "118 MiB"), (1e20, "88818 PiB")],
)
def test_sizes(value: float | None, expected: str) -> None:
    assert figures.size(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"),
        (0, "0 %"),
        (0.00001, "< 0.1 %"),
        (0.0123, "1.2 %"),
        (1, "100 %"),
        (0.9999, "100 %"),
        (0.999, "99.9 %"),
    ],
)
def test_shares(value: float | None, expected: str) -> None:
    assert figures.percent(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0012, "1.2 ms"),
        (0.0123, "12 ms"),
        (0.4567, "457 ms"),
        (1.5, "1.50 s"),
        (90, "90 s"),
    ],
)
def test_times(value: float | None, expected: str) -> None:
    assert figures.seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-5, ("base.seconds", 0)), (119, ("base.seconds", 119)), (120, ("base.minutes", 2)), (7200, ("base.hours", 2)),
     (86399, ("base.hours", 23)), (86400, ("base.days", 1)), (1e9, ("base.days", 11574))],
)  # fmt: skip
def test_spans(value: float, expected: tuple[str, int]) -> None:
    assert figures.span(value) == expected


def test_moments() -> None:
    noon = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
    assert figures.moment("2026-11-30T12:00:00Z") == noon == figures.moment(noon)
    assert figures.moment("soon") is None and figures.moment(None) is None
    assert figures.stamp(noon) == "2026-11-30T12:00:00Z"


def test_lines_have_gaps_and_stay_inside() -> None:
    assert figures.polylines([], 100, 20) == () == figures.polylines([None], 100, 20)
    assert figures.polylines([0, 10], 100, 20) == ("0.0,19.0 100.0,1.0",)
    assert figures.polylines([0, None, 5, 5], 90, 20) == ("0.0,19.0 0.0,19.0", "60.0,1.0 90.0,1.0")
    assert figures.polylines([50, -3], 10, 20, highest=10) == ("0.0,1.0 10.0,19.0",)


def test_the_table_beside_a_graph_is_short() -> None:
    times = list(range(0, 28800, 100))
    rows = figures.graph_rows(times, [{"label": "a", "values": times}])
    assert len(rows) == figures.MAX_ROWS and rows[0]["values"] == [28700] and rows[0]["time"].timestamp() == 28700
    assert figures.graph_rows([], []) == ()


def test_a_list_keeps_its_state_in_the_address() -> None:
    query = {"q": "a&b", "sort": "-requests", "page": "3", "other": "x"}
    found = list_view.read_list("/sites", query, sorts=KEYS, size=10).with_total(95)
    assert (found.sort, found.descending, found.page, found.pages, found.first, found.last) == (
        "requests",
        True,
        3,
        10,
        21,
        30,
    )
    assert found.page_url(4) == "/sites?q=a%26b&sort=-requests&page=4"
    assert found.sort_url(REQUESTS) == "/sites?q=a%26b&sort=requests"
    assert found.sort_url(HOST) == "/sites?q=a%26b&sort=host"
    assert (found.aria_sort(REQUESTS), found.aria_sort(HOST)) == ("descending", "none")
    assert found.without("q") == "/sites?sort=-requests"


@pytest.mark.parametrize("page", ["0", "-1", "x", "²", "9" * 5000, ""])
def test_a_list_takes_no_other_address_for_a_page(page: str) -> None:
    found = list_view.read_list("/sites", {"page": page, "sort": "__class__"}, sorts=KEYS, default="-requests")
    assert 1 <= found.page <= list_view.MAX_PAGE and (found.sort, found.descending) == ("requests", True)
    assert (found.first, found.last, found.pages) == (0, 0, 1)


def test_what_a_viewer_is_offered() -> None:
    viewer = page_frame.Viewer(name="mina", role="change")
    assert [viewer.may(role) for role in ("look", "change", "own")] == [True, True, False]


def test_the_policy_allows_nothing_inline() -> None:
    for styles in (False, True):
        policy = page_frame.content_security_policy("abc", styles=styles)
        assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "'nonce-abc'" in policy.partition("style-src")[2]
