"""Texts of the pages in English and Korean: texts/LANGUAGE/AREA.toml, the same keys in both."""

import dataclasses
import functools

from daemun import package_data
from daemun.core import visitor_page

LANGUAGES = {"en": "English", "ko": "한국어"}
"""Each by its own name; the first is for browsers that prefer none of them."""

COOKIE = "__Host-daemun-language"
"""The visitor's choice."""


def choose_language(cookie: str | None, accept_language: str) -> str:
    """The visitor's choice; else what the browser prefers. Both may hold anything."""
    if cookie in LANGUAGES:
        return str(cookie)
    return visitor_page.choose_language(accept_language, tuple(LANGUAGES))


def list_areas(language: str) -> tuple[str, ...]:
    """The names of the files of a language, sorted."""
    return package_data.list_names(f"dashboard/texts/{language}", ".toml")


@functools.cache
def read_all(language: str) -> dict[str, str]:
    """AREA.KEY -> text, with `{name}` where values go."""
    return {
        f"{area}.{key}": text
        for area in list_areas(language)
        for key, text in package_data.read_toml(f"dashboard/texts/{language}/{area}.toml").items()
    }


@dataclasses.dataclass(frozen=True, slots=True)
class Texts:
    """`t` of the templates."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        """A text with its values put in; plain, so that Jinja escapes it. With `n` a text KEY_one is for exactly one.

        Raises: KeyError when there is no such text, or it needs a value that is not given.
        """
        texts = read_all(self.language)
        if values.get("n") == 1 and f"{key}_one" in texts:
            key = f"{key}_one"
        return texts[key].format(**values) if values else texts[key]

    def has(self, key: str) -> bool:
        """For words of the API that pages show as they are when there is no text for them."""
        return key in read_all(self.language)
