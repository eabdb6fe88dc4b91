"""The texts of the pages: the same in both languages, and all that templates use."""

import pathlib
import re
import string

import pytest

from daemun import dashboard
from daemun.dashboard import page_texts

FOLDER = pathlib.Path(dashboard.__file__).parent
_USED = re.compile(
    r"""\bt\(\s*(["'])([a-z_0-9]+\.[a-z_0-9]+)\1\s*[,)]|texts\(\s*(["'])([a-z_0-9]+\.[a-z_0-9]+)\3\s*[,)]"""
)


def test_both_languages_have_the_same_keys_with_the_same_values() -> None:
    english, korean = page_texts.read_all("en"), page_texts.read_all("ko")
    assert english.keys() == korean.keys()
    for key, text in english.items():
        names = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
        there = {field for _, field, _, _ in string.Formatter().parse(korean[key]) if field is not None}
        # "1 day" names its number in words.
        assert names == there or key.endswith("_one"), key
        assert all(re.fullmatch(r"[a-z_]+", name) for name in names), key
        assert text.strip() == text and korean[key].strip() == korean[key] != "", key


def test_korean_is_translated() -> None:
    same = {key for key, text in page_texts.read_all("ko").items() if text == page_texts.read_all("en")[key]}
    assert {key for key in same if re.search(r"[a-z]{2}.* [a-z]{2}", page_texts.read_all("en")[key])} == set()


PAGES = [path for path in sorted([*FOLDER.rglob("*.html"), *FOLDER.rglob("*.py")]) if path.name != "__init__.py"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_texts_that_pages_use_are_there(path: pathlib.Path) -> None:
    used = {one or other for _, one, _, other in _USED.findall(path.read_text())}
    assert used - page_texts.read_all("en").keys() == set()


def test_a_text_with_values() -> None:
    texts = page_texts.Texts("en")
    assert texts("base.days", n=3) == "3 days"
    assert texts("base.days", n=1) == "1 day"
    assert texts("base.signed_in_as", name="{n.__class__}") == "Signed in as {n.__class__}"
    assert page_texts.Texts("ko")("base.days", n=3) == "3일"
    with pytest.raises(KeyError):
        texts("base.nothing")
    assert texts.has("base.days") and not texts.has("base.nothing")


@pytest.mark.parametrize(
    ("cookie", "accepted", "expected"),
    [
        (None, "", "en"),
        (None, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        (None, "de, en;q=0.1, ko;q=0.5", "ko"),
        ("en", "ko", "en"),
        ("../../etc", "ko", "ko"),
        (None, "x" * 100_000, "en"),
    ],
)
def test_the_language_of_a_visitor(cookie: str | None, accepted: str, expected: str) -> None:
    assert page_texts.choose_language(cookie, accepted) == expected
