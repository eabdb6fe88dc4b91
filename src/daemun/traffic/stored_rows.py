"""Rows of the file of sums (`traffic_store`), read with care: what is damaged is an error, and no number. Blocking."""

import json
import pathlib
import sqlite3
import typing

from daemun import sqlite_files
from daemun.core.traffic import traffic_series, traffic_sums
from daemun.traffic import traffic_files

LARGEST = (1 << 63) - 1
_OVER_TIME = """
SELECT span.start, route, server, requests, bytes_out, bytes_in, counts FROM series
CROSS JOIN span CROSS JOIN sums ON sums.span = span.id AND sums.series = series.id
WHERE series.site = ? AND span.seconds = ? AND span.start BETWEEN ? AND ?
"""


class StoredRows(typing.NamedTuple):
    """rows: with the start of the minute or hour of each. positions: how far files were read for them. read_at_s:
    when, since the epoch."""

    rows: tuple[traffic_series.Row, ...] = ()
    positions: tuple[traffic_files.Position, ...] = ()
    read_at_s: float | None = None


def read_over_time(path: pathlib.Path, site: str, *, seconds: int, since_s: float, most_s: float) -> StoredRows:
    """What is kept of a site since then, each minute or hour apart. seconds: of a minute or an hour. Nothing is
    written. most_s: no query takes longer.

    Raises: sqlite3.Error, also when there is no file, or it would take longer; OSError.
    """
    with sqlite_files.reading(path, most_s=most_s) as database:
        if database is None:
            return StoredRows()
        positions, read_at_s = read_marks(database)
        found: list[traffic_series.Row] = []
        for start, route, server, *sums in database.execute(_OVER_TIME, (site, seconds, since_s, LARGEST)):
            if not (isinstance(start, int) and isinstance(route, str) and isinstance(server, str)):
                raise sqlite_files.damage("names that are no text")
            found.append((start, traffic_sums.Series(site, route, server), read_sums(*sums)))
        return StoredRows(tuple(found), positions, read_at_s)


def read_marks(database: sqlite3.Connection) -> tuple[tuple[traffic_files.Position, ...], float | None]:
    rows = database.execute("SELECT inode, head_length, digest, position, read_at FROM file").fetchall()
    for inode, head_length, digest, position, read_at in rows:
        numbers = (inode, head_length, position)
        are_right = all(isinstance(one, int) and 0 <= one <= LARGEST for one in numbers)
        if not (are_right and head_length <= traffic_files.HEAD_BYTES and isinstance(digest, bytes)):
            raise sqlite_files.damage("a position in a file that there cannot be")
        if not isinstance(read_at, int | float):
            raise sqlite_files.damage("a time that is none")
    return tuple(traffic_files.Position(*row[:4]) for row in rows), max((row[4] for row in rows), default=None)


def read_sums(requests: object, bytes_out: object, bytes_in: object, counts: object) -> traffic_sums.Sums:
    """Of a row. SQLite keeps what is written into a column, whatever its type is (sqlite.org/flexnum.html)."""
    try:
        known = json.loads(counts) if isinstance(counts, str) else None
    except ValueError as error:
        raise sqlite_files.damage("counts that are no JSON") from error
    numbers = [requests, bytes_out, bytes_in, *(known.values() if isinstance(known, dict) else ("",))]
    if not isinstance(known, dict) or not all(isinstance(one, int) for one in numbers):
        raise sqlite_files.damage("sums that are no numbers")
    requests, bytes_out, bytes_in = typing.cast(tuple[int, int, int], (requests, bytes_out, bytes_in))
    return traffic_sums.Sums(requests=requests, bytes_out=bytes_out, bytes_in=bytes_in, counts=known)
