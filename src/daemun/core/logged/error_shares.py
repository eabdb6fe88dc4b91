"""How many of a host's requests ended with an error of the server (5xx), counted over the newest lines of the log."""

import collections
import collections.abc
import dataclasses
import datetime

from daemun.core.logged import logged_request

_FIELDS = ("time", "host", "status")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorShare:
    """requests, errors: how many. status: the most frequent of the errors; None: there was none."""

    requests: int
    errors: int
    status: int | None = None

    @property
    def percent(self) -> float:
        return 100 * self.errors / self.requests if self.requests else 0.0


def count(
    lines: collections.abc.Iterable[bytes],
    reader: logged_request.LineReader,
    *,
    since: datetime.datetime,
    most: int,
) -> dict[str, ErrorShare]:
    """By host, as it stands in the log. lines: the newest first. most: no more lines are looked at."""
    requests: collections.Counter[str] = collections.Counter()
    statuses: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for number, line in enumerate(lines):
        if number >= most:
            break
        found = reader.pick(line, _FIELDS)
        if found is None:
            continue
        time, host, status = found
        if time is not None and number % 100 == 0:
            at = logged_request.instant(time)
            if at is not None and at < since:
                break
        if host is None or status is None or not status.isdigit():
            continue
        requests[host] += 1
        if 500 <= int(status) <= 599:
            statuses[host][int(status)] += 1
    return {
        host: ErrorShare(
            requests=number,
            errors=statuses[host].total() if host in statuses else 0,
            status=statuses[host].most_common(1)[0][0] if host in statuses else None,
        )
        for host, number in requests.items()
    }


def add(shares: collections.abc.Iterable[ErrorShare]) -> ErrorShare:
    """Of several names of one site."""
    found = list(shares)
    worst = max(found, key=lambda one: one.errors, default=None)
    return ErrorShare(
        requests=sum(one.requests for one in found),
        errors=sum(one.errors for one in found),
        status=None if worst is None else worst.status,
    )
