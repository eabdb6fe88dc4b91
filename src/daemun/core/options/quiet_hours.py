"""The hours in which only what is urgent is sent. Pure: the time is an argument.

As with a pager's support hours: what visitors suffer from now is sent at any time, the rest when the quiet time ends;
what is over by then is not sent at all.
"""

import dataclasses
import datetime
import re

_FORM = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\s*-\s*([01]?[0-9]|2[0-3]):([0-5][0-9])\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Of every day, from `begin` to `end`, which may be on the next day. Both are local, and not the same."""

    begin: datetime.time
    end: datetime.time

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


def parse(text: str) -> QuietHours:
    """Of "22:00-07:00". Raises: ValueError."""
    found = _FORM.match(text.strip())
    if found is None:
        raise ValueError('expected hours such as "22:00-07:00"')
    begin, end = datetime.time(int(found[1]), int(found[2])), datetime.time(int(found[3]), int(found[4]))
    if begin == end:
        raise ValueError('expected hours that begin and end at different times, such as "22:00-07:00"')
    return QuietHours(begin=begin, end=end)


def find_end(quiet: QuietHours, now: datetime.datetime, zone: datetime.tzinfo | None) -> datetime.datetime | None:
    """When the quiet time that it is now ends, aware; None: it is not quiet. zone: None: the machine's.

    Where a clock is put forward or back meanwhile, the hours are those that the clock shows.
    """
    local = now.astimezone(zone)
    at = local.time().replace(tzinfo=None)
    is_over_midnight = quiet.end < quiet.begin
    is_quiet = at >= quiet.begin or at < quiet.end if is_over_midnight else quiet.begin <= at < quiet.end
    if not is_quiet:
        return None
    is_next_day = is_over_midnight and at >= quiet.begin
    day = local.date() + datetime.timedelta(days=is_next_day)
    end = datetime.datetime.combine(day, quiet.end)
    return end.astimezone() if zone is None else end.replace(tzinfo=zone)
