"""Fleets of many nodes that are simulated, over one PostgreSQL, in a network namespace of their own: what is sent over
its loopback is theirs alone. `bench.fleet` runs it.

    unshare --net python -m bench.fleet_world INTO FOLDER NODES... [--quick]
"""

import argparse
import base64
import contextlib
import dataclasses
import gc
import json
import multiprocessing
import multiprocessing.connection
import pathlib
import random
import resource
import subprocess
import time
import typing

import psutil

from bench import estate, fleet_node, plan, processes
from daemun.fleet import configuration_values, membership
from daemun.store import file_store
from tests.support import fleet_store, postgresql

SITES = 10_000
_CERTIFICATE_BYTES = 6_000
"""A chain of two and a key, as PEM in JSON."""
_ADVICE = (
    b'{"begins_at": "2027-01-14T02:00:00Z", "ends_at": "2027-01-15T04:00:00Z", "asked_at": "2026-11-30T10:00:00Z"}'
)
_EVENT_S = 400.0
_MOST_AT_ONCE = 10
"""Nodes that read everything at the same time: more have no processor here."""
_STATISTICS_S = 1.5
"""After that the processes of PostgreSQL have told what they did."""
_SETTINGS = {
    "fsync": "on",
    "autovacuum": "on",
    "shared_buffers": "128MB",
    "max_connections": "520",
    "shared_preload_libraries": "pg_stat_statements",
}
_ACCOUNTED = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'fleet'"

Taken = dict[str, dict[str, list[float]]]
"""By what was measured, then by fleet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """So far. at_s: monotonic. sent: bytes over loopback, with the heads of TCP and IP. wal: bytes. server_s, nodes_s:
    on a CPU."""

    at_s: float
    transactions: float
    sent: float
    wal: float
    server_s: float
    nodes_s: float

    def since(self, before: "Look") -> "Look":
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(before), strict=True)
        return Look(**dict(zip(_NAMES, (one - other for one, other in pairs), strict=True)))

    def without(self, rest: "Look") -> "Look":
        """What was more than at rest."""
        part = self.at_s / rest.at_s
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(rest), strict=True)
        found = dict(zip(_NAMES, (max(0.0, one - other * part) for one, other in pairs), strict=True))
        return Look(**{**found, "at_s": self.at_s})


_NAMES = [one.name for one in dataclasses.fields(Look)]


@dataclasses.dataclass(slots=True, kw_only=True)
class _Process:
    process: multiprocessing.process.BaseProcess
    way: multiprocessing.connection.Connection


class World:
    """One fleet. folder: of its nodes' files. disk: what each node has on its disk at a start."""

    def __init__(self, server: postgresql.Server, folder: pathlib.Path, disk: dict[str, bytes]) -> None:
        self._server = server
        self._folder = folder
        self._disk = fleet_node.Disk()
        for key, value in disk.items():
            self._disk.write(key, value)
        gc.collect()
        gc.freeze()  # what is not looked at stays one for all processes
        self._context = multiprocessing.get_context("fork")
        self._nodes: dict[str, _Process] = {}
        self._events: list[fleet_node.Event] = []

    # --- nodes -----------------------------------------------------------------------------------------------------

    def start(self, name: str, text: str, *, has_own_disk: bool = False) -> None:
        """text: what its file has of what the fleet shares. has_own_disk: one of this machine."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True, parents=True)
        url = self._server.url(fleet_store.DATABASE)
        own = f"fleet: {{database: '{url}', key: /key, name: {name}}}\nnode: {{listen: {{http: 80, https: 443}}}}\n"
        if not (folder / "daemun.yaml").exists():
            (folder / "daemun.yaml").write_text(own + text)
        ours, its = self._context.Pipe()
        plot = fleet_node.Plot(name=name, url=url, folder=folder, own=None if has_own_disk else self._disk)
        process = self._context.Process(target=fleet_node.run, args=(plot, its), daemon=True)
        process.start()
        its.close()
        self._nodes[name] = _Process(process=process, way=ours)

    def end(self, name: str) -> None:
        one = self._nodes.pop(name)
        one.way.send(("end",))
        one.process.join(20)
        one.process.kill()
        one.process.join()
        one.way.close()

    def close(self) -> None:
        for one in self._nodes.values():
            one.process.kill()
        for one in self._nodes.values():
            one.process.join()

    def tell(self, name: str, *command: object) -> None:
        self._nodes[name].way.send(command)

    def forget_events(self) -> None:
        self._read(0.0)
        self._events.clear()

    def wait(self, what: str, count: int, *, within_s: float = _EVENT_S) -> float:
        """When the last of so many nodes told it first. Raises: SystemExit."""
        ends_s = time.monotonic() + within_s
        while True:
            first: dict[str, float] = {}
            for one in self._events:
                if one.what == what:
                    first.setdefault(one.node, one.at_s)
            if len(first) >= count:
                return max(first.values())
            if time.monotonic() > ends_s:
                raise SystemExit(f"{what}: {len(first)} of {count} nodes within {within_s:g} s")
            self._read(0.2)

    def _read(self, within_s: float) -> None:
        ways = [one.way for one in self._nodes.values()]
        for way in multiprocessing.connection.wait(ways, timeout=within_s):
            assert isinstance(way, multiprocessing.connection.Connection)
            while way.poll():
                self._events.append(way.recv())

    def wait_seen(self, revision: float) -> float:
        """When all nodes have told that they follow up to there, which they do every two seconds."""
        sql = f"SELECT count(*) FROM daemun.node WHERE seen_rev < {revision:.0f}"
        while self.ask(sql, database=fleet_store.DATABASE):
            time.sleep(0.2)
        return time.monotonic()

    # --- figures ---------------------------------------------------------------------------------------------------

    def look(self) -> Look:
        time.sleep(_STATISTICS_S)
        return Look(
            at_s=time.monotonic(),
            transactions=self.ask(_ACCOUNTED),
            sent=float(psutil.net_io_counters(pernic=True)["lo"].bytes_sent),
            wal=self.ask("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8"),
            server_s=estate.cpu_ns(self._pids()) * 1e-9,
            nodes_s=processes.cpu_s([one.process.pid or 0 for one in self._nodes.values()]),
        )

    def ask(self, sql: str, *, database: str = "postgres") -> float:
        return float(typing.cast("float", self._server.execute(sql, database=database)[0][0]))

    def _pids(self) -> list[int]:
        parent = psutil.Process(self._server.pid)
        return [parent.pid, *(one.pid for one in parent.children(recursive=True))]

    def begin_epoch(self) -> float:
        """As when a standby takes over. Returns: the revision that all nodes get to."""
        sql = (
            "UPDATE daemun.meta SET epoch = epoch + 1, rev = rev + 1;"
            "INSERT INTO daemun.change (rev, id) SELECT rev, gen_random_uuid() FROM daemun.meta"
        )
        self._server.execute(sql, database=fleet_store.DATABASE)
        return self.ask("SELECT rev FROM daemun.meta", database=fleet_store.DATABASE)

    def memory_mib(self) -> float:
        return processes.memory_kb(self._pids()) / 1024

    def connections(self) -> float:
        return self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{fleet_store.DATABASE}'")

    def tell_statements(self) -> None:
        """What was sent since it was told last, for who looks for a cause."""
        sql = (
            "SELECT calls, rows, round(total_exec_time), left(regexp_replace(query, '\\s+', ' ', 'g'), 90) "
            "FROM pg_stat_statements ORDER BY calls DESC LIMIT 8"
        )
        for calls, found, ms, text in self._server.execute(sql, database=fleet_store.DATABASE):
            plan.tell(f"    {calls} calls, {found} rows, {ms} ms: {text}")
        self._server.execute("SELECT pg_stat_statements_reset()", database=fleet_store.DATABASE)


def look_at_one(server: postgresql.Server, folder: pathlib.Path, taken: Taken) -> dict[str, bytes]:
    """A node alone, with a disk of this machine: it joins, and starts once more. Returns: what lies on its disk."""
    world = World(server, folder, {})
    name = "first"
    with contextlib.closing(world):
        for what in ("joins", "starts again"):
            before, began_s = world.look(), time.monotonic()
            world.start(name, _sites(), has_own_disk=True)
            loaded_s = world.wait("loaded", 1) - began_s
            found = world.look().since(before)
            _add(taken, what, "a node", found, s=loaded_s)
            plan.tell(f"{what}: {loaded_s:.2f} s, {found}")
            world.wait("up", 1)
            world.tell_statements()
            world.end(name)
            world.forget_events()
    server.execute("DELETE FROM daemun.node", database=fleet_store.DATABASE)
    store = file_store.FileStore(folder / name / "store")
    own = [key for key in store.list("") if key != configuration_values.KEY_OF_NODE]
    return {key: one.value for key, one in store.read_many(own).found.items()}


def look_at_many(world: World, count: int, taken: Taken, *, is_quick: bool) -> None:
    fleet = f"{count} nodes"
    names = [f"node-{number:03}" for number in range(count)]
    for name in names:
        world.start(name, "sites: {}\n")
        time.sleep(2.0 / count)
    world.wait("up", count)
    plan.tell(f"{fleet}: up")
    time.sleep(2.0 if is_quick else 5.0)
    world.tell_statements()

    before = world.look()
    time.sleep(5.0 if is_quick else 20.0)
    rest = world.look().since(before)
    _add_rest(taken, fleet, rest, count, world)
    plan.tell(f"at rest: {rest}")
    world.tell_statements()

    for number in range(1 if is_quick else 2):
        world.forget_events()
        before, began_s = world.look(), time.monotonic()
        site = f"  site-{count * 10 + number:05}.example.com:\n    max_body:"
        world.tell(names[number], "edit", f"{site} 20m", f"{site} 30m")
        served_s = world.wait("served", count) - began_s
        written_s = world.wait("written", count - 1) - began_s
        found = world.look().since(before).without(rest)
        _add(taken, "edit", fleet, found, s=served_s, written_s=written_s, node_s=found.nodes_s / count)
        plan.tell(f"an edit: served {served_s:.2f} s, written {written_s:.2f} s, {found}")
        world.tell_statements()

    for number in range(1 if is_quick else 3):
        world.forget_events()
        before = world.look()
        world.tell(names[number], "store_certificate", f"site-{number:05}.example.com", _certificate(number + SITES))
        began_s = world.wait("stored", 1)
        live_s = world.wait("certificate", count) - began_s
        found = world.look().since(before).without(rest)
        _add(taken, "certificate", fleet, found, s=live_s, node_s=found.nodes_s / count)
        plan.tell(f"a certificate: {live_s:.2f} s, {found}")
        world.tell_statements()

    if count > _MOST_AT_ONCE:
        return
    before, began_s = world.look(), time.monotonic()
    all_s = world.wait_seen(world.begin_epoch()) - began_s
    found = world.look().since(before).without(rest)
    _add(taken, "epoch", fleet, found, s=all_s, node_s=found.nodes_s / count)
    plan.tell(f"all read everything: {all_s:.1f} s, {found}")
    world.tell_statements()


def _add(taken: Taken, what: str, fleet: str, found: Look, **seconds: float) -> None:
    figures = {
        **seconds,
        "transactions": found.transactions,
        "MiB": found.sent / (1 << 20),
        "server_s": found.server_s,
    }
    for unit, figure in figures.items():
        taken.setdefault(f"{what}, {unit}", {}).setdefault(fleet, []).append(figure)


def _add_rest(taken: Taken, fleet: str, rest: Look, count: int, world: World) -> None:
    figures = {
        "transactions": rest.transactions / rest.at_s,
        "KiB": rest.sent / rest.at_s / 1024,
        "WAL": rest.wal / rest.at_s / 1024,
        "server_ms": rest.server_s / rest.at_s * 1000,
        "node_ms": rest.nodes_s / rest.at_s / count * 1000,
        "memory": world.memory_mib(),
        "connections": world.connections(),
    }
    for unit, figure in figures.items():
        taken.setdefault(f"rest, {unit}", {}).setdefault(fleet, []).append(figure)


def _sites() -> str:
    return "sites:\n" + "".join(
        f"  site-{number:05}.example.com:\n    max_body: 20m\n    /: http://10.0.{number // 250}.{number % 250}:8000\n"
        for number in range(SITES)
    )


def _certificate(number: int) -> bytes:
    drawn = random.Random(number).randbytes(_CERTIFICATE_BYTES * 3 // 4)
    return base64.b64encode(drawn)[:_CERTIFICATE_BYTES]


def _shared_values() -> dict[str, bytes]:
    found = {membership.KEY_IDENTITY: fleet_store.KEY.fleet.encode()}
    for number in range(SITES):
        folder = f"certs/site-{number:05}.example.com"
        found |= {f"{folder}/certificate.json": _certificate(number), f"{folder}/renewal.json": _ADVICE}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("into", type=pathlib.Path, help="a file, which gets the figures as JSON")
    parser.add_argument("folder", type=pathlib.Path, help="where others may enter; for files that are needed meanwhile")
    parser.add_argument("nodes", type=int, nargs="+", help="how many, for each fleet")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    postgresql._SETTINGS |= _SETTINGS
    taken: Taken = {}
    with postgresql.running() as server:
        with fleet_store.running(server) as store:
            server.execute("CREATE EXTENSION pg_stat_statements", database=fleet_store.DATABASE)
            began_s = time.monotonic()
            failed = store.write_all(_shared_values())
            assert not failed, next(iter(failed.values()))
            plan.tell(f"{SITES:,} certificates are stored after {time.monotonic() - began_s:.1f} s")
        disk = look_at_one(server, given.folder, taken)
        for count in given.nodes:
            world = World(server, given.folder / str(count), disk)
            with contextlib.closing(world):
                look_at_many(world, count, taken, is_quick=given.quick)
            server.execute("DELETE FROM daemun.node", database=fleet_store.DATABASE)
        size = "SELECT pg_total_relation_size('daemun.item') / 1048576.0"
        taken["size, MiB"] = {"a node": [float(typing.cast("float", server.execute(size, database="fleet")[0][0]))]}
    given.into.write_text(json.dumps(taken))


if __name__ == "__main__":
    main()
