"""The benchmark cannot be lucky: what varies, and whether a contestant shows two modes."""

import random

import pytest

from bench import modes, variations
from tests.unit import test_bench_report


def test_everything_varies() -> None:
    every = variations.EVERY
    assert (min(len(one.host) for one in every), max(len(one.host) for one in every)) == (3, 60)
    assert {len(one.host) for one in every} == {len(host) for host in {one.host for one in every}}
    assert len({len(one.host) for one in every}) == len(every)
    assert (min(one.headers for one in every), max(one.headers for one in every)) == (4, 30)
    assert max(len(one.path) for one in every) == 400
    for size in variations.SIZES:
        those = [one for one in every if one.size == size]
        assert len(those) == 3, "two modes are looked for within one size"
        assert len({one.headers for one in those}) > 1, "a size is not always with the same number of headers"
    for one in every:
        assert len(one.lines) == one.headers - 2
        assert one.path.startswith(f"/{one.size.replace(' ', '')}/")


COSTS = {"daemun": 20.0, "by hand": 18.0, "HAProxy": 16.0, "Caddy": 80.0}


def measured(seed: int, *, noise: float = 0.05) -> dict[str, list[modes.Seen]]:
    """Two figures for each variation. Large answers cost each contestant something else, headers cost all alike."""
    chance = random.Random(seed)
    larger = {name: chance.uniform(1, 3) for name in COSTS}
    return {
        name: [
            modes.Seen(
                cell=str(one),
                group=one.size,
                figure=(cost + one.headers / 4)
                * (larger[name] if one.size == "200 kB" else 1)
                * chance.uniform(1 - noise, 1 + noise),
            )
            for one in (*variations.EVERY, *reversed(variations.EVERY))
        ]
        for name, cost in COSTS.items()
    }


def slow(seen: list[modes.Seen], cells: set[str], times: float) -> list[modes.Seen]:
    return [
        modes.Seen(cell=one.cell, group=one.group, figure=one.figure * (times if one.cell in cells else 1))
        for one in seen
    ]


@pytest.mark.parametrize("seed", range(20))
def test_one_mode_with_noise(seed: int) -> None:
    assert modes.find(measured(seed)) == ()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("lucky", [1, 2, 5, 8, 10, 11])
def test_two_modes_are_found_however_often_one_is_lucky(seed: int, lucky: int) -> None:
    seen = measured(seed)
    cells = [str(one) for one in variations.EVERY]
    random.Random(seed).shuffle(cells)
    seen["daemun"] = slow(seen["daemun"], set(cells[lucky:]), 1.7)
    found = modes.find(seen)
    # Where all three of one size are slow, those look like what answers of that size cost, and the others tell.
    assert [one.contestant for one in found] == ["daemun"]
    assert found[0].times == pytest.approx(1.7, rel=0.25)
    assert set(found[0].slow) <= set(cells[lucky:])


def test_a_single_disturbed_figure_is_no_mode() -> None:
    seen = measured(1)
    first = seen["daemun"][0]
    seen["daemun"][0] = modes.Seen(cell=first.cell, group=first.group, figure=first.figure * 2)
    assert modes.find(seen) == ()


def test_the_report_says_it_first() -> None:
    lines = test_bench_report.lines_of(two_modes=("request over HTTP/1.1: daemun takes 1.70 times as long with x",))
    assert "**The figures of these are luck, and none of them holds: two modes.**" in lines
    assert "- request over HTTP/1.1: daemun takes 1.70 times as long with x" in lines
