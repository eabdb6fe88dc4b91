"""Renewal by the word of the CA (RFC 9773), with Pebble."""

import datetime
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from daemun.certs.acme import acme_issuer, renewal_info
from daemun.certs.served import certificate_records
from daemun.core import model
from tests.support import certificates, issuing, pebble

pytestmark = pytest.mark.pebble

VALID = model.CertificateState.VALID
HOST = "a.example.com"
DAY = datetime.timedelta(days=1)


def pem(leaf: x509.Certificate) -> bytes:
    return leaf.public_bytes(serialization.Encoding.PEM)


def window(start: datetime.datetime, end: datetime.datetime, **more: str) -> dict[str, object]:
    return {"suggestedWindow": {"start": start.isoformat(), "end": end.isoformat()}, **more}


def identify(leaf: x509.Certificate) -> str:
    found = renewal_info.identify(leaf)
    assert found is not None
    return found


def poll_at(gate: issuing.StateDirectory) -> datetime.datetime:
    known = certificate_records.read_advice(gate.store, HOST)
    assert known is not None
    return known.poll_at


async def test_a_moment_in_the_window_is_chosen_once_and_kept(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    async with certificates.running(await gate.manager(issuing.asking(ca), issuing.spec(HOST))) as watched:
        await watched.until(lambda: certificate_records.read_advice(gate.store, HOST) is not None)
        await watched.until(lambda: not watched.manager.busy)
        chosen = watched.status(HOST).renew_at
    known = certificate_records.read_advice(gate.store, HOST)
    assert known is not None
    assert known.window is not None
    assert chosen is not None
    assert known.window.start <= chosen <= known.window.end
    async with certificates.running(await gate.manager(issuing.asking(ca), issuing.spec(HOST))) as watched:
        assert watched.status(HOST).renew_at == chosen
        gate.clock.advance(known.poll_at - gate.clock.now())
        watched.manager.wake()
        await watched.until(lambda: certificate_records.read_advice(gate.store, HOST) != known)
        await watched.until(lambda: not watched.manager.busy)
        assert watched.status(HOST).renew_at == chosen, "the window is the same"
    assert ca.orders == 1


async def test_a_window_that_the_ca_moved_up_renews_at_once(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    async with certificates.running(await gate.manager(issuing.asking(ca), issuing.spec(HOST))) as watched:
        await watched.until(lambda: certificate_records.read_advice(gate.store, HOST) is not None)
        await watched.until(lambda: not watched.manager.busy)
        before = gate.leaf(HOST)
        now = gate.clock.now()
        soon = now + 2 * DAY
        page = "https://ca.example/incident"
        ca.set_renewal_info(pem(before), window(soon, soon + DAY, explanationURL=page))
        gate.clock.advance(DAY)
        watched.manager.wake()
        await watched.until(lambda: (watched.status(HOST).renew_at or now) < soon + DAY)
        status = watched.status(HOST)
        assert status.state is VALID
        assert status.reason is not None
        assert status.reason.startswith(f"the CA wants this certificate to be renewed early; it says why at {page}")
        assert gate.leaf(HOST) == before

        ca.set_renewal_info(pem(before), window(now - DAY, now - DAY / 2))
        gate.clock.advance(DAY)
        watched.manager.wake()
        await watched.until(lambda: gate.leaf(HOST) != before)
        await watched.until(lambda: not watched.manager.busy)
    assert ca.orders == 2
    # The CA knows that the new one replaced the old one: it takes no second one in its place.
    replaced = acme_issuer.Request(
        name="b", hosts=(HOST,), authority=issuing.authority(ca), replaces=identify(before), is_same_set=True
    )
    acme_issuer.obtain(replaced, store=gate.store, clock=gate.clock, stop=threading.Event())
    assert ca.orders == 3, "tried again without saying what it replaces"
    assert ca.requests("order-plz") == 4


async def test_a_ca_that_answers_nonsense_holds_nothing_up(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    async with certificates.running(await gate.manager(issuing.asking(ca), issuing.spec(HOST))) as watched:
        await watched.until(lambda: certificate_records.read_advice(gate.store, HOST) is not None)
        await watched.until(lambda: not watched.manager.busy)
        before, status = gate.leaf(HOST), watched.status(HOST)
        ca.set_renewal_info(pem(before), {"suggestedWindow": "soon"})
        gate.clock.advance(DAY)
        watched.manager.wake()
        await watched.until(
            lambda: (
                (known := certificate_records.read_advice(gate.store, HOST)) is not None
                and known.poll_at > gate.clock.now()
            )
        )
        await watched.until(lambda: not watched.manager.busy)
        assert watched.status(HOST) == status
        assert status.renew_at is not None
        gate.clock.advance(status.renew_at - gate.clock.now())
        watched.manager.wake()
        await watched.until(lambda: gate.leaf(HOST) != before)


def test_the_identifier_is_that_of_the_rfc() -> None:
    """RFC 9773 section 4.1 and appendix A."""
    leaf = x509.load_pem_x509_certificate(EXAMPLE)
    assert renewal_info.identify(leaf) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


EXAMPLE = b"""-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
"""
