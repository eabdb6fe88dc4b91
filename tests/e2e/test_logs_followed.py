"""`daemun logs --follow` beside a file that is written, emptied and rotated."""

import collections.abc
import contextlib
import pathlib
import subprocess
import sys

import pytest

from tests.support import forked


@contextlib.contextmanager
def _following(state: pathlib.Path) -> collections.abc.Iterator[collections.abc.Callable[[], str]]:
    process = forked.Popen(
        [sys.executable, "-m", "daemun", "--state", str(state), "logs", "--follow"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield lambda: process.stdout.readline().strip()  # type: ignore[union-attr]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def log(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "access.log"
    path.write_text("one line\nha")
    return path


def _append(path: pathlib.Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a_half_line_is_shown_once_it_is_whole(log: pathlib.Path) -> None:
    with _following(log.parent.parent) as read:
        assert read() == "one line"
        _append(log, "lf\n")
        assert read() == "half"


def test_a_file_that_was_emptied_is_read_again(log: pathlib.Path) -> None:
    with _following(log.parent.parent) as read:
        assert read() == "one line"
        log.write_text("new\n")
        assert read() == "new"


def test_what_was_written_to_a_file_before_it_was_rotated_comes_first(log: pathlib.Path) -> None:
    with _following(log.parent.parent) as read:
        assert read() == "one line"
        log.rename(log.with_suffix(".1"))
        _append(log.with_suffix(".1"), "lf\nlast\n")
        log.write_text("new\n")
        assert [read(), read(), read()] == ["half", "last", "new"]
