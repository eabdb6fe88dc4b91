"""The benchmark's report, plot and saved figures."""

import dataclasses
import xml.etree.ElementTree as ET

import pytest

from bench import figures, machine, plot, report, saved

MACHINE = machine.Machine(
    date="2026-03-01",
    commit="abc1234",
    processor="A processor",
    cores=2,
    memory_gib=23.5,
    kernel="Linux 6.1",
    python="3.11.2",
    load=0.3,
)
SECTION = figures.Section(
    name="traffic",
    title="Traffic & more",
    about="How it was measured.",
    rows=(
        figures.Row(
            what="request <HTTP>",
            unit="µs CPU a request",
            series={"daemun": (12.0, 14.0, 13.0), "by hand": (12.5, 13.0, 26.0), "other": ()},
            beside={"requests/s": {"daemun": (1234.0, 45678.0, 23456.0)}},
            targets=(
                figures.Target(most=1 / 3, subject="daemun", of="by hand"),
                figures.Target(most=1.05, subject="daemun", of="by hand"),
                figures.Target(most=150, subject="daemun"),
                figures.Target(most=1, subject="daemun", of="other"),
            ),
        ),
        figures.Row(what="start", unit="s", series={"10 sites": (0.5,), "1,000 sites": (0.75,)}),
    ),
    versions={"daemun": "0.1.0"},
    notes=("other was not measured: it is not installed.",),
)
SAVED = saved.Saved(section=SECTION, machine=MACHINE, command="make bench")


def lines_of(**changes: object) -> list[str]:
    """The report of SECTION with other values of its fields, which were saved and read again."""
    changed = dataclasses.replace(SAVED, section=dataclasses.replace(SECTION, **changes))  # type: ignore[arg-type]
    assert saved.read(saved.write(changed)) == changed
    return report.write([changed]).splitlines()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (0.999, "0.999"), (1, "1.00"), (12.34, "12.3"), (123.4, "123"), (45678, "45,700")],
)
def test_three_digits(value: float, text: str) -> None:
    assert report.number(value) == text


@pytest.mark.parametrize(("value", "text"), [(1 / 3, "1/3"), (1 / 8, "1/8"), (1.05, "1.05"), (1, "1"), (0.2, "1/5")])
def test_limits_as_people_say_them(value: float, text: str) -> None:
    assert report.limit(value) == text


def test_what_was_saved_is_read_again() -> None:
    assert saved.read(saved.write(SAVED)) == SAVED


def test_the_report() -> None:
    lines = report.write([SAVED], ["## By hand\n\nText.\n"]).splitlines()
    assert "Targets: 2 reached, 1 missed, 1 not measured." in lines
    assert "## Traffic & more" in lines
    assert "    make bench" in lines
    assert "| request <HTTP> | µs CPU a request | **13.0** (12.0–14.0) | **13.0** (12.5–26.0) | – |" in lines
    assert "|  | requests/s | 23,500 | – | – |" in lines
    assert "| start | s | 0.500 | 0.750 |" in lines, "one round has no spread"
    assert "| request <HTTP> | daemun | ≤ 1/3 × by hand | 0.960 × | **missed** |" in lines
    assert "| request <HTTP> | daemun | ≤ 1.05 × by hand | 0.960 × | reached |" in lines
    assert "| request <HTTP> | daemun | ≤ 150 µs CPU a request | 13.0 | reached |" in lines
    assert "| request <HTTP> | daemun | ≤ 1 × other | – | not measured |" in lines
    assert "- other was not measured: it is not installed." in lines
    assert lines[-3:] == ["## By hand", "", "Text."]


def test_what_the_targets_come_to_for_the_limit() -> None:
    limited = dataclasses.replace(SAVED, section=dataclasses.replace(SECTION, limit="by hand"))
    assert saved.read(saved.write(limited)) == limited
    lines = report.write([limited], []).splitlines()
    assert "| target |  | to reach | measured |  | by hand |" in lines
    assert "| request <HTTP> | daemun | ≤ 1.05 × by hand | 0.960 × | reached | – |" in lines
    assert "| request <HTTP> | daemun | ≤ 150 µs CPU a request | 13.0 | reached | 13.0 |" in lines


def test_the_plot() -> None:
    root = ET.fromstring(plot.write(SECTION.title, SECTION.rows))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "Traffic & more"
    assert "request <HTTP>, µs CPU a request" in texts
    assert [text for text in texts if text in {"daemun", "by hand", "other", "10 sites"}] == [
        "daemun",
        "by hand",
        "10 sites",
    ], "who was not measured has no bar"
    bars = [float(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert bars[0] == bars[1], "both medians are 13"
    assert bars[3] > bars[2]


def test_a_target_in_every_round_is_judged_by_the_worst() -> None:
    target = figures.Target(most=1.05, subject="daemun", of="by hand", everywhere=True)
    row = dataclasses.replace(SECTION.rows[0], targets=(target,))
    assert "| request <HTTP> | daemun | ≤ 1.05 × by hand, the worst | 1.08 × | **missed** |" in lines_of(rows=(row,))
