"""`errors`: pages of the owner's for answers that the gate gives itself (nginx.org/r/error_page)."""

import collections.abc
import dataclasses
import typing

import pydantic

from daemun.core.options import forms, page_file
from daemun.core.options.option import Doc, Level, NamedFile, Option, Place
from daemun.core.texts import words

CLASSES = {"4xx": ("403", "404", "405", "413", "429"), "5xx": ("500", "502", "503", "504")}
STATUSES = tuple(status for one in CLASSES.values() for status in one)
"""What nginx answers by itself behind the gate's own rules, and a page can stand for."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPages:
    """pages: by "404", "5xx". What is none of the keys is refused."""

    pages: tuple[tuple[str, page_file.PageFile], ...] = ()

    def by_status(self) -> dict[str, page_file.PageFile]:
        """A status itself counts before its class."""
        found = {status: page for key, page in self.pages for status in CLASSES.get(key, ())}
        return found | {key: page for key, page in self.pages if key not in CLASSES}


def _make(value: dict[str, str]) -> ErrorPages:
    return ErrorPages(pages=tuple((key, page_file.PageFile(path=path)) for key, path in value.items()))


def _keys(value: object) -> object:
    """YAML's 404 is a number."""
    return {str(key): one for key, one in value.items()} if isinstance(value, dict) else value


def _check(value: ErrorPages, place: Place) -> None:
    for key, page in value.pages:
        if key not in STATUSES and key not in CLASSES:
            place.add(_find_key_cause(key), key)
        page_file.check(page, place, key)


def _find_key_cause(key: str) -> str:
    every = words.listed([*STATUSES, *CLASSES])
    if key == "401":
        return f"is the answer to whoever is to sign in, which `access` gives; expected {every}"
    meant = key.lower()
    hint = f"; write {meant}" if meant in CLASSES and meant != key else ""
    return f"is no status that the gate itself answers with; expected {every}{hint}"


def _files(value: ErrorPages) -> collections.abc.Iterator[NamedFile]:
    yield from (page_file.named(page, key) for key, page in value.pages)


def _pages(value: ErrorPages, replace: page_file.Replace) -> ErrorPages:
    return ErrorPages(pages=tuple((key, replace(page)) for key, page in value.pages))


OPTION = Option(
    name="errors",
    form=typing.Annotated[
        dict[str, page_file.Written],
        pydantic.AfterValidator(_make),
        pydantic.BeforeValidator(_keys),
        pydantic.WithJsonSchema(
            {
                "type": "object",
                "properties": {
                    key: {**forms.TEXT, "description": f"the page for {key}, a file"} for key in (*STATUSES, *CLASSES)
                },
                "additionalProperties": False,
            }
        ),
    ],
    default=ErrorPages(),
    doc=Doc(
        kind="map of statuses, `4xx` and `5xx` to files",
        usual="`{}`",
        meaning="pages of yours for errors of the gate itself, see [nginx.md](nginx.md#error-pages); those of the "
        "file, the site and the route add up, and of one status the nearest counts",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    check=_check,
    files=_files,
    pages=_pages,
)
