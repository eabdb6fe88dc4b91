"""Where nginx works while the state directory cannot be written."""

import collections.abc
import contextlib
import os
import pathlib
import socket
import stat
import tempfile

import pytest

from daemun import errors
from daemun.nginx import work_folder


@pytest.mark.parametrize("is_used_before", [False, True])
def test_the_copied_configuration_is_its_owners_alone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, is_used_before: bool
) -> None:
    """It lies under a name that everybody can guess, and may hold passwords."""
    monkeypatch.setattr(work_folder, "_FOLDERS", ())
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


# --- the control socket ----------------------------------------------------------------------------------------


@pytest.fixture(name="public")
def public_folder(monkeypatch: pytest.MonkeyPatch) -> collections.abc.Iterator[pathlib.Path]:
    """Where everybody can make folders, such as /tmp; the only place that there is."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="dm-") as name:  # a socket's path must be short
        public = pathlib.Path(name, "public")
        monkeypatch.setattr(work_folder, "_FOLDERS", (str(public),))
        public.mkdir()
        (public.parent / "state").mkdir()
        yield public


@contextlib.contextmanager
def _listen(path: str) -> collections.abc.Iterator[None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        yield


def test_commands_find_a_control_socket_apart_and_nobody_else_may_open_its_folder(public: pathlib.Path) -> None:
    state = str(public.parent / "state")
    assert work_folder.find_control_socket(state) is None
    made = work_folder.make_control_socket(state)
    assert pathlib.Path(made).is_relative_to(public)
    assert stat.S_IMODE(pathlib.Path(made).parent.stat().st_mode) == 0o700
    assert work_folder.find_control_socket(state) is None, "nobody listens yet"
    with _listen(made):
        assert work_folder.find_control_socket(state) == made
        assert work_folder.find(state) is None, "nginx works where it did"
        assert work_folder.find_control_socket(str(public)) is None, "another state directory"
    assert work_folder.make_control_socket(state) == made


def _strangers(folder: pathlib.Path, state: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a folder away")
    folder.mkdir()
    os.chown(folder, 65533, 65533)
    os.chown(state, 65532, 65532)


def _shared(folder: pathlib.Path, _: pathlib.Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def _linked(folder: pathlib.Path, state: pathlib.Path) -> None:
    (state / "target").mkdir()
    folder.symlink_to(state / "target")


@pytest.mark.parametrize("plant", [_strangers, _shared, _linked])
def test_a_folder_that_somebody_else_planted_is_neither_used_nor_believed(
    public: pathlib.Path, plant: collections.abc.Callable[[pathlib.Path, pathlib.Path], None]
) -> None:
    """The name can be guessed by everybody."""
    state = public.parent / "state"
    made = pathlib.Path(work_folder.make_control_socket(str(state)))
    made.parent.rmdir()
    plant(made.parent, state)
    with _listen(str(made)):
        assert work_folder.find_control_socket(str(state)) is None
        with pytest.raises(errors.EnvironmentProblemError, match="can be written"):
            work_folder.make_control_socket(str(state))


def test_root_finds_the_one_of_the_state_directorys_owner(public: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a folder away")
    state = str(public.parent / "state")
    made = work_folder.make_control_socket(state)
    os.chown(state, 65533, 65533)
    os.chown(pathlib.Path(made).parent, 65533, 65533)
    with _listen(made):
        assert work_folder.find_control_socket(state) == made
