"""What the benchmark makes of its figures."""

import pytest

from bench import figures

ROW = figures.Row(
    what="request",
    unit="µs CPU a request",
    series={"daemun": (10.0, 22.0, 30.0), "by hand": (10.0, 20.0, 40.0), "other": ()},
    targets=(
        figures.Target(most=1.05, subject="daemun", of="by hand"),
        figures.Target(most=0.9, subject="daemun", of="by hand"),
        figures.Target(most=22, subject="daemun"),
        figures.Target(most=0.3, subject="daemun", of="other"),
        figures.Target(most=0.3, subject="daemun", of="nobody"),
    ),
)


def test_a_ratio_is_taken_within_each_round() -> None:
    """The machine took twice the time in the second round and four times in the third one."""
    assert figures.ratios(ROW.series, "daemun", "by hand") == (1.0, 1.1, 0.75)


def test_a_ratio_needs_both_of_a_round() -> None:
    assert figures.ratios({"daemun": (1.0, 2.0), "by hand": (4.0,)}, "daemun", "by hand") == (0.25,)
    assert figures.ratios({"daemun": (1.0,), "by hand": (0.0,)}, "daemun", "by hand") == ()


def test_targets_are_judged_by_medians() -> None:
    verdicts = figures.judge(ROW)
    assert [verdict.measured for verdict in verdicts] == [1.0, 1.0, 22.0, None, None]
    assert [verdict.outcome for verdict in verdicts] == [
        figures.Outcome.REACHED,
        figures.Outcome.MISSED,
        figures.Outcome.REACHED,
        figures.Outcome.NOT_MEASURED,
        figures.Outcome.NOT_MEASURED,
    ]


def test_spread() -> None:
    assert figures.spread((3.0, 1.0, 2.0)) == figures.Spread(median=2.0, least=1.0, most=3.0)
    with pytest.raises(ValueError, match="no figures"):
        figures.spread(())
