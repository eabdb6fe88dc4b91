"""What daemun does not ask of a CA, with Pebble, which counts nothing by itself."""

import collections.abc
import dataclasses
import datetime
import pathlib
import threading

import pytest

from daemun import errors
from daemun.certs.acme import acme_issuer, request_ledger
from daemun.certs.served import certificate_records
from daemun.control import stored_values
from daemun.control.lease import Lease
from daemun.core import model
from daemun.core.issuance import budget
from daemun.store import file_store
from tests.support import certificates, http01, issuing, pebble

pytestmark = pytest.mark.pebble

VALID, PENDING, FAILING = (
    model.CertificateState.VALID,
    model.CertificateState.PENDING,
    model.CertificateState.FAILING,
)
MINUTE, DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)
TWO_A_WEEK = (budget.Limit(counted=budget.CaLimitKind.DOMAIN, most=2, window=7 * DAY, spares_replacing=True),)


@pytest.fixture(name="gate")
def made_gate(tmp_path: pathlib.Path) -> issuing.StateDirectory:
    return issuing.StateDirectory(tmp_path / "state", limits_of=lambda _: TWO_A_WEEK)


async def test_what_a_limit_does_not_allow_waits_until_it_does(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    hosts = [f"{name}.example.com" for name in "abc"]
    specs = [issuing.spec(host) for host in (*hosts, "other.example.org")]
    async with certificates.running(await gate.manager(issuing.asking(ca), *specs)) as watched:
        await watched.until(lambda: len([one for one in watched.manager.status() if one.state is VALID]) == 3)
        (waiting,) = (one for one in watched.manager.status() if one.state is not VALID)
        assert waiting.host in hosts
        await watched.until(lambda: watched.status(waiting.host).next_attempt is not None)
        await watched.until(lambda: not watched.manager.busy)
        waiting = watched.status(waiting.host)
        assert (waiting.state, waiting.failures) == (PENDING, 0)
        assert waiting.next_attempt is not None
        assert 7 * DAY <= waiting.next_attempt - gate.clock.now() <= 7 * DAY + 10 * MINUTE
        assert waiting.reason is not None
        assert waiting.reason.startswith(f'no certificate is asked for "{waiting.host}" at the CA at {ca.directory}')
        assert '2 certificates per registered domain "example.com" in any 7 days' in waiting.reason
    async with certificates.running(await gate.manager(issuing.asking(ca), *specs)) as watched:
        assert watched.status(waiting.host).reason == waiting.reason
        # A person cannot exceed it either.
        with pytest.raises(errors.RetryableError, match="2 certificates per registered domain"):
            watched.manager.renew(waiting.host)
        assert watched.manager.renew(waiting.host, force=True)
        await watched.until(lambda: watched.status(waiting.host).next_attempt is not None)
        assert ca.requests("order-plz") == 3
        # The CA's word is not counted.
        renewed = next(host for host in hosts if host != waiting.host)
        before = gate.leaf(renewed)
        assert watched.manager.renew(renewed)
        await watched.until(lambda: gate.leaf(renewed) != before)
        gate.clock.advance(waiting.next_attempt - gate.clock.now())
        watched.manager.wake()
        await watched.until_state(waiting.host, VALID)
    assert ca.orders == 5


async def test_the_next_ca_is_asked_for_what_is_over_the_limit_of_the_first(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    specs = [issuing.spec(f"{name}.example.com") for name in "abc"]
    with http01.answering(gate.thumbprint) as port, pebble.running_pebble(port) as second:
        async with certificates.running(await gate.manager(issuing.asking(ca, second), *specs)) as watched:
            await watched.until(lambda: all(one.state is VALID for one in watched.manager.status()))
        assert (ca.orders, second.orders) == (2, 1)


async def test_failed_validations_are_counted_per_name(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    limits = (budget.Limit(counted=budget.CaLimitKind.FAILURES, most=2, window=60 * MINUTE),)
    certs = await gate.manager(
        issuing.asking(ca), issuing.spec("a.example.com", "b.example.com"), limits_of=lambda _: limits
    )
    ca.break_dns("a.example.com")
    async with certificates.running(certs) as watched:
        for failures in (1, 2):
            await watched.until(lambda: watched.status("a.example.com").failures == failures)  # noqa: B023 - awaited here
            certs.renew("a.example.com") if failures == 2 else gate.clock.advance(MINUTE)
            certs.wake()
        await watched.until(lambda: "2 failed validations" in (watched.status("a.example.com").reason or ""))
        status = watched.status("a.example.com")
        assert status.next_attempt is not None
        assert status.next_attempt > gate.clock.now() + 58 * MINUTE
        assert '2 failed validations per name "a.example.com" in any hour' in (status.reason or "")
    assert ca.orders == 3, "two for both, and one for the name that does not fail"


async def test_what_is_not_wanted_any_more_is_not_renewed(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    certs = await gate.manager(issuing.asking(ca), issuing.spec("a.example.com"), issuing.spec("b.example.org"))
    async with certificates.running(certs) as watched:
        await watched.until_state("a.example.com", VALID)
        await watched.until_state("b.example.org", VALID)
        before = gate.leaf("b.example.org")
        await certs.prepare([issuing.spec("b.example.org")])
        await certs.confirm()
        gate.clock.advance(89 * DAY)
        certs.wake()
        await watched.until(lambda: gate.leaf("b.example.org") != before)
        await watched.until(lambda: not certs.busy)
    assert ca.orders == 3


class Examiner:
    """`certificate_port.Examiner` that finds what a test says."""

    def __init__(self, *found: model.Finding) -> None:
        self.found = found

    async def examine(
        self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
    ) -> tuple[model.Finding, ...]:
        return self.found


NO_RECORD = model.Finding(
    topic="dns",
    weight=model.Weight.BLOCKS,
    host="a.example.com",
    message="has no address in DNS",
    cure="make an A record",
)


async def test_what_would_fail_for_sure_is_not_asked_and_a_repair_in_dns_is_seen(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    examiner = Examiner(NO_RECORD)
    certs = await gate.manager(issuing.asking(ca), issuing.spec("a.example.com"), examiner=examiner)
    async with certificates.running(certs) as watched:
        status = await watched.until_state("a.example.com", FAILING)
        assert status.reason == (
            'no certificate is asked for "a.example.com": a.example.com: has no address in DNS; make an A record'
        )
        for failures in (2, 3):
            next_attempt = watched.status("a.example.com").next_attempt
            assert next_attempt is not None
            gate.clock.advance(next_attempt - gate.clock.now())
            certs.wake()
            await watched.until(lambda: watched.status("a.example.com").failures == failures)  # noqa: B023 - awaited here
        assert ca.requests("order-plz") == 0
        # Another answer is a repair, although the next try is more than an hour away.
        good = dataclasses.replace(NO_RECORD, weight=model.Weight.GOOD, message="is 192.0.2.1", cure=None)
        examiner.found = (good,)
        gate.clock.advance(6 * MINUTE)
        certs.wake()
        await watched.until_state("a.example.com", VALID)
    assert ca.orders == 1


async def test_a_finding_about_one_ca_leaves_the_next_one(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    class OfOne(Examiner):
        async def examine(
            self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
        ) -> tuple[model.Finding, ...]:
            return self.found if authority.directory == ca.directory else ()

    caa = model.Finding(topic="caa", weight=model.Weight.BLOCKS, message="CAA forbids it", cure="change it")
    with http01.answering(gate.thumbprint) as port, pebble.running_pebble(port) as second:
        acme = issuing.asking(ca, second)
        certs = await gate.manager(acme, issuing.spec("a.example.com"), examiner=OfOne(caa))
        async with certificates.running(certs) as watched:
            await watched.until_state("a.example.com", VALID)
        assert (ca.orders, second.orders) == (0, 1)


class StoreThatFails(file_store.FileStore):
    """As if daemun were killed right after an order was counted."""

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        super().commit(changes, lease=lease)
        if any(change.key.startswith("budget/") for change in changes):
            raise KilledError


class KilledError(Exception):
    pass


def test_an_order_is_counted_before_it_is_sent(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    """However often daemun is killed just then, the CA is never asked for more than it allows."""
    limits = (budget.Limit(counted=budget.CaLimitKind.ORDERS, most=2, window=3 * 60 * MINUTE),)
    asked = acme_issuer.Request(name="a", hosts=("a.example.com",), authority=issuing.authority(ca))
    dying = StoreThatFails(pathlib.Path(gate.paths.store))

    def obtain(store: file_store.FileStore) -> certificate_records.Issued:
        return acme_issuer.obtain(
            asked, store=store, clock=gate.clock, stop=threading.Event(), limits_of=lambda _: limits
        )

    for _ in range(2):
        with pytest.raises(KilledError):
            obtain(dying)
    for _ in range(2):
        with pytest.raises(request_ledger.OverBudgetError, match="2 orders per account in any 3 hours"):
            obtain(gate.store)
    assert ca.requests("order-plz") == 0
    gate.clock.advance(3 * 60 * MINUTE + budget.MARGIN)
    assert obtain(gate.store).bundle.missing(["a.example.com"]) == ()


def test_a_ledger_that_cannot_be_read_begins_anew(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    spent = request_ledger.RequestLedger(gate.store, gate.clock, ca.directory, TWO_A_WEEK)
    order = budget.OrderCost(by="a", hosts=("a.example.com",), domains=frozenset({"example.com"}))
    spent.reserve(order)
    (key,) = gate.store.list("budget")
    for damage in (b"", b"[]", b'{"spent": [["DOMAIN", "example.com", 1e300, ""]]}', b'{"spent": [["X", "", 1, ""]]}'):
        gate.store.write(key, damage)
        assert spent.find_refusal(order) is None
        spent.reserve(order)
