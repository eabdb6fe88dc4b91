"""Sums by minute of the last day, and by hour of 90 days, in a file of bounded size (SQLite). Blocking.

What is old is judged by the order in which minutes and hours came, not by the clock, which may jump: the newest stay.
Beyond the largest size, what came first is dropped: minutes, then hours. When the file is damaged, counting begins
anew (`sqlite_files`).
"""

import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import re
import sqlite3

from daemun import sqlite_files
from daemun.core.traffic import error_shares, traffic_sums
from daemun.traffic import stored_rows, traffic_files

MINUTES, HOURS = 24 * 60, 90 * 24
MOST_BYTES = 512 << 20
HOUR_S = 3600

_VERSION = 1
_DAY_S = 24 * HOUR_S
_LARGEST = 1 << 62
"""An exabyte more than SQLite can keep is an error, which would come again each time."""
_REMEMBERED = 1 << 14
"""Of how many series the number is kept in memory."""
_SCHEMA = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY, site TEXT NOT NULL, route TEXT NOT NULL, server TEXT NOT NULL,
    UNIQUE (site, route, server)
);
CREATE TABLE span (
    id INTEGER PRIMARY KEY AUTOINCREMENT, seconds INTEGER NOT NULL, start INTEGER NOT NULL,
    UNIQUE (seconds, start)
);
CREATE TABLE sums (
    span INTEGER NOT NULL, series INTEGER NOT NULL, requests INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL, bytes_in INTEGER NOT NULL, counts TEXT NOT NULL,
    PRIMARY KEY (span, series)
) WITHOUT ROWID;
CREATE TABLE file (
    inode INTEGER PRIMARY KEY, head_length INTEGER NOT NULL, digest BLOB NOT NULL, position INTEGER NOT NULL,
    read_at REAL NOT NULL
);
"""
_ADD = """
INSERT INTO sums (span, series, requests, bytes_out, bytes_in, counts) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (span, series) DO UPDATE SET requests = requests + excluded.requests,
    bytes_out = bytes_out + excluded.bytes_out, bytes_in = bytes_in + excluded.bytes_in,
    counts = merged(counts, excluded.counts)
"""
_USED = """
SELECT site, route, server, requests, bytes_out, bytes_in, counts FROM span
JOIN sums ON sums.span = span.id JOIN series ON series.id = sums.series
WHERE span.seconds = ? AND span.start BETWEEN ? AND ?
"""

_FAILED = """
SELECT site, counts FROM span JOIN sums ON sums.span = span.id JOIN series ON series.id = sums.series
WHERE span.seconds = ? AND span.start BETWEEN ? AND ? AND counts GLOB '*"5[0-9][0-9]":*'
"""
_REQUESTS = """
SELECT site, SUM(requests) FROM span JOIN sums ON sums.span = span.id JOIN series ON series.id = sums.series
WHERE span.seconds = ? AND span.start BETWEEN ? AND ? GROUP BY site
"""
_ERROR = re.compile(r'"(5[0-9][0-9])":([0-9]+)')
"""In what `_write` makes of counts: to read all of each takes several times as long."""
_WRONG = """
SELECT 1 FROM sums WHERE typeof(requests) <> 'integer' OR typeof(bytes_out) <> 'integer'
    OR typeof(bytes_in) <> 'integer' OR typeof(counts) <> 'text' OR NOT json_valid(counts)
    OR json_type(counts) <> 'object' OR EXISTS (SELECT 1 FROM json_each(counts) WHERE type <> 'integer')
UNION ALL
SELECT 1 FROM series WHERE typeof(site) <> 'text' OR typeof(route) <> 'text' OR typeof(server) <> 'text' LIMIT 1
"""


class TrafficStore:
    """The SQLite file of sums. For one thread."""

    def __init__(self, path: pathlib.Path, *, most_bytes: int = MOST_BYTES) -> None:
        """Open or create it. Raises: sqlite_files.DamagedFileError, sqlite3.Error, OSError."""
        self._path = path
        self._database = sqlite_files.connect(path)
        self._database.create_function("merged", 2, _merge, deterministic=True)
        self._most_bytes = most_bytes
        try:
            wrong = "sums that are no numbers"
            sqlite_files.prepare(self._database, _SCHEMA, _VERSION, find_wrong=_WRONG, wrong=wrong)
        except (sqlite3.Error, sqlite_files.DamagedFileError):
            self.close()
            raise
        self._series: dict[traffic_sums.Series, int] = {}

    def is_there(self) -> bool:
        """Whether the file is still there."""
        return self._path.exists()

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def read_marks(self) -> tuple[tuple[traffic_files.Position, ...], float | None]:
        """How far files were read, and when, in seconds since the epoch; None: never. Raises: sqlite3.Error."""
        return stored_rows.read_marks(self._database)

    def add(
        self,
        sums: collections.abc.Mapping[traffic_sums.Key, traffic_sums.Sums],
        positions: collections.abc.Iterable[traffic_files.Position],
        now_s: float,
    ) -> None:
        """All of it or nothing. positions: of all files there are. now_s: since the epoch. Raises: sqlite3.Error."""
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                for seconds, found in ((traffic_sums.MINUTE_S, sums), (HOUR_S, _by_hour(sums))):
                    self._add(seconds, found)
                self._database.execute("DELETE FROM file")
                self._database.executemany(
                    "INSERT INTO file (inode, head_length, digest, position, read_at) VALUES (?, ?, ?, ?, ?)",
                    [(one.inode, one.head_length, one.digest, one.offset, now_s) for one in positions],
                )
                self._prune()
        except sqlite3.Error:
            self._series.clear()
            raise

    def _add(self, seconds: int, sums: collections.abc.Mapping[traffic_sums.Key, traffic_sums.Sums]) -> None:
        starts = {start for start, _ in sums}
        for start in sorted(starts):
            self._database.execute("INSERT OR IGNORE INTO span (seconds, start) VALUES (?, ?)", (seconds, start))
        spans = {
            start: self._database.execute(
                "SELECT id FROM span WHERE seconds = ? AND start = ?", (seconds, start)
            ).fetchone()[0]
            for start in starts
        }
        self._database.executemany(
            _ADD,
            [
                (
                    spans[start],
                    self._number(series),
                    *(min(number, _LARGEST) for number in (one.requests, one.bytes_out, one.bytes_in)),
                    _write(one.counts),
                )
                for (start, series), one in sums.items()
            ],
        )

    def _number(self, series: traffic_sums.Series) -> int:
        number = self._series.get(series)
        if number is None:
            if len(self._series) >= _REMEMBERED:
                self._series.clear()
            self._database.execute("INSERT OR IGNORE INTO series (site, route, server) VALUES (?, ?, ?)", series)
            found = self._database.execute("SELECT id FROM series WHERE (site, route, server) = (?, ?, ?)", series)
            number = self._series[series] = int(found.fetchone()[0])
        return number

    def _prune(self) -> None:
        """Leave out what is too old, or too much."""
        for seconds, most in ((traffic_sums.MINUTE_S, MINUTES), (HOUR_S, HOURS)):
            count = self._database.execute("SELECT COUNT(*) FROM span WHERE seconds = ?", (seconds,)).fetchone()[0]
            self._drop(seconds, count - most)
        while sqlite_files.used_bytes(self._database) > self._most_bytes:
            if not any(self._drop(seconds, 10) for seconds in (traffic_sums.MINUTE_S, HOUR_S)):
                break

    def _drop(self, seconds: int, most: int) -> int:
        """The spans that came first, but never the one that is counted in now. Returns: how many."""
        if most <= 0:
            return 0
        found = self._database.execute(
            "SELECT id, start FROM span WHERE seconds = ? ORDER BY id LIMIT ?", (seconds, most + 1)
        ).fetchall()
        dropped = [(number,) for number, _ in found[:most][: len(found) - 1]]
        days = {start // _DAY_S for _, start in found[: len(dropped) + 1]}
        self._database.executemany("DELETE FROM sums WHERE span = ?", dropped)
        self._database.executemany("DELETE FROM span WHERE id = ?", dropped)
        if dropped and seconds == HOUR_S and len(days) > 1:  # once a day, as it looks at every row
            self._database.execute("DELETE FROM series WHERE id NOT IN (SELECT series FROM sums)")
            self._series.clear()
        return len(dropped)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredTraffic:
    """sums: since the time that was queried. positions: how far files were read for them. read_at_s: when."""

    sums: tuple[tuple[traffic_sums.Series, traffic_sums.Sums], ...] = ()
    positions: tuple[traffic_files.Position, ...] = ()
    read_at_s: float | None = None


def read(path: pathlib.Path, since_s: float, now_s: float) -> StoredTraffic:
    """What is kept since then, by minutes if that is within a day, and else by hours. Nothing is written.

    Raises: sqlite3.Error, also when there is no file; OSError.
    """
    seconds = traffic_sums.MINUTE_S if now_s - since_s <= MINUTES * traffic_sums.MINUTE_S else HOUR_S
    with sqlite_files.reading(path) as database:
        if database is None:
            return StoredTraffic()
        positions, read_at_s = stored_rows.read_marks(database)
        sums = _read_used(database, (seconds, since_s - since_s % seconds, now_s + HOUR_S))
        return StoredTraffic(sums=sums, positions=positions, read_at_s=read_at_s)


def read_hour(path: pathlib.Path, start: int) -> tuple[tuple[traffic_sums.Series, traffic_sums.Sums], ...]:
    """What is kept of the hour that begins then. Nothing is written. Raises: as `read`."""
    with sqlite_files.reading(path) as database:
        return () if database is None else _read_used(database, (HOUR_S, start, start))


def _read_used(
    database: sqlite3.Connection, within: tuple[int, float, float]
) -> tuple[tuple[traffic_sums.Series, traffic_sums.Sums], ...]:
    found: dict[traffic_sums.Series, traffic_sums.Sums] = {}
    for site, route, server, *sums in database.execute(_USED, within):
        if not (isinstance(site, str) and isinstance(route, str) and isinstance(server, str)):
            raise sqlite_files.damage("names that are no text")
        series = traffic_sums.Series(site, route, server)
        found.setdefault(series, traffic_sums.Sums()).add(stored_rows.read_sums(*sums))
    return tuple(found.items())


def count_errors(
    path: pathlib.Path, since_s: float, now_s: float, *, most_s: float
) -> dict[str, error_shares.ErrorShare]:
    """By site, in the minutes that began since then. Nothing is written. most_s: no query takes longer.

    Raises: sqlite3.Error, also when it would take longer; OSError.
    """
    with sqlite_files.reading(path, most_s=most_s) as database:
        if database is None:
            return {}
        within = (traffic_sums.MINUTE_S, since_s, now_s + HOUR_S)
        errors = [
            (site, int(status), int(count))
            for site, counts in database.execute(_FAILED, within)
            for status, count in _ERROR.findall(counts)
        ]
        return error_shares.gather(errors, database.execute(_REQUESTS, within) if errors else ())


def open_store(path: pathlib.Path) -> tuple[TrafficStore, str | None]:
    """The store, and why an earlier file was set aside, if it was. Raises: sqlite3.Error, OSError."""
    try:
        return TrafficStore(path), None
    except sqlite_files.DamagedFileError as error:
        sqlite_files.set_aside(path)
        try:
            return TrafficStore(path), str(error)
        except sqlite_files.DamagedFileError as again:
            raise OSError(f"a new one cannot be used either: {again}") from again


def _merge(one: str, other: str) -> str:
    counts = json.loads(one)
    traffic_sums.merge_counts(counts, json.loads(other))
    return _write(counts)


def _write(counts: collections.abc.Mapping[str, int]) -> str:
    return json.dumps(counts, separators=(",", ":"))


def _by_hour(
    sums: collections.abc.Mapping[traffic_sums.Key, traffic_sums.Sums],
) -> dict[traffic_sums.Key, traffic_sums.Sums]:
    found: dict[traffic_sums.Key, traffic_sums.Sums] = {}
    for (start, series), one in sums.items():
        found.setdefault((start - start % HOUR_S, series), traffic_sums.Sums()).add(one)
    return found
