"""Lines of a difference, as pages show them."""

import pytest

from daemun.dashboard import diff_parts


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("+ a: 1", ("+", "a: 1")),
        ("-     b: 2", ("-", "    b: 2")),
        ("  moved from x.yaml", (" ", "moved from x.yaml")),
        ("", (" ", "")),
        ("+", ("+", "")),
    ],
)
def test_lines_of_the_file(line: str, expected: tuple[str, str]) -> None:
    assert diff_parts.split_line(line, is_of_nginx=False) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-    listen 80;", ("-", "    listen 80;")),
        ("+listen 80;", ("+", "listen 80;")),
        (" server {", (" ", "server {")),
        ("@@ -1,2 +1,2 @@", ("@", "-1,2 +1,2")),
    ],
)
def test_lines_of_nginx_keep_their_indentation(line: str, expected: tuple[str, str]) -> None:
    assert diff_parts.split_line(line, is_of_nginx=True) == expected


def test_parts_are_bounded_and_named() -> None:
    site = {"host": "a.test", "file": "daemun.yaml", "kind": "added", "lines": ["+ a"] * 5}
    found = diff_parts.arrange(site, 2)
    assert (found["title"], len(found["shown"]), found["more"], found["is_setting"]) == ("a.test", 2, 3, False)
    setting = {"key": "acme", "file": "daemun.yaml", "kind": "changed", "lines": []}
    assert (diff_parts.arrange(setting, 2)["title"], diff_parts.arrange(setting, 2)["is_setting"]) == ("acme", True)
    file = {"file": "sites/a.conf", "kind": "changed", "lines": ["+x"], "more_lines": 7}
    found = diff_parts.arrange(file, 2)
    assert (found["title"], found["shown"], found["more"]) == ("sites/a.conf", [("+", "x")], 7)
