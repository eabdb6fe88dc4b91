"""`errors`: pages of the owner's for answers that the gate gives itself (nginx.org/r/error_page), and with
`servers: true` for those of the servers behind it (nginx.org/r/proxy_intercept_errors)."""

import collections.abc
import dataclasses
import typing

import pydantic

from daemun.core.options import forms, page_file
from daemun.core.options.option import Doc, HasOptions, Level, NamedFile, Option, Place
from daemun.core.texts import words

CLASSES = {"4xx": ("403", "404", "405", "413", "429"), "5xx": ("500", "502", "503", "504")}
STATUSES = tuple(status for one in CLASSES.values() for status in one)
"""What nginx answers by itself behind the gate's own rules, and a page can stand for."""
_OF_SERVERS = "servers"
_NEVER_SENT = range(494, 500)
"""Statuses of nginx's own, which no server sends."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPages:
    """pages: by "404", "5xx". What is none of the keys is refused. servers: whether the pages stand for answers of
    servers, too; None: as further out."""

    pages: tuple[tuple[str, page_file.PageFile], ...] = ()
    servers: bool | None = None

    def by_status(self) -> dict[str, page_file.PageFile]:
        """A status itself counts before its class. Those that only servers answer with are among them."""
        found = {status: page for key, page in self.pages for status in CLASSES.get(key, ())}
        return found | {key: page for key, page in self.pages if key not in CLASSES}


def find_servers(*holders: HasOptions) -> bool:
    """Whether pages stand for answers of servers, where these are around, the nearest first."""
    return next((found for one in holders if (found := OPTION.of(one).servers) is not None), False)


def _flag_or_page(value: object, page: collections.abc.Callable[[object], str]) -> bool | str:
    return value if isinstance(value, bool) else page(value)


def _make(value: dict[str, bool | str]) -> ErrorPages:
    servers = None
    pages = []
    for key, path in value.items():
        if isinstance(path, str):
            pages.append((key, page_file.PageFile(path=path)))
        elif key == _OF_SERVERS:
            servers = path
        else:
            raise ValueError(f"{key}: expected a file, found {words.describe(path)}")
    return ErrorPages(pages=tuple(pages), servers=servers)


def _keys(value: object) -> object:
    """YAML's 404 is a number."""
    if not isinstance(value, dict):
        return value
    servers = value.get(_OF_SERVERS, True)
    if not isinstance(servers, bool):
        raise ValueError(  # noqa: TRY004 pydantic's
            f"{_OF_SERVERS}: expected true or false, found {words.describe(servers)}{forms.hint_flag(servers)}"
        )
    return {str(key): one for key, one in value.items()}


def _check(value: ErrorPages, place: Place) -> None:
    for key, page in value.pages:
        if key not in STATUSES and key not in CLASSES and not (value.servers and _is_of_servers(key)):
            place.add(_find_key_cause(key), key)
        page_file.check(page, place, key)
    if value.servers and place.route is not None and (place.route.snippet or place.route.replaced):
        place.add(
            "cannot be true beside hand-written nginx of the route, where `proxy_intercept_errors on` does it; "
            "remove one of them",
            _OF_SERVERS,
        )


def _is_of_servers(key: str) -> bool:
    return key.isdecimal() and len(key) == 3 and 400 <= int(key) <= 599 and int(key) not in _NEVER_SENT


def _find_key_cause(key: str) -> str:
    every = words.listed([*STATUSES, *CLASSES])
    if key == "from":
        return f"is no key; write `{_OF_SERVERS}: true` for pages in place of those of servers"
    if key == "401":
        return (
            "is the answer to whoever is to sign in, which `access` gives; for the one of a server add "
            f"`{_OF_SERVERS}: true`; expected {every}"
        )
    if _is_of_servers(key):
        return (
            f"is no status that the gate itself answers with; for that of a server add `{_OF_SERVERS}: true`; "
            f"expected {every}"
        )
    meant = key.lower()
    hint = f"; write {meant}" if meant in CLASSES and meant != key else ""
    return f"is no status that the gate itself answers with; expected {every}{hint}"


def _files(value: ErrorPages) -> collections.abc.Iterator[NamedFile]:
    yield from (page_file.named(page, key) for key, page in value.pages)


def _pages(value: ErrorPages, replace: page_file.Replace) -> ErrorPages:
    return dataclasses.replace(value, pages=tuple((key, replace(page)) for key, page in value.pages))


OPTION = Option(
    name="errors",
    form=typing.Annotated[
        dict[str, typing.Annotated[page_file.Written, pydantic.WrapValidator(_flag_or_page)]],
        pydantic.AfterValidator(_make),
        pydantic.BeforeValidator(_keys),
        pydantic.WithJsonSchema(
            {
                "type": "object",
                "properties": {
                    **{
                        key: {**forms.TEXT, "description": f"the page for {key}, a file"}
                        for key in (*STATUSES, *CLASSES)
                    },
                    _OF_SERVERS: {**forms.FLAG, "description": "whether they stand for answers of servers, too"},
                },
                "patternProperties": {"^[45][0-9][0-9]$": {**forms.TEXT, "description": "beside `servers: true`"}},
                "additionalProperties": False,
            }
        ),
    ],
    default=ErrorPages(),
    doc=Doc(
        kind="map of statuses, `4xx` and `5xx` to files; `servers: true`",
        default="`{}`",
        meaning="pages of yours for errors of the gate itself, and with `servers: true` for those of servers, see "
        "[nginx.md](nginx.md#error-pages); those of the file, the site and the route add up, and of one status the "
        "nearest counts",
    ),
    levels=frozenset({Level.GATE, Level.SITE, Level.ROUTE}),
    check=_check,
    files=_files,
    pages=_pages,
)
