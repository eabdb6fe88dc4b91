"""Uptime of each site, in a file of bounded size (SQLite). Blocking.

Of a day is kept how long the gate was watched, and of each site only what differs from that: a site that is up all the
time costs one row. What is old is judged by the order in which days came, not by the clock, which may jump. When the
file is damaged, it begins anew (`sqlite_files`).

A site that is gone has the last day on which it was served, and how much of that had been watched until then; what is
watched meanwhile is taken from it when it comes back.
"""

import collections.abc
import contextlib
import pathlib
import sqlite3

from daemun import sqlite_files
from daemun.core.uptime import site_condition, watch_account

DAYS = 91
"""Kept: 90, and the one that is not over."""
MOST_BYTES = 128 << 20
MOST_INCIDENTS = 20_000
MOST_OF_A_SITE = 100
MOST_GONE = 20_000
"""Sites that are not served any more."""
REOPENED_S = 60.0
"""An incident that comes back so soon is the same one."""

_VERSION = 1
_SCHEMA = """
CREATE TABLE seen (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL);
CREATE TABLE site (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, first INTEGER NOT NULL, left INTEGER, left_s REAL,
    condition TEXT NOT NULL DEFAULT 'up'
);
CREATE INDEX left_sites ON site (left) WHERE left IS NOT NULL;
CREATE INDEX other_sites ON site (condition) WHERE condition <> 'up';
CREATE TABLE day (id INTEGER PRIMARY KEY AUTOINCREMENT, day INTEGER NOT NULL UNIQUE, watched REAL NOT NULL);
CREATE TABLE part (
    day INTEGER NOT NULL, site INTEGER NOT NULL, degraded REAL NOT NULL, down REAL NOT NULL,
    maintenance REAL NOT NULL, unwatched REAL NOT NULL, longest REAL NOT NULL,
    PRIMARY KEY (day, site)
) WITHOUT ROWID;
CREATE TABLE incident (
    id INTEGER PRIMARY KEY AUTOINCREMENT, site INTEGER NOT NULL, condition TEXT NOT NULL, cause TEXT,
    began REAL NOT NULL, ended REAL, seconds REAL NOT NULL
);
CREATE INDEX incidents_of_site ON incident (site, id);
CREATE INDEX open_incidents ON incident (site) WHERE ended IS NULL;
"""
_WRONG = """
SELECT 1 FROM seen WHERE typeof(at) <> 'real'
UNION ALL SELECT 1 FROM day WHERE typeof(day) <> 'integer' OR day NOT BETWEEN 1 AND 3652059 OR typeof(watched) <> 'real'
UNION ALL SELECT 1 FROM site WHERE typeof(name) <> 'text' OR typeof(first) <> 'integer'
    OR typeof(left) NOT IN ('integer', 'null') OR typeof(left_s) NOT IN ('real', 'null')
    OR condition NOT IN ('up', 'degraded', 'down', 'maintenance', 'not watched')
UNION ALL SELECT 1 FROM part WHERE typeof(degraded) <> 'real' OR typeof(down) <> 'real'
    OR typeof(maintenance) <> 'real' OR typeof(unwatched) <> 'real' OR typeof(longest) <> 'real'
UNION ALL SELECT 1 FROM incident WHERE condition NOT IN ('degraded', 'down', 'maintenance')
    OR typeof(cause) NOT IN ('text', 'null') OR typeof(began) <> 'real' OR typeof(ended) NOT IN ('real', 'null')
    OR typeof(seconds) <> 'real'
LIMIT 1
"""
_ADD = """
INSERT INTO part (day, site, degraded, down, maintenance, unwatched, longest) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, site) DO UPDATE SET degraded = degraded + excluded.degraded, down = down + excluded.down,
    maintenance = maintenance + excluded.maintenance, unwatched = unwatched + excluded.unwatched,
    longest = max(longest, excluded.longest)
"""


class UptimeStore:
    """The SQLite file of uptime. For one thread."""

    def __init__(self, path: pathlib.Path, *, most_bytes: int = MOST_BYTES) -> None:
        """Open or create it. Raises: sqlite_files.DamagedFileError, sqlite3.Error, OSError."""
        self._most_bytes = most_bytes
        self._database = sqlite_files.connect(path)
        try:
            sqlite_files.prepare(self._database, _SCHEMA, _VERSION, find_wrong=_WRONG, wrong="values that cannot be")
        except (sqlite3.Error, sqlite_files.DamagedFileError):
            self.close()
            raise

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def add(
        self,
        account: watch_account.WatchAccount,
        *,
        now_s: float,
        today: int,
        seen: collections.abc.Mapping[str, site_condition.SiteVerdict],
        served: collections.abc.Collection[str] | None,
        is_first: bool = False,
    ) -> None:
        """All of it or nothing. account: since the last time. now_s: since the epoch. today: the number of its day.
        seen: the sites that are not simply up now. served: the names of all sites; None: they are as before. is_first:
        since the daemon started: what is over ended when it was seen last. Raises: sqlite3.Error."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            found = self._database.execute("SELECT at FROM seen").fetchone()
            ended_s = min(float(found[0]), now_s) if is_first and found is not None else now_s
            for day, seconds in account.days.items():
                self._add_day(day, seconds)
            self._add_parts(account.parts)
            if served is not None:
                self._list(set(served), today, ended_s)
            self._note(seen, now_s, ended_s)
            self._database.execute("INSERT OR REPLACE INTO seen (id, at) VALUES (1, ?)", (now_s,))
            self._prune()
        self._database.execute("PRAGMA shrink_memory")

    def _add_day(self, day: int, seconds: float) -> int:
        """Returns: its row."""
        self._database.execute(
            "INSERT INTO day (day, watched) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET watched = watched + ?",
            (day, seconds, seconds),
        )
        return int(self._database.execute("SELECT id FROM day WHERE day = ?", (day,)).fetchone()[0])

    def _add_parts(self, parts: collections.abc.Mapping[tuple[int, str], watch_account.SiteSeconds]) -> None:
        days = {day: self._add_day(day, 0.0) for day in {day for day, _ in parts}}
        for (day, name), part in parts.items():
            site = self._find_site(name)
            if site is None:
                continue
            for column, seconds in (
                (site_condition.Condition.DEGRADED.value, part.degraded),
                (site_condition.Condition.DOWN.value, part.down),
                (site_condition.Condition.MAINTENANCE.value, part.maintenance),
            ):
                if seconds:
                    self._database.execute(
                        "UPDATE incident SET seconds = seconds + ? WHERE site = ? AND ended IS NULL AND condition = ?",
                        (seconds, site, column),
                    )
            longest = self._database.execute(
                "SELECT max(seconds) FROM incident WHERE site = ? AND ended IS NULL AND condition = 'down'", (site,)
            ).fetchone()[0]
            longest_s = max(longest or 0.0, part.down) if part.down else 0.0
            values = (part.degraded, part.down, part.maintenance, part.unwatched, longest_s)
            self._database.execute(_ADD, (days[day], site, *values))

    def _find_site(self, name: str) -> int | None:
        found = self._database.execute("SELECT id FROM site WHERE name = ?", (name,)).fetchone()
        return None if found is None else int(found[0])

    # --- which sites there are -------------------------------------------------------------------------------------

    def _list(self, served: set[str], today: int, ended_s: float) -> None:
        known = {name: left is None for name, left in self._database.execute("SELECT name, left FROM site")}
        last = self._database.execute("SELECT id, watched FROM day ORDER BY id DESC LIMIT 1").fetchone() or (0, 0.0)
        gone = [name for name, is_there in known.items() if is_there and name not in served]
        for name in gone:
            self._end(name, ended_s)
        self._database.executemany(
            "UPDATE site SET left = ?, left_s = ?, condition = 'up' WHERE name = ?", [(*last, name) for name in gone]
        )
        new = sorted(served - known.keys())
        back = sorted(name for name, is_there in known.items() if not is_there and name in served)
        if not new and not back:
            return
        day = self._add_day(today, 0.0)
        watched = self._database.execute("SELECT watched FROM day WHERE id = ?", (day,)).fetchone()[0]
        for name in new:
            self._database.execute("INSERT INTO site (name, first) VALUES (?, ?)", (name, day))
            if watched:
                site = self._database.execute("SELECT last_insert_rowid()").fetchone()[0]
                self._database.execute(_ADD, (day, site, 0.0, 0.0, 0.0, watched, 0.0))
        for name in back:
            self._come_back(name, day)

    def _come_back(self, name: str, day: int) -> None:
        site, left, left_s = self._database.execute(
            "SELECT id, left, left_s FROM site WHERE name = ?", (name,)
        ).fetchone()
        missed = self._database.execute("SELECT id, watched FROM day WHERE id BETWEEN ? AND ?", (left, day)).fetchall()
        for number, watched in missed:
            seconds = watched - (left_s or 0.0) if number == left else watched
            if seconds > 0:
                self._database.execute(_ADD, (number, site, 0.0, 0.0, 0.0, seconds, 0.0))
        self._database.execute("UPDATE site SET left = NULL, left_s = NULL WHERE id = ?", (site,))

    # --- what happened ---------------------------------------------------------------------------------------------

    def _note(
        self, seen: collections.abc.Mapping[str, site_condition.SiteVerdict], now_s: float, ended_s: float
    ) -> None:
        """Begin and end incidents. ended_s: of those that are over."""
        others = self._database.execute("SELECT name FROM site WHERE condition <> 'up' AND left IS NULL").fetchall()
        for (name,) in others:
            if name not in seen:
                self._end(name, ended_s)
                self._database.execute("UPDATE site SET condition = 'up' WHERE name = ?", (name,))
        for name, one in seen.items():
            found = self._database.execute("SELECT id, condition FROM site WHERE name = ?", (name,)).fetchone()
            if found is None:
                continue
            site, before = found
            if before == one.condition.value and (one.condition not in site_condition.BAD or self._has_open(site)):
                continue
            self._end(name, ended_s, but=one.condition.value)
            self._database.execute("UPDATE site SET condition = ? WHERE id = ?", (one.condition.value, site))
            if one.condition in site_condition.BAD and not self._has_open(site):
                self._begin(site, one, now_s)

    def _has_open(self, site: int) -> bool:
        found = self._database.execute("SELECT 1 FROM incident WHERE site = ? AND ended IS NULL", (site,))
        return found.fetchone() is not None

    def _end(self, name: str, ended_s: float, *, but: str = "") -> None:
        """All incidents of a site but those of a condition."""
        self._database.execute(
            "UPDATE incident SET ended = max(began, ?) WHERE ended IS NULL "
            "AND site = (SELECT id FROM site WHERE name = ?) AND condition <> ?",
            (ended_s, name, but),
        )

    def _begin(self, site: int, one: site_condition.SiteVerdict, now_s: float) -> None:
        last = self._database.execute(
            "SELECT id, condition, ended FROM incident WHERE site = ? ORDER BY id DESC LIMIT 1", (site,)
        ).fetchone()
        if last is not None and last[1] == one.condition.value and 0 <= now_s - last[2] <= REOPENED_S:
            self._database.execute("UPDATE incident SET ended = NULL WHERE id = ?", (last[0],))
            return
        self._database.execute(
            "INSERT INTO incident (site, condition, cause, began, seconds) VALUES (?, ?, ?, ?, 0.0)",
            (site, one.condition.value, one.cause, now_s),
        )
        self._database.execute(
            "DELETE FROM incident WHERE site = ? AND ended IS NOT NULL AND id <= "
            "(SELECT id FROM incident WHERE site = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (site, site, MOST_OF_A_SITE),
        )

    # --- bounds ----------------------------------------------------------------------------------------------------

    def _prune(self) -> None:
        count = self._database.execute("SELECT COUNT(*) FROM day").fetchone()[0]
        while count > DAYS or (count > 1 and sqlite_files.used_bytes(self._database) > self._most_bytes):
            oldest = self._database.execute("SELECT id FROM day ORDER BY id LIMIT 1").fetchone()[0]
            self._database.execute("DELETE FROM part WHERE day = ?", (oldest,))
            self._database.execute("DELETE FROM day WHERE id = ?", (oldest,))
            self._forget("SELECT id FROM site WHERE left <= ?", oldest)
            count -= 1
        gone = self._database.execute("SELECT COUNT(*) FROM site WHERE left IS NOT NULL").fetchone()[0]
        if gone > MOST_GONE:
            self._forget("SELECT id FROM site WHERE left IS NOT NULL ORDER BY left, id LIMIT ?", gone - MOST_GONE)
        self._database.execute(
            "DELETE FROM incident WHERE ended IS NOT NULL "
            "AND id <= (SELECT id FROM incident ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (MOST_INCIDENTS,),
        )

    def _forget(self, query: str, number: int) -> None:
        """Sites that are gone. query: finds their rows by the number."""
        for (site,) in self._database.execute(query, (number,)).fetchall():
            self._database.execute("DELETE FROM incident WHERE site = ?", (site,))
            self._database.execute("DELETE FROM part WHERE day IN (SELECT id FROM day) AND site = ?", (site,))
            self._database.execute("DELETE FROM site WHERE id = ?", (site,))


def open_store(path: pathlib.Path) -> tuple[UptimeStore, str | None]:
    """The store, and why an earlier file was set aside, if it was. Raises: sqlite3.Error, OSError."""
    try:
        return UptimeStore(path), None
    except sqlite_files.DamagedFileError as error:
        sqlite_files.set_aside(path)
        try:
            return UptimeStore(path), str(error)
        except sqlite_files.DamagedFileError as again:
            raise OSError(f"a new one cannot be used either: {again}") from again
