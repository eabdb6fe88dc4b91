"""When a log is rotated, and which file becomes which."""

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core.options import logs_option
from daemun.nginx import log_rotation

LOGS = logs_option.Logs(max_bytes=100, keep=2)


@pytest.mark.parametrize(
    ("name", "size_bytes", "settings", "due"),
    [
        ("access.log", 100, LOGS, False),
        ("access.log", 101, LOGS, True),
        ("error.log", 101, LOGS, True),
        ("error.log", None, LOGS, True),
        ("access.log", None, LOGS, True),
        ("access.log", None, logs_option.Logs(access=False), False),
    ],
)
def test_due(name: str, size_bytes: int | None, settings: logs_option.Logs, due: bool) -> None:
    assert log_rotation.is_due(name, size_bytes, settings) is due


@pytest.mark.parametrize(
    ("existing", "keep", "moves"),
    [
        (["a.log"], 2, (("a.log", "a.log.1"),)),
        (["a.log", "a.log.1"], 2, (("a.log.1", "a.log.2"), ("a.log", "a.log.1"))),
        (["a.log", "a.log.1", "a.log.2"], 2, (("a.log.2", None), ("a.log.1", "a.log.2"), ("a.log", "a.log.1"))),
        (["a.log", "a.log.1"], 0, (("a.log.1", None), ("a.log", None))),
        (["a.log", "a.log.10", "a.log.9"], 5, (("a.log.10", None), ("a.log.9", None), ("a.log", "a.log.1"))),
        (["a.log", "a.log.gz", "b.log.1", "a.log.01", "aXlog.1"], 5, (("a.log", "a.log.1"),)),
    ],
)
def test_moves(existing: list[str], keep: int, moves: tuple[log_rotation.Move, ...]) -> None:
    assert log_rotation.plan_moves("a.log", existing, keep) == moves


@hypothesis.given(strategies.sets(strategies.integers(1, 12)), strategies.integers(0, 8))
def test_moves_keep_the_newest_and_overwrite_nothing(numbers: set[int], keep: int) -> None:
    files = {f"a.log.{number}": number for number in numbers} | {"a.log": 0}
    for old, new in log_rotation.plan_moves("a.log", sorted(files), keep):
        content = files.pop(old)
        if new is not None:
            assert new not in files
            files[new] = content
    assert "a.log" not in files
    assert len(files) <= keep
    assert sorted(files.values()) == [content for content in sorted({0, *numbers}) if content < keep]
