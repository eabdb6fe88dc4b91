"""What of `alerts` says which dangers are reported, and when nothing is sent."""

import collections.abc
import dataclasses
import datetime
import enum
import re
import typing
import zoneinfo

import pydantic

from daemun.core import value_parsers
from daemun.core.options import forms, quiet_hours
from daemun.core.texts import words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FreeSpace:
    """How much of a disk must be free: a part of it, or so many bytes; one of the two is None."""

    percent: int | None = None
    size_bytes: int | None = None

    def of(self, total_bytes: int) -> float:
        """In bytes."""
        return self.size_bytes if self.size_bytes is not None else total_bytes * (self.percent or 0) / 100


USUAL_SPACE = FreeSpace(percent=5)
USUAL_S = 300.0
USUAL_PERCENT = 20


class AlertSeverity(enum.Enum):
    """The least that is reported, in nginx's words."""

    LOW = "low"
    MEDIUM = "medium"
    MAJOR = "major"


def _switch(
    default: object, parse: collections.abc.Callable[[object], object]
) -> collections.abc.Callable[[object], object]:
    """A rule is off with false, on as usual with true, and on with a limit of its own."""

    def read(value: object) -> object:
        if isinstance(value, bool):
            return default if value else None
        return parse(value)

    return read


def _parse_space(value: object) -> object:
    expected = 'false, or how much must be free: "5%" or "2g"'
    found = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"[0-9]{1,2}\s*%", found):
        return FreeSpace(percent=int(found.rstrip("% ")))
    try:
        return FreeSpace(size_bytes=value_parsers.parse_size(value))
    except ValueError:
        raise ValueError(f"expected {expected}, found {words.describe(value)}") from None


def _parse_percent(value: object) -> object:
    found = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"[1-9][0-9]?\s*%|100\s*%", found):
        return int(found.rstrip("% "))
    raise ValueError(f'expected true, false, or a share of the requests such as "10%", found {words.describe(value)}')


def _parse_number(value: object) -> object:
    if isinstance(value, int):
        return value
    raise ValueError(f"expected true, false or a number, found {words.describe(value)}")


def _parse_severity(value: object) -> object:
    found = next((one for one in AlertSeverity if one.value == value), None)
    if found is None:
        raise ValueError(f"expected false, low, medium or major, found {words.describe(value)}")
    return found


_BOOLEAN: forms.Json = {"type": "boolean"}


def _or_boolean(*schemas: forms.Json) -> pydantic.WithJsonSchema:
    return pydantic.WithJsonSchema({"anyOf": [_BOOLEAN, *schemas]})


Span = typing.Annotated[
    float | None,
    pydantic.BeforeValidator(_switch(USUAL_S, value_parsers.parse_duration)),
    _or_boolean(*forms.DURATION["anyOf"]),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rules(forms.OptionMap):
    """What is reported; None: it is not.

    sites_s: how long visitors must go without a site. changes_s: how long a change is not live. disk: what must be
    free. old_workers: so many generations or more; 0: as many as `old_workers` allows. nginx: weaknesses at least as
    bad. bans: so many within an hour. fleet: its nodes and its database. errors_percent: of a site's requests.
    """

    meanings: typing.ClassVar[dict[str, str]] = {
        "certificates": "one that cannot be had, or runs out",
        "sites": "visitors go without a site for that long",
        "errors": "such a share of a site's requests got a 5xx, of twenty or more within five minutes",
        "disk": "less than that is free on a disk of the state directory, or it cannot be written",
        "changes": "a change of a source is not live for that long",
        "old_workers": "as many generations of old workers, or more, are left for ten minutes",
        "nginx": "the nginx that serves has a known weakness, at least as bad",
        "bans": "as many addresses were banned within an hour for wrong passwords",
        "fleet": "a machine of the fleet gives no sign of life, or its database is not reached",
    }
    certificates: forms.Flag = True
    sites_s: typing.Annotated[Span, pydantic.Field(alias="sites")] = USUAL_S
    errors_percent: typing.Annotated[
        int | None,
        pydantic.BeforeValidator(_switch(USUAL_PERCENT, _parse_percent)),
        _or_boolean({"type": "string", "pattern": r"^\s*[0-9]{1,3}\s*%\s*$"}),
        pydantic.Field(alias="errors"),
    ] = USUAL_PERCENT
    disk: typing.Annotated[
        pydantic.InstanceOf[FreeSpace] | None,
        pydantic.BeforeValidator(_switch(USUAL_SPACE, _parse_space)),
        _or_boolean({"type": "string"}, {"type": "integer"}),
    ] = USUAL_SPACE
    changes_s: typing.Annotated[Span, pydantic.Field(alias="changes")] = USUAL_S
    old_workers: typing.Annotated[
        int | None, pydantic.BeforeValidator(_switch(0, _parse_number)), _or_boolean({"type": "integer"})
    ] = 0
    nginx: typing.Annotated[
        pydantic.InstanceOf[AlertSeverity] | None,
        pydantic.BeforeValidator(_switch(AlertSeverity.MAJOR, _parse_severity)),
        pydantic.WithJsonSchema({"enum": [True, False, *(one.value for one in AlertSeverity)]}),
    ] = AlertSeverity.MAJOR
    bans: typing.Annotated[
        int | None, pydantic.BeforeValidator(_switch(20, _parse_number)), _or_boolean({"type": "integer"})
    ] = None
    fleet: forms.Flag = True


USUAL_RULES = Rules()

HOURS: forms.Json = {"type": "string", "pattern": r"^\s*[0-9]{1,2}:[0-9]{2}\s*-\s*[0-9]{1,2}:[0-9]{2}\s*$"}


class Urgent(enum.Enum):
    """PASS: what visitors suffer from now is sent at any time. WAIT: it waits, too."""

    PASS = "pass"  # noqa: S105 - no password
    WAIT = "wait"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quiet(forms.OptionMap):
    """hours: of every day. zone: of the IANA's database; None: the machine's."""

    shape: typing.ClassVar[str] = 'hours such as "22:00-07:00", or a map with them'
    meanings: typing.ClassVar[dict[str, str]] = {
        "hours": "of every day, such as 22:00-07:00",
        "zone": "their time zone, such as Europe/Berlin; the machine's",
        "urgent": "pass: what visitors suffer from now is sent at any time; wait: nothing is",
    }
    hours: typing.Annotated[
        pydantic.InstanceOf[quiet_hours.QuietHours],
        pydantic.BeforeValidator(forms.parse_text(quiet_hours.parse)),
        pydantic.WithJsonSchema(HOURS),
    ]
    zone: forms.Text | None = None
    urgent: typing.Annotated[Urgent, forms.choice(Urgent)] = Urgent.PASS

    def find_end(self, now: datetime.datetime) -> datetime.datetime | None:
        """When the quiet time ends that it is now; None: it is not quiet."""
        zone = None if self.zone is None else find_zone(self.zone)
        return quiet_hours.find_end(self.hours, now, zone)


def find_zone(name: str) -> datetime.tzinfo | None:
    """None: this machine knows none of that name. It reads the machine's database of zones."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def read_hours(value: object) -> object:
    return {"hours": value} if isinstance(value, str) else value
