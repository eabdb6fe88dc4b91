"""The coming renewals, from what is known of the certificates. Pure: the time is an argument."""

import collections.abc
import dataclasses
import datetime
import enum

from daemun.core import model

_MOST_REPEATS = 500
"""Of one certificate: a CA whose certificates live for minutes is no reason for endless lists."""


class ForecastKind(enum.Enum):
    """RENEW: it is renewed. RETRY: the next try after a failure. ISSUE: the first one is being ordered.
    END: it ends, and daemun does not renew it, because it is a file of the owner."""

    RENEW = "renew"
    RETRY = "retry"
    ISSUE = "issue"
    END = "end"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForecastEvent:
    """One event. at: not before the `now` of the forecast. is_estimated: of a certificate that does not exist yet,
    and will live as long as the one before."""

    at: datetime.datetime
    coming: ForecastKind
    status: model.CertificateStatus
    is_estimated: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """entries: until the end of the forecast, the next one first. unrenewed: the owner's files, whenever they end."""

    entries: tuple[ForecastEvent, ...] = ()
    unrenewed: tuple[ForecastEvent, ...] = ()


def make_forecast(
    statuses: collections.abc.Iterable[model.CertificateStatus], now: datetime.datetime, span: datetime.timedelta
) -> Forecast:
    """What happens from now until `now + span`."""
    entries: list[ForecastEvent] = []
    unrenewed: list[ForecastEvent] = []
    for status in statuses:
        if status.kind is model.CertificateKind.OWN and status.next_attempt is None:
            if status.not_after is not None:
                unrenewed.append(ForecastEvent(at=status.not_after, coming=ForecastKind.END, status=status))
            continue
        entries.extend(_find_entries(status, now, now + span))
    return Forecast(entries=tuple(sorted(entries, key=_order)), unrenewed=tuple(sorted(unrenewed, key=_order)))


def group_by_day(entries: collections.abc.Iterable[ForecastEvent]) -> dict[datetime.date, tuple[ForecastEvent, ...]]:
    """The entries of each day (in UTC) that has some, in order of time."""
    days: dict[datetime.date, tuple[ForecastEvent, ...]] = {}
    for entry in entries:
        day = entry.at.astimezone(datetime.UTC).date()
        days[day] = (*days.get(day, ()), entry)
    return days


def _order(entry: ForecastEvent) -> tuple[datetime.datetime, str]:
    return entry.at, entry.status.name


def _find_entries(
    status: model.CertificateStatus, now: datetime.datetime, end: datetime.datetime
) -> collections.abc.Iterator[ForecastEvent]:
    match status.state:
        case model.CertificateState.PENDING:
            yield ForecastEvent(at=max(status.next_attempt or now, now), coming=ForecastKind.ISSUE, status=status)
            return
        case model.CertificateState.FAILING:
            at = max(status.next_attempt or now, now)
            if at <= end:
                yield ForecastEvent(at=at, coming=ForecastKind.RETRY, status=status)
            return
    if status.renew_at is None:
        return
    at = max(status.renew_at, status.next_attempt or now, now)
    period = status.renew_at - status.not_before if status.not_before is not None else None
    for number in range(_MOST_REPEATS):
        if at > end:
            return
        yield ForecastEvent(at=at, coming=ForecastKind.RENEW, status=status, is_estimated=number > 0)
        if period is None or period <= datetime.timedelta(0):
            return
        at += period
