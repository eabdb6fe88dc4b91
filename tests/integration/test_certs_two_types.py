"""C9: two certificates for the same names, of ECDSA and of RSA: each ordered for itself with Pebble, and shown by nginx
to clients that take it."""

import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import datetime
import functools
import pathlib
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from daemun.certs import account_service
from daemun.certs.served import bundle, certificate_records, key_types, live_folder, local_ca
from daemun.control import account_port
from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.certificates import certificate_choice
from daemun.nginx import worker_account
from daemun.store import memory_store
from tests.support import binaries, certificates, issuing, pebble, rendered
from tests.support.sites import site

VALID, FAILING, PENDING = model.CertificateState.VALID, model.CertificateState.FAILING, model.CertificateState.PENDING
HOST, OTHER = "a.example.com", "b.example.com"
DAY = datetime.timedelta(days=1)
P256, RSA_2048 = model.KeyType.ECDSA_P256, model.KeyType.RSA_2048
BOTH = {"key_type": P256, "further_key_type": RSA_2048}


def second_leaf(gate: issuing.StateDirectory, name: str = HOST) -> x509.Certificate:
    found = live_folder.read_second(pathlib.Path(gate.paths.live), name)
    assert found is not None
    return found.leaf


def two(watched: certificates.Watched, host: str = HOST) -> tuple[model.CertificateStatus, model.CertificateStatus]:
    first, second = (status for status in watched.manager.status() if status.host == host)
    return first, second


def is_rsa(leaf: x509.Certificate) -> bool:
    return isinstance(leaf.public_key(), rsa.RSAPublicKey)


async def until_both(watched: certificates.Watched, *states: model.CertificateState, host: str = HOST) -> None:
    await watched.until(lambda: tuple(one.state for one in two(watched, host)) == states)


# --- ordering ------------------------------------------------------------------------------------------------------


@pytest.mark.pebble
async def test_c9_each_is_ordered_and_kept_for_itself(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    wanted = issuing.spec(HOST, OTHER, **BOTH)
    async with certificates.running(await gate.manager(issuing.asking(ca), wanted)) as watched:
        await until_both(watched, VALID, VALID)
        first, second = two(watched)
        assert (first.key_type, second.key_type) == (P256, RSA_2048)
        assert first.names == second.names == (HOST, OTHER)
        assert first.fingerprint != second.fingerprint
        assert first.reason is None
        assert second.reason is None
    assert isinstance(gate.leaf(HOST).public_key(), ec.EllipticCurvePublicKey)
    assert is_rsa(second_leaf(gate))
    own, beside = (certificate_records.read_issued(gate.store, one.name) for one in key_types.with_seconds((wanted,)))
    assert own is not None
    assert beside is not None
    assert (own.bundle.leaf, beside.bundle.leaf) == (gate.leaf(HOST), second_leaf(gate))
    assert ca.orders == 2

    async with certificates.running(await gate.manager(issuing.asking(ca), wanted)) as watched:
        await until_both(watched, VALID, VALID)
    assert ca.orders == 2


@pytest.mark.pebble
async def test_c9_a_second_that_fails_harms_nothing_and_joins_later(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    old = local_ca.load_or_create(memory_store.MemoryStore(), gate.clock.now()).issue([HOST], gate.clock.now())
    certificate_records.write_issued(
        gate.store, certificate_records.issued_key(HOST), certificate_records.Issued(directory=ca.directory, bundle=old)
    )
    ca.break_dns(HOST)
    certs = await gate.manager(issuing.asking(ca), issuing.spec(HOST, **BOTH))
    async with certificates.running(certs) as watched:
        await until_both(watched, VALID, FAILING)
        first, second = two(watched)
        assert first.reason is None
        assert second.reason is not None
        assert second.reason.startswith(f'of the certificate with an rsa-2048 key: cannot validate "{HOST}": ')
        assert gate.leaf(HOST) == second_leaf(gate) == old.leaf
        assert ca.orders == 1

        ca.repair_dns(HOST)
        assert certs.renew(HOST)
        await until_both(watched, VALID, VALID)
        await watched.until(lambda: is_rsa(second_leaf(gate)))


@pytest.mark.pebble
async def test_c9_clients_of_either_type_get_what_there_is_of_the_other(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    """One of RSA was there, and the one of ECDSA cannot be had."""
    async with certificates.running(await gate.manager(issuing.asking(ca), issuing.spec(HOST, key_type=RSA_2048))) as w:
        await w.until_state(HOST, VALID)
        before = gate.leaf(HOST)
    ca.break_dns(HOST)
    async with certificates.running(await gate.manager(issuing.asking(ca), issuing.spec(HOST, **BOTH))) as watched:
        await until_both(watched, FAILING, VALID)
        assert gate.leaf(HOST) == second_leaf(gate) == before
        ca.repair_dns(HOST)
        watched.manager.renew(HOST)
        await until_both(watched, VALID, VALID)
        await watched.until(lambda: not is_rsa(gate.leaf(HOST)) and is_rsa(second_leaf(gate)))


@pytest.mark.pebble
async def test_c9_the_other_way_round_orders_nothing(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    certs = await gate.manager(issuing.asking(ca), issuing.spec(HOST, **BOTH))
    async with certificates.running(certs) as watched:
        await until_both(watched, VALID, VALID)
        of_ecdsa, of_rsa = gate.leaf(HOST), second_leaf(gate)
        await certs.prepare([issuing.spec(HOST, key_type=RSA_2048, further_key_type=P256)])
        await certs.confirm()
        await until_both(watched, VALID, VALID)
        assert (gate.leaf(HOST), second_leaf(gate)) == (of_rsa, of_ecdsa)
        await certs.prepare([issuing.spec(HOST, key_type=P256)])
        await certs.confirm()
        assert (await watched.until_state(HOST, VALID)).key_type is None
        assert len(certs.status()) == 1
        assert (pathlib.Path(gate.paths.live) / HOST / layout_.SECOND_CHAIN).exists()  # nginx may look for it yet
    assert ca.orders == 2


@pytest.mark.pebble
async def test_c9_each_is_renewed_for_itself(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    then = gate.clock.now() - 59 * DAY
    old = local_ca.load_or_create(memory_store.MemoryStore(), then).issue([HOST], then)
    certificate_records.write_issued(
        gate.store, certificate_records.issued_key(HOST), certificate_records.Issued(directory=ca.directory, bundle=old)
    )
    certs = await gate.manager(issuing.asking(ca), issuing.spec(HOST, **BOTH))
    async with certificates.running(certs) as watched:
        await until_both(watched, VALID, VALID)
        of_rsa = second_leaf(gate)
        assert (gate.leaf(HOST), ca.orders) == (old.leaf, 1)
        gate.clock.advance(2 * DAY)
        certs.wake()
        await watched.until(lambda: gate.leaf(HOST) != old.leaf and two(watched)[0].state is VALID)
        assert not is_rsa(gate.leaf(HOST))
        assert second_leaf(gate) == of_rsa
    assert ca.orders == 2


@pytest.mark.pebble
async def test_c9_both_are_revoked_and_replaced(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    async def reload() -> None: ...

    certs = await gate.manager(issuing.asking(ca), issuing.spec(HOST, **BOTH))
    desk = account_service.AccountService(gate.store, gate.clock, certs, reload=reload)
    async with certificates.running(certs) as watched:
        await until_both(watched, VALID, VALID)
        before = gate.leaf(HOST), second_leaf(gate)
        await desk.revoke(HOST, next(iter(account_port.REASONS)))
        assert [ca.certificate_status(one.serial_number) for one in before] == ["Revoked", "Revoked"]
        await watched.until(
            lambda: gate.leaf(HOST) not in before and second_leaf(gate) not in before and is_rsa(second_leaf(gate))
        )
        await until_both(watched, VALID, VALID)


async def test_c9_the_local_ca_signs_one(gate: issuing.StateDirectory) -> None:
    spec = dataclasses.replace(issuing.spec("a.test", **BOTH), mode=model.TlsMode.LOCAL)
    certs = await gate.manager(model.Acme(), spec)
    (status,) = certs.status()
    assert status.state is model.CertificateState.LOCAL
    assert gate.leaf("a.test") == second_leaf(gate, "a.test")
    assert certs.status()[0].host == "a.test"


async def test_c9_names_that_are_added_and_removed(gate: issuing.StateDirectory) -> None:
    certs = await gate.manager(model.Acme())
    await certs.add(issuing.spec(HOST, **BOTH))
    assert [one.key_type for one in certs.status()] == [P256, RSA_2048]
    assert gate.leaf(HOST) == second_leaf(gate)
    await certs.remove(HOST)
    assert certs.status() == ()


@pytest.mark.parametrize("wanted", [{}, BOTH])
async def test_c9_room_for_a_second_comes_with_the_setting(
    gate: issuing.StateDirectory, wanted: dict[str, model.KeyType]
) -> None:
    many = [issuing.spec(f"n{number}.example.com", **wanted) for number in range(300)]
    certs = await gate.manager(model.Acme(), *many)
    assert len(certs.status()) == (600 if wanted else 300)
    for spec in many:
        assert (pathlib.Path(gate.paths.live) / spec.name / layout_.SECOND_KEY).exists() == bool(wanted)


# --- what clients get ----------------------------------------------------------------------------------------------

TWO = model.Acme(key_type=P256, further_key_type=RSA_2048)
ONE = model.Tls(ordering=model.Ordering(key_type=P256))
SITES = (
    site("a.test", "http://127.0.0.1:1"),
    site("b.test", "http://127.0.0.1:1", aliases=("c.test",)),
    dataclasses.replace(site("d.test", "http://127.0.0.1:1"), tls=ONE),
    site("pending.test", "http://127.0.0.1:1"),
)


class Owner:
    """Of certificates for all names of some sites: one of ECDSA and one of RSA, but of RSA none yet for "pending"."""

    def __init__(self) -> None:
        self._signer = local_ca.load_or_create(memory_store.MemoryStore(), datetime.datetime.now(datetime.UTC))
        chosen = worker_account.choose(None)
        self._gid = chosen.gid if chosen else None

    def publish(self, layout: layout_.Layout, desired: model.Desired) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        for served in desired.enabled:
            has_two = certificate_choice.has_two_types(served, desired.globals.acme)
            for name in served.names:
                first = self._signer.issue([name], now)
                second = _of_rsa(name) if not name.startswith("pending") else first
                live_folder.replace(
                    pathlib.Path(layout.live),
                    certificate_choice.folder_of(served, name),
                    first,
                    before=None,
                    worker_gid=self._gid,
                    lasting=False,
                    second=second if has_two else None,
                )
        return b""


@functools.cache
def _key_of_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _of_rsa(name: str) -> bundle.Bundle:
    key, now = _key_of_rsa(), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    leaf = (
        x509.CertificateBuilder(
            subject, subject, key.public_key(), x509.random_serial_number(), now - DAY, now + 2 * DAY
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return bundle.parse(leaf.public_bytes(serialization.Encoding.PEM), local_ca.private_pem(key))


def shake(port: int, name: str, ciphers: str | None = None) -> x509.Certificate | str:
    """ciphers: of TLS 1.2, the only ones that the client takes. Returns: what is shown, or the alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ciphers is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                der = secure.getpeercert(binary_form=True)
                assert der is not None
                return x509.load_der_x509_certificate(der)
        except ssl.SSLError as error:
            return str(error.reason)


OF_RSA, OF_ECDSA = "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"


@contextlib.contextmanager
def serving(owner: Owner, own_blocks: int) -> collections.abc.Iterator[rendered.Running]:
    settings = model.Globals(acme=TWO)
    with rendered.running(*SITES, settings=settings, certify=owner.publish, own_blocks=own_blocks, workers=2) as gate:
        yield gate


@pytest.mark.nginx
@pytest.mark.parametrize("own_blocks", [200, 0], ids=["own blocks", "shared blocks"])
def test_c9_each_client_gets_what_it_takes(own_blocks: int) -> None:
    with serving(Owner(), own_blocks) as gate:
        assert ("shared.conf" in gate.files) == (own_blocks == 0)
        for name in ("a.test", "b.test", "c.test", "C.test"):
            shown = [shake(gate.https, name, ciphers) for ciphers in (OF_RSA, OF_ECDSA, None)]
            leaves = [one for one in shown if isinstance(one, x509.Certificate)]
            assert [is_rsa(one) for one in leaves] == [True, False, False], (name, shown)
        for name in ("d.test", "pending.test"):
            shown = [shake(gate.https, name, ciphers) for ciphers in (OF_ECDSA, None)]
            assert not any(isinstance(one, str) or is_rsa(one) for one in shown), (name, shown)
            assert shake(gate.https, name, OF_RSA) == "SSLV3_ALERT_HANDSHAKE_FAILURE"
        for signatures, expected in (("rsa_pss_rsae_sha256", True), ("ecdsa_secp256r1_sha256", False)):
            assert is_rsa(of_openssl(gate.https, "a.test", "-tls1_3", "-sigalgs", signatures)) == expected


def of_openssl(port: int, name: str, *options: str) -> x509.Certificate:
    """What OpenSSL's own client is shown."""
    command = (
        binaries.program("openssl", "openssl"),
        "s_client",
        "-connect",
        f"127.0.0.1:{port}",
        "-servername",
        name,
        *options,
    )
    done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60)
    return x509.load_pem_x509_certificate(done.stdout)


@pytest.mark.nginx
@pytest.mark.parametrize("own_blocks", [200, 0], ids=["own blocks", "shared blocks"])
def test_c9_chain_and_key_of_each_type_are_replaced_together(own_blocks: int) -> None:
    owner, desired = Owner(), model.Desired(globals=model.Globals(acme=TWO), sites=SITES)
    with serving(owner, own_blocks) as gate, concurrent.futures.ThreadPoolExecutor(3) as pool:
        is_over = threading.Event()

        def visit(ciphers: str | None) -> list[str]:
            alerts = []
            while not is_over.is_set():
                shown = shake(gate.https, "a.test", ciphers)
                alerts += [shown] if isinstance(shown, str) else []
            return alerts

        running = [pool.submit(visit, ciphers) for ciphers in (OF_RSA, OF_ECDSA, None)]
        try:
            for _ in range(30):
                owner.publish(gate.layout, desired)
        finally:
            is_over.set()
        assert [one.result() for one in running] == [[], [], []]
