"""Pictures of the documentation load nothing from elsewhere, and each is shown."""

import pathlib
import re

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "terminal.md").read_text()


def test_each_picture_is_shown() -> None:
    shown = re.findall(r"\(images/([^)]+)\)", PAGE)
    assert sorted(shown) == sorted(path.name for path in (DOCS / "images").glob("*.svg"))


def test_pictures_load_nothing() -> None:
    for path in (DOCS / "images").glob("*.svg"):
        text = path.read_text()
        for word in ("@import", "@font-face", "<script", "<image", "<use", "href", "src="):
            assert word not in text, (path.name, word)
        assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text)), path.name
