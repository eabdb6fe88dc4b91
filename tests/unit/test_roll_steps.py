"""Whose turn it is next in a change of a fleet's configuration."""

import datetime

import pytest

from daemun.fleet import configuration_values, roll_steps

States = configuration_values.ReportState
Step = roll_steps.RollStep


def make(count: int, turn: int) -> configuration_values.Roll:
    revision = configuration_values.Revision(
        number=2, id="two", files={}, author="x", node="n00", at=datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    )
    return configuration_values.Roll(
        revision=revision, base="one", order=tuple(f"n{number:02}" for number in range(count)), turn=turn
    )


def judge(
    roll: configuration_values.Roll, confirmed: int, waited_s: float = 0.0, *, down: str = "", failed: str = ""
) -> roll_steps.Judgement:
    """confirmed: how many of the first nodes. down: one that is not heard of. failed: one that could not serve it."""
    states = dict.fromkeys(roll.order[:confirmed], States.CONFIRMED)
    states |= {failed: States.FAILED} if failed else {}
    reports = {
        name: configuration_values.NodeReport(node=name, id="two", state=state, cause="no" if name == failed else "")
        for name, state in states.items()
    }
    return roll_steps.judge_roll(roll, reports, {*roll.order} - {down}, waited_s=waited_s)


@pytest.mark.parametrize(
    ("count", "serving"),
    [(1, [1]), (5, [1, 2, 3, 4, 5]), (20, [1, *range(3, 20, 2), 20]), (100, [1, *range(11, 100, 10), 100])],
)
def test_the_first_is_alone_and_of_many_a_tenth_follows_at_a_time(count: int, serving: list[int]) -> None:
    roll, found = make(count, 0), []
    while True:
        found.append(len(roll.serving))
        judged = judge(roll, len(roll.serving))
        if judged.step is Step.DONE:
            break
        assert judged.step is Step.GO_ON
        roll = judged.roll
    assert found == serving


def test_all_of_a_turn_are_waited_for() -> None:
    roll = make(30, 3)
    assert [judge(roll, count).step for count in (1, 2, 3, 4)] == [Step.WAIT, Step.WAIT, Step.WAIT, Step.GO_ON]


def test_one_of_a_turn_that_fails_or_is_silent_stops_it_and_is_named() -> None:
    roll = make(30, 3)
    assert judge(roll, 1, failed="n02").causes == (("n02", "no"),)
    gone = judge(roll, 2, down="n03")
    assert gone.step is Step.STOP
    assert [node for node, _ in gone.causes] == ["n03"]
    late = judge(roll, 2, roll_steps.LONGEST_TURN_S + 1)
    assert late.step is Step.STOP
    assert [node for node, _ in late.causes] == ["n02", "n03"]
    assert "does not confirm" in late.causes[0][1]


def test_who_dies_after_it_confirmed_stops_nothing() -> None:
    assert judge(make(30, 3), 4, down="n02").step is Step.GO_ON
