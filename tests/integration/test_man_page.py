"""L6: the man page has every command and option, and is one that `man` reads without a complaint."""

import pathlib
import re
import subprocess
import typing

import typer.main

from daemun.cli import app
from scripts import man_page
from tests.support import binaries

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "daemun.1"
AGAIN = "make it anew: .venv/bin/python -m scripts.man_page > docs/daemun.1"


def _commands(group: typing.Any, words: str = "daemun") -> list[tuple[str, typing.Any]]:
    found = []
    for name, command in group.commands.items():
        found.append((f"{words} {name}", command))
        if getattr(command, "commands", None):
            found += _commands(command, f"{words} {name}")
    return found


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text() == man_page.make_page(), AGAIN


def test_each_command_and_option_is_in_it() -> None:
    text = PAGE.read_text().replace(r"\-", "-")
    for words, command in _commands(typer.main.get_command(app.app)):
        assert words in text, AGAIN
        for parameter in command.params:
            for option in (one for one in parameter.opts if one.startswith("--") and not parameter.hidden):
                assert rf"\fB{option}\fP" in text, (words, option)


def test_brackets_come_in_pairs() -> None:
    for line in PAGE.read_text().splitlines():
        assert line.count("[") == line.count("]"), line
    assert r"\fBdaemun status\fP [\fIOPTIONS\fP] [\fIHOST...\fP]" in PAGE.read_text()


def test_man_reads_it() -> None:
    environment = {"MANPAGER": "cat", "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    command = [binaries.program("man", "man-db"), "--warnings", "-l", str(PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert re.search(r"daemun certs renew .*HOST", re.sub(".\b", "", done.stdout))
