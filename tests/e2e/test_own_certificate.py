"""The owner's certificate files are replaced while visitors come."""

import collections
import concurrent.futures
import os
import pathlib
import signal
import socket
import ssl
import threading

import pytest

from daemun.certs import bundle, local_ca
from daemun.store import memory
from daemun.wiring import clock
from tests.support import clients
from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx

SITE = """\
sites:
  own.test:
    tls: {certificate: own.pem, key: own.key}
    routes: {/: {redirect: "https://sign.test/own", status: 302}}
"""
REPLACEMENTS = 10
VISITORS = 3


class Owner:
    """Whoever puts the files there, with a CA of their own."""

    def __init__(self, daemon: Daemon) -> None:
        self._ca = local_ca.load_or_create(memory.MemoryStore(), clock.SystemClock().now())
        self._chain = daemon.root / "own.pem"
        self._key = daemon.root / "own.key"
        self.root = daemon.root / "owners-ca.pem"
        self.root.write_bytes(self._ca.root_pem)

    def put(self) -> int:
        """Both files, one after the other. Returns: the new certificate's serial number."""
        new = self._new()
        self.put_chain(new)
        self._key.write_bytes(new.key_pem)
        return new.leaf.serial_number

    def put_chain(self, new: bundle.Bundle | None = None) -> None:
        self._chain.write_bytes((new or self._new()).fullchain_pem)

    def _new(self) -> bundle.Bundle:
        return self._ca.issue(["own.test"], clock.SystemClock().now())


class Visitors:
    """Full handshakes, each on a connection of its own and verified, until the block ends."""

    def __init__(self, gate: clients.Gate, root: pathlib.Path) -> None:
        self._gate = gate
        self._root = root
        self._end = threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(VISITORS)
        self.failures: collections.Counter[str] = collections.Counter()
        self.shaken = 0

    def __enter__(self) -> "Visitors":
        for _ in range(VISITORS):
            self._pool.submit(self._visit)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._pool.shutdown()

    def _visit(self) -> None:
        while not self._end.is_set():
            context = clients.trust(self._root)  # a new one each time: no session is resumed
            try:
                with (
                    socket.create_connection((clients.LOOPBACK, self._gate.https), timeout=20) as plain,
                    context.wrap_socket(plain, server_hostname="own.test"),
                ):
                    self.shaken += 1
            except (OSError, ssl.SSLError) as error:
                self.failures[repr(error)] += 1


def _serial(daemon: Daemon) -> int | None:
    seen = clients.try_handshake(daemon.gate, "own.test")
    return seen.certificate.serial_number if seen and seen.certificate else None


@pytest.fixture
def owner(daemon: Daemon) -> Owner:
    """With the first pair of files in place, and served."""
    made = Owner(daemon)
    daemon.write(SITE)
    first = made.put()
    daemon.start()
    daemon.wait(lambda: _serial(daemon) == first, "the owner's certificate")
    return made


def test_files_replaced_again_and_again_cost_no_visitor_anything(daemon: Daemon, owner: Owner) -> None:
    reloads = daemon.wait_ready()["nginx"]["reloads"]
    with Visitors(daemon.gate, owner.root) as visitors:
        for number in range(REPLACEMENTS):
            if number % 5 == 0:  # only half of it is there when daemun looks
                owner.put_chain()
                assert "does not fit" in daemon.cli("apply").stdout
            serial = owner.put()
            daemon.cli_good("apply")
        daemon.wait(lambda: _serial(daemon) == serial, "the last certificate")
    assert not visitors.failures
    assert visitors.shaken > REPLACEMENTS
    assert daemon.status()["nginx"]["reloads"] == reloads


def test_sighup_looks_at_the_files_at_once(daemon: Daemon, owner: Owner) -> None:
    """By itself daemun looks once a minute; a program that renews certificates need not wait."""
    serial = owner.put()
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait(lambda: _serial(daemon) == serial, "the new certificate", within_s=20)
