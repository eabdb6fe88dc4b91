"""What a fleet costs its database: nodes that beat and follow what is shared, against one real PostgreSQL.

    unshare --net sh -c 'ip link set lo up && .venv/bin/python -m bench.heartbeats --nodes 100 --seconds 60'

Each node is what the daemon has: a store of PostgreSQL's with its connections and its listener, a heartbeat every two
seconds that also reads the others, and a follower of all keys. They live in this process, as threads; the server is a
process of its own, durable (fsync), with 16 MB of shared buffers. In a network namespace of its own all that is sent
over loopback is theirs. Figures are printed; docs/fleet.md has them.
"""

import argparse
import asyncio
import collections.abc
import contextlib
import datetime
import resource
import statistics
import threading
import time
import typing

import psutil

from daemun.control import stored_values
from daemun.core.fleet import node_about, node_states
from daemun.store.postgresql import postgresql_store
from tests.support import fleet_store, postgresql

_WARM_S = 10.0
_CHANGES = 20
_SITE_BYTES = 4000
"""About a certificate with its chain."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    postgresql._SETTINGS |= {"fsync": "on", "max_connections": str(given.nodes * 4 + 20), "autovacuum": "on"}
    with postgresql.running() as server, fleet_store.running(server) as first:
        nodes = [Node(server.url(fleet_store.DATABASE), f"node-{number:03}") for number in range(given.nodes)]
        with contextlib.ExitStack() as stack:
            for index, node in enumerate(nodes):
                stack.enter_context(node.running(after_s=node_states.BEAT_S * index / len(nodes)))
            _tell(f"{given.nodes} nodes are up")
            time.sleep(_WARM_S)
            rest = measure(server, given.seconds)
            _tell(f"at rest: {rest}")
            spans = [_change(first, nodes, number) for number in range(_CHANGES)]
            _tell(
                f"a change of one value of {_SITE_BYTES} bytes, until the last node has read it: median "
                f"{statistics.median(spans):.2f} s, longest of {len(spans)}: {max(spans):.2f} s"
            )
            late = [node.latest_s for node in nodes]
            _tell(
                f"the longest heartbeat of each node: median {statistics.median(late) * 1000:.0f} ms, "
                f"longest {max(late) * 1000:.0f} ms; all nodes share one Python process"
            )


class Node:
    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.store = postgresql_store.PostgresqlStore(url, fleet_store.KEY, owner=name)
        self.latest_s = 0.0
        self._is_over = threading.Event()
        self._seen = stored_values.Cursor(revision=0, epoch=-1)
        self.keys: dict[str, float] = {}
        self._about = node_about.encode(
            node_about.NodeAbout(
                version="1.0.0",
                process="0123456789abcdef0123456789abcdef",
                addresses=("203.0.113.7", "2001:db8::7"),
                listen=("*:80", "*:443"),
                revision=12,
                started_at=datetime.datetime.now(datetime.UTC),
            )
        )

    @contextlib.contextmanager
    def running(self, *, after_s: float) -> collections.abc.Iterator[None]:
        threads = [
            threading.Thread(target=self._beat, args=(after_s,), daemon=True),
            threading.Thread(target=lambda: asyncio.run(self._follow()), daemon=True),
        ]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            self._is_over.set()

    def _beat(self, after_s: float) -> None:
        time.sleep(after_s)
        is_first = True
        while not self._is_over.is_set():
            began_s = time.monotonic()
            stamp, changed_s = time.time_ns() // 10**6, None if is_first else 12.0
            self.store.beat(self.name, self._about, self._seen, stamp=stamp, changed_s=changed_s)
            took_s = time.monotonic() - began_s
            self.latest_s, is_first = max(self.latest_s, took_s), False
            time.sleep(max(0.0, node_states.BEAT_S - took_s))

    async def _follow(self) -> None:
        async for found in self.store.watch("", after=self._seen):
            self._seen = found.cursor
            some = [one.key for one in found.keys if not one.is_deleted]
            if some:
                await asyncio.to_thread(self.store.read_many, some)
            now_s = time.monotonic()
            self.keys |= dict.fromkeys(some, now_s)
            if self._is_over.is_set():
                return


def _change(store: postgresql_store.PostgresqlStore, nodes: list[Node], number: int) -> float:
    """Seconds until the last node has read it."""
    key = f"bench/{number}"
    began_s = time.monotonic()
    store.write(key, b"x" * _SITE_BYTES)
    while not all(key in node.keys for node in nodes):
        time.sleep(0.005)
        if time.monotonic() - began_s > 60:
            raise SystemExit("a change did not reach every node within a minute")
    time.sleep(0.5)
    return max(node.keys[key] for node in nodes) - began_s


def measure(server: postgresql.Server, seconds: float) -> str:
    before, began_s = _look(server), time.monotonic()
    time.sleep(seconds)
    after, took_s = _look(server), time.monotonic() - began_s
    change = {name: (after[name] - before[name]) / took_s for name in before}
    return (
        f"{change['transactions']:.0f} transactions/s, {change['cpu'] * 1000:.0f} ms CPU/s of the database, "
        f"{change['sent'] / 1024:.0f} KiB/s to and from it, {change['wal'] / 1024:.0f} KiB/s written ahead (WAL); "
        f"memory of its processes {_memory(server) / (1 << 20):.0f} MiB (PSS), {_connections(server)} connections"
    )


def _look(server: postgresql.Server) -> dict[str, float]:
    row = server.execute(
        f"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{fleet_store.DATABASE}'"
    )
    wal = server.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8")
    return {
        "transactions": float(typing.cast(int, row[0][0])),
        "wal": float(typing.cast(float, wal[0][0])),
        "cpu": _cpu_s(server),
        "sent": _bytes_of_loopback(),
    }


def _processes(server: postgresql.Server) -> list[psutil.Process]:
    parent = psutil.Process(server.pid)
    return [parent, *parent.children(recursive=True)]


def _cpu_s(server: postgresql.Server) -> float:
    """Of the processes that live: those of nodes stay."""
    return sum(times.user + times.system for times in (one.cpu_times() for one in _processes(server)))


def _memory(server: postgresql.Server) -> int:
    return sum(one.memory_full_info().pss for one in _processes(server))


def _connections(server: postgresql.Server) -> int:
    row = server.execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{fleet_store.DATABASE}'")
    return int(typing.cast(int, row[0][0]))


def _bytes_of_loopback() -> float:
    return float(psutil.net_io_counters(pernic=True)["lo"].bytes_sent)


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
