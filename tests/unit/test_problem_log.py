"""M10: which problems daemun's own log tells, and when."""

import asyncio
import collections.abc
import contextlib

import pytest
import structlog.testing

from daemun.control import problem_log
from daemun.core import model

ORIGIN = model.Origin(source="docker", place="container web")


def problem(text: str, severity: model.Severity = model.Severity.WARNING) -> model.Problem:
    return model.Problem(origin=ORIGIN, message=text, severity=severity)


@pytest.fixture
def due_times(monkeypatch: pytest.MonkeyPatch) -> collections.abc.Iterator[list[tuple[object, tuple[object, ...]]]]:
    """What is to be called once a moment is over."""
    later: list[tuple[object, tuple[object, ...]]] = []

    class Loop:
        def call_later(self, _: float, call: object, *arguments: object) -> None:
            later.append((call, arguments))

    monkeypatch.setattr(asyncio, "get_running_loop", Loop)
    yield later


@contextlib.contextmanager
def logged() -> collections.abc.Iterator[list[str]]:
    lines: list[str] = []
    with structlog.testing.capture_logs() as found:
        yield lines
    lines += [f"{line['log_level']}: {line['event']}" for line in found]


def let_pass(due_times: list[tuple[object, tuple[object, ...]]]) -> None:
    for call, arguments in due_times:
        call(*arguments)  # type: ignore[operator]
    due_times.clear()


def test_what_settles_within_a_moment_is_not_told(due_times: list[tuple[object, tuple[object, ...]]]) -> None:
    """M10: `docker rm -f`: the container is stopped for some milliseconds, and then it is gone."""
    under_test = problem_log.ProblemLog()
    with logged() as lines:
        under_test.update([])
        under_test.update([problem("is stopped")])
        under_test.update([])
        let_pass(due_times)
    assert lines == []


def test_what_stays_is_told_once_and_its_end(due_times: list[tuple[object, tuple[object, ...]]]) -> None:
    under_test = problem_log.ProblemLog()
    with logged() as lines:
        under_test.update([])
        for _ in range(3):
            under_test.update([problem("a")])
            let_pass(due_times)
        under_test.update([])
    assert lines == ["warning: container web: a", "info: all problems of the configuration are solved"]


def test_the_first_problems_are_told_at_once() -> None:
    """A start that fails has no moment to spare."""
    with logged() as lines:
        problem_log.ProblemLog().update([problem("a", model.Severity.ERROR)])
    assert lines == ["error: container web: a"]


def test_all_problems_are_solved_only_when_none_is_left(due_times: list[tuple[object, tuple[object, ...]]]) -> None:
    """M10."""
    under_test = problem_log.ProblemLog()
    with logged() as lines:
        under_test.update([problem("a"), problem("b"), problem("c", model.Severity.ERROR)])
        under_test.update([problem("b"), problem("c", model.Severity.ERROR)])
        under_test.update([problem("b")])
        under_test.update([])
    let_pass(due_times)
    assert lines[3:] == [
        "info: all errors are solved; warnings remain",
        "info: all problems of the configuration are solved",
    ]


def test_an_error_that_ends_while_others_last_is_told() -> None:
    """M10: whoever reads on in the log sees which container serves again."""
    under_test = problem_log.ProblemLog()
    both = [problem(text, model.Severity.ERROR) for text in ("a", "b")]
    with structlog.testing.capture_logs() as found:
        under_test.update([*both, problem("c")])
        under_test.update([both[1]])
    assert [line for line in found if line["log_level"] == "info"] == [
        {"event": "solved", "log_level": "info", "problem": "container web: a"}
    ]


def test_a_container_is_named_once_in_a_line() -> None:
    """M10."""
    assert str(problem('container "web" is not running')) == 'container "web" is not running'
    assert (
        str(problem('cannot serve container "web" at "a.test/": x')) == 'cannot serve container "web" at "a.test/": x'
    )
    assert str(problem('"a.test": x')) == 'container web: "a.test": x'
    assert str(problem('as the older container "web-2" does')) == 'container web: as the older container "web-2" does'
