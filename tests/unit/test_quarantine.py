"""The parts of a tree that can be replaced, and which of them changed."""

from daemun.core.plan import quarantine
from daemun.core.render import snippets


def test_parts_are_what_can_be_replaced_alone() -> None:
    files = {"nginx.conf": b"", "variables.conf": b"", snippets.OF_THE_FILE: b"", "sites/a.test.conf": b""}
    assert set(quarantine.find_parts(files)) == {snippets.OF_THE_FILE, "sites/a.test.conf"}


def test_a_part_that_differs_in_comments_alone_did_not_change() -> None:
    good = {"sites/a.test.conf": b"# daemun.yaml:3\nlisten 80;\n", "sites/b.test.conf": b"listen 80;\n"}
    files = {"sites/a.test.conf": b"# daemun.yaml:4\nlisten 80;\n", "sites/b.test.conf": b"listen 81;\n"}
    assert quarantine.find_changed(files, good) == {"sites/b.test.conf"}


def test_what_nginx_quotes_without_a_line_is_found_where_it_was_written() -> None:
    content = b"server {\n    access_log /x.log;\n    access_log /no/x.log main;  # daemun.yaml:7:9\n}\n"
    assert quarantine.find_place(content, None, 'open() "/no/x.log" failed (2: No such file)') == "daemun.yaml:7:9"
    assert quarantine.find_place(content, None, 'open() "/other" failed (2: No such file)') is None
    assert quarantine.find_place(content, None, "nginx was ended by signal 11") is None
