"""README.md and README.ko.md tell the same, and all that there is of commands and states."""

import pathlib
import re
import typing

import pytest
import typer.main

from daemun.cli import app, site_filter
from daemun.core import model

ROOT = pathlib.Path(__file__).parents[2]
ENGLISH, KOREAN = ((ROOT / name).read_text() for name in ("README.md", "README.ko.md"))
BOTH = [pytest.param(ENGLISH, id="English"), pytest.param(KOREAN, id="Korean")]


def shape(text: str) -> list[str]:
    """Levels of headings, the first column's code of each row of a table, and blocks of code, in their order."""
    return re.findall(r"^(#+) |^\| (`[^|]*`) \||^```(\w+)", text, re.MULTILINE)


def commands(command: typing.Any, words: str = "") -> list[str]:
    children = getattr(command, "commands", {})
    return [words, *(leaf for name, child in children.items() for leaf in commands(child, f"{words} {name}".strip()))]


def test_both_languages_have_the_same_parts() -> None:
    assert shape(ENGLISH) == shape(KOREAN)


@pytest.mark.parametrize("text", BOTH)
def test_every_command_is_named(text: str) -> None:
    for words in commands(typer.main.get_command(app.app)):
        if words and not words.endswith(" list") and words != "alerts":
            assert re.search(rf"`(daemun )?{words}[ `]", text), words


@pytest.mark.parametrize("text", BOTH)
def test_l1_l2_from_the_first_start_to_the_uninstallation(text: str) -> None:
    """Where the file is, how the service takes over from the terminal, also without root; upgrade, the way back,
    uninstallation, backup and restore. Files that are named are there."""
    for words in (
        "/etc/daemun/daemun.yaml",
        "Ctrl-C",
        "systemctl enable --now daemun",
        "~/.config/daemun/daemun.yaml",
        "systemctl --user enable --now daemun",
        "git pull && sudo make install && sudo daemun stop --keep-traffic",
        "/opt/daemun/previous",
        "sudo rm -r /etc/daemun /var/lib/daemun",
        "sudo tar -C / -czf daemun-backup.tar.gz etc/daemun var/lib/daemun/store",
        "sudo tar -C / -x",
    ):
        assert words in text
    for name in ("daemun.service", "daemun-user.service"):
        assert f"examples/{name}" in text
        assert (ROOT / "examples" / name).is_file()


@pytest.mark.parametrize("text", BOTH)
def test_every_state_is_named(text: str) -> None:
    for state in (*site_filter.STATES, *(one.value for one in model.CertificateState)):
        assert f"`{state}`" in text, state
