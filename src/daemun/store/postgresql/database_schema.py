"""The tables of a fleet's database, in versions.

A new version first adds (expand): older daemuns go on beside it, with the functions that they know. When every node
knows it, what only older ones needed goes (contract), and an older daemun that comes back is refused. Whoever changes
the tables holds a lock for that transaction, so it happens once.
"""

import collections.abc
import dataclasses
import functools

import psycopg

from daemun import errors, package_data
from daemun.store.postgresql import database_connections

LOCK = 0x6461656D756E
"""For pg_advisory_xact_lock: "daemun"."""

NODE_GONE_S = 7 * 86400.0
"""A node that was not seen for so long does not hold up what waits for all nodes."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """expand, contract: SQL. contract: "" where nothing goes."""

    number: int
    expand: str
    contract: str = ""


@functools.cache
def migrations() -> tuple[Migration, ...]:
    functions = _read("functions_1.sql")
    return (
        Migration(number=1, expand=f"{_read('schema_1.sql')}{functions}"),
        # `changes_1`, and a `commit_1` with fewer notices. Whoever changes a function adds a version as this one.
        Migration(number=2, expand=functions, contract="DROP FUNCTION IF EXISTS daemun.clean_1(float8)"),
    )


def _read(name: str) -> str:
    return package_data.read_bytes(f"store/postgresql/{name}").decode()


def newest() -> int:
    """The version of the tables that this daemun knows."""
    return migrations()[-1].number


def expand(connection: database_connections.Connection, known: tuple[Migration, ...] | None = None) -> None:
    """Make the tables, or add what they lack. Raises: EnvironmentProblemError: only a newer daemun can use them."""
    known = known or migrations()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute("CREATE SCHEMA IF NOT EXISTS daemun")
        found = connection.execute("SELECT to_regclass('daemun.meta') IS NOT NULL").fetchone()
        if found is None or not found[0]:
            connection.execute(known[0].expand)
            connection.execute(
                "INSERT INTO daemun.meta (format, oldest_format, sysid, tli) "
                "SELECT %s, %s, sysid, tli FROM daemun.server_1()",
                (known[0].number, known[0].number),
            )
        current, _ = check(connection, known)
        for one in known:
            if one.number > current:
                connection.execute(one.expand)
                connection.execute("UPDATE daemun.meta SET format = %s", (one.number,))


def upgrade(connection: database_connections.Connection) -> bool:
    """Add what tables that are there lack. Returns: whether they lacked anything. Raises: as `check`."""
    number, _ = check(connection)
    if number >= newest():
        return False
    expand(connection)
    return True


def contract(
    connection: database_connections.Connection,
    formats: collections.abc.Iterable[int],
    known: tuple[Migration, ...] | None = None,
) -> bool:
    """Drop what no node needs any more. formats: the versions that the nodes know. Returns: whether nothing is left
    that could go."""
    known = known or migrations()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        current, oldest = check(connection, known)
        all_know = min((current, *formats))
        for one in known:
            if oldest < one.number <= all_know:
                if one.contract:
                    connection.execute(one.contract)
                connection.execute("UPDATE daemun.meta SET oldest_format = %s", (one.number,))
        return all_know == current


def check(connection: database_connections.Connection, known: tuple[Migration, ...] | None = None) -> tuple[int, int]:
    """Returns: the version of the tables, and the oldest that a daemun must know. Raises: EnvironmentProblemError."""
    try:
        row = connection.execute("SELECT format, oldest_format FROM daemun.meta").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise database_connections.unreachable(error) from error
    if row is None:
        raise errors.EnvironmentProblemError(
            "cannot use the fleet's database: its table daemun.meta is empty; restore the database from a backup"
        )
    known_number = known[-1].number if known else newest()
    if row[1] > known_number:
        raise errors.EnvironmentProblemError(
            f"cannot use the fleet's database: all other machines run a newer daemun (version {row[1]} of the tables, "
            f"this one knows {known_number}); install that version on this machine, too"
        )
    return row[0], row[1]
