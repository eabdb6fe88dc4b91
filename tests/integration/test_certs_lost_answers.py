"""What is ordered again when an answer of the CA is lost, at a CA that gives an order again that is there, as Let's
Encrypt does."""

import collections.abc
import contextlib

import pytest

from daemun.core import model
from tests.support import acme_proxy, certificates, fleet_ca, http01, issuing, pebble

pytestmark = pytest.mark.pebble

FAILING, VALID = model.CertificateState.FAILING, model.CertificateState.VALID
HOST = "a.example.com"


@pytest.fixture(name="ca")
def running_ca(gate: issuing.StateDirectory) -> collections.abc.Iterator[fleet_ca.Ca]:
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(http01.answering(gate.thumbprint))
        running = stack.enter_context(pebble.running_pebble(port))
        yield stack.enter_context(fleet_ca.in_front_of(running))


def orders(ca: fleet_ca.Ca) -> list[str]:
    """How each newOrder ended."""
    lines = ca.orders_log.read_text().splitlines()
    return [line.rpartition(": ")[2] for line in lines if " newOrder " in line]


@pytest.mark.parametrize("lost", ["order-plz", "finalize-order", "chalZ", "my-order", "certZ"])
async def test_each_lost_answer_costs_no_second_order(gate: issuing.StateDirectory, ca: fleet_ca.Ca, lost: str) -> None:
    with acme_proxy.in_front_of(ca) as proxy:
        cut: list[str] = []

        def lose_first(moment: acme_proxy.Moment) -> bool:
            if not moment.is_answered or cut or f"/{lost}" not in proxy.seen[-1]:
                return True
            cut.append(proxy.seen[-1])
            return False

        proxy.at = lose_first
        acme = issuing.asking(issuing.authority(ca, directory=proxy.directory))
        certs = await gate.manager(acme, issuing.spec(HOST))
        async with certificates.running(certs) as watched:
            await watched.until_state(HOST, FAILING)
            assert certs.renew(HOST)
            await watched.until_state(HOST, VALID)
    assert len(cut) == 1
    assert orders(ca) == (["made", "given again"] if lost == "order-plz" else ["made"])
    assert (ca.orders, ca.issued, ca.surplus()) == (1, 1, "")


async def test_an_order_that_failed_is_not_given_again(gate: issuing.StateDirectory, ca: fleet_ca.Ca) -> None:
    ca.break_dns(HOST)
    certs = await gate.manager(issuing.asking(ca), issuing.spec(HOST))
    async with certificates.running(certs) as watched:
        await watched.until_state(HOST, FAILING)
        ca.repair_dns(HOST)
        assert certs.renew(HOST)
        await watched.until_state(HOST, VALID)
    assert orders(ca) == ["made", "made"]
    assert [line.split()[2:4] for line in ca.surplus().splitlines()] == [
        ["newOrder", HOST],
        ["newOrder", HOST],
        ["finalize", HOST],
    ]
