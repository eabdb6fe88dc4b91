"""Tables on terminals of any width (L3)."""

import pytest

from daemun.cli import tables

TITLES = ("HOST", "STATE", "CERTIFICATE", "ROUTES")
ROWS = [
    ("a.test", "live", "local, until 2026-05-30", "/ -> http://127.0.0.1:9000"),
    (
        "a-rather-long-name.of-a-department.example.com",
        "wrong certificate",
        "valid, until 2026-05-30",
        "/ -> http://a-server-with-a-long-name.internal:8080/with/a/path http://10.0.0.7:8080\n/api/ -> http://10.0.0.8",
    ),
]


def shown(width: int) -> list[str]:
    return [line.text for line in tables.lines_of(TITLES, ROWS, width)]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160, 240])
def test_l3_no_word_is_broken(width: int) -> None:
    words = {word for line in shown(width) for word in line.split()}
    assert {word for row in ROWS for cell in row for word in cell.split()} <= words


def test_l3_at_80_columns_the_rest_stands_below() -> None:
    lines = shown(80)
    assert lines[1].startswith("a.test ")
    assert any(line == "    routes: / -> http://127.0.0.1:9000" for line in lines)
    longest_word = max(len(word) for word in ROWS[1][3].split())
    assert all(len(line) <= 80 for line in lines) or longest_word > 76


def test_a_wide_terminal_has_plain_columns() -> None:
    lines = shown(240)
    assert len(lines) == 4
    assert lines[3].strip() == "/api/ -> http://10.0.0.8"
