"""Ctrl-C while a class is made: Python 3.11 raises a RuntimeError in its place."""

import sys

import pytest

from daemun.cli import clean_exit


class _Interrupted:
    def __set_name__(self, owner: type, name: str) -> None:
        raise KeyboardInterrupt


def _make_class() -> None:
    type("Any", (), {"field": _Interrupted()})


def test_it_ends_as_by_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    with pytest.raises(SystemExit) as end:
        clean_exit.end_well(_make_class)
    assert end.value.code == clean_exit.INTERRUPTED
    assert capsys.readouterr() == ("", "")
