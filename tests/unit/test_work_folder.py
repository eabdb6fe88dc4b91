"""Where nginx works while the state directory cannot be written."""

import pathlib
import stat

import pytest

from daemun.nginx import work_folder


@pytest.mark.parametrize("is_used_before", [False, True])
def test_the_copied_configuration_is_its_owners_alone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, is_used_before: bool
) -> None:
    """It lies under a name that everybody can guess, and may hold passwords."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    state = tmp_path / "state"
    generation = state / "nginx" / "gen" / "7"
    generation.mkdir(parents=True)
    (generation / "nginx.conf").write_text(f"include {state}/nginx/x;")
    (state / "nginx" / "current").symlink_to("gen/7")
    if is_used_before:
        pathlib.Path(work_folder.make(str(state)).nginx).chmod(0o755)
    layout = work_folder.make(str(state))
    assert layout.work is not None
    assert layout.work.startswith(str(tmp_path))
    assert pathlib.Path(layout.current, "nginx.conf").read_text() == f"include {layout.nginx}/x;"
    assert stat.S_IMODE(pathlib.Path(layout.nginx).stat().st_mode) == 0o700
