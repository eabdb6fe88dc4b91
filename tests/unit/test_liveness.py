"""N10: what is said to be live can be."""

import datetime

import pytest

from daemun.core.served import liveness

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("seen", "seconds", "words"),
    [
        (liveness.Liveness(), None, []),
        (liveness.Liveness(), 9, []),
        (liveness.Liveness(), 60, ["a change has been applied since 2026-03-01T11:59:00Z (60 s)"]),
        (liveness.Liveness(answers=False), None, ["nginx's workers do not answer"]),
        (liveness.Liveness(answers=False, suspended=(3, 4)), None, ["`kill -CONT 3 4`"]),
        (liveness.Liveness(answers=False, suspended=(3,)), 11, ["`kill -CONT 3`", "(11 s)"]),
    ],
)
def test_n10_what_hangs_is_an_error(seen: liveness.Liveness, seconds: int | None, words: list[str]) -> None:
    since = NOW - datetime.timedelta(seconds=seconds) if seconds is not None else None
    found = [str(problem) for problem in liveness.find_problems(seen, applying_since=since, now=NOW)]
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))
