"""What `daemun top` prints of rates: at most 80 columns, however many sites and however long their names."""

import pytest

from daemun.cli import top_lines
from daemun.core.traffic import traffic_rates, traffic_sums


def _view(sites: int, name: str = "{}.test", *, requests: int = 1, site: str | None = None) -> top_lines.View:
    found = tuple(
        (
            traffic_sums.Series(*((name.format(number), "") if site is None else (site, f"/{number}/")), ""),
            traffic_sums.Sums(requests=requests + number, bytes_out=10**15, counts={"502": requests, "t90": requests}),
        )
        for number in range(sites)
    )
    return top_lines.make_view(found, 10.0, traffic_rates.Order.REQUESTS, site=site, open_={})


@pytest.mark.parametrize("name", ["{}.test", "{}." + "long" * 40 + ".test", "\x1b[31m{}.test"])
@pytest.mark.parametrize("requests", [1, 10**7])
def test_a_thousand_sites_within_80_columns(name: str, requests: int) -> None:
    lines = top_lines.table(_view(1000, name, requests=requests), most=20, width=80)
    assert len(lines) == 1 + 20 + 2
    assert max(map(len, lines)) <= 80
    assert lines[-2] == "(980 other sites)"
    assert lines[-1].startswith("(all)")
    assert "\x1b" not in "".join(lines)


def test_rows_that_all_fit() -> None:
    lines = top_lines.table(_view(3), most=20, width=80)
    assert [line.split()[0] for line in lines] == ["SITE", "2.test", "1.test", "0.test", "(all)"]
    assert [line.split()[0] for line in top_lines.table(_view(1), most=20, width=80)] == ["SITE", "0.test"]


def test_routes_of_a_site() -> None:
    lines = top_lines.table(_view(3, site="a.test"), most=2, width=80)
    assert [line.split()[0] for line in lines] == ["ROUTE", "/2/", "/1/", "(1", "(all)"]
    assert lines[3] == "(1 other route)"


def test_numbers_stand_below_their_titles() -> None:
    titles, row, *_ = top_lines.table(_view(2), most=20, width=80)
    assert len(titles) == len(row)
    assert row.split()[:4] == ["1.test", "0.20", "0", "1"]


@pytest.mark.parametrize(
    ("name", "room", "expected"),
    [("a.test", 6, "a.test"), ("abcdefgh", 5, "ab…gh"), ("abcdefgh", 6, "abc…gh"), ("abcdefgh", 1, "…")],
)
def test_long_names_are_cut_in_the_middle(name: str, room: int, expected: str) -> None:
    assert top_lines.cut(name, room) == expected


@pytest.mark.parametrize(
    ("open_", "text"),
    [
        ({}, "0 connections open"),
        ({443: 1}, "1 connection open (1 on 443)"),
        ({80: 2, 443: 9}, "11 connections open (9 on 443, 2 on 80)"),
        ({1: 1, 2: 2, 3: 3, 4: 4}, "10 connections open (4 on 4, 3 on 3, 2 on 2, ...)"),
    ],
)
def test_open_connections(open_: dict[int, int], text: str) -> None:
    assert top_lines.open_text(open_) == text


@pytest.mark.parametrize(("per_s", "text"), [(0.017, "0.02"), (0.96, "1.0"), (12.34, "12.3"), (40000.4, "40000")])
def test_rates(per_s: float, text: str) -> None:
    assert top_lines.rate(per_s) == text


@pytest.mark.parametrize(("count", "text"), [(99_999, "99999"), (100_000, "100k"), (12_345_678, "12M")])
def test_large_numbers_are_short(count: int, text: str) -> None:
    assert top_lines.number(count) == text
