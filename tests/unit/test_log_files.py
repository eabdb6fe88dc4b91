"""A log with its rotated files is read from its end and from a time, each line once."""

import os
import pathlib

import pytest

from daemun.core import layout
from daemun.nginx import log_files, request_log


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "BLOCK_BYTES", 64)


def write(folder: pathlib.Path, *files: range) -> pathlib.Path:
    """files: the numbers in the lines of each, the oldest file first."""
    for age, numbers in enumerate(reversed(files)):
        name = f"access.log.{age}" if age else "access.log"
        (folder / name).write_text("".join(f"line {number} {'x' * (number % 50)}\n" for number in numbers))
    return folder / "access.log"


def numbers_of(lines: object) -> list[int]:
    return [int(line.split()[1]) for line in lines]  # type: ignore[attr-defined]


def test_backwards_over_rotated_files(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, range(100), range(100, 150), range(150, 400))
    (tmp_path / "access.log.old").write_text("line 9999\n")
    with log_files.LogFiles(path) as files:
        assert numbers_of(files.backwards()) == list(range(399, -1, -1))


@pytest.mark.parametrize("first", [0, 1, 99, 100, 101, 149, 150, 399, 400, 1000])
def test_forward_from_a_line(tmp_path: pathlib.Path, first: int) -> None:
    """What is before it may come, too; nothing after it is left out."""
    path = write(tmp_path, range(100), range(100, 150), range(150, 400))
    with log_files.LogFiles(path) as files:
        found = numbers_of(files.forward(lambda line: int(line.split()[1]) < first))
    assert [number for number in found if number >= first] == list(range(first, 400))
    assert len(found) - len(range(first, 400)) < 60
    assert found == sorted(found)


def test_lines_of_which_nothing_is_known_do_not_end_the_search(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, range(100), range(100, 200))
    with log_files.LogFiles(path) as files:
        assert numbers_of(files.forward(lambda _: None)) == list(range(200))


def test_a_rotation_meanwhile_repeats_nothing_and_loses_nothing(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, range(50), range(50, 100))
    with log_files.LogFiles(path) as files:
        path.with_name("access.log.1").rename(path.with_name("access.log.2"))
        path.rename(path.with_name("access.log.1"))
        path.write_text("line 100\n")
        assert numbers_of(files.backwards()) == list(range(99, -1, -1))


def test_a_line_that_is_being_written_is_left_for_whoever_follows(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("line 1\nline 2\nline 3 and")
    with log_files.LogFiles(path) as files:
        assert numbers_of(files.backwards()) == [2, 1]
        rest = files.take_newest()
        assert os.read(rest, 100) == b"line 3 and"
        os.close(rest)


@pytest.mark.parametrize("content", [b"", b"\n", b"no end", b"\n\nline 1\n\n"])
def test_odd_files(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(content)
    with log_files.LogFiles(path) as files:
        assert [line for line in files.backwards() if line] == ([b"line 1"] if b"line" in content else [])


def test_a_line_without_end_takes_bounded_memory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "LONGEST_LINE_BYTES", 256)
    path = tmp_path / "access.log"
    path.write_bytes(b"line 1\n" + b"x" * 10_000 + b"\nline 2\n")
    with log_files.LogFiles(path) as files:
        last, longest, first = files.backwards()
        assert (last, first, len(longest) < 1000) == (b"line 2", b"line 1", True)
        assert [len(line) < 1000 for line in files.forward(lambda _: None)] == [True] * 3


def test_a_request_is_found_by_its_id_in_rotated_files(tmp_path: pathlib.Path) -> None:
    paths = layout.Layout(str(tmp_path))
    (tmp_path / "logs").mkdir()

    def line(number: int, request_id: str) -> str:
        return (
            f'192.0.2.1 - - [30/Nov/2026:14:02:{number:02} +0000] "GET /{number} HTTP/1.1" 200 5 "-" "-" host="a.test"'
            ' upstream="-" upstream_status="-" request_time=0.000 upstream_response_time="-" tls="-"'
            f" request_id={request_id}\n"
        )

    (tmp_path / "logs" / "access.log.1").write_text(line(1, "1-1") + line(2, "1-2"))
    (tmp_path / "logs" / "access.log").write_text(line(3, "11-2") + "no line of nginx's\n" + line(4, "1-1"))
    found = [request_log.find_by_id(paths, one) for one in ("1-1", "1-2", "2", "ü")]
    assert [request and request.uri for request in found] == ["/4", "/2", None, None]
    assert [request.uri for request in request_log.newest_first(paths)] == ["/4", "/3", "/2", "/1"]
    newest = next(request_log.newest_first(paths))
    assert [each.uri for each in request_log.newest_first(paths, since=newest.at)] == ["/4"]


def test_no_log_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(request_log.newest_first(layout.Layout(str(tmp_path))))
