"""Lists of the API, page by page: {"total": N, "page": 1, "rows": [...]}."""

import collections.abc
import dataclasses
import typing

from starlette import exceptions

from daemun.web import endpoint

USUAL_SIZE, LARGEST_SIZE = 100, 500
LAST_PAGE = 10**6

QUERY = (
    endpoint.Parameter(name="page", meaning="which page of the list, from 1", kind="integer"),
    endpoint.Parameter(name="size", meaning=f"rows of a page, {LARGEST_SIZE} at most", kind="integer"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """number: from 1."""

    number: int
    size: int

    @property
    def first(self) -> int:
        """The place of its first row, from 0."""
        return (self.number - 1) * self.size

    def cut(self, rows: collections.abc.Sequence[typing.Any]) -> dict[str, typing.Any]:
        """The page of all rows."""
        return self.of(rows[self.first : self.first + self.size], total=len(rows))

    def of(self, rows: collections.abc.Sequence[typing.Any], *, total: int) -> dict[str, typing.Any]:
        """rows: those of the page."""
        return {"total": total, "page": self.number, "rows": list(rows)}


def read(call: endpoint.Call) -> Page:
    """Raises: HTTPException 400."""
    return read_of(call.request.query_params)


def read_of(query: collections.abc.Mapping[str, str]) -> Page:
    """The same of a query. Raises: HTTPException 400."""
    return Page(
        number=read_number(query, "page", 1, most=LAST_PAGE),
        size=read_number(query, "size", USUAL_SIZE, most=LARGEST_SIZE),
    )


def read_number(query: collections.abc.Mapping[str, str], name: str, default: int, *, most: int) -> int:
    """A number above 0 of the query; default: where it is left out, or empty. Raises: HTTPException 400."""
    text = query.get(name) or str(default)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0
    if not 1 <= number <= most:
        raise exceptions.HTTPException(400, f"cannot use the query: {name} must be a number from 1 to {most}")
    return number
