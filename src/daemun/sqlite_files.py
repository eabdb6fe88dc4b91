"""Files of SQLite that survive crashes and damage. Blocking.

What is damaged is set aside as `FILE.damaged`, and its owner begins anew; what cannot be written now is an
sqlite3.OperationalError, and can be tried again later.
"""

import collections.abc
import contextlib
import os
import pathlib
import sqlite3
import time

from daemun import regular_files

_STEPS = 20_000
"""Of SQLite, some milliseconds, after which it is looked whether a query takes too long."""

_CHECKED_S = 2.0
"""What is there is looked at when it is opened, for so long at most: a damaged part that is written no more would be
met by whoever reads it, each time."""
_DAMAGED = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_WAIT_S = 10.0


class DamagedFileError(Exception):
    """The file is not what it should be."""


def connect(path: pathlib.Path) -> sqlite3.Connection:
    """Open or create it, for its owner alone. Raises: DamagedFileError for what is no file; sqlite3.Error, OSError."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600))
        regular_files.check(path)
    except OSError as error:
        if path.exists() and not path.is_file():
            raise DamagedFileError(str(error)) from error
        raise
    return sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S, check_same_thread=False)


@contextlib.contextmanager
def reading(path: pathlib.Path, *, most_s: float | None = None) -> collections.abc.Iterator[sqlite3.Connection | None]:
    """One view of all that a file holds, whoever writes it meanwhile; nothing is written, and no file is made. None:
    nothing was written into it yet. most_s: so long is waited for who writes, and all queries together may take; None:
    they may take any time. Raises: sqlite3.Error, also when it takes longer; OSError, also when there is no file."""
    until_s = None if most_s is None else time.monotonic() + most_s
    regular_files.check(path)
    wait_s = _WAIT_S if most_s is None else most_s
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=wait_s)) as database:
        if until_s is not None:
            database.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS)
        database.execute("BEGIN")
        is_new = database.execute("PRAGMA user_version").fetchone()[0] == 0
        yield None if is_new else database


def prepare(database: sqlite3.Connection, schema: str, version: int, *, find_wrong: str, wrong: str) -> None:
    """Make the tables where there are none, and look at what there is. find_wrong: a query for a row that cannot be
    there; wrong: what it holds then. Raises: DamagedFileError; sqlite3.Error."""
    try:
        for setting in ("journal_mode = WAL", "synchronous = NORMAL", "journal_size_limit = 4194304"):
            database.execute(f"PRAGMA {setting}")
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            database.executescript(f"BEGIN; {schema} PRAGMA user_version = {version}; COMMIT;")
        elif found != version:
            raise DamagedFileError(f"it is of version {found}, expected {version}")
        _check(database, find_wrong, wrong)
    except sqlite3.Error as error:
        if is_damage(error):
            raise DamagedFileError(str(error)) from error
        raise


def used_bytes(database: sqlite3.Connection) -> int:
    """Without what is free for later rows."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def set_aside(path: pathlib.Path) -> None:
    """Move the file away, to `FILE.damaged`, in place of an earlier one. Raises: OSError."""
    aside = path.with_name(f"{path.name}.damaged")
    if aside.is_dir() and not aside.is_symlink():
        aside.rename(f"{aside}-{os.getpid()}")
    path.replace(aside)
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(f"{path.name}{ending}").unlink()


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it is the file that is wrong, and not that it cannot be read or written now."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


def damage(what: str) -> sqlite3.DatabaseError:
    """As SQLite reports that the file is wrong. what: it holds."""
    error = sqlite3.DatabaseError(f"it holds {what}")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _check(database: sqlite3.Connection, find_wrong: str, wrong: str) -> None:
    until_s = time.monotonic() + _CHECKED_S
    database.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS)
    try:
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise DamagedFileError(str(found))
        if database.execute(find_wrong).fetchone() is not None:
            raise DamagedFileError(f"it holds {wrong}")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
    finally:
        database.set_progress_handler(None, 0)
