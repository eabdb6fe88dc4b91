"""`daemun dashboard --open`: the browser gets the address without that other accounts of the machine see it."""

import os
import pathlib
import stat

import pytest

from daemun import errors
from daemun.cli import browser_window

URL = "https://gate.test:8443/enter#" + "A" * 43


@pytest.fixture
def opened(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser was started with."""
    found: list[str] = []
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def note(address: str) -> bool:
        found.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", note)
    return found


def test_a_private_file_leads_there(opened: list[str], tmp_path: pathlib.Path) -> None:
    browser_window.open_secret(URL)
    (path,) = tmp_path.iterdir()
    assert opened == [path.as_uri()] and "A" * 43 not in opened[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f'content="0; url={URL}"' in path.read_text()


def test_without_a_browser_nothing_is_left(
    opened: list[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    with pytest.raises(errors.EnvironmentProblemError, match="open the address in your own"):
        browser_window.open_secret(URL)
    assert list(tmp_path.iterdir()) == []
    assert opened == []


def test_no_browser_runs_as_root(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(errors.EnvironmentProblemError, match="as root"):
        browser_window.open_secret(URL)
    assert opened == []
