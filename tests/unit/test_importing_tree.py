"""What a hostile or damaged folder of another ACME client can do: nothing but be refused."""

import os
import pathlib

import pytest

from daemun.certs.importing import foreign_tree


@pytest.fixture(name="root")
def made_root(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "tree"
    (root / "archive").mkdir(parents=True)
    (root / "archive" / "key.pem").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    return root


def refused(root: pathlib.Path, path: str) -> str:
    with pytest.raises(foreign_tree.TreeError) as caught:
        foreign_tree.ForeignTree(root).read(path)
    assert "outside" not in str(caught.value)
    return str(caught.value)


def test_links_inside_are_followed_relative_and_absolute_ones(root: pathlib.Path) -> None:
    (root / "relative").symlink_to("archive/key.pem")
    (root / "absolute").symlink_to(root / "archive" / "key.pem")
    (root / "folder").symlink_to("archive")
    found = foreign_tree.ForeignTree(root)
    assert {found.text(path) for path in ("relative", "absolute", "folder/key.pem")} == {"inside"}
    assert found.names("folder") == ["key.pem"]


def test_the_folder_itself_may_be_a_link(root: pathlib.Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert foreign_tree.ForeignTree(link).text("archive/key.pem") == "inside"


@pytest.mark.parametrize("to", ["../secret", "{outside}/secret", "archive/../../secret", "/etc/shadow", "/dev/zero"])
def test_links_out_of_it_are_refused(root: pathlib.Path, to: str) -> None:
    (root / "link").symlink_to(to.format(outside=root.parent))
    assert "it is a link out of the folder" in refused(root, "link")
    assert not foreign_tree.ForeignTree(root).is_file("link")


def test_a_path_that_climbs_out_is_refused(root: pathlib.Path) -> None:
    assert "out of the folder" in refused(root, "../secret")
    (root / "up").symlink_to("..")
    assert "out of the folder" in refused(root, "up/secret")
    with pytest.raises(foreign_tree.TreeError, match="out of the folder"):
        foreign_tree.ForeignTree(root).names("up")


def test_a_pipe_does_not_make_it_wait(root: pathlib.Path) -> None:
    os.mkfifo(root / "pipe")
    assert "it is no regular file" in refused(root, "pipe")


def test_links_in_a_circle_are_refused(root: pathlib.Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert "cannot read" in refused(root, "a")
    assert not foreign_tree.ForeignTree(root).is_folder("a")


def test_what_is_too_large_or_no_text_is_refused(root: pathlib.Path) -> None:
    (root / "large").write_bytes(b"x" * (foreign_tree.MOST_BYTES + 1))
    (root / "binary").write_bytes(b"\xff\xfe")
    assert f"more than {foreign_tree.MOST_BYTES} bytes" in refused(root, "large")
    with pytest.raises(foreign_tree.TreeError, match="it is no text"):
        foreign_tree.ForeignTree(root).text("binary")


def test_what_is_missing_holds_nothing(root: pathlib.Path) -> None:
    assert foreign_tree.ForeignTree(root).names("live") == []
    assert "no such file" in refused(root, "live/cert.pem")
    with pytest.raises(foreign_tree.TreeError, match="cannot read the folder"):
        foreign_tree.ForeignTree(root / "none")


@pytest.mark.parametrize(
    ("link", "target", "missing"),
    [
        ("live/a/privkey.pem", "../../archive/a/privkey1.pem", "archive"),
        ("live/a/fullchain.pem", "../../archive/a/fullchain3.pem", "archive"),
        ("live/a", "../old/a", "old"),
        ("live", "elsewhere", "elsewhere"),
    ],
)
def test_c12_a_link_whose_target_is_missing_is_not_said_to_be_missing(
    tmp_path: pathlib.Path, link: str, target: str, missing: str
) -> None:
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(target)
    path = link if link.endswith(".pem") else f"{link}/cert.pem"
    with pytest.raises(foreign_tree.TreeError) as caught:
        foreign_tree.ForeignTree(tmp_path).read(path)
    assert f'the link is there, and "{missing}" is missing, where it leads' in str(caught.value)


def test_c12_an_archive_without_that_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "live/a").mkdir(parents=True)
    (tmp_path / "archive/a").mkdir(parents=True)
    (tmp_path / "live/a/privkey.pem").symlink_to("../../archive/a/privkey2.pem")
    with pytest.raises(foreign_tree.TreeError, match=r'"archive/a/privkey2\.pem" is missing, where it leads'):
        foreign_tree.ForeignTree(tmp_path).read("live/a/privkey.pem")


def test_c12_what_is_missing_without_a_link_is_missing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(foreign_tree.TreeError, match="no such file"):
        foreign_tree.ForeignTree(tmp_path).read("live/a/privkey.pem")
