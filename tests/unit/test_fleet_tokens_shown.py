"""A token of a fleet has the database's password: it is shown apart from the command, and read from standard input."""

import io

import pytest

from daemun import errors
from daemun.cli import output
from daemun.cli.commands import fleet

TOKEN = "daemun-fleet-x"


def test_a_token_is_no_argument_of_what_is_copied(capsys: pytest.CaptureFixture[str]) -> None:
    fleet._print_token(TOKEN)
    lines = capsys.readouterr().out.splitlines()
    assert "`daemun fleet join`" in " ".join(lines)
    assert [line.strip() for line in lines if TOKEN in line] == [TOKEN]


def test_the_command_for_the_other_machine_has_no_options_of_this_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_options", "--state /here -c /here.yaml")
    fleet._print_token(TOKEN)
    assert "/here" not in capsys.readouterr().out


def test_it_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"  {TOKEN}\n"))
    assert fleet._read("Token: ", None) == TOKEN
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(errors.ConfigError, match="nothing was given"):
        fleet._read("Token: ", None)
