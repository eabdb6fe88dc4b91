"""A list in pages whose state (search, order, page) is in the address. Pure."""

import collections.abc
import dataclasses
import math
import urllib.parse

MAX_PAGE = 100_000
MAX_SIZE = 200
SIZE = 50


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    key: str
    """What the list is sorted by: a word of the API."""
    label: str
    sortable: bool = True
    number: bool = False
    """Numbers stand right, and are sorted from the highest first."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """One page of a list, and the addresses of the others. Made by `read_list`, completed by `with_total`."""

    path: str
    kept: tuple[tuple[str, str], ...] = ()
    """What else is in the query: search and filters."""
    sort: str = ""
    descending: bool = False
    page: int = 1
    size: int = SIZE
    total: int = 0

    @property
    def pages(self) -> int:
        return max(1, math.ceil(self.total / self.size))

    @property
    def first(self) -> int:
        """The number of the first row that is shown; 0 when there is none."""
        return min(self.total, (self.page - 1) * self.size + 1)

    @property
    def last(self) -> int:
        return min(self.total, self.page * self.size)

    def with_total(self, total: int) -> "ListView":
        return dataclasses.replace(self, total=total)

    def page_url(self, page: int) -> str:
        return self._url(sort=self.sort, descending=self.descending, page=page)

    def sort_url(self, column: Column) -> str:
        """The order by a column; the other way round when it is that already."""
        descending = not self.descending if column.key == self.sort else column.number
        return self._url(sort=column.key, descending=descending, page=1)

    def aria_sort(self, column: Column) -> str:
        if column.key != self.sort:
            return "none"
        return "descending" if self.descending else "ascending"

    def without(self, name: str) -> str:
        """The address with one filter fewer, from the first page."""
        kept = tuple(pair for pair in self.kept if pair[0] != name)
        return dataclasses.replace(self, kept=kept).page_url(1)

    def _url(self, *, sort: str, descending: bool, page: int) -> str:
        query = list(self.kept)
        if sort:
            query.append(("sort", f"-{sort}" if descending else sort))
        if page > 1:
            query.append(("page", str(page)))
        return self.path + ("?" + urllib.parse.urlencode(query) if query else "")


def read_list(
    path: str,
    query: collections.abc.Mapping[str, str],
    *,
    sorts: collections.abc.Collection[str],
    default: str = "",
    filters: collections.abc.Collection[str] = ("q",),
    size: int = SIZE,
) -> ListView:
    """The state in an address. query: may hold anything. default: the order without `sort`; "-KEY": highest first."""
    wanted = query.get("sort", "")
    sort = wanted if wanted.removeprefix("-") in sorts else default
    number = query.get("page", "1")
    page = int(number) if number.isascii() and number.isdigit() and len(number) <= len(str(MAX_PAGE)) else 1
    return ListView(
        path=path,
        kept=tuple((name, query[name][:200]) for name in filters if query.get(name)),
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        page=min(max(page, 1), MAX_PAGE),
        size=min(size, MAX_SIZE),
    )
