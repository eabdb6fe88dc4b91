"""A command that a message names leads to the gate that the message is about."""

import pathlib
import shlex

import pytest

from daemun import settings
from daemun.core.texts import cures


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("put it back with `daemun restore-file`", "put it back with `daemun restore-file --state /x`"),
        ("`daemun certs renew a.test` tries at once", "`daemun certs renew a.test --state /x` tries at once"),
        ("`daemun stop` and `daemun up`", "`daemun stop --state /x` and `daemun up --state /x`"),
        ("see `daemun --help`", "see `daemun --help`"),
        ("`daemun demo`, `daemun schema`", "`daemun demo`, `daemun schema`"),
        ("`sudo daemun --state /y trust`", "`sudo daemun --state /y trust`"),
        ("daemun is up; a word in `backticks`", "daemun is up; a word in `backticks`"),
        ("`daemun certs\nrenew` of a table", "`daemun certs\nrenew` of a table"),
    ],
)
def test_each_command_has_the_options(text: str, completed: str) -> None:
    assert cures.with_options(text, "--state /x") == completed
    assert cures.with_options(completed, "--state /x") == completed, "once, however often it is printed"
    assert cures.with_options(text, "") == text


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("`daemun stop --state /x`", "`daemun stop --state /x -c /y`"),
        ("`daemun stop --state /other`", "`daemun stop --state /other -c /y`"),
        ("`daemun stop -c /y --state /x`", "`daemun stop -c /y --state /x`"),
        ("`daemun status`", "`daemun status --state /x -c /y`"),
    ],
)
def test_an_option_that_a_command_has_is_not_added_again(text: str, completed: str) -> None:
    """A state directory that is in use: the command that ends the daemun there named it twice."""
    assert cures.with_options(text, "--state /x -c /y") == completed


@pytest.mark.parametrize(
    ("given", "environ", "options"),
    [
        ({}, {}, []),
        ({"state": "s t"}, {}, ["--state", "/home/me/s t"]),
        ({"config": "f.yaml"}, {}, ["-c", "/home/me/f.yaml"]),
        ({"config": "/f", "state": "/s"}, {}, ["--state", "/s", "-c", "/f"]),
        ({}, {"DAEMUN_STATE": "/s", "DAEMUN_CONFIG": "/f"}, []),
    ],
)
def test_what_the_command_line_named_is_named_again(
    given: dict[str, str], environ: dict[str, str], options: list[str]
) -> None:
    """As an absolute path: the next command may be run anywhere."""
    chosen = settings.resolve(
        settings.GivenOptions(config=_path(given.get("config")), state=_path(given.get("state"))),
        environ=environ,
        is_root=True,
        working_directory=pathlib.Path("/home/me"),
    )
    assert shlex.split(chosen.options) == options


def _path(text: str | None) -> pathlib.Path | None:
    return pathlib.Path(text) if text is not None else None


def test_the_file_of_an_argument_is_named_too() -> None:
    chosen = settings.Settings(config=pathlib.Path("/a"), state=pathlib.Path("/s"))
    assert settings.with_config(chosen, pathlib.Path("/b")).options == "-c /b"
