"""Connections to the database of a fleet. Each request ends within seconds, however its server or the way to it ends:
what is waited for by the kernel has limits of its own, and beyond them the socket is closed.
"""

import collections.abc
import contextlib
import dataclasses
import os
import re
import socket
import threading
import time
import typing

import psycopg
from psycopg import conninfo

from daemun import causes, errors

Connection = psycopg.Connection[tuple[typing.Any, ...]]

MOST = 3
_FRESH_S = 1.0
_RANDOM_HOSTS = 160000
"""Since this version of libpq."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseTimes:
    """connect_s: to one address. statement_s: how long the server works on a request, or waits in one for this client.
    answer_s: after so long without an answer the connection is given up; more than statement_s. take_s: how long one
    is waited for while others use all.
    """

    connect_s: int = 3
    statement_s: float = 5.0
    answer_s: float = 8.0
    take_s: float = 6.0


_NO_TABLES = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction)


def complete(url: str, times: DatabaseTimes) -> str:
    """A URL with what it does not say itself. Raises: ConfigError."""
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # whose words quote the URL, with its password
        raise errors.ConfigError(
            "cannot use `fleet.database`: libpq does not understand the URL; expected "
            "postgresql://USER:PASSWORD@HOST,HOST/DATABASE, where signs of a password other than letters, digits, `-`, "
            "`.`, `_` and `~` are written as %XX (`@` is %40)"
        ) from None
    wanted: dict[str, str | int | None] = {
        "application_name": "daemun",
        "connect_timeout": times.connect_s,
        # Of several hosts the one that is no standby.
        "target_session_attrs": "read-write",
        # keepalives alone notice a dead way only while nothing is sent, tcp_user_timeout only then: both are needed.
        "keepalives": 1,
        "keepalives_idle": 3,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 4000,
    }
    if psycopg.pq.version() >= _RANDOM_HOSTS and "," in str(given.get("host", "")):
        # A server that was replaced and is back must not be the first one for ever.
        wanted["load_balance_hosts"] = "random"
    wanted |= {name: str(value) for name, value in given.items() if value is not None}
    return conninfo.make_conninfo("", **wanted)


class DatabaseConnections:
    """A few that are used again and again, and one more for each who listens.

    Whoever needs one connects, and learns at once whether that works. (psycopg_pool connects in threads of its own,
    later and later after each failure: a request waited for all its time though the server was there again.)
    """

    def __init__(self, url: str, times: DatabaseTimes, *, most: int = MOST) -> None:
        """most: at once, without those who listen."""
        self._url = complete(url, times)
        self.user = str(conninfo.conninfo_to_dict(self._url).get("user") or "ROLE")
        self._times = times
        self._most = most
        self._free = threading.BoundedSemaphore(most)
        self._guard = threading.Lock()
        self._idle: list[tuple[Connection, float]] = []
        self._in_use: set[Connection] = set()
        self.is_closed = False

    @contextlib.contextmanager
    def one(self) -> collections.abc.Iterator[Connection]:
        """For one request, which ends in time. Raises: StoreUnreachableError when there is none; errors of psycopg."""
        self._refuse_closed()
        if not self._free.acquire(timeout=self._times.take_s):
            raise errors.StoreUnreachableError(
                f"cannot reach the fleet's database: {self._most} requests wait for it already"
            )
        try:
            self._refuse_closed()  # while it waited
            connection = self._find_idle() or self._connect()
            try:
                with in_time(connection, self._times.answer_s):
                    yield connection
            finally:
                self._give_back(connection)
        finally:
            self._free.release()

    def listen(self) -> Connection:
        """One that is the caller's. Raises: errors of psycopg."""
        connection: Connection = psycopg.connect(self._url, autocommit=True)
        try:
            with in_time(connection, self._times.answer_s):
                for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    value = f"{self._times.statement_s * 1000:.0f}"
                    connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        except BaseException:
            connection.close()
            raise
        return connection

    def drop(self) -> None:
        """Connect anew: these lead to a server that is not to be used any more."""
        with self._guard:
            idle, self._idle = self._idle, []
            self._in_use.clear()
        for connection, _ in idle:
            connection.close()

    def close(self) -> None:
        with self._guard:
            self.is_closed = True
        self.drop()

    def _refuse_closed(self) -> None:
        if self.is_closed:
            raise errors.StoreUnreachableError("cannot reach the fleet's database: this process ended its connections")

    def _find_idle(self) -> Connection | None:
        """One whose server is still there. A request on one that is dead would leave open what became of it."""
        while True:
            with self._guard:
                if not self._idle:
                    return None
                connection, used_at_s = self._idle.pop()
                self._in_use.add(connection)
            if time.monotonic() - used_at_s < _FRESH_S:
                return connection
            with contextlib.suppress(psycopg.Error), in_time(connection, self._times.answer_s):
                connection.execute("")
                return connection
            with self._guard:
                self._in_use.discard(connection)
            connection.close()

    def _connect(self) -> Connection:
        try:
            connection = self.listen()
        except psycopg.Error as error:
            raise unreachable(error, self.user) from error
        with self._guard:
            self._in_use.add(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        is_idle = connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        with self._guard:
            is_good = connection in self._in_use and is_idle and not self.is_closed
            self._in_use.discard(connection)
            if is_good:
                self._idle.append((connection, time.monotonic()))
        if not is_good:
            connection.close()


@contextlib.contextmanager
def in_time(connection: Connection, seconds: float) -> collections.abc.Iterator[None]:
    """Break the connection when the block takes longer: a server that is stopped (SIGSTOP, a frozen disk) keeps its
    connections alive, and psycopg waits for its answer without end.

    Raises: psycopg.OperationalError: this machine has no descriptor or thread left for that.
    """
    try:
        file = os.dup(connection.pgconn.socket)
    except psycopg.OperationalError:  # it is broken, which the block is to find out
        yield
        return
    except OSError as error:
        raise psycopg.OperationalError(f"this machine refuses: {causes.describe(error)}") from error
    with socket.socket(fileno=file) as way:

        def give_up() -> None:
            with contextlib.suppress(OSError):
                way.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError as error:
            raise psycopg.OperationalError(f"this machine refuses: {error}") from error
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


@contextlib.contextmanager
def explained(user: str) -> collections.abc.Iterator[None]:
    """user: of the URL. Raises: StoreUnreachableError for each error of psycopg."""
    try:
        yield
    except psycopg.Error as error:
        raise unreachable(error, user) from error


_REFUSALS = (
    (
        r"password authentication failed|no password supplied",
        "correct the password in the URL, or set it anew in psql with `ALTER ROLE`; in the URL its signs other than "
        "letters, digits, `-`, `.`, `_` and `~` are written as %XX (`@` is %40)",
    ),
    (
        r'database "(?P<name>[^"]*)" does not exist',
        "create it with `createdb --owner {user} {name}`, run by the account postgres, or correct the URL",
    ),
    (
        r'role "(?P<name>[^"]*)" does not exist',
        "create it with `createuser --pwprompt {name}`, run by the account postgres, or correct the URL",
    ),
    (r"no pg_hba\.conf entry", "allow this machine in the server's pg_hba.conf, and reload PostgreSQL"),
    (
        r"permission denied for database (?P<name>[^\s]+)",
        "make the URL's role its owner: `ALTER DATABASE {name} OWNER TO {user}` in psql, as its superuser",
    ),
    (
        r"permission denied for|must be owner of",
        "give the tables of the schema daemun to the URL's role, or use the role that began the fleet",
    ),
    (
        r"failed to resolve host|could not translate host name",
        "correct the host in the URL, or what this machine asks for names",
    ),
    (r"too many clients|remaining connection slots", "raise `max_connections` of PostgreSQL"),
)
"""Messages of PostgreSQL, or libpq, in English, and what to do. libpq has no codes for errors of connecting, and the
server may say them in any language (`lc_messages`): what is not found here has a cure for all of its kind. Source:
src/backend/utils/init/postinit.c and src/backend/libpq/auth.c of PostgreSQL."""
_BY_CODE = {
    "28P01": "correct the password in the URL, or set it anew in psql with `ALTER ROLE`",
    "28000": "correct the role in the URL, or allow it and this machine in the server's pg_hba.conf",
    "3D000": "create the database, or correct the URL",
    "42501": (
        "make the URL's role the owner of the database (`ALTER DATABASE` in psql, as its superuser) and of the tables "
        "of its schema daemun, or use the role that began the fleet"
    ),
    "53300": "raise `max_connections` of PostgreSQL",
}
"""Source: appendix A of PostgreSQL's manual, error codes."""
_REFUSED_OTHERWISE = (
    "correct the role, its password or the database in the URL, or allow this machine in the server's pg_hba.conf; "
    "the server's own log says more"
)
_SAID_BY_SERVER = re.compile(r"failed: \w+:  ")
"""libpq writes what a server answers with its severity, which is translated, and two spaces."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HINT = re.compile(r"\s+Is the server running .*?connections\?", re.DOTALL)


def unreachable(error: BaseException, user: str = "ROLE") -> errors.StoreUnreachableError:
    """An error of psycopg in words. user: of the URL. Whoever tries again adds that."""
    brief = _brief(error)
    if isinstance(error, _NO_TABLES):
        cause = "the database has no tables of daemun; check that `fleet.database` names the fleet's database"
    elif isinstance(error, psycopg.errors.QueryCanceled):
        cause = "the database takes too long to answer; nothing to do if it is only busy"
    else:
        for pattern, cure in _REFUSALS:
            if (found := re.search(pattern, brief)) is not None:
                # Only words that can be written into a command as they are.
                values = {"user": user, **found.groupdict()}
                told = {name: one if _PLAIN.fullmatch(one) else name.upper() for name, one in values.items()}
                return errors.StoreUnreachableError(
                    f"cannot use the fleet's database: {brief}; {cure.format_map(told)}"
                )
        other = _find_cure(error)
        if other is not None:
            return errors.StoreUnreachableError(f"cannot use the fleet's database: {brief}; {other}")
        cause = f"{brief}; check that PostgreSQL runs and that this machine reaches it"
    return errors.StoreUnreachableError(f"cannot reach the fleet's database: {cause}")


def _find_cure(error: BaseException) -> str | None:
    """Whatever the language is. None: it was not the server that refused."""
    if not isinstance(error, psycopg.Error):
        return None
    if error.sqlstate in _BY_CODE:
        return _BY_CODE[error.sqlstate]
    return _REFUSED_OTHERWISE if _SAID_BY_SERVER.search(str(error)) else None


def _brief(error: BaseException) -> str:
    """In one line, of bounded length. libpq has no password in its messages about a server."""
    text = _HINT.sub("", str(error)).removeprefix("connection failed: ")
    return " ".join(text.split())[:300] or type(error).__name__
