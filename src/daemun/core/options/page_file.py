"""A file of the owner's that nginx shows visitors in place of a page of the gate."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import NamedFile, Place
from daemun.core.texts import rules, words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """path: absolute. trusted: the part of its folder's path in which links are nobody else's; None: all of it."""

    path: str
    trusted: str | None = None


_ENDING = re.compile(r"\.\w+\Z")


def _check_written(value: object) -> object:
    """A word or a sentence would be a path, too, of a file that is never there."""
    if not isinstance(value, str) or "/" in value or _ENDING.search(value):
        return value
    if forms.hint_flag(value):
        raise ValueError(f"expected a file, found {words.describe(value)}; for the gate's own page, leave it out")
    if value.split() != [value]:
        raise ValueError(f"expected a file, found {words.describe(value)}; put the text in one, such as ./page.html")
    return value


Written = typing.Annotated[forms.File, pydantic.BeforeValidator(_check_written)]
"""The path of a page."""

Replace = collections.abc.Callable[[PageFile], PageFile]


def named(page: PageFile, *below: str) -> NamedFile:
    return NamedFile(path=page.path, below=below, is_watched=True, until="the gate's own page is shown")


def check(page: PageFile, place: Place, *below: str) -> None:
    place.add_value(page.path, rules.check_absolute(page.path), *below)
    if page.path.endswith("/"):
        place.add_value(page.path, "is a folder; name the file in it", *below)
