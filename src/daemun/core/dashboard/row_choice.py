"""Which rows are shown, in which order, and which page of them. Pure."""

import collections.abc
import dataclasses
import datetime
import enum
import typing

from daemun.core import model
from daemun.core.dashboard import lamps, site_row
from daemun.core.traffic import traffic_rates

LONGEST_QUERY = 200
NOT_LIVE = "not-live"
MAINTENANCE = "maintenance"
TROUBLE = "trouble"
"""A state that no site has by itself: one of its lamps is not as it should be."""
HELD_BACK = "held back"
STATES = (*(one.value for one in model.SiteState), HELD_BACK, NOT_LIVE, MAINTENANCE, TROUBLE)
_IN_TROUBLE = frozenset({lamps.Light.BAD, lamps.Light.WARNING})

FindDomain = collections.abc.Callable[[str], str]
"""The registered domain of a host; the host itself where it has none."""


class Sort(enum.Enum):
    """A column. Without one: what is worst comes first, then by name."""

    WORST = "worst"
    NAME = "name"
    STATE = "state"
    ORIGIN = "origin"
    SERVERS = "servers"
    REQUESTS = "requests"
    TIME = "p95"
    ERRORS = "errors"
    BYTES = "bytes"
    CERTIFICATE = "certificate"
    CHANGED = "changed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowChoice:
    """query: a part of a name, target or origin; words apart by spaces must all be there. states: any of STATES.
    origin: a source ("file", "docker"), or what an origin begins with. by_domain: rows of one domain stand together.
    page: from 1."""

    query: str = ""
    states: tuple[str, ...] = ()
    origin: str = ""
    kind: site_row.RowKind | None = None
    by_domain: bool = False
    sort: Sort = Sort.WORST
    descending: bool = False
    page: int = 1
    size: int = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRows:
    """total: of all pages; of_files: the sites of files among them, which can be changed together. domains: of each
    row, where they stand together by domain."""

    total: int
    of_files: int
    page: int
    rows: tuple[site_row.SiteRow, ...]
    domains: tuple[str, ...] = ()


def choose(rows: collections.abc.Iterable[site_row.SiteRow], choice: RowChoice, find_domain: FindDomain) -> ChosenRows:
    """A page beyond the last is the last: rows may have gone meanwhile."""
    found = choose_all(rows, choice)
    found.sort(key=_KEYS[choice.sort], reverse=choice.descending)
    if choice.sort in _NONE_LAST:  # in either direction
        found.sort(key=lambda one: _KEYS[choice.sort](one)[0] == _NOTHING)
    if choice.by_domain:
        found.sort(key=lambda one: _domain_of(one, find_domain))
    pages = max(1, -(-len(found) // choice.size))
    page = min(choice.page, pages)
    shown = tuple(found[(page - 1) * choice.size : page * choice.size])
    domains = tuple(_domain_of(one, find_domain) for one in shown) if choice.by_domain else ()
    return ChosenRows(total=len(found), of_files=sum(map(_is_of_file, found)), page=page, rows=shown, domains=domains)


def choose_all(rows: collections.abc.Iterable[site_row.SiteRow], choice: RowChoice) -> list[site_row.SiteRow]:
    """Of all pages, by name."""
    return sorted((one for one in rows if _is_wanted(one, choice)), key=_by_name)


def _is_of_file(row: site_row.SiteRow) -> bool:
    return row.kind is site_row.RowKind.SITE and row.origin.source == "file"


def _is_wanted(row: site_row.SiteRow, choice: RowChoice) -> bool:
    if choice.kind is not None and row.kind is not choice.kind:
        return False
    if choice.origin and row.origin.source != choice.origin and not str(row.origin).startswith(choice.origin):
        return False
    if choice.states and not any(has_state(row, one) for one in choice.states):
        return False
    return all(word in row.words for word in choice.query.lower().split())


def has_state(row: site_row.SiteRow, state: str) -> bool:
    match state:
        case "not-live":
            return not row.state.is_at_rest
        case "maintenance":
            return row.is_closed
        case "trouble":
            return row.worst in _IN_TROUBLE
        case "held back":
            return row.state is model.SiteState.QUARANTINED
    return row.state.value == state


def _domain_of(row: site_row.SiteRow, find_domain: FindDomain) -> str:
    """Streams stand after sites, together."""
    return find_domain(row.name) if row.kind is site_row.RowKind.SITE else "~"


def _by_name(row: site_row.SiteRow) -> tuple[str, str]:
    return row.name.removeprefix("*."), row.name


Key = tuple[typing.Any, ...]
_NOTHING = float("-inf")
_STATES = (
    model.SiteState.UNREACHABLE,
    model.SiteState.WRONG_CERTIFICATE,
    model.SiteState.QUARANTINED,
    model.SiteState.DEGRADED,
    model.SiteState.PENDING,
    model.SiteState.WAITING,
    model.SiteState.LIVE,
    model.SiteState.DISABLED,
)
_STATE_RANK = {state: rank for rank, state in enumerate(_STATES)}
_LIGHT_RANK = {lamps.Light.BAD: 0, lamps.Light.WARNING: 1, lamps.Light.UNKNOWN: 2, lamps.Light.GOOD: 2}


def _rank(row: site_row.SiteRow) -> Key:
    return _LIGHT_RANK[row.worst], _STATE_RANK[row.state]


def _number(value: float | None) -> Key:
    return (_NOTHING if value is None else value,)


def _rate(row: site_row.SiteRow, read: collections.abc.Callable[[traffic_rates.TrafficRate], float]) -> Key:
    """A site without a rate had no request, which is 0 as it is shown; streams have no requests."""
    if row.rate is not None:
        return _number(read(row.rate))
    return _number(0.0 if row.kind is site_row.RowKind.SITE else None)


def _moment(value: datetime.datetime | None) -> Key:
    return _number(None if value is None else value.timestamp())


_KEYS: dict[Sort, collections.abc.Callable[[site_row.SiteRow], Key]] = {
    Sort.WORST: _rank,
    Sort.NAME: _by_name,
    Sort.STATE: lambda one: (_STATE_RANK[one.state],),
    Sort.ORIGIN: lambda one: (one.origin.source, str(one.origin)),
    Sort.SERVERS: lambda one: _number(one.servers.up / one.servers.total if one.servers.total else None),
    Sort.REQUESTS: lambda one: _rate(one, lambda rate: rate.requests_per_s),
    Sort.TIME: lambda one: _number(one.rate.p95_s if one.rate else None),
    Sort.ERRORS: lambda one: _number(one.error_share),
    Sort.BYTES: lambda one: _rate(one, lambda rate: rate.bytes_out_per_s + rate.bytes_in_per_s),
    Sort.CERTIFICATE: lambda one: _moment(one.certificate.renew_at if one.certificate else None),
    Sort.CHANGED: lambda one: _moment(one.changed.at if one.changed else None),
}
_NONE_LAST = frozenset(
    {Sort.SERVERS, Sort.REQUESTS, Sort.TIME, Sort.ERRORS, Sort.BYTES, Sort.CERTIFICATE, Sort.CHANGED}
)
