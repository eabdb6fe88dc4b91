"""Certificates are replaced under constant handshakes: key and chain of one generation are always together."""

import collections
import concurrent.futures
import itertools
import pathlib
import shutil
import threading

import pytest

from daemun.certs import bundle, live
from daemun.nginx import account
from tests.support import clients, rendered
from tests.support.sites import site

pytestmark = pytest.mark.nginx

HOSTS = tuple(f"a{number}.test" for number in range(10))
ROUNDS = 10
VISITORS = 4


class Visitors:
    """Threads that shake hands without a pause until the block ends. alerts: what went wrong."""

    def __init__(self, gate: clients.Gate) -> None:
        self._gate = gate
        self._stop = threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(VISITORS)
        self.count = 0
        self.alerts: collections.Counter[str] = collections.Counter()

    def __enter__(self) -> "Visitors":
        self._running = [self._pool.submit(self._visit) for _ in range(VISITORS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._running:
            one.result()
        self._pool.shutdown()

    def _visit(self) -> None:
        for host in itertools.cycle(HOSTS):
            if self._stop.is_set():
                return
            seen = clients.handshake(self._gate, host)
            self.count += 1
            if seen.certificate is None:
                self.alerts[str(seen.alert)] += 1


def test_a_hundred_replacements_under_constant_handshakes() -> None:
    chosen = account.choose(None)
    gid = chosen.gid if chosen else None
    with rendered.running(*(site(host, "http://127.0.0.1:1") for host in HOSTS), workers=2) as gate:
        folder = pathlib.Path(gate.layout.live)
        for host in HOSTS:
            shutil.rmtree(folder / host)  # no generation, but a plain folder

        def replace() -> dict[str, bundle.Bundle]:
            new = {host: bundle.parse(*rendered.self_signed(host)) for host in HOSTS}
            for host, one in new.items():
                live.publish(folder, host, one, worker_gid=gid)
            return new

        replace()
        with Visitors(gate.clients) as visitors:
            for _ in range(ROUNDS):
                for host, one in replace().items():
                    while clients.handshake(gate.clients, host).certificate != one.leaf:
                        pass  # nginx looks once a second; until then it goes on with the one before
        print(f"\n{ROUNDS * len(HOSTS)} replacements, {visitors.count} handshakes")
        assert not visitors.alerts
