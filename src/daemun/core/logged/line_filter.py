"""Which lines of a log are wanted, found without reading the values of most of them. Pure."""

import collections
import collections.abc
import dataclasses
import datetime
import re

from daemun.core.logged import error_line, logged_request, request_filter

Found = logged_request.LoggedRequest | error_line.RequestErrorLine | None
OUT_OF_ORDER = datetime.timedelta(minutes=1)
"""Each worker keeps lines back for a second, and a clock may be set: that much older a line may be than those before
it."""


@dataclasses.dataclass(slots=True, kw_only=True)
class LineFilter:
    """Which lines are wanted. passed: how many were not taken because their form has not what the filter looks at, by
    the field; "": it is no form that is known. fits: whether what was read of a line is wanted, too."""

    read: collections.abc.Callable[[bytes], Found]
    requests: request_filter.RequestFilter
    holds: bytes
    fits: collections.abc.Callable[[Found], bool] | None = None
    passed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    _may_be: re.Pattern[bytes] | None = dataclasses.field(init=False, default=None)

    def __post_init__(self) -> None:
        self._may_be = _pattern_of(self.requests)

    def takes(self, line: bytes) -> bool:
        if self.holds not in line or (self._may_be is not None and self._may_be.search(line) is None):
            return False
        if not self.requests.needs and self.fits is None:
            return True
        found = self.read(line)
        request = request_of(found)
        if request is None:
            self.passed[""] += 1
            return False
        if lacking := self.requests.needs - request.fields:
            self.passed.update(lacking)
            return False
        return self.requests.takes(request) and (self.fits is None or self.fits(found))

    def is_before(self, line: bytes) -> bool | None:
        request = request_of(self.read(line))
        if request is None or request.at is None or self.requests.since is None:
            return None
        return request.at < self.requests.since - OUT_OF_ORDER


def request_of(found: Found) -> logged_request.LoggedRequest | None:
    return found.request if isinstance(found, error_line.RequestErrorLine) else found


def _pattern_of(requests: request_filter.RequestFilter) -> re.Pattern[bytes] | None:
    """What every wanted line holds, found many times as fast as its values are read; None: nothing is known."""
    if requests.statuses:
        each = "|".join(str(code) for first, last in requests.statuses for code in range(first, last + 1))
        return re.compile(f"(?<![0-9])(?:{each})(?![0-9])".encode())
    if requests.hosts and not any("*" in host for host in requests.hosts):
        return re.compile("|".join(re.escape(host) for host in requests.hosts).encode(), re.IGNORECASE)
    return None
