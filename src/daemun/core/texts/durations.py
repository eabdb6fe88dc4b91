"""Spans of time in words for people, and moments as texts. Pure."""

import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def count_days(span: datetime.timedelta) -> int:
    """Whole days; negative for what is over."""
    return int(span.total_seconds() / _DAY)


def describe(span: datetime.timedelta) -> str:
    """ "61 days", "5 hours", "9 minutes", "now": in one unit, rounded down, without a sign."""
    seconds = abs(int(span.total_seconds()))
    for size, word in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        # Two of a unit at least, so that 36 hours are not "1 day".
        if seconds >= 2 * size or (size == _MINUTE and seconds >= size):
            number = seconds // size
            return f"{number} {word}{'' if number == 1 else 's'}"
    return "less than a minute"


def left(until: datetime.datetime, now: datetime.datetime) -> str:
    """ "61 days left", "expired 5 hours ago"."""
    text = describe(until - now)
    return f"{text} left" if until > now else f"expired {text} ago"


def ahead(at: datetime.datetime, now: datetime.datetime) -> str:
    """ "in 9 minutes", "now"."""
    return f"in {describe(at - now)}" if at > now else "now"


def moment(at: datetime.datetime) -> str:
    """ "2026-11-27 08:12 UTC"."""
    return f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def instant(at: datetime.datetime) -> str:
    """ "2026-11-27T08:12:10Z": as all JSON has times (RFC 3339, UTC, whole seconds)."""
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_of(seconds: float) -> str:
    """The same of seconds since the epoch."""
    return instant(datetime.datetime.fromtimestamp(seconds, datetime.UTC))
