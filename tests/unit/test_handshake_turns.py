"""A2: each name of each site has its turn, at a bounded rate, however many there are and however often they change."""

import collections.abc

import pytest

from daemun.probing import handshake_turns

Name = handshake_turns.Name


def _names(count: int) -> list[Name]:
    return [(f"{number}.test", f"{number}.test") for number in range(count)]


def _run(
    turns: handshake_turns.HandshakeTurns,
    *,
    from_s: float,
    seconds: float,
    tick_s: float = 0.25,
    bad: tuple[Name, ...] = (),
) -> collections.abc.Iterator[tuple[float, Name]]:
    for number in range(int(seconds / tick_s) + 1):
        now_s = from_s + number * tick_s
        yield from ((now_s, one) for one in turns.take_due(now_s, bad))


def test_few_names_have_a_turn_every_five_minutes() -> None:
    turns = handshake_turns.HandshakeTurns()
    turns.follow(_names(10))
    made = [one for _, one in _run(turns, from_s=0, seconds=2 * handshake_turns.TURN_S + 1)]
    assert sorted(made) == sorted(2 * _names(10))


@pytest.mark.parametrize("tick_s", [0.25, 0.1, 5.0])
def test_a_turn_of_ten_thousand_names_ends(tick_s: float) -> None:
    """In three quarters of an hour, as docs/nginx.md says, on a loop that is busy, too: five seconds a tick are made up
    for by one."""
    count = 10_000
    turns = handshake_turns.HandshakeTurns()
    turns.follow(_names(count))
    longest_s = count / handshake_turns.SHAKES_IN_TURN_PER_S * max(tick_s, 1.0) + tick_s
    made = [one for _, one in _run(turns, from_s=0, seconds=longest_s, tick_s=tick_s)]
    assert set(made) == set(_names(count))
    assert len(made) <= count + handshake_turns.SHAKES_IN_TURN_PER_S * (1 + tick_s)


def test_names_that_are_new_come_first_and_have_a_rate() -> None:
    turns = handshake_turns.HandshakeTurns()
    names = _names(240)
    turns.follow(names)
    for one in names:
        turns.add_new(one)
    assert set(turns.waiting) == set(names)
    first = next(_run(turns, from_s=0, seconds=0))
    assert first == (0, names[0])
    made = list(_run(turns, from_s=0, seconds=25))
    assert not turns.waiting
    per_s = handshake_turns.NEW_SHAKES_PER_S + handshake_turns.SHAKES_IN_TURN_PER_S
    for second in range(25):
        assert sum(second <= at < second + 1 for at, _ in made) <= 2 * per_s


def test_what_failed_is_made_again_every_few_seconds() -> None:
    turns = handshake_turns.HandshakeTurns()
    bad = _names(1)[0]
    made = [at for at, one in _run(turns, from_s=0, seconds=20, bad=(bad,)) if one == bad]
    assert made == [0, 5, 10, 15, 20]


def test_very_many_that_failed_share_the_rate() -> None:
    turns = handshake_turns.HandshakeTurns()
    made = list(_run(turns, from_s=0, seconds=4, bad=tuple(_names(1000))))
    assert len(made) == handshake_turns.SHAKES_IN_TURN_PER_S * handshake_turns.BAD_SHAKE_EVERY_S


def test_a_turn_goes_on_when_names_change() -> None:
    turns = handshake_turns.HandshakeTurns()
    wanted = _names(6)
    seen: list[Name] = []
    now_s = 0.0
    for new in ("x.test", "y.test", "z.test"):
        turns.follow(wanted)
        while len(seen) % 2 == 0 or not seen:
            now_s += 1
            seen += turns.take_due(now_s, ())[:1]
        while len(seen) % 2:
            now_s += 1
            seen += turns.take_due(now_s, ())[:1]
        wanted = [(new, new), *wanted]
    assert seen == _names(6)


def test_names_that_are_gone_are_not_handed_out() -> None:
    turns = handshake_turns.HandshakeTurns()
    turns.follow(_names(3))
    for one in _names(3):
        turns.add_new(one)
    turns.follow(_names(1))
    assert {one for _, one in _run(turns, from_s=0, seconds=200)} == set(_names(1))


def test_after_a_long_pause_nothing_is_made_up_for() -> None:
    turns = handshake_turns.HandshakeTurns()
    turns.follow(_names(1000))
    turns.take_due(0, ())
    assert len(turns.take_due(3600, ())) <= handshake_turns.SHAKES_IN_TURN_PER_S + 1
