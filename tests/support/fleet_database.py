"""PostgreSQL with a streaming standby, each on a machine of its own."""

import collections.abc
import contextlib
import shutil

from tests.support import fleet_network, fleet_store, postgresql, until

_PATIENCE_S = 600.0


class Pair:
    """primary, standby: as they are at this moment; `promote` changes them. is_synchronous: a commit waits until the
    standby has it, while there is one."""

    def __init__(self, primary: postgresql.Server, standby: postgresql.Server, *, is_synchronous: bool) -> None:
        self._both = (primary, standby)
        self._is_synchronous = is_synchronous
        self.primary, self.standby = primary, standby

    @property
    def url(self) -> str:
        """Of both, as `fleet.database` has it; the order stays."""
        return (
            f"postgresql://{postgresql.SUPERUSER}@{','.join(one.address for one in self._both)}/{fleet_store.DATABASE}"
        )

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        """At the primary, in the fleet's database."""
        return self.primary.execute(sql, database=fleet_store.DATABASE)

    def begin_streaming(self) -> None:
        """The standby has a copy of the primary's files."""
        self.standby.start()
        self.wait_streaming()
        if self._is_synchronous:  # what is promoted does not begin with it: it has no standby
            self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            self.primary.execute("SELECT pg_reload_conf()")
            self._wait("SELECT sync_state FROM pg_stat_replication", "sync")

    def wait_streaming(self) -> None:
        """Until the standby has everything that was committed."""
        sql = "SELECT state FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
        self._wait(sql, "streaming")

    def _wait(self, sql: str, value: object) -> None:
        """Until the primary answers this."""
        until.true(lambda: self.primary.execute(sql) == [(value,)], timeout_s=_PATIENCE_S)

    def promote(self) -> None:
        """The primary is gone; the standby takes its place with what it has."""
        self.primary, self.standby = self.standby, self.primary
        self.primary.execute("SELECT pg_promote()")
        self._wait("SELECT pg_is_in_recovery()", False)

    def follow_anew(self) -> None:
        """What was the primary comes back as a standby, from a copy of what is one now."""
        shutil.rmtree(self.standby.files)
        self.standby.copy(self.primary)
        self.begin_streaming()


@contextlib.contextmanager
def pair(
    network: fleet_network.Network, primary: str, standby: str, *, is_synchronous: bool = False
) -> collections.abc.Iterator[Pair]:
    """On these machines, with tables of a fleet in it."""
    with postgresql.folder(network.folder) as folder:
        servers = [postgresql.Server(folder, name, network.machine(name)) for name in (primary, standby)]
        made = Pair(*servers, is_synchronous=is_synchronous)
        try:
            made.primary.make()
            made.primary.start()
            made.primary.execute(f"CREATE DATABASE {fleet_store.DATABASE}")
            with fleet_store.another(made.primary.url(fleet_store.DATABASE)) as store:
                store.create_tables()
            made.standby.copy(made.primary)
            made.begin_streaming()
            yield made
        finally:
            made.standby.stop()
            made.primary.stop()
