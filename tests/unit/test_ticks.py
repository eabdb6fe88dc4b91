"""`ticks`: pauses of several end together, and are about as long as they were meant to be."""

import hypothesis
from hypothesis import strategies

from daemun import ticks


@hypothesis.given(now_s=strategies.floats(0, 1e8), pause_s=strategies.floats(1e-3, 3600))
def test_a_pause_is_a_quarter_longer_or_shorter_at_most(now_s: float, pause_s: float) -> None:
    took_s = ticks.find_end(now_s, pause_s) - now_s
    assert 0.75 * pause_s - 1e-6 <= took_s <= 1.25 * pause_s + 1e-6


def test_pauses_of_several_end_together() -> None:
    ends = {ticks.find_end(begins_s, 2.0) for begins_s in (100.0, 100.1, 100.2, 100.3, 100.4)}
    assert ends == {102.0}
    assert ticks.find_end(101.1, 1.0) == 102.0
    assert ticks.find_end(101.6, 0.5) == 102.0


def test_who_pauses_at_a_tick_keeps_to_it() -> None:
    now_s, seen = 3.0, []
    for _ in range(5):
        now_s = ticks.find_end(now_s + 0.01, 1.0)
        seen.append(now_s)
    assert seen == [4.0, 5.0, 6.0, 7.0, 8.0]
