"""Which logged requests are wanted, and how people write that. Pure: the time is an argument."""

import collections.abc
import dataclasses
import datetime
import fnmatch
import re

from daemun.core import value_parsers
from daemun.core.logged import logged_request
from daemun.core.texts import words

UPGRADED = 101
"""A WebSocket: its time is how long it was open, which is no slowness."""

_STATUS = re.compile(
    r"(?:(?P<class>[1-5])xx|(?P<first>[1-5][0-9][0-9])(?:-(?P<last>[1-5][0-9][0-9]))?)\Z", re.IGNORECASE
)
_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_CLOCK = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """What is empty or None takes every request. hosts: names, where `*` stands for anything. path: what it begins
    with. statuses: the first and the last of each range. least_s: a request's time. methods: in capitals. since, until:
    aware."""

    hosts: tuple[str, ...] = ()
    path: str = ""
    statuses: tuple[tuple[int, int], ...] = ()
    least_s: float | None = None
    methods: tuple[str, ...] = ()
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None

    @property
    def needs(self) -> frozenset[str]:
        """The fields of a line that it looks at."""
        wanted = {
            "host": bool(self.hosts),
            "uri": bool(self.path),
            "status": bool(self.statuses),
            "request_time": self.least_s is not None,
            "method": bool(self.methods),
            "time": self.since is not None or self.until is not None,
        }
        return frozenset(field for field, is_needed in wanted.items() if is_needed)

    def takes(self, request: logged_request.LoggedRequest) -> bool:
        return (
            self._is_in_time(request.at)
            and self._has_status(request.status)
            and self._is_slow(request)
            and (not self.hosts or _is_one_of(request.host, self.hosts))
            and (request.uri or "").startswith(self.path)
            and (not self.methods or request.method in self.methods)
        )

    def _is_in_time(self, at: datetime.datetime | None) -> bool:
        if self.since is None and self.until is None:
            return True
        return at is not None and (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def _has_status(self, status: int | None) -> bool:
        return not self.statuses or (status is not None and any(a <= status <= b for a, b in self.statuses))

    def _is_slow(self, request: logged_request.LoggedRequest) -> bool:
        if self.least_s is None:
            return True
        return request.status != UPGRADED and request.request_s is not None and request.request_s >= self.least_s


def parse_statuses(text: str) -> tuple[tuple[int, int], ...]:
    """Of "502", "5xx", "500-504", several with commas. Raises: ValueError."""
    return tuple(_parse_status(part.strip()) for part in text.split(",") if part.strip()) or (_parse_status(text),)


def parse_methods(text: str) -> tuple[str, ...]:
    """Of "POST", several with commas. Raises: ValueError."""
    found = tuple(part.strip().upper() for part in text.split(","))
    if not all(map(_METHOD.fullmatch, found)):
        raise ValueError(f'expected a method such as "POST" or "POST,PUT", found {words.quoted(text)}')
    return found


def parse_moment(text: str, now: datetime.datetime) -> datetime.datetime:
    """Of "1h" (that long ago), "today", "yesterday", "14:30" (the last one), "2026-11-30", "2026-11-30 14:30"; what
    names no zone is in the machine's. now: aware. Raises: ValueError."""
    written = text.strip()
    local = now.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if written in {"today", "yesterday"}:
        return (midnight - datetime.timedelta(days=written == "yesterday")).astimezone()
    if _CLOCK.match(written):
        hour, minute, *second = (int(part) for part in written.split(":"))
        at = midnight.replace(hour=hour, minute=minute, second=second[0] if second else 0)
        return (at - datetime.timedelta(days=at.astimezone() > now)).astimezone()
    try:
        if "-" in written[1:]:
            return datetime.datetime.fromisoformat(written).astimezone()
        return now - datetime.timedelta(seconds=value_parsers.parse_duration(written))
    except (ValueError, OverflowError):
        raise ValueError(
            'expected how long ago ("90s", "30m", "1h", "2d"), or a time such as "14:30", "yesterday", "2026-11-30" or '
            f'"2026-11-30 14:30", found {words.quoted(text)}'
        ) from None


def parse_place(text: str) -> tuple[str, str]:
    """Host and path of "HOST", "HOST/path" or a URL, without its port; the path may be empty."""
    bare = text.strip().partition("://")[2] or text.strip()
    host, slash, path = bare.partition("/")
    name, _, port = (host := host.rpartition("@")[2]).rpartition(":")
    is_port = port.isdigit() and (":" not in name or name.endswith("]"))
    return name if name and is_port else host, f"{slash}{path}"


def _parse_status(text: str) -> tuple[int, int]:
    found = _STATUS.match(text)
    if found is None:
        expected = 'a status such as "502", "5xx", "500-504" or "4xx,5xx"'
        raise ValueError(f"expected {expected}, found {words.quoted(text)}")
    if found["class"]:
        first = int(found["class"]) * 100
        return first, first + 99
    first = int(found["first"])
    last = int(found["last"] or first)
    return min(first, last), max(first, last)


def _is_one_of(host: str | None, wanted: collections.abc.Iterable[str]) -> bool:
    bare = _bare(host)
    return bare is not None and any(bare == one or ("*" in one and fnmatch.fnmatchcase(bare, one)) for one in wanted)


def _bare(host: str | None) -> str | None:
    """As a site is named: without the port that a client may have sent, and in lower case."""
    if host is None:
        return None
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() and not name.endswith(":") else host).lower()
