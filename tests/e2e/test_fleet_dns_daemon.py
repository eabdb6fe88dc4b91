"""Names in DNS follow the machines of a fleet that live, at a real DNS server."""

import collections.abc
import typing

import dns.rdatatype
import pytest

from tests.support import daemon, fleet_house, knot, postgresql
from tests.support.daemon import signpost

pytestmark = [pytest.mark.nginx, pytest.mark.postgresql]

ZONE = "front.test"
NAME = f"www.{ZONE}"
ADDRESSES = {"a": "192.0.2.1, '2001:db8::1'", "b": "192.0.2.2", "c": "192.0.2.3"}


@pytest.fixture(scope="module")
def server() -> collections.abc.Iterator[postgresql.Server]:
    with postgresql.running() as one:
        yield one


def addresses(zone: knot.Dns) -> set[str]:
    found = set()
    for kind in ("A", "AAAA"):
        for rrset in zone.ask(NAME, kind).answer:
            found |= {row.to_text() for row in rrset if rrset.rdtype == dns.rdatatype.from_text(kind)}
    return found


def test_records_follow_the_nodes_that_live(server: postgresql.Server) -> None:
    with knot.running_dns(ZONE) as zone:
        zone.add(ZONE, f"{NAME}.", "A", "192.0.2.99")  # a person's: of no node, so it stays
        provider = f"provider: rfc2136, server: {zone.primary}, key_name: {knot.KEY}, key_secret: '{zone.secret}'"
        records = {name: f"{{names: {NAME}, addresses: [{own}], {provider}}}" for name, own in ADDRESSES.items()}
        shared = f"acme: {{resolvers: '{zone.primary}'}}\nsites:\n" + signpost("a.test", "one")

        def wait(*expected: str) -> None:
            daemon.wait_for(lambda: addresses(zone) == {"192.0.2.99", *expected}, f"records {expected}", within_s=120)

        with fleet_house.running(server, *ADDRESSES, shared=shared, dns=records) as house:
            wait("192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3")
            house["a"].kill()  # who made the records is gone: another one changes them
            wait("192.0.2.2", "192.0.2.3")
            house["b"].kill()
            wait("192.0.2.3")
            assert zone.secret not in house["c"].log_text()
            house["a"].start()
            wait("192.0.2.1", "2001:db8::1", "192.0.2.3")
            # Nobody knows who lives while the database is away: nothing is changed.
            server.crash()
            house["c"].wait_log("the fleet's database is not reached")
            assert addresses(zone) == {"192.0.2.99", "192.0.2.1", "2001:db8::1", "192.0.2.3"}
            server.start()
            house["c"].wait_log("the fleet's database is reached again")
            house["b"].start()
            wait("192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3")
            log = house["c"].log_text()
            made: list[dict[str, typing.Any]] = [one for one in house["c"].log_lines() if "in DNS" in one["event"]]
            assert made, log
