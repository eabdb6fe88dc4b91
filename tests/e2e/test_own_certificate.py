"""The owner's certificate files are replaced while visitors come."""

import collections
import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import ssl
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import oid

from daemun.certs.served import bundle, local_ca
from daemun.store import memory_store
from daemun.wiring import clock
from tests.support import clients, own_certificates
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
        self._ca = local_ca.load_or_create(memory_store.MemoryStore(), clock.SystemClock().now())
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

    def __init__(self, gate: clients.GateAddress, root: pathlib.Path) -> None:
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


def _put(daemon: Daemon, chain: bytes, key: bytes) -> None:
    (daemon.root / "own.pem").write_bytes(chain)
    (daemon.root / "own.key").write_bytes(key)


def test_a1_a_chain_without_a_line_break_between_its_certificates_works(daemon: Daemon) -> None:
    """A1: `cat a b` of files without a last line break; every handshake ended in `internal error`."""
    pair = own_certificates.make("own.test")
    daemon.write(SITE)
    _put(daemon, pair.leaf.rstrip() + pair.intermediate.rstrip(), pair.key)
    assert daemon.cli("check").returncode == 0
    daemon.start()
    root = daemon.root / "root.pem"
    root.write_bytes(pair.root)
    daemon.wait_ready()
    with (
        socket.create_connection((clients.LOOPBACK, daemon.https), timeout=20) as plain,
        clients.trust(root).wrap_socket(plain, server_hostname="own.test") as shaken,
    ):
        assert shaken.getpeercert()
    assert daemon.cli("certs").returncode == 0


def test_a1_what_openssl_refuses_is_a_problem_and_the_site_keeps_what_it_had(daemon: Daemon) -> None:
    daemon.write(SITE)
    good = own_certificates.make("own.test")
    _put(daemon, good.chain, good.key)
    daemon.start()
    first = daemon.wait(lambda: _serial(daemon), "the first certificate")
    weak = own_certificates.make("own.test", key=rsa.generate_private_key(65537, 1024))
    _put(daemon, weak.chain, weak.key)
    checked = daemon.cli("check")
    assert (checked.returncode, "ee key too small" in checked.stdout + checked.stderr) == (1, True)
    assert daemon.cli("apply").returncode == 1
    assert _serial(daemon) == first
    certs = daemon.cli("certs")
    assert (certs.returncode, "failing" in certs.stdout) == (3, True)


@pytest.mark.parametrize(
    ("pair", "whole", "state", "checked"),
    [
        (
            own_certificates.make("own.test", starts=-9 * own_certificates.DAY, ends=-own_certificates.DAY),
            True,
            "invalid",
            1,
        ),
        (own_certificates.make("own.test", starts=own_certificates.DAY), True, "invalid", 1),
        (own_certificates.make("other.test"), True, "invalid", 1),
        (own_certificates.make("own.test", uses=(oid.ExtendedKeyUsageOID.CLIENT_AUTH,)), True, "invalid", 1),
        (own_certificates.make("own.test"), False, "incomplete", 0),
        (
            own_certificates.make("own.test")._replace(intermediate=own_certificates.make("own.test").intermediate),
            True,
            "incomplete",
            0,
        ),
        (own_certificates.make("own.test", middle_ends=-own_certificates.DAY / 2), True, "incomplete", 0),
    ],
    ids=["expired", "not yet valid", "another name", "client only", "no intermediate", "another's", "expired one"],
)
def test_a3_each_fault_has_a_state_of_its_own(
    daemon: Daemon, pair: own_certificates.Pair, whole: bool, state: str, checked: int
) -> None:
    """A3: `check` says it (an error when no visitor can use it), `certs` and `status` exit with 3, `doctor` with 1."""
    daemon.write(SITE)
    _put(daemon, pair.chain if whole else pair.leaf, pair.key)
    said = daemon.cli("check")
    assert (said.returncode, "certificate" in said.stdout + said.stderr) == (checked, True)
    daemon.start()
    daemon.wait_ready()
    certs = daemon.cli("certs", "--json")
    assert certs.returncode == 3
    assert [each["state"] for each in json.loads(certs.stdout)["certificates"]] == [state]
    assert daemon.cli("status").returncode == 3
    assert daemon.cli("doctor", "own.test").returncode == 1
