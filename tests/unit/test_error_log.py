"""Following a log that others write, rename and empty (A5)."""

import collections.abc
import contextlib
import os
import pathlib
import resource

import hypothesis
import pytest
from hypothesis import strategies as st

from daemun.core.logged import error_line
from daemun.probing import error_log


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "error.log"


def append(path: pathlib.Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a5_new_lines_once_and_whole(path: pathlib.Path) -> None:
    log = error_log.ErrorLog(str(path))
    assert log.read().lines == []
    append(path, "one\ntw")
    assert log.read().lines == ["one"]
    append(path, "o\nthree\n")
    assert log.read().lines == ["two", "three"]
    assert log.read().lines == []
    log.close()


def test_a5_what_a_worker_writes_into_the_renamed_file_is_read_too(path: pathlib.Path) -> None:
    append(path, "one\n")
    log = error_log.ErrorLog(str(path))
    assert log.read().lines == ["one"]
    old = path.rename(path.with_name("error.log.1"))
    append(old, "two\n")
    assert log.read().lines == ["two"]
    append(path, "four\n")
    append(old, "three\n")
    assert log.read().lines == ["three", "four"]
    log.close()


def test_a5_a_new_file_that_cannot_be_opened_at_first(path: pathlib.Path) -> None:
    """Nothing is written into it after that."""
    append(path, "one\n")
    log = error_log.ErrorLog(str(path))
    assert log.read().lines == ["one"]
    path.rename(path.with_name("error.log.1"))
    append(path, "two\n")
    with no_more_descriptors():
        assert [log.read().lines for _ in range(3)] == [[], [], []]
    assert log.read().lines == ["two"]
    log.close()


@contextlib.contextmanager
def no_more_descriptors() -> collections.abc.Iterator[None]:
    """This process can open no file."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a5_a_file_that_was_emptied_in_place(path: pathlib.Path) -> None:
    append(path, "one\n" * 50)
    log = error_log.ErrorLog(str(path))
    assert len(log.read().lines) == 50
    path.write_text("two\n")
    assert log.read().lines == ["two"]
    log.close()


def test_a5_memory_is_bounded_and_the_newest_is_read(path: pathlib.Path) -> None:
    append(path, "x\n")
    log = error_log.ErrorLog(str(path))
    log.read()
    append(path, "y" * 99 + "\n")
    with path.open("ab") as file:
        file.write((b"z" * 99 + b"\n") * (2 * error_log.LEFT_OUT_BEYOND // 100))
    append(path, "last\n")
    found = log.read()
    assert found.left_out
    assert found.lines[-1] == "last"
    assert sum(map(len, found.lines)) <= error_log.MOST_BYTES
    append(path, "w" * (3 * error_log.MOST_BYTES))  # a line without an end
    for _ in range(5):
        log.read()
    append(path, "\nafter\n")
    assert log.read().lines[-1] == "after"
    log.close()


def test_a5_what_was_not_read_at_once_is_read_on_without_a_further_line(path: pathlib.Path) -> None:
    append(path, "x\n")
    log = error_log.ErrorLog(str(path))
    log.read()
    append(path, ("y" * 99 + "\n") * (2 * error_log.MOST_BYTES // 100) + "last\n")
    lines = [line for _ in range(4) for line in log.read().lines]
    assert lines[-1] == "last"
    assert len(lines) == 2 * error_log.MOST_BYTES // 100 + 1
    log.close()


def test_a5_at_the_start_the_end_of_the_file_is_read(path: pathlib.Path) -> None:
    append(path, "".join(f"{number:09}\n" for number in range(20_000)))
    log = error_log.ErrorLog(str(path))
    lines = log.read().lines
    assert lines[-1] == "000019999"
    assert len(lines) < 10_000
    log.close()


HEAD = "2026/11/30 04:00:00 [error] 7#7: *5 "
TAIL = ', client: 192.0.2.1, server: a.test, request: "GET / HTTP/1.1", upstream: "http://10.0.0.5/", host: "a.test"'
REFUSED = f"{HEAD}connect() failed (111: Connection refused) while connecting to upstream{TAIL}"


@pytest.mark.parametrize(
    "begin",
    [
        'FastCGI sent in stderr: "PHP message: oops',
        'FastCGI sent in stderr: "x" while reading response header from upstream' + TAIL,
        'upstream sent invalid header: "x-bad: a',
    ],
)
def test_what_a_server_may_have_written_is_left_out(path: pathlib.Path, begin: str) -> None:
    log = error_log.ErrorLog(str(path))
    log.read()
    append(path, f"{REFUSED}\n{HEAD}{begin}\n{REFUSED}\n{HEAD}{begin}\n{REFUSED}\n")
    assert log.read().lines == [REFUSED, f"{HEAD}{begin}"]
    append(path, f"{REFUSED}\n")  # another record, for each is written at once
    assert log.read().lines == [REFUSED]
    append(path, f"{HEAD}{begin}\n{REFUSED}\n{REFUSED[:9]}")
    assert log.read().lines == [f"{HEAD}{begin}"]
    append(path, f"{REFUSED[9:]}\n" + "x" * error_line.LONGEST_BYTES + f"\n{REFUSED}\n")
    assert log.read().lines == [REFUSED]
    log.close()


def test_a_record_that_began_before_what_is_read_is_left_out(path: pathlib.Path) -> None:
    append(path, f'{HEAD}FastCGI sent in stderr: "{"x" * 4000}\n')
    append(path, f"{REFUSED}\n" * 400)
    log = error_log.ErrorLog(str(path))
    assert 0 < len(log.read().lines) < 330
    log.close()


@hypothesis.given(
    st.lists(
        st.builds(
            lambda begin, length: f"{HEAD}{begin}".ljust(length, "x").encode(),
            st.sampled_from(['FastCGI sent in stderr: "', 'upstream sent invalid header: "', "connect() failed"]),
            st.sampled_from([0, 100, 1000, error_line.LONGEST_BYTES - 1, error_line.LONGEST_BYTES]),
        ),
        max_size=12,
    )
)
def test_the_same_lines_are_nginx_s_own_read_backwards(lines: list[bytes]) -> None:
    own = error_line.OwnLines()
    forward = [line for line in lines if own.takes(line)]
    assert list(error_line.find_own(reversed(lines), b"[error]"))[::-1] == forward
