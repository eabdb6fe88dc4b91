"""Requests to a fleet's database that end in an answer, or in an error that tells whether something was changed."""

import collections.abc
import threading
import time
import typing

import psycopg

from daemun import errors
from daemun.control import stored_values
from daemun.store.postgresql import database_connections, database_schema, request_texts, server_memory

Row = tuple[typing.Any, ...]
_PAUSE_S = 0.1
READS = frozenset({"read", "list", "changes", "encrypted_otherwise", "nodes", "clock"})
"""They change nothing, wherever their connection ended."""
_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.ReadOnlySqlTransaction)


class DatabaseRequests:
    """Sends what may be sent twice: reads, and changes that know by their id that they were made."""

    def __init__(
        self,
        connections: database_connections.DatabaseConnections,
        memory: server_memory.ServerMemory,
        *,
        quiet_s: float,
        patience_s: float,
    ) -> None:
        """quiet_s: for how long no lock is given in a new epoch. patience_s: a request is sent again for so long."""
        self._connections = connections
        self._memory = memory
        self._quiet_s = quiet_s
        self._patience_s = patience_s
        self._failure: errors.EnvironmentProblemError | None = None
        """Why the database is out of reach; None: it is not, as far as is known."""
        self._trying = threading.Lock()
        self._next_try_s = 0.0

    def send(
        self, name: str, values: collections.abc.Sequence[object] = (), *, patience_s: float | None = None
    ) -> list[Row]:
        """name: in requests.sql. patience_s: None: as usual. Once the database was out of reach for so long, one
        request at a time tries it, once, and for as long as that took none does; others fail at once: they would wait
        for each other, with what they hold, or in a line for what one of them holds.

        Raises: StoreUnreachableError: nothing was changed; OutcomeUnknownError.
        """
        patience_s = self._patience_s if patience_s is None else patience_s
        failure = self._failure
        if failure is None:
            return self._send(name, values, patience_s=patience_s)
        if not self._trying.acquire(blocking=False):
            raise errors.StoreUnreachableError(str(failure))
        try:
            if time.monotonic() < self._next_try_s:
                raise errors.StoreUnreachableError(str(failure))
            return self._send(name, values, patience_s=0.0)
        finally:
            self._trying.release()

    def _send(self, name: str, values: collections.abc.Sequence[object], *, patience_s: float) -> list[Row]:
        until = time.monotonic() + patience_s
        is_unknown = False
        failure: Exception
        while True:
            began_s = time.monotonic()
            try:
                rows = self._try(request_texts.read(name), values)
            except _BrokenError as error:
                is_unknown, failure = name not in READS, error.cause
            except _AGAIN as error:
                if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):  # it became a standby
                    self._connections.drop()
                failure = error
            except psycopg.Error as error:
                raise self._explain(error, is_unknown=is_unknown) from error
            except errors.StoreUnreachableError as error:  # a standby may be about to take its place
                failure = error
            else:
                self._failure = None
                if rows is not None:
                    return rows
                failure = TimeoutError("it is another one at each look")
                until = max(until, time.monotonic() + _PAUSE_S)
            now_s = time.monotonic()
            if now_s >= until or self._connections.is_closed:
                self._next_try_s = now_s + now_s - began_s
                if patience_s and not isinstance(failure, (*_AGAIN, TimeoutError)):
                    self._failure = self._explain(failure, is_unknown=False)
                raise self._explain(failure, is_unknown=is_unknown) from failure
            time.sleep(_PAUSE_S)

    def _try(self, sql: str, values: collections.abc.Sequence[object]) -> list[Row] | None:
        """None: the database is another one, and was looked at; or its tables were those of an older daemun."""
        seen = self._memory.seen
        with self._connections.one() as connection:
            try:
                # Binary: as text, values would be twice as long.
                given = (*values, seen.epoch, seen.rev, seen.change)
                rows = connection.execute(sql, given, binary=True).fetchall()
                if not (rows and rows[0][0]) and seen.sysid:
                    return rows
                server_memory.follow(connection, self._memory, quiet_s=self._quiet_s)
            except psycopg.errors.UndefinedFunction:  # the database was not reached at this daemun's start
                if not database_schema.upgrade(connection):
                    raise
                return None
            except psycopg.Error as error:
                if connection.broken:
                    raise _BrokenError(error) from error
                raise
            except errors.StoreUnreachableError:  # a server that was replaced
                self._connections.drop()
                raise
        return None if rows and rows[0][0] else rows

    @staticmethod
    def _explain(error: BaseException, *, is_unknown: bool) -> errors.EnvironmentProblemError:
        if not is_unknown:
            return error if isinstance(error, errors.StoreUnreachableError) else database_connections.unreachable(error)
        return errors.OutcomeUnknownError(
            "cannot know whether a change was made: the connection to the fleet's database broke and cannot be made "
            f"again ({' '.join(str(error).split())[:200]}); nothing to do, it is read again when the database is back"
        )


class _BrokenError(Exception):
    """The connection ended before the answer came."""

    def __init__(self, cause: psycopg.Error) -> None:
        super().__init__(str(cause))
        self.cause = cause


def expected_revision(change: stored_values.KeyChange) -> int | None:
    """A revision of another store is never the right one."""
    if change.expected is None:
        return None
    if change.expected == stored_values.ABSENT:
        return 0
    return int(change.expected) if change.expected.isdecimal() else -1
