"""What others do to files that a change writes and undoes: nothing of theirs is lost, nor written over."""

import collections.abc
import pathlib

import pytest

from daemun.errors import ConflictError
from daemun.sources.history import guarded_apply, trial_record, written_files
from daemun.store import memory_store

OLD, NEW, THEIRS = (f"sites: {{{name}.test: http://127.0.0.1:1}}\n".encode() for name in ("a", "b", "c"))


@pytest.fixture
def main(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "daemun.yaml"
    path.write_bytes(OLD)
    (tmp_path / "victim").write_bytes(b"PRECIOUS")
    (tmp_path / "victim").chmod(0o644)
    return path


def names(main: pathlib.Path) -> list[str]:
    return sorted(one.name for one in main.parent.iterdir())


def change_and_undo(main: pathlib.Path, theirs: bytes) -> pathlib.Path:
    """Returns: where the copy of what others wrote is."""
    files = written_files.plan(main, {main.name: NEW})
    written_files.write(main, files)
    main.write_bytes(theirs)
    (copy,) = written_files.undo(main, files).values()
    assert main.read_bytes() == OLD
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (theirs, 0o600)
    return copy


class Live:
    def find_known(self) -> collections.abc.Collection[str]:
        return ()

    def apply(self, _: str) -> guarded_apply.AppliedFiles:
        raise AssertionError

    def apply_again(self) -> None:
        raise AssertionError


def by_content(path: pathlib.Path) -> None:
    path.write_bytes(THEIRS)


def by_link(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to("same")
    path.with_name("same").write_bytes(OLD)


def by_removal(path: pathlib.Path) -> None:
    path.unlink()


@pytest.mark.parametrize("others", [by_content, by_link, by_removal])
@pytest.mark.parametrize("wanted", [NEW, None])
def test_what_was_changed_since_the_plan_is_not_written(
    main: pathlib.Path, others: collections.abc.Callable[[pathlib.Path], None], wanted: bytes | None
) -> None:
    files = written_files.plan(main, {main.name: wanted})
    others(main)
    before = {name: (main.parent / name).read_bytes() for name in names(main)}
    with pytest.raises(ConflictError, match="nothing is written"):
        guarded_apply.apply(main, files, Live())
    assert {name: (main.parent / name).read_bytes() for name in names(main)} == before


@pytest.mark.parametrize("wanted", [NEW, None])
def test_a_link_of_others_is_moved_and_what_it_leads_to_stays(main: pathlib.Path, wanted: bytes | None) -> None:
    files = written_files.plan(main, {main.name: wanted})
    written_files.write(main, files)
    main.unlink(missing_ok=True)
    main.symlink_to("victim")
    assert written_files.undo(main, files) == {main.name: main.with_name("daemun.yaml.undone")}
    assert (main.is_symlink(), main.read_bytes()) == (False, OLD)
    assert str(main.with_name("daemun.yaml.undone").readlink()) == "victim"
    assert main.with_name("victim").read_bytes() == b"PRECIOUS"


def test_a_link_to_another_file_is_moved_too_and_the_first_one_comes_back(main: pathlib.Path) -> None:
    main.rename(main.with_name("real"))
    main.symlink_to("real")
    files = written_files.plan(main, {main.name: NEW})
    store = memory_store.MemoryStore()
    trial_record.write(store, trial_record.Trial(number=1, until=trial_record._OVERDUE, files=files))
    kept = trial_record.read(store)
    assert kept is not None
    assert kept.files == files
    written_files.write(main, files)
    main.unlink()
    main.symlink_to("victim")
    written_files.undo(main, files)
    assert str(main.readlink()) == "real"
    assert (main.read_bytes(), main.with_name("victim").read_bytes()) == (OLD, b"PRECIOUS")


def test_no_copy_is_written_over(main: pathlib.Path) -> None:
    other = THEIRS.replace(b"c.test", b"d.test")
    assert change_and_undo(main, THEIRS).name == "daemun.yaml.undone"
    assert change_and_undo(main, other).name == "daemun.yaml.undone.2"
    assert change_and_undo(main, other).name == "daemun.yaml.undone.2"
    assert main.with_name("daemun.yaml.undone").read_bytes() == THEIRS


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "readable by all"])
def test_a_copy_takes_no_place_of_others(main: pathlib.Path, kind: str) -> None:
    place = main.with_name("daemun.yaml.undone")
    if kind == "folder":
        place.mkdir()
    elif kind == "readable by all":
        place.write_bytes(THEIRS)
        place.chmod(0o644)
    else:
        place.symlink_to("victim" if kind == "link" else "absent")
    assert change_and_undo(main, THEIRS).name == "daemun.yaml.undone.2"
    victim = main.with_name("victim")
    assert (victim.read_bytes(), victim.stat().st_mode & 0o777) == (b"PRECIOUS", 0o644)
    assert not main.with_name("absent").exists()
