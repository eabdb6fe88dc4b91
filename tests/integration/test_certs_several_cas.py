"""Several CAs in order, their test systems, profiles and external accounts, with Pebble in the place of each."""

import collections.abc
import contextlib
import datetime

import pytest
from cryptography import x509

from daemun import errors
from daemun.certs.acme import acme_issuer
from daemun.certs.served import certificate_records
from daemun.core import model
from daemun.core.issuance import order_subject
from tests.support import certificates, http01, issuing, pebble, ports

pytestmark = pytest.mark.pebble

VALID, FAILING = model.CertificateState.VALID, model.CertificateState.FAILING
HOST = "a.example.com"
MINUTE, DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)
EAB_KEYS = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}


@pytest.fixture(name="cas")
def running_cas(gate: issuing.StateDirectory) -> collections.abc.Iterator[tuple[pebble.Pebble, pebble.Pebble]]:
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(http01.answering(gate.thumbprint))
        first = stack.enter_context(pebble.running_pebble(port))
        yield first, stack.enter_context(pebble.running_pebble(port))


def nobody() -> model.Authority:
    """A CA that is down."""
    return model.Authority(directory=f"https://127.0.0.1:{ports.free_port()}/dir")


def signer(gate: issuing.StateDirectory, ca: pebble.Pebble) -> bool:
    """Whether what is served was issued by this CA."""
    found = gate.bundle(HOST)
    return found.chain[-1].issuer == x509.load_pem_x509_certificate(ca.root_pem()).subject


# --- the next CA ---------------------------------------------------------------------------------------------------


async def test_the_second_is_asked_in_the_same_try_when_the_first_is_down_and_counts_as_good(
    gate: issuing.StateDirectory, cas: tuple[pebble.Pebble, pebble.Pebble]
) -> None:
    second, _ = cas
    acme = issuing.asking(nobody(), second)
    async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
        status = await watched.until_state(HOST, VALID)
        assert (status.authority, status.failures, status.next_attempt) == (second.directory, 0, None)
        assert status.renew_at is not None
        assert status.renew_at > gate.clock.now() + 20 * DAY
    async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
        assert watched.status(HOST).state is VALID
    assert second.orders == 1


async def test_renewal_asks_the_first_again(
    gate: issuing.StateDirectory, cas: tuple[pebble.Pebble, pebble.Pebble]
) -> None:
    first, second = cas
    async with certificates.running(
        await gate.manager(issuing.asking(nobody(), second), issuing.spec(HOST))
    ) as watched:
        await watched.until_state(HOST, VALID)
    acme = issuing.asking(first, second)
    async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
        await watched.until(lambda: not watched.manager.busy)
        assert watched.status(HOST).authority == second.directory
        assert watched.manager.renew(HOST)
        await watched.until(lambda: watched.status(HOST).authority == first.directory)
    assert (first.orders, second.orders) == (1, 1)


async def test_the_second_is_asked_when_the_first_refuses_a_name(gate: issuing.StateDirectory) -> None:
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port, refused_domains=[HOST]) as first,
        pebble.running_pebble(port) as second,
    ):
        async with certificates.running(
            await gate.manager(issuing.asking(first, second), issuing.spec(HOST))
        ) as watched:
            await watched.until_state(HOST, VALID)
            assert watched.status(HOST).authority == second.directory


async def test_the_second_is_not_asked_when_the_names_are_not_ours(
    gate: issuing.StateDirectory, cas: tuple[pebble.Pebble, pebble.Pebble]
) -> None:
    first, second = cas
    first.break_dns(HOST)
    async with certificates.running(await gate.manager(issuing.asking(first, second), issuing.spec(HOST))) as watched:
        status = await watched.until_state(HOST, FAILING)
    assert (status.failures, status.failing_since) == (1, gate.clock.now())
    assert status.last_error == status.reason
    assert (first.orders, second.orders) == (1, 0)


async def test_what_each_of_them_said_is_told(gate: issuing.StateDirectory) -> None:
    first, second = nobody(), nobody()
    async with certificates.running(await gate.manager(issuing.asking(first, second), issuing.spec(HOST))) as watched:
        status = await watched.until_state(HOST, FAILING)
    assert status.reason is not None
    assert first.directory in status.reason
    assert second.directory in status.reason
    assert [one.authority for one in status.tries[:2]] == [first.directory, second.directory]
    assert all(one.result in status.reason for one in status.tries[-2:])
    assert status.tries[0].at == status.failing_since


# --- external accounts and profiles --------------------------------------------------------------------------------


async def test_a_ca_that_wants_an_account_of_its_page_gets_it(gate: issuing.StateDirectory) -> None:
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port, eab_keys=EAB_KEYS) as ca,
    ):
        async with certificates.running(await gate.manager(issuing.asking(ca), issuing.spec(HOST))) as watched:
            status = await watched.until_state(HOST, FAILING)
            assert status.reason is not None
            assert "serves only accounts that were made on its web page" in status.reason
            assert "`eab: {kid: ..., hmac_key: ...}`" in status.reason
            assert ca.requests("sign-me-up") == 0

            bad = model.Eab(key_id="kid-1", hmac_key=model.Secret(text="not base64 but a secret"))
            watched.manager.configure(issuing.asking(issuing.authority(ca, eab=bad)))
            await watched.until(lambda: "is not base64" in (watched.status(HOST).reason or ""))
            assert "secret" not in (watched.status(HOST).reason or "")

            wrong = model.Eab(key_id="kid-2", hmac_key=model.Secret(text="AAAA"))
            watched.manager.configure(issuing.asking(issuing.authority(ca, eab=wrong)))
            await watched.until(lambda: 'account "kid-2"' in (watched.status(HOST).reason or ""))

            good = model.Eab(key_id="kid-1", hmac_key=model.Secret(text=EAB_KEYS["kid-1"]))
            watched.manager.configure(issuing.asking(issuing.authority(ca, eab=good)))
            await watched.until_state(HOST, VALID)


async def test_profiles(gate: issuing.StateDirectory) -> None:
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port, profiles={"classic": 90 * 86400, "shortlived": 6 * 86400}) as ca,
    ):
        specs = (
            issuing.spec("short.example.com", profile="shortlived"),
            issuing.spec("usual.example.com", profile="classic"),
            issuing.spec("no.example.com", profile="eternal"),
        )
        async with certificates.running(await gate.manager(issuing.asking(ca), *specs)) as watched:
            refused = await watched.until_state("no.example.com", FAILING)
            assert refused.reason is not None
            assert 'has no profile "eternal"; it offers "classic" and "shortlived"' in refused.reason
            for host, days in (("short.example.com", 6), ("usual.example.com", 90)):
                status = await watched.until_state(host, VALID)
                assert status.not_after is not None
                assert status.not_before is not None
                assert (status.not_after - status.not_before).days in {days - 1, days}
        assert ca.orders == 2


async def test_addresses_and_names_in_one_certificate(gate: issuing.StateDirectory) -> None:
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port, profiles={"classic": 90 * 86400, "shortlived": 6 * 86400}) as ca,
    ):
        wanted = issuing.spec(HOST, "www.a.example.com", "127.0.0.1")
        async with certificates.running(await gate.manager(issuing.asking(ca), wanted)) as watched:
            status = await watched.until_state(HOST, VALID)
    found = gate.bundle(HOST)
    assert found.missing(wanted.names) == ()
    assert found.is_for_exactly(wanted.names)
    assert status.not_after is not None
    assert status.not_after < gate.clock.now() + 7 * DAY, "the profile that signs addresses"


# --- test systems --------------------------------------------------------------------------------------------------


async def test_after_a_failed_proof_the_test_system_is_asked_until_it_sees_one(
    gate: issuing.StateDirectory, cas: tuple[pebble.Pebble, pebble.Pebble]
) -> None:
    ca, staging = cas
    for one in cas:
        one.break_dns(HOST)
    roots = gate.write("roots.pem", ca.ca_file.read_bytes() + staging.ca_file.read_bytes())
    acme = issuing.asking(issuing.authority(ca, ca_file=roots, staging=staging.directory))
    start = gate.clock.now()
    async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
        status = await watched.until_state(HOST, FAILING)
        assert status.reason is not None
        assert f"until the CA's test system ({staging.directory})" in status.reason
        gate.clock.advance(MINUTE)
        watched.manager.wake()
        await watched.until(lambda: watched.status(HOST).next_attempt == start + 11 * MINUTE)
        assert (ca.orders, staging.orders) == (1, 1)
    for one in cas:
        one.repair_dns(HOST)
    # A restart forgets nothing of it.
    async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
        gate.clock.advance(10 * MINUTE)
        watched.manager.wake()
        await watched.until_state(HOST, VALID)
    assert (ca.orders, staging.orders) == (2, 2)
    assert signer(gate, ca)
    assert certificate_records.read_order(gate.store, HOST) is None
    assert certificate_records.read_attempts(gate.store, HOST) is None


async def test_a_test_system_that_is_down_is_not_waited_for_forever(
    gate: issuing.StateDirectory, cas: tuple[pebble.Pebble, pebble.Pebble]
) -> None:
    ca, _ = cas
    ca.break_dns(HOST)
    acme = issuing.asking(issuing.authority(ca, staging=nobody().directory))
    async with certificates.running(await gate.manager(acme, issuing.spec(HOST))) as watched:
        for failures in (1, 2, 3):
            await watched.until(lambda: watched.status(HOST).failures == failures)  # noqa: B023 - awaited here
            next_attempt = watched.status(HOST).next_attempt
            assert next_attempt is not None
            gate.clock.advance(next_attempt - gate.clock.now())
            ca.repair_dns(HOST)
            watched.manager.wake()
        assert ca.orders == 1
        await watched.until_state(HOST, VALID)
    assert ca.orders == 2


async def test_an_order_that_was_begun_after_the_test_system_passed_is_ended_and_not_rehearsed_again(
    gate: issuing.StateDirectory, cas: tuple[pebble.Pebble, pebble.Pebble]
) -> None:
    """As after a SIGKILL while the CA works on it."""
    ca, staging = cas
    asked_of = issuing.authority(ca, staging=staging.directory)
    acme, wanted = issuing.asking(asked_of), issuing.spec(HOST)
    store = issuing.StoreThatStops(gate)
    request = acme_issuer.Request(name=HOST, hosts=wanted.names, authority=asked_of)
    with pytest.raises(errors.RetryableError, match="the next start goes on"):
        acme_issuer.obtain(request, store=store, clock=gate.clock, stop=store.stop)
    failed = certificate_records.Attempts(
        asked=order_subject.fingerprint(wanted, acme.authorities), failures=2, rehearse=True
    )
    certificate_records.write_attempts(gate.store, HOST, failed)
    async with certificates.running(await gate.manager(acme, wanted)) as watched:
        await watched.until_state(HOST, VALID)
    assert (ca.orders, staging.orders) == (1, 0)
