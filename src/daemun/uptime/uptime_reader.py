"""Uptime of all sites, or of some, from the file that the daemon keeps. Blocking, and needs no daemon."""

import collections.abc
import datetime
import pathlib
import sqlite3
import typing

from daemun import causes, errors, sqlite_files
from daemun.core import layout
from daemun.core.uptime import site_condition, uptime_sums

_INCIDENTS = """
SELECT incident.id, name, incident.condition, began, ended, seconds, cause FROM incident
JOIN site ON site.id = incident.site WHERE (ended IS NULL OR ended >= ?) {where} ORDER BY incident.id DESC LIMIT ?
"""
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class _Day(typing.NamedTuple):
    row: int
    watched: float


class _Site(typing.NamedTuple):
    row: int
    name: str
    first: int
    left: int | None
    left_s: float
    condition: str


class _Part(typing.NamedTuple):
    degraded: float
    down: float
    maintenance: float
    unwatched: float
    longest: float


_NO_PART = _Part(0.0, 0.0, 0.0, 0.0, 0.0)


def read(
    paths: layout.Layout,
    today: datetime.date,
    days: int,
    *,
    sites: collections.abc.Collection[str] | None = None,
    most_incidents: int = 100,
) -> uptime_sums.Uptime:
    """Of so many days, of which today is the last. sites: their names; None: all that are served. most_incidents: of
    all of them together. Raises: EnvironmentProblemError."""
    path = pathlib.Path(paths.uptime_store)
    try:
        with sqlite_files.reading(path) as database:
            if database is None:
                return uptime_sums.Uptime(seen_at=None)
            return _read(database, today, days, sites, most_incidents)
    except FileNotFoundError:
        return uptime_sums.Uptime(seen_at=None)
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
        raise errors.EnvironmentProblemError(
            f"cannot read the uptime in {path}: {error}; a damaged file is set aside when `daemun up` starts anew"
        ) from error
    except OSError as error:
        raise errors.EnvironmentProblemError(
            f"cannot read {path}: {causes.describe(error)}; run this as the owner of daemun"
        ) from error


def _read(
    database: sqlite3.Connection,
    today: datetime.date,
    days: int,
    wanted: collections.abc.Collection[str] | None,
    most_incidents: int,
) -> uptime_sums.Uptime:
    seen = database.execute("SELECT at FROM seen").fetchone()
    numbers = range(today.toordinal() - days + 1, today.toordinal() + 1)
    known = {
        day: _Day(row, watched)
        for row, day, watched in database.execute(
            "SELECT id, day, watched FROM day WHERE day BETWEEN ? AND ?", (numbers.start, numbers.stop - 1)
        )
    }
    found = _find_sites(database, wanted)
    rows = {one.row for one in known.values()}
    parts = _read_parts(database, rows, None if wanted is None else [one.row for one in found])
    incidents = _read_incidents(
        database, numbers.start, None if wanted is None else [one.row for one in found], most_incidents
    )
    calendar = [(datetime.date.fromordinal(number), known.get(number)) for number in numbers]
    whole = tuple(uptime_sums.make_day(day, one.watched if one else 0.0) for day, one in calendar)
    least = min(rows, default=0)
    return uptime_sums.Uptime(
        seen_at=None if seen is None else moment(seen[0]),
        sites=tuple(
            uptime_sums.SiteUptime(
                site=one.name,
                condition=_condition_of(one),
                days=whole
                if one.first <= least and one.left is None and one.row not in parts
                else _days_of(one, calendar, parts.get(one.row, {})),
                incidents=tuple(incidents.get(one.name, ())),
            )
            for one in found
        ),
    )


def _find_sites(database: sqlite3.Connection, wanted: collections.abc.Collection[str] | None) -> list[_Site]:
    columns = "SELECT id, name, first, left, coalesce(left_s, 0.0), condition FROM site"
    if wanted is None:
        return [_Site(*row) for row in database.execute(f"{columns} WHERE left IS NULL ORDER BY name")]
    found = (database.execute(f"{columns} WHERE name = ?", (name,)).fetchone() for name in sorted(set(wanted)))
    return [_Site(*row) for row in found if row is not None]


def _read_parts(database: sqlite3.Connection, days: set[int], sites: list[int] | None) -> dict[int, dict[int, _Part]]:
    """By site and day."""
    columns = "SELECT site, day, degraded, down, maintenance, unwatched, longest FROM part"
    found: dict[int, dict[int, _Part]] = {}
    if not days:
        return found
    between = (min(days), max(days))
    if sites is None:
        rows: collections.abc.Iterable[typing.Any] = database.execute(f"{columns} WHERE day BETWEEN ? AND ?", between)
    else:
        rows = (
            row
            for site in sites
            for row in database.execute(
                f"{columns} WHERE day IN (SELECT id FROM day WHERE id BETWEEN ? AND ?) AND site = ?",  # noqa: S608
                (*between, site),
            )
        )
    for site, day, *seconds in rows:
        found.setdefault(site, {})[day] = _Part(*map(float, seconds))
    return found


def _read_incidents(
    database: sqlite3.Connection, first_day: int, sites: list[int] | None, most: int
) -> dict[str, list[uptime_sums.Incident]]:
    since_s = (datetime.date.fromordinal(first_day) - _EPOCH.date()).total_seconds() - 86400
    if sites is None:
        rows = database.execute(_INCIDENTS.format(where="AND site.left IS NULL"), (since_s, most)).fetchall()
    else:
        query = _INCIDENTS.format(where="AND site = ?")
        rows = [row for site in sites for row in database.execute(query, (since_s, site, most))]
        rows = sorted(rows, reverse=True)[:most]
    found: dict[str, list[uptime_sums.Incident]] = {}
    for number, name, condition, began, ended, seconds, cause in rows:
        found.setdefault(name, []).append(
            uptime_sums.Incident(
                number=number,
                site=name,
                condition=site_condition.Condition(condition),
                began=moment(began),
                ended=None if ended is None else moment(ended),
                seconds=float(seconds),
                cause=cause,
            )
        )
    return found


def _condition_of(site: _Site) -> site_condition.Condition:
    is_gone = site.left is not None
    return site_condition.Condition.UNWATCHED if is_gone else site_condition.Condition(site.condition)


def _days_of(
    site: _Site, calendar: list[tuple[datetime.date, _Day | None]], parts: dict[int, _Part]
) -> tuple[uptime_sums.DayUptime, ...]:
    return tuple(_day_of(site, day, one, parts) for day, one in calendar)


def _day_of(site: _Site, day: datetime.date, one: _Day | None, parts: dict[int, _Part]) -> uptime_sums.DayUptime:
    if one is None or one.row < site.first or (site.left is not None and one.row > site.left):
        return uptime_sums.DayUptime(day=day)
    part = parts.get(one.row, _NO_PART)
    watched = site.left_s if one.row == site.left else one.watched
    return uptime_sums.make_day(
        day,
        watched - part.unwatched,
        degraded_s=part.degraded,
        down_s=part.down,
        maintenance_s=part.maintenance,
        longest_outage_s=part.longest,
    )


def moment(at_s: float) -> datetime.datetime:
    """Of seconds since the epoch, which may come from a clock that was wrong. Raises: OverflowError."""
    return _EPOCH + datetime.timedelta(seconds=float(at_s))
