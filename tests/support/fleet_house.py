"""Daemuns with one front: each with its own state directory and ports, over one database of the test's."""

import collections
import collections.abc
import contextlib
import dataclasses
import json
import textwrap
import threading
import time

from daemun import settings
from daemun.errors import EnvironmentProblemError
from daemun.fleet import configuration_values, membership, stored_configuration
from daemun.store import file_store, fleet_key
from tests.support import clients, daemon, fleet_store, postgresql

TABLES = ("meta", "item", "change", "lease", "node")
SITES = f"sites:\n{daemon.signpost('a.test', 'one')}"


@dataclasses.dataclass
class FleetHouse:
    """names: of the nodes, in their order."""

    server: postgresql.Server
    nodes: dict[str, daemon.Daemon]
    dns: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By node, what its `fleet` has for `dns`."""

    def __getitem__(self, name: str) -> daemon.Daemon:
        return self.nodes[name]

    def own_part(self, name: str) -> str:
        """Of a node's daemun.yaml."""
        one = self.nodes[name]
        database = self.server.url(fleet_store.DATABASE)
        records = f", dns: {self.dns[name]}" if name in self.dns else ""
        return (
            f"fleet: {{database: '{database}', key: {one.root}/fleet.key, name: {name}{records}}}\n"
            f'node:\n  listen: {{http: "127.0.0.1:{one.http}", https: "127.0.0.1:{one.https}"}}\n'
        )

    def write(self, name: str, shared: str) -> None:
        """As an editor does, with the node's own part in front."""
        self.nodes[name].write_raw(self.own_part(name) + textwrap.dedent(shared))

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.nodes[name].config.read_text()
        assert old in text, text
        self.nodes[name].write_raw(text.replace(old, new))

    def shared(self, name: str) -> str:
        """What a node's file has beside its own part."""
        return self.nodes[name].config.read_text().removeprefix(self.own_part(name))

    def start(self, *names: str) -> None:
        for name in names or self.nodes:
            self.nodes[name].start()
        for name in names or self.nodes:
            self.nodes[name].wait_up()

    def wait_signs(self, host: str, sign: str, *names: str) -> None:
        """Wait until visitors of all nodes see this."""
        for name in names or self.nodes:
            self.nodes[name].wait_sign(host, sign)

    def wait_problem(self, name: str, *words: str) -> str:
        """Wait until a node's status has a problem with these words, and return it."""

        def look() -> str | None:
            found = (str(one["message"]) for one in self.nodes[name].look()["problems"])
            return next((one for one in found if all(word in one for word in words)), None)

        return self.nodes[name].wait(look, f"a problem with {words}")

    def wait_number(self, number: int) -> None:
        """Wait until the fleet serves this revision, or a later one."""

        def look() -> bool:
            with contextlib.suppress(EnvironmentProblemError), fleet_store.another(self.url) as store:
                found = stored_configuration.StoredConfiguration(store, "none").look().current
                return found is not None and found.number >= number
            return False

        daemon.wait_for(look, f"revision {number}")

    def current(self) -> configuration_values.Revision:
        """What the fleet serves."""
        with fleet_store.another(self.url) as store:
            found = stored_configuration.StoredConfiguration(store, "none").look().current
        assert found is not None
        return found

    def forget_revision(self, name: str) -> None:
        """As if an older daemun had followed it. The node's daemon does not run."""
        own, key = file_store.FileStore(self.nodes[name].state / "store"), configuration_values.KEY_OF_NODE
        own.write(key, json.dumps({**json.loads(own.read(key)), "revision": None}).encode())

    def keep_database(self) -> None:
        """Make a copy of all that is in it."""
        self._execute("CREATE SCHEMA IF NOT EXISTS backup")
        for table in TABLES:
            self._execute(f"DROP TABLE IF EXISTS backup.{table}; CREATE TABLE backup.{table} AS TABLE daemun.{table}")

    def put_database_back(self) -> None:
        """As it was when the copy was made."""
        tables = (f"DELETE FROM daemun.{one}; INSERT INTO daemun.{one} SELECT * FROM backup.{one};" for one in TABLES)
        self._execute("".join(tables))

    def pass_time(self) -> None:
        """By the clock of the database's locks, which are not given for a while when it went back."""
        fleet_store.pass_time(self.server, 100)

    def _execute(self, sql: str) -> None:
        self.server.execute(sql, database=fleet_store.DATABASE)

    def wait_files(self) -> str:
        """Wait until the files of all nodes share one text, and return it."""

        def look() -> str | None:
            found = {self.shared(name) for name in self.nodes}
            return found.pop() if len(found) == 1 else None

        return daemon.wait_for(look, "one text in all files")

    @contextlib.contextmanager
    def visited(
        self, host: str, *signs: str, beside: collections.abc.Mapping[str, str] | None = None
    ) -> collections.abc.Iterator[dict[str, collections.Counter[str]]]:
        """Visitors of all nodes, who never see anything but these signs. beside: node -> one that may be seen there,
        too. Yields, for each node, how often each was seen."""
        is_over = threading.Event()
        seen = {name: collections.Counter[str]() for name in self.nodes}

        def visit(name: str) -> None:
            while not is_over.is_set():
                answer = clients.try_get(self.nodes[name].gate, f"https://{host}/")
                found = "no answer" if answer is None else answer.headers.get("Location", str(answer.status_code))
                seen[name][found.removeprefix("https://sign.test/")] += 1
                time.sleep(0.02)

        threads = [threading.Thread(target=visit, args=(name,)) for name in self.nodes]
        for one in threads:
            one.start()
        try:
            yield seen
        finally:
            is_over.set()
            for one in threads:
                one.join()
        for name, found in seen.items():
            assert found.keys() <= {*signs, (beside or {}).get(name, signs[0])}, f"visitors of {name} saw {found}"

    @property
    def url(self) -> str:
        return self.server.url(fleet_store.DATABASE)

    def settings_of(self, name: str) -> settings.Settings:
        return settings.Settings(config=self.nodes[name].config, state=self.nodes[name].state)


@contextlib.contextmanager
def begun(
    server: postgresql.Server, *names: str, dns: collections.abc.Mapping[str, str] | None = None
) -> collections.abc.Iterator[FleetHouse]:
    """Nodes that do not run yet, with their keys."""
    with fleet_store.running(server) as store, contextlib.ExitStack() as stack:
        store.write(membership.KEY_IDENTITY, fleet_store.KEY.fleet.encode())
        nodes = {name: stack.enter_context(daemon.new_daemon()) for name in names}
        house = FleetHouse(server, nodes, dns or {})
        for one in nodes.values():
            key = one.root / "fleet.key"
            key.write_text(fleet_key.encode(fleet_store.KEY))
            key.chmod(0o600)
        yield house


@contextlib.contextmanager
def running(
    server: postgresql.Server,
    *names: str,
    shared: str = SITES,
    dns: collections.abc.Mapping[str, str] | None = None,
) -> collections.abc.Iterator[FleetHouse]:
    """Nodes that serve, the first of which brought the configuration."""
    with begun(server, *names, dns=dns) as house:
        for name in house.nodes:
            house.write(name, shared if name == names[0] else "")
        house.start(names[0])
        house.wait_number(1)
        if names[1:]:
            house.start(*names[1:])
        yield house
