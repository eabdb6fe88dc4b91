"""The store of a fleet in a database of a test's own."""

import collections.abc
import contextlib
import datetime
import typing

from daemun.control import ports
from daemun.store import fleet_key
from daemun.store.postgresql import postgresql_store
from tests.support import postgresql

DATABASE = "fleet"
NOW = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
KEY = fleet_key.FleetKey(fleet="0123456789abcdef", keys=((1, bytes(32)),))


@contextlib.contextmanager
def running(
    server: postgresql.Server, **options: typing.Any
) -> collections.abc.Iterator[postgresql_store.PostgresqlStore]:
    """With empty tables. options: of the store."""
    if not server.execute(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
        server.execute(f"CREATE DATABASE {DATABASE}")
    elif server.execute("SELECT to_regclass('daemun.meta')", database=DATABASE) != [(None,)]:
        # A hundred times as fast as new tables.
        sql = "DELETE FROM daemun.item; DELETE FROM daemun.lease; DELETE FROM daemun.node; DELETE FROM daemun.change;"
        sql += "UPDATE daemun.meta SET epoch = 1, rev = 0, cleaned_rev = 0, quiet_until = '-infinity'"
        server.execute(sql, database=DATABASE)
    with another(server.url(DATABASE), **options) as store:
        store.create_tables()
        yield store


@contextlib.contextmanager
def another(
    url: str, *, key: fleet_key.FleetKey = KEY, own: ports.Store | None = None, **options: typing.Any
) -> collections.abc.Iterator[postgresql_store.PostgresqlStore]:
    """Another node's, of a database that has tables."""
    store = postgresql_store.PostgresqlStore(url, key, own=own, **{"quiet_s": 0.0, **options})
    try:
        yield store
    finally:
        store.close()


def pass_time(server: postgresql.Server, seconds: float) -> None:
    """For locks: by the clock of the database."""
    server.execute(f"UPDATE daemun.lease SET expires = expires - interval '{seconds} seconds'", database=DATABASE)
    sql = f"UPDATE daemun.meta SET quiet_until = quiet_until - interval '{seconds} seconds'"
    server.execute(sql, database=DATABASE)
