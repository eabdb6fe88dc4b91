"""Which questions are answered at once, and which when."""

import pytest

from daemun.discovery import held_questions

WORKER, OTHER = ("127.0.0.1", 40001), ("127.0.0.1", 40002)
WEB = "web.daemun"


def question(identifier: str, *, client: held_questions.Client = WORKER, rest: str = "web?") -> held_questions.Question:
    return held_questions.Question(client=client, query=f"{identifier}{rest}".encode())


@pytest.fixture
def waiting() -> held_questions.HeldQuestions:
    """One question for WEB, asked at 1.0 by who was told "old" at 0.0."""
    found = held_questions.HeldQuestions()
    assert not found.holds(question("q1"), WEB, "old", 0.0)
    assert found.holds(question("q2"), WEB, "old", 1.0)
    return found


def answer(waiting: held_questions.HeldQuestions, mark: str, now: float) -> None:
    for answered in waiting.take_of(WEB):
        waiting.note_answer(answered, mark, now)


def test_a_change_is_told_to_who_waits_for_it(waiting: held_questions.HeldQuestions) -> None:
    assert waiting.concerns(WEB)
    assert waiting.take_of(WEB) == [question("q2")]
    assert not waiting.concerns(WEB)
    assert not waiting.take_of(WEB)
    assert waiting.next_due() is None


def test_who_was_told_late_waits_again(waiting: held_questions.HeldQuestions) -> None:
    answer(waiting, "new", 2.0)
    assert waiting.holds(question("q3"), WEB, "new", 3.0)


def test_a_change_while_nobody_waits_is_told_with_the_next_answer(waiting: held_questions.HeldQuestions) -> None:
    answer(waiting, "new", 2.0)
    assert not waiting.holds(question("q3"), WEB, "newer", 3.0)


def test_nobody_waits_for_long(waiting: held_questions.HeldQuestions) -> None:
    due = waiting.next_due()
    assert due == 1.0 + held_questions.HOLD_S
    assert not waiting.take_due(due - 1)
    assert waiting.take_due(due) == [question("q2")]
    assert len(waiting) == 0


@pytest.mark.parametrize("client", [OTHER, WORKER])
def test_another_worker_knows_nothing(waiting: held_questions.HeldQuestions, client: held_questions.Client) -> None:
    """Also behind the port of one that is gone."""
    assert not waiting.holds(question("q9", client=client), WEB, "old", 1.5)


def test_a_port_is_somebody_elses_after_a_while(waiting: held_questions.HeldQuestions) -> None:
    answer(waiting, "old", 2.0)
    assert not waiting.holds(question("q3"), WEB, "old", 2.0 + held_questions.KNOWS_S + 0.1)


def test_a_question_that_comes_once_more_goes_on_waiting(waiting: held_questions.HeldQuestions) -> None:
    assert waiting.holds(question("q2"), WEB, "old", 2.0)
    assert waiting.take_of(WEB) == [question("q2")]


def test_an_answer_that_was_lost_is_repeated(waiting: held_questions.HeldQuestions) -> None:
    answer(waiting, "old", 2.0)
    assert not waiting.holds(question("q2"), WEB, "old", 2.5)


def test_services_do_not_wait_for_each_other(waiting: held_questions.HeldQuestions) -> None:
    assert not waiting.holds(question("q3", rest="shop?"), "shop.daemun", "old", 1.0)
    assert waiting.holds(question("q4", rest="shop?"), "shop.daemun", "old", 2.0)
    assert waiting.take_of("shop.daemun") == [question("q4", rest="shop?")]
    assert waiting.take_of(WEB) == [question("q2")]


def test_a_flood_is_answered_at_once(monkeypatch: pytest.MonkeyPatch, waiting: held_questions.HeldQuestions) -> None:
    monkeypatch.setattr(held_questions, "_MOST", 1)
    assert not waiting.holds(question("q3", rest="shop?"), "shop.daemun", "old", 1.0)
    assert not waiting.holds(question("q4", rest="shop?"), "shop.daemun", "old", 2.0)
