"""PostgreSQL servers of the tests' own, on loopback or a machine of `fleet_network`, as an account without rights.
Debian package: postgresql.
"""

import collections.abc
import contextlib
import functools
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import typing

import pytest

from tests.support import binaries, fleet_network, other_account, ports, until

if typing.TYPE_CHECKING:  # every test loads this module
    import psycopg

SUPERUSER = "daemun"
# What survives a crash of the machine does not matter: only servers crash. Nothing that runs by itself disturbs.
_SETTINGS = {
    "fsync": "off",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "wal_level": "replica",
    "autovacuum": "off",
    "jit": "off",
}


@functools.cache
def _programs() -> pathlib.Path:
    """Debian has them beside the path, in a folder for each version."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: int(one.parts[-3]))
    return found[-1].parent if found else pathlib.Path(binaries.program("initdb", "postgresql")).parent


def _account() -> dict[str, object]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": other_account.NOBODY, "group": other_account.NOBODY, "extra_groups": []}


def _run(name: str, *arguments: str, folder: pathlib.Path) -> None:
    command = [str(_programs() / name), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **_account())  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr


class Server:
    """One server with its files below `folder`, which must be its account's. machine: None: this one."""

    def __init__(self, folder: pathlib.Path, name: str, machine: fleet_network.Machine | None = None) -> None:
        self._folder = folder
        self._machine = machine
        self._host = "127.0.0.1" if machine is None else machine.address
        self.files = folder / name
        self.port = ports.free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._connections: dict[str, psycopg.Connection[tuple[object, ...]]] = {}

    @property
    def address(self) -> str:
        return f"{self._host}:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process that takes connections."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{SUPERUSER}@{self.address}/{database}"

    def make(self) -> None:
        options = ("-U", SUPERUSER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        _run("initdb", "-D", str(self.files), *options, folder=self._folder)
        with (self.files / "pg_hba.conf").open("a") as rules:  # for those of other machines
            rules.write("host all all samenet trust\nhost replication all samenet trust\n")

    def copy(self, primary: "Server") -> None:
        """A standby of another server, which runs."""
        options = ("-R", "-X", "stream", "-c", "fast", "--no-sync")
        _run("pg_basebackup", "-D", str(self.files), "-d", primary.url(), *options, folder=self._folder)

    def dump(self, database: str) -> pathlib.Path:
        """Of what it has now, for `replace`."""
        file = self._folder / f"{database}.dump"
        _run("pg_dump", "-Fc", "-f", str(file), self.url(database), folder=self._folder)
        return file

    def replace(self, dump: pathlib.Path) -> None:
        """By a server that was made anew at the same address, into which that was restored."""
        self.stop()
        self.files = self._folder / f"{self.files.name}-anew"
        self.make()
        self.start()
        _run("pg_restore", "--create", "-d", self.url(), str(dump), folder=self._folder)

    def start(self) -> None:
        """Returns when it takes connections."""
        settings = [f"--{name}={value}" for name, value in (_SETTINGS | {"listen_addresses": self._host}).items()]
        command = [str(_programs() / "postgres"), "-D", str(self.files), "-p", str(self.port), *settings]
        account = _account()
        if self._machine is not None:  # only root may enter it
            command = [*self._machine.inside, f"--setgid={account['group']}", f"--setuid={account['user']}", *command]
            account = {}
        with (self._folder / f"{self.files.name}.log").open("ab") as log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **account
            )
        until.true(self._takes_connections)

    def _takes_connections(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / f"{self.files.name}.log").read_text()[-2000:]
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url(), connect_timeout=5).close()
            return True
        return False

    def crash(self) -> None:
        """As when its machine loses power, but for what the kernel has."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def execute(self, sql: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        """By a connection that stays."""
        import psycopg

        if database not in self._connections:
            self._connections[database] = psycopg.connect(self.url(database), autocommit=True)
        done = self._connections[database].execute(sql)
        return done.fetchall() if done.description else []


@contextlib.contextmanager
def folder(inside: pathlib.Path | None = None) -> collections.abc.Iterator[pathlib.Path]:
    """For the files of servers: of their account, with a path that it can follow. inside: None: the usual place."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="daemun-postgresql-", dir=inside))
    try:
        if os.geteuid() == 0:
            os.chown(made, other_account.NOBODY, other_account.NOBODY)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def running() -> collections.abc.Iterator[Server]:
    """One server. Skips the test where PostgreSQL is not installed."""
    _programs()
    with folder() as place:
        server = Server(place, "primary")
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgresql_server() -> collections.abc.Iterator[Server]:
    """One for all tests of the process; each makes its own database."""
    with running() as server:
        yield server
