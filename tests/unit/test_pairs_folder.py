"""pairs/NAME, from which nginx's workers load keys, and live/, which leads there for the account of daemun alone."""

import os
import pathlib
import time

import pytest

from daemun import durable
from daemun.core import layout
from daemun.core.plan import variable_definitions
from daemun.nginx import misplaced_files, pairs_folder

KEY = "a.test/privkey.pem"


def _layout(state: pathlib.Path) -> layout.Layout:
    return layout.Layout(str(state), pairs_name=pairs_folder.find(str(state)))


def _earlier(state: pathlib.Path) -> None:
    """A state directory in which live/ has the files, and nginx a configuration that names it."""
    (state / "live/a.test").mkdir(parents=True)
    (state / "live" / KEY).write_text("key")
    _run_configuration(state, f"{state}/live")


def _run_configuration(state: pathlib.Path, folder: str) -> None:
    (state / "nginx/gen/1").mkdir(parents=True, exist_ok=True)
    (state / "nginx/gen/1" / variable_definitions.FILE).write_text(f"geo $daemun_live {{\n    default {folder};\n}}\n")
    (state / "nginx/current").unlink(missing_ok=True)
    (state / "nginx/current").symlink_to("gen/1")


def _age(state: pathlib.Path) -> None:
    """Let the switch to the present generation be a minute ago."""
    before = time.time() - 60
    os.utime(state / "nginx/current", (before, before), follow_symlinks=False)


def _link(state: pathlib.Path) -> str:
    return str((state / "live").readlink())


def test_a_new_one_has_a_name_of_its_own_and_keeps_it(tmp_path: pathlib.Path) -> None:
    assert pairs_folder.find(str(tmp_path)) is None
    assert _layout(tmp_path).pairs == f"{tmp_path}/live"
    for state in (tmp_path / "one", tmp_path / "other"):
        state.mkdir()
        pairs_folder.make(str(state))
    one, other = _layout(tmp_path / "one"), _layout(tmp_path / "other")
    assert one.pairs_name is not None
    assert one.pairs_name != other.pairs_name
    assert len(one.pairs_name) == 32
    assert _link(tmp_path / "one") == "nginx/live"
    assert (tmp_path / "one/live").resolve() == pathlib.Path(one.pairs).resolve()
    pairs_folder.make(one.state)
    assert _layout(tmp_path / "one") == one


@pytest.mark.parametrize("can_exchange", [True, False])
def test_what_an_earlier_daemun_left_is_moved_and_found_where_it_was(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(durable, "_libc", object())
    _earlier(tmp_path)
    pairs_folder.make(str(tmp_path))
    found = _layout(tmp_path)
    assert pathlib.Path(found.pairs, KEY).read_text() == "key"
    # nginx's workers go this way until there is a configuration that names the other one.
    assert _link(tmp_path) == f"pairs/{found.pairs_name}"
    _age(tmp_path)
    pairs_folder.lead_there(found)
    assert _link(tmp_path) == f"pairs/{found.pairs_name}"
    _run_configuration(tmp_path, found.pairs)
    pairs_folder.lead_there(found)
    assert _link(tmp_path) == f"pairs/{found.pairs_name}", "a handshake may have begun"
    _age(tmp_path)
    pairs_folder.lead_there(found)
    assert _link(tmp_path) == "nginx/live"
    assert (tmp_path / "live" / KEY).read_text() == "key"
    # Back to the earlier daemun, and to this one.
    _run_configuration(tmp_path, f"{tmp_path}/live")
    pairs_folder.make(str(tmp_path))
    assert _link(tmp_path) == f"pairs/{found.pairs_name}"


@pytest.mark.parametrize("lost", ["live", "nginx/live", "pairs", "nginx"])
def test_the_name_outlives_what_is_deleted(tmp_path: pathlib.Path, lost: str) -> None:
    """nginx may run, and read there."""
    pairs_folder.make(str(tmp_path))
    before = _layout(tmp_path)
    path = tmp_path / lost
    path.rename(tmp_path / "gone")
    misplaced_files.set_aside(before)
    pairs_folder.make(str(tmp_path))
    assert _layout(tmp_path) == before
    assert (tmp_path / "live").is_dir()
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_folder_that_was_put_back_in_the_place_of_the_link_wins(tmp_path: pathlib.Path) -> None:
    pairs_folder.make(str(tmp_path))
    before = _layout(tmp_path)
    _run_configuration(tmp_path, before.pairs)
    (tmp_path / "live").unlink()
    (tmp_path / "live/a.test").mkdir(parents=True)
    (tmp_path / "live" / KEY).write_text("put back")
    pairs_folder.make(str(tmp_path))
    found = _layout(tmp_path)
    assert found.pairs_name not in {None, before.pairs_name}
    assert pathlib.Path(found.pairs, KEY).read_text() == "put back"


def test_a_link_of_the_owner_s_is_left_alone_and_told(tmp_path: pathlib.Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "live").symlink_to("elsewhere")
    with pytest.raises(OSError, match="is a link"):
        pairs_folder.make(str(tmp_path))
    found = _layout(tmp_path)
    assert found.pairs == found.live
    assert "it is a link" in (pairs_folder.find_refusal(found) or "")
    assert _link(tmp_path) == "elsewhere"
