"""N2: a link in a folder of files publishes nothing that belongs to somebody else, private keys first of all."""

import collections.abc
import dataclasses
import os
import pathlib
import tempfile

import httpx
import pytest

from daemun.core import directive, model
from daemun.core.directive import Text
from daemun.core.options import catalogue, listing_option, spa_option
from daemun.sources import folder_trust
from tests.support import binaries, clients, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

SOMEBODY = 12345
"""Whose folder is published; the keys are root's."""

LINKS = {
    "holiday.jpg": "{keys}/privkey.pem",
    "holiday.html": "../../keys/privkey.pem",
    "album": "{keys}",
    "deep/er/photo": "{keys}/privkey.pem",
    "twice": "holiday.jpg",
    "all": "{keys}/..",
    "linked/index.html": "{keys}/privkey.pem",
    "app/index.html": "{keys}/privkey.pem",
    "mine.txt": "own.txt",
    "latest": "releases/5",
}


@pytest.fixture(scope="module")
def published() -> collections.abc.Iterator[rendered.Running]:
    binaries.needs_root("files of several accounts")
    with tempfile.TemporaryDirectory(prefix="daemun-test-") as name:
        root = pathlib.Path(name)
        keys, public = root / "keys", root / "home" / "public"
        for folder in (root, keys, root / "home", public):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        (keys / "privkey.pem").write_text("PRIVATE")
        (public / "releases/5").mkdir(parents=True)
        for file in ("own.txt", "releases/5/new.txt"):
            (public / file).write_text("own")
        for link, target in LINKS.items():
            (public / link).parent.mkdir(parents=True, exist_ok=True)
            (public / link).symlink_to(target.format(keys=keys))
        (root / "site").symlink_to(public)
        (root / "swapped").mkdir()
        os.chown(root / "swapped", SOMEBODY, SOMEBODY)
        (root / "swapped" / "public").mkdir()
        swapped = model.Files(
            folder=f"{root}/swapped/public", options=catalogue.values(listing_option.OPTION.set(True))
        )
        swapped = dataclasses.replace(swapped, trusted=folder_trust.find_trusted(swapped.folder))
        for entry in (public, *public.rglob("*")):
            os.chown(entry, SOMEBODY, SOMEBODY, follow_symlinks=False)
        off = (directive.Directive("disable_symlinks", (Text("off"),)),)
        by_hand = (directive.Directive("alias", (Text(f"{public}/"),)),)
        with rendered.running(
            site(
                "files.test",
                route("/", model.Files(folder=str(public), options=catalogue.values(listing_option.OPTION.set(True)))),
                route(
                    "/app/", model.Files(folder=f"{public}/app", options=catalogue.values(spa_option.OPTION.set(True)))
                ),
                route(
                    "/part/", model.Files(folder=str(public), options=catalogue.values(listing_option.OPTION.set(True)))
                ),
                route("/swapped/", swapped),
                route("/through-link/", model.Files(folder=f"{root}/site")),
                route("/free/", model.Files(folder=str(public)), snippet=off),
                snippet=(directive.Directive("location", (Text("/hand/"),), by_hand),),
            )
        ) as nginx:
            (root / "swapped" / "public").rename(root / "swapped" / "before")
            (root / "swapped" / "public").symlink_to(keys)
            os.chown(root / "swapped" / "public", SOMEBODY, SOMEBODY, follow_symlinks=False)
            yield nginx


def _get(nginx: rendered.Running, path: str) -> httpx.Response:
    with clients.client(nginx.clients) as client:
        return client.get(f"https://files.test{path}")


@pytest.mark.parametrize("start", ["/", "/part/", "/hand/"])
@pytest.mark.parametrize(
    "path",
    [
        "holiday.jpg",
        "holiday.html",
        "album/privkey.pem",
        "album/",
        "deep/er/photo",
        "twice",
        "all/keys/privkey.pem",
        "all/",
        "linked/",
        "linked/index.html",
    ],
)
def test_n2_what_is_somebody_else_s_is_not_published(published: rendered.Running, start: str, path: str) -> None:
    answer = _get(published, start + path)
    assert answer.status_code in {403, 404}
    assert "PRIVATE" not in answer.text
    assert "privkey" not in answer.text


@pytest.mark.parametrize("path", ["/swapped/privkey.pem", "/swapped/"])
def test_n2_nor_by_a_link_in_the_place_of_the_folder_itself(published: rendered.Running, path: str) -> None:
    answer = _get(published, path)
    assert answer.status_code in {403, 404}
    assert "PRIVATE" not in answer.text


def test_a_path_is_trusted_as_far_as_nobody_else_can_change_it(tmp_path: pathlib.Path) -> None:
    binaries.needs_root("files of several accounts")
    theirs = tmp_path / "home" / "them"
    for folder in (theirs / "public", tmp_path / "srv"):
        folder.mkdir(parents=True)
    os.chown(theirs, SOMEBODY, SOMEBODY)
    (tmp_path / "srv" / "link").symlink_to(theirs)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for folder, trusted in (
        (tmp_path / "srv", None),
        (tmp_path / "srv" / "link", None),
        (tmp_path / "srv" / "missing", None),
        (theirs, None),
        (theirs / "public", theirs),
        (theirs / "public" / "deeper", theirs),
        (tmp_path / "srv" / "link" / "public", tmp_path / "srv" / "link"),
        (tmp_path / "open" / "x" / "y", tmp_path / "open"),
    ):
        assert folder_trust.find_trusted(str(folder)) == (None if trusted is None else str(trusted)), folder


@pytest.mark.parametrize("path", ["/app/", "/app/index.html", "/app/any/page"])
def test_n2_nor_as_the_page_of_an_application(published: rendered.Running, path: str) -> None:
    answer = _get(published, path)
    assert answer.status_code in {403, 404}
    assert "PRIVATE" not in answer.text


@pytest.mark.parametrize("path", ["mine.txt", "latest/new.txt", "own.txt", "releases/5/new.txt"])
@pytest.mark.parametrize("start", ["/", "/part/", "/through-link/", "/hand/"])
def test_links_to_one_s_own_files_are_followed(published: rendered.Running, start: str, path: str) -> None:
    assert _get(published, start + path).text == "own"


def test_who_insists_can_follow_links(published: rendered.Running) -> None:
    assert _get(published, "/free/holiday.jpg").text == "PRIVATE"
