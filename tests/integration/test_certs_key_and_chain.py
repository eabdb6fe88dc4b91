"""C9: the type of a certificate's key, and which of the CA's chains is used, with Pebble."""

import asyncio
import collections.abc
import contextlib
import datetime
import ssl
import threading

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from daemun import errors
from daemun.certs.acme import acme_issuer, certificate_key
from daemun.certs.served import certificate_records, local_ca
from daemun.control import ports
from daemun.core import model
from daemun.store import memory_store
from tests.support import certificates, http01, issuing, pebble

pytestmark = pytest.mark.pebble

VALID, FAILING = model.CertificateState.VALID, model.CertificateState.FAILING
HOST = "a.example.com"
DAY = datetime.timedelta(days=1)
RSA_2048, P384 = model.KeyType.RSA_2048, model.KeyType.ECDSA_P384


@pytest.fixture(name="ca")
def running_ca(gate: issuing.StateDirectory) -> collections.abc.Iterator[pebble.Pebble]:
    with http01.answering(gate.thumbprint) as port, pebble.running_pebble(port, alternate_roots=2) as ca:
        yield ca


def root_names(ca: pebble.Pebble) -> list[str]:
    """Of the chains that Pebble offers, its usual one first."""
    roots = (x509.load_pem_x509_certificate(ca.root_of_chain(number)) for number in range(3))
    return [str(root.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value) for root in roots]


def assert_leads_to(gate: issuing.StateDirectory, ca: pebble.Pebble, number: int, name: str = HOST) -> None:
    found, root = gate.bundle(name), x509.load_pem_x509_certificate(ca.root_of_chain(number))
    for signed, issuer in zip(found.chain, (*found.chain[1:], root), strict=True):
        signed.verify_directly_issued_by(issuer)
    paths = (f"{gate.paths.live}/{name}/fullchain.pem", f"{gate.paths.live}/{name}/privkey.pem")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*paths)


# --- the key -------------------------------------------------------------------------------------------------------


async def test_c9_each_type_of_key(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    specs = [issuing.spec(f"{kind.value}.example.com", key_type=kind) for kind in model.KeyType]
    async with certificates.running(await gate.manager(issuing.asking(ca), *specs, issuing.spec(HOST))) as watched:
        for spec in (*specs, issuing.spec(HOST)):
            status = await watched.until_state(spec.host, VALID)
            assert status.reason is None
            key = gate.bundle(spec.host).leaf.public_key()
            if isinstance(key, rsa.RSAPublicKey):
                assert spec.host == f"rsa-{key.key_size}.example.com"
            else:
                assert isinstance(key, ec.EllipticCurvePublicKey)
                curve = "secp384r1" if "p384" in spec.host else "secp256r1"
                assert key.curve.name == curve
            assert_leads_to(gate, ca, 0, spec.host)
    assert ca.orders == 6


async def test_c9_another_type_waits_for_the_renewal(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    then = gate.clock.now() - 59 * DAY
    old = local_ca.load_or_create(memory_store.MemoryStore(), then).issue([HOST], then)
    certificate_records.write_issued(
        gate.store, certificate_records.issued_key(HOST), certificate_records.Issued(directory=ca.directory, bundle=old)
    )
    certs = await gate.manager(issuing.asking(ca), issuing.spec(HOST))
    async with certificates.running(certs) as watched:
        before = gate.leaf(HOST)
        await certs.prepare([issuing.spec(HOST, key_type=RSA_2048)])
        await certs.confirm()
        status = watched.status(HOST)
        assert status.state is VALID
        assert status.reason == (
            "its key is ecdsa-p256, not rsa-2048; daemun asks for that when it renews it, or at once with "
            f"`daemun certs renew {HOST}`"
        )
        assert (gate.leaf(HOST), ca.orders) == (before, 0)

        gate.clock.advance(2 * DAY)
        certs.wake()
        await watched.until(lambda: gate.leaf(HOST) != before)
        await watched.until_state(HOST, VALID)
        assert certificate_key.type_of(gate.leaf(HOST).public_key()) is RSA_2048
        assert watched.status(HOST).reason is None
    assert ca.orders == 1


async def test_c9_another_type_at_once_by_request_and_the_old_one_until_then(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    certs = await gate.manager(issuing.asking(ca), issuing.spec(HOST, key_type=RSA_2048))
    async with certificates.running(certs) as watched:
        await watched.until_state(HOST, VALID)
        before = gate.leaf(HOST)
        await certs.prepare([issuing.spec(HOST, key_type=P384)])
        await certs.confirm()
        ca.break_dns(HOST)
        assert certs.renew(HOST)
        await watched.until_state(HOST, FAILING)
        assert gate.leaf(HOST) == before
        ca.repair_dns(HOST)
        assert certs.renew(HOST)
        await watched.until(lambda: gate.leaf(HOST) != before)
        assert certificate_key.type_of(gate.leaf(HOST).public_key()) is P384


async def test_c9_a_request_in_the_moment_in_which_an_order_ends_is_not_lost(
    gate: issuing.StateDirectory, ca: pebble.Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcome is known, and it still stores something and gives its lock back."""
    is_requested, delete = threading.Event(), certificate_records.delete_attempts

    def wait(store: ports.Store, name: str) -> None:
        assert is_requested.wait(60)
        delete(store, name)

    monkeypatch.setattr(certificate_records, "delete_attempts", wait)
    certs = await gate.manager(issuing.asking(ca), issuing.spec(HOST))
    async with certificates.running(certs) as watched:
        async with asyncio.timeout(60):
            while watched.status(HOST).state is not VALID:  # nothing is reported in this moment
                await asyncio.sleep(0.01)
        before = gate.leaf(HOST)
        assert certs.renew(HOST)
        is_requested.set()
        await watched.until(lambda: gate.leaf(HOST) != before)
    assert ca.orders == 2


async def test_c9_an_order_that_was_begun_ends_with_the_key_that_is_wanted_by_now(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    store = issuing.StoreThatStops(gate)
    request = acme_issuer.Request(name=HOST, hosts=(HOST,), authority=issuing.authority(ca))
    with pytest.raises(errors.RetryableError, match="the next start goes on"):
        acme_issuer.obtain(request, store=store, clock=gate.clock, stop=store.stop)
    assert certificate_records.read_order(gate.store, HOST) is not None
    wanted = issuing.spec(HOST, key_type=RSA_2048)
    async with certificates.running(await gate.manager(issuing.asking(ca), wanted)) as watched:
        await watched.until_state(HOST, VALID)
    assert certificate_key.type_of(gate.leaf(HOST).public_key()) is RSA_2048
    assert ca.orders == 1


# --- the chain -----------------------------------------------------------------------------------------------------


async def test_c9_the_chain_to_the_preferred_root(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    names = root_names(ca)
    assert len(set(names)) == 3
    wanted = {f"{number}.example.com": name for number, name in enumerate(names)}
    specs = [issuing.spec(host, preferred_chain=name.upper()) for host, name in wanted.items()]
    async with certificates.running(await gate.manager(issuing.asking(ca), *specs)) as watched:
        for number, spec in enumerate(specs):
            assert (await watched.until_state(spec.host, VALID)).reason is None
            assert_leads_to(gate, ca, number, spec.host)
    # A restart serves the same, and orders nothing.
    async with certificates.running(await gate.manager(issuing.asking(ca), *specs)) as watched:
        for number, spec in enumerate(specs):
            assert watched.status(spec.host).state is VALID
            assert_leads_to(gate, ca, number, spec.host)
    assert ca.orders == 3


async def test_c9_the_chain_with_a_preferred_issuer(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    async with certificates.running(await gate.manager(issuing.asking(ca), issuing.spec("b.example.com"))) as watched:
        await watched.until_state("b.example.com", VALID)
    leaf = gate.bundle("b.example.com").leaf
    (issuer,) = leaf.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    wanted = issuing.spec(HOST, preferred_chain=str(issuer.value), key_type=RSA_2048)
    async with certificates.running(await gate.manager(issuing.asking(ca), wanted)) as watched:
        assert (await watched.until_state(HOST, VALID)).reason is None
    assert_leads_to(gate, ca, 0)


@pytest.mark.parametrize("alternate_roots", [0, 1])
async def test_c9_no_chain_as_preferred(gate: issuing.StateDirectory, alternate_roots: int) -> None:
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(http01.answering(gate.thumbprint))
        ca = stack.enter_context(pebble.running_pebble(port, alternate_roots=alternate_roots))
        logs = stack.enter_context(structlog.testing.capture_logs())
        wanted = issuing.spec(HOST, preferred_chain="ISRG Root X9")
        async with certificates.running(await gate.manager(issuing.asking(ca), wanted)) as watched:
            status = await watched.until_state(HOST, VALID)
        assert_leads_to(gate, ca, 0)
        assert status.reason is not None
        assert 'not to "ISRG Root X9"; daemun asks for that when it renews it' in status.reason
        (told,) = (one for one in logs if one.get("preferred_chain") == "ISRG Root X9")
        assert told["log_level"] == "warning"
        assert len(told["offered"]) == 1 + alternate_roots
        assert ca.orders == 1
