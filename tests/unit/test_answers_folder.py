"""The folder of the response cache: what goes wrong with it costs the cache and nothing else."""

import os
import pathlib
import types

import pytest

from daemun.core import layout, model
from daemun.core.plan import variable_definitions
from daemun.nginx import answers_folder, misplaced_files

MINE = model.WorkerAccount(user="x", group="x", uid=os.geteuid(), gid=os.getegid())
KEY = "d41d8cd98f00b204e9800998ecf8494d"


@pytest.fixture
def paths(tmp_path: pathlib.Path) -> layout.Layout:
    """Of an nginx whose configuration has the cache, with a worker's answer in it."""
    found = layout.Layout(str(tmp_path))
    pathlib.Path(found.run).mkdir()
    pathlib.Path(found.current).mkdir(parents=True)
    pathlib.Path(found.current, variable_definitions.FILE).write_text(f"proxy_cache_path {found.answers} levels=1:2;")
    folder = pathlib.Path(found.answers, "d", "94")
    folder.mkdir(parents=True)
    pathlib.Path(found.answers).chmod(0o700)
    (folder / KEY).write_text("answer")
    return found


def _has_room(paths: layout.Layout) -> bool:
    answers_folder.note_room(paths, MINE)
    return pathlib.Path(paths.answers_room).exists()


def _away(paths: layout.Layout) -> None:
    pathlib.Path(paths.answers).rename(f"{paths.state}/gone")


def _of_another(paths: layout.Layout) -> model.WorkerAccount:
    return model.WorkerAccount(user="y", group="y", uid=os.geteuid() + 1, gid=os.getegid())


def test_room_while_nginx_can_write(paths: layout.Layout) -> None:
    assert _has_room(paths)


def test_no_room_without_the_folder_that_nginx_needs(paths: layout.Layout) -> None:
    assert _has_room(paths)
    _away(paths)
    assert not _has_room(paths)
    answers_folder.prepare(paths, MINE)
    assert _has_room(paths)
    assert pathlib.Path(paths.answers).stat().st_mode & 0o777 == 0o700


def test_room_before_nginx_makes_the_folder(paths: layout.Layout) -> None:
    _away(paths)
    pathlib.Path(paths.current, variable_definitions.FILE).write_text("")
    assert _has_room(paths)
    assert not answers_folder.is_missing(paths)
    answers_folder.prepare(paths, MINE)
    assert not pathlib.Path(paths.answers).exists()


@pytest.mark.parametrize("kind", ["file", "dangling link", "loop", "of another account", "closed"])
def test_no_room_in_what_nginx_cannot_write(paths: layout.Layout, kind: str) -> None:
    assert _has_room(paths)
    place = pathlib.Path(paths.answers)
    account = MINE
    if kind == "closed":
        place.chmod(0o500)
    elif kind == "of another account":
        account = _of_another(paths)
    else:
        _away(paths)
        if kind == "file":
            place.touch()
        else:
            place.symlink_to("missing" if kind == "dangling link" else "cache")
    answers_folder.note_room(paths, account)
    assert not pathlib.Path(paths.answers_room).exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"f_bavail": 16383}, False),
        ({"f_favail": 1023}, False),
        ({"f_files": 0, "f_favail": 0}, True),
        ({"f_flag": os.ST_RDONLY}, False),
    ],
)
def test_room_of_a_disk(changes: dict[str, int], expected: bool) -> None:
    enough = {"f_bavail": 16384, "f_frsize": 4096, "f_files": 10_000, "f_favail": 1024, "f_flag": os.ST_NOSUID}
    assert answers_folder.is_roomy(types.SimpleNamespace(**{**enough, **changes})) is expected  # type: ignore[arg-type]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another account")
@pytest.mark.parametrize("is_link", [False, True])
def test_what_another_account_kept_is_taken_away(paths: layout.Layout, is_link: bool) -> None:
    place = pathlib.Path(paths.answers)
    if is_link:
        _away(paths)
        place.symlink_to("gone")
    (place / "lost+found").mkdir()
    another = _of_another(paths)
    answers_folder.prepare(paths, another)
    assert [one.name for one in place.iterdir()] == ["lost+found"]
    assert (place.stat().st_uid, place.stat().st_mode & 0o777) == (another.uid, 0o700)
    assert place.is_symlink() == is_link
    answers_folder.tidy(paths).join()
    assert not list(place.parent.glob("cache.removed-*"))


def test_what_the_workers_kept_stays(paths: layout.Layout) -> None:
    answers_folder.prepare(paths, MINE)
    assert pathlib.Path(paths.answers, "d", "94", KEY).read_text() == "answer"


def test_a_start_deletes_temporary_files_of_workers_that_were_killed(paths: layout.Layout) -> None:
    folder = pathlib.Path(paths.answers, "d", "94")
    left, new = folder / f"{KEY}.0000000007", folder / f"{KEY}.0000000008"
    outside = pathlib.Path(paths.state, "outside")
    for path in (left, new, outside):
        path.touch()
    link = folder / f"{KEY}.0000000009"
    link.symlink_to(outside)
    os.utime(left, (1.0, 1.0))
    os.utime(new, (1e10, 1e10))  # as one of an nginx that was started meanwhile
    removed = pathlib.Path(paths.state, "cache.removed-x", "d")
    removed.mkdir(parents=True)
    answers_folder.tidy(paths).join()
    assert sorted(one.name for one in folder.iterdir()) == [KEY, new.name, link.name]
    assert outside.exists()
    assert not removed.parent.exists()


def test_a_disk_that_is_away_keeps_its_link(paths: layout.Layout) -> None:
    _away(paths)
    place = pathlib.Path(paths.answers)
    place.symlink_to("missing")
    misplaced_files.set_aside(paths)
    answers_folder.prepare(paths, MINE)
    answers_folder.tidy(paths).join()
    assert place.is_symlink()
    assert not answers_folder.is_possible(paths)
    assert "which is not there" in (answers_folder.find_refusal(paths) or "")
    place.unlink()
    assert answers_folder.find_refusal(paths) is None


def test_a_file_in_the_place_of_the_folder_is_set_aside(paths: layout.Layout) -> None:
    _away(paths)
    pathlib.Path(paths.answers).touch()
    assert "is no folder" in (answers_folder.find_refusal(paths) or "")
    misplaced_files.set_aside(paths)
    assert answers_folder.is_possible(paths)
    assert [path for path, _ in misplaced_files.find_aside(paths)] == [f"{paths.answers}.damaged-1"]
