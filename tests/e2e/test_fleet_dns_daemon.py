"""Names in DNS follow the machines of a fleet that live, at a real DNS server."""

import collections.abc
import typing

import dns.rdatatype
import pytest

from tests.support import daemon, fleet_house, fleet_store, knot, postgresql
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
            # Whoever owns the database, without the fleet's key, makes no node, by no name.
            insert = "INSERT INTO daemun.node (id, format, seen_rev, beat, about, about_at, since) VALUES "
            evil = """{"addresses":["6.6.6.6"]}"""
            moments = "clock_timestamp() + interval '1 day', '" + evil + "', clock_timestamp(), '2020-01-01'"
            server.execute(f"{insert}('evil', 1, 0, {moments})", database=fleet_store.DATABASE)
            server.execute(f"UPDATE daemun.node SET about = '{evil}' WHERE id = 'b'", database=fleet_store.DATABASE)
            assert "'evil'" in house.wait_problem("c", "cannot use heartbeats in the fleet's database")
            shown = house["c"].cli("fleet", "status").stdout
            assert "evil" not in shown.split("cannot use")[0], shown
            house["c"].cli_good("fleet", "leave", "evil")
            assert addresses(zone) == {"192.0.2.99", "192.0.2.1", "2001:db8::1", "192.0.2.3"}
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
