"""Files of SQLite are opened in one place, for who writes and for who reads."""

import pathlib
import sqlite3

import pytest

import daemun
from daemun import sqlite_files

SCHEMA = "CREATE TABLE a (b INTEGER);"
ROOT = pathlib.Path(daemun.__file__).parent


def make(path: pathlib.Path) -> sqlite3.Connection:
    database = sqlite_files.connect(path)
    sqlite_files.prepare(database, SCHEMA, 1, find_wrong="SELECT 1 FROM a WHERE b < 0", wrong="numbers below 0")
    return database


def test_one_place_opens_them() -> None:
    found = {path.name for path in ROOT.rglob("*.py") if "sqlite3.connect(" in path.read_text()}
    assert found == {"sqlite_files.py"}


def test_a_reader_has_one_view_while_another_writes(tmp_path: pathlib.Path) -> None:
    writer = make(tmp_path / "a.db")
    writer.execute("INSERT INTO a VALUES (1)")
    with sqlite_files.reading(tmp_path / "a.db") as database:
        assert database is not None
        for _ in range(2):
            assert database.execute("SELECT count(*) FROM a").fetchone() == (1,)
            writer.execute("INSERT INTO a VALUES (2)")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.execute("INSERT INTO a VALUES (3)")
    writer.close()


def test_what_is_new_and_what_is_not_there(tmp_path: pathlib.Path) -> None:
    sqlite_files.connect(tmp_path / "new.db").close()
    with sqlite_files.reading(tmp_path / "new.db") as database:
        assert database is None
    with pytest.raises(FileNotFoundError), sqlite_files.reading(tmp_path / "none.db"):
        pass
    assert not (tmp_path / "none.db").exists()


def test_queries_end_when_their_time_is_over(tmp_path: pathlib.Path) -> None:
    make(tmp_path / "a.db").close()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with sqlite_files.reading(tmp_path / "a.db", most_s=0.1) as database:
        assert database is not None
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            database.execute(endless).fetchone()
