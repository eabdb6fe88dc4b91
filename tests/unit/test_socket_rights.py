"""Whether nginx's workers may open a unix socket, judged by modes."""

import os
import pathlib
import socket

import pytest

from daemun.core import model
from daemun.probing import socket_rights

UID, GID = 65533, 65532
WORKER = model.WorkerAccount(user="no-such-account", group="", uid=UID, gid=GID)


@pytest.fixture(name="place")
def placed(tmp_path: pathlib.Path) -> pathlib.Path:
    """A socket, below folders that everybody may pass."""
    if os.geteuid() != 0:
        pytest.skip("needs root to give files away")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    path = tmp_path / "app" / "app.sock"
    path.parent.mkdir(mode=0o755)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))
    return path


@pytest.mark.parametrize(
    ("mode", "owner", "is_refused"),
    [
        (0o600, (0, 0), True),
        (0o755, (0, 0), True),  # others may read it, and a connection needs the right to write
        (0o660, (0, 0), True),
        (0o666, (0, 0), False),
        (0o660, (0, GID), False),
        (0o640, (0, GID), True),
        (0o600, (UID, 0), False),
        (0o066, (UID, GID), True),  # the first class that an account is in decides
        (0o606, (0, GID), True),
    ],
)
def test_the_mode_of_the_socket(place: pathlib.Path, mode: int, owner: tuple[int, int], is_refused: bool) -> None:
    place.chmod(mode)
    os.chown(place, *owner)
    assert socket_rights.find_refusal(str(place), WORKER) == (str(place) if is_refused else None)


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o744])
def test_each_folder_on_the_way_counts(place: pathlib.Path, mode: int) -> None:
    place.chmod(0o666)
    place.parent.chmod(mode)
    assert socket_rights.find_refusal(str(place), WORKER) == str(place.parent)
    os.chown(place.parent, 0, GID)
    assert socket_rights.find_refusal(str(place), WORKER) == (None if mode == 0o750 else str(place.parent))


def test_a_link_is_followed(place: pathlib.Path) -> None:
    link = place.parent.parent / "link.sock"
    link.symlink_to(place)
    place.chmod(0o600)
    assert socket_rights.find_refusal(str(link), WORKER) == str(link)
    place.chmod(0o666)
    assert socket_rights.find_refusal(str(link), WORKER) is None
    place.parent.chmod(0o700)
    assert socket_rights.find_refusal(str(link), WORKER) == str(place.parent)


def test_root_may_all_and_what_is_not_there_is_not_judged(place: pathlib.Path) -> None:
    place.chmod(0o600)
    assert socket_rights.find_refusal(str(place), model.WorkerAccount(user="root", group="root", uid=0, gid=0)) is None
    place.unlink()
    assert socket_rights.find_refusal(str(place), WORKER) is None
    place.symlink_to(place)
    assert socket_rights.find_refusal(str(place), WORKER) is None
