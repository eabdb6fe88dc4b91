"""Proofs in DNS, with Knot as the authoritative servers and Pebble as the CA."""

import collections.abc
import concurrent.futures
import dataclasses
import datetime
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from daemun import errors
from daemun.certs.acme import acme_issuer, prover_port
from daemun.certs.dns01 import (
    by_update,
    dns_prover,
    leftovers,
    persist_prover,
    record_journal,
    record_users,
    txt_records,
)
from daemun.control import ports
from daemun.core import model
from daemun.core.issuance import persist_records
from daemun.sources.docker import nginx_proxy_folders, nginx_proxy_gate
from daemun.store import file_store, memory_store
from tests.support import clock, knot, pebble, powerdns, until

pytestmark = pytest.mark.pebble

ROOT = pathlib.Path(__file__).parents[2]
ZONE, ELSEWHERE = "example.test", "proofs.test"
APEX = "_acme-challenge.example.test"


@pytest.fixture(name="dns", scope="module")
def running_dns() -> collections.abc.Iterator[knot.Dns]:
    with knot.running_dns(ZONE, ELSEWHERE) as servers:
        yield servers


@pytest.fixture(name="ca", scope="module")
def running_ca(dns: knot.Dns) -> collections.abc.Iterator[pebble.Pebble]:
    with pebble.running_pebble(1, dns_server=f"{dns.primary}:53") as ca:
        yield ca


def by_rfc2136(
    dns: knot.Dns, changed: collections.abc.Mapping[str, str] | None = None, *, wait_s: float = 30.0
) -> model.Dns:
    options = {"server": dns.primary, "key_name": "update", "key_secret": dns.secret, **(changed or {})}
    given = tuple((name, model.Secret(text=value)) for name, value in sorted(options.items()))
    return model.Dns(provider=model.RFC2136, options=given, wait_s=wait_s)


class Order:
    """An order of one process, with all that proves names in DNS."""

    def __init__(self, dns: knot.Dns | str, store: ports.Store | None = None) -> None:
        """dns: the servers, or the address of one."""
        self.store = store or memory_store.MemoryStore()
        self.clock = clock.FakeClock()
        self.held = record_users.RecordUsers()
        self.prover = dns_prover.DnsProver(self.store, self.clock, self.held)
        self.checker = persist_prover.Checker(self.clock)
        self.acme = model.Acme(resolvers=(dns if isinstance(dns, str) else dns.primary,))
        self.prover.configure(self.acme)
        self.checker.configure(self.acme)

    def obtain(self, ca: pebble.Pebble, ordering: model.Ordering, *hosts: str) -> tuple[str, ...]:
        """Returns: the names of the certificate."""
        authority = model.Authority(directory=ca.directory, ca_file=str(ca.ca_file))
        request = acme_issuer.Request(
            name=hosts[0].replace("*", "_"), hosts=hosts, authority=authority, ordering=ordering
        )
        provers: prover_port.Provers = {
            model.Challenge.DNS_01: self.prover,
            model.Challenge.DNS_PERSIST_01: self.checker,
        }
        issued = acme_issuer.obtain(
            request, store=self.store, clock=self.clock, stop=threading.Event(), provers=provers
        )
        assert not issued.bundle.missing(hosts)
        return hosts

    def remove_leftovers(self, dns: model.Dns | None) -> None:
        acme = dataclasses.replace(self.acme, dns=dns)
        leftovers.Leftovers(self.store, self.clock, self.held, lambda: (), lambda: acme).remove_all((), acme)


def proof(host: str, content: str, dns: model.Dns) -> prover_port.Proof:
    return prover_port.Proof(host=host, challenge=model.Challenge.DNS_01, token="token", content=content, dns=dns)


# --- what goes well ------------------------------------------------------------------------------------------------


def test_a_name_and_its_wildcard_are_proved_side_by_side(dns: knot.Dns, ca: pebble.Pebble) -> None:
    order = Order(dns)
    ordering = model.Ordering(challenge=model.Challenge.DNS_01, dns=by_rfc2136(dns))
    order.obtain(ca, ordering, ZONE, "*." + ZONE)
    assert dns.texts(APEX) == set()
    assert record_journal.read_all(order.store) == ()


def test_a_cname_leads_to_another_zone(dns: knot.Dns, ca: pebble.Pebble) -> None:
    dns.add(ZONE, "_acme-challenge.shop.example.test.", "CNAME", "shop.proofs.test.")
    order = Order(dns)
    wanted = proof("shop.example.test", "value", by_rfc2136(dns))
    order.prover.present([wanted])
    assert dns.texts("shop.proofs.test", dns.primary) == {"value"}
    assert dns.texts("shop.proofs.test", dns.secondary) == {"value"}
    order.prover.remove([wanted])
    assert dns.texts("shop.proofs.test") == set()


def test_a_wildcard_alias_is_no_delegation(dns: knot.Dns) -> None:
    dns.add(ZONE, "*.wild.example.test.", "CNAME", "shop.proofs.test.")
    order = Order(dns)
    order.prover.present([wanted := proof("a.wild.example.test", "value", by_rfc2136(dns))])
    assert dns.texts("_acme-challenge.a.wild.example.test", dns.secondary) == {"value"}
    order.prover.remove([wanted])
    assert dns.texts("_acme-challenge.a.wild.example.test") == set()


def test_a_slow_server_is_waited_for() -> None:
    with knot.running_dns(ZONE, is_slow=True) as dns, concurrent.futures.ThreadPoolExecutor(1) as pool:
        order = Order(dns)
        waiting = pool.submit(order.prover.present, [proof(ZONE, "value", by_rfc2136(dns))])
        until.true(lambda: dns.texts(APEX) == {"value"})
        assert dns.texts(APEX, dns.secondary) == set()
        assert not waiting.done()
        dns.sync()
        waiting.result(30)
        assert dns.texts(APEX, dns.secondary) == {"value"}


def test_a_silent_server_is_passed_over() -> None:
    with knot.running_dns(ZONE) as dns:
        dns.add(ZONE, f"{ZONE}.", "NS", f"ns3.{ZONE}.")
        dns.add(ZONE, f"ns3.{ZONE}.", "A", "127.77.255.253")
        until.true(lambda: b"ns3" in dns.ask(ZONE, "NS").to_wire())
        order = Order(dns)
        order.prover.present([wanted := proof(ZONE, "value", by_rfc2136(dns, wait_s=120))])
        assert dns.texts(APEX, dns.secondary) == {"value"}
        order.prover.remove([wanted])


@pytest.mark.shows(gate="ACME_CHALLENGE ACMESH_DNS_API_CONFIG")
def test_the_dns_api_of_acme_companion() -> None:
    with (
        powerdns.running_powerdns(ZONE) as provider,
        pebble.running_pebble(1, dns_server=f"{provider.address}:53") as ca,
    ):
        lines = ("DNS_API: dns_pdns", f"PDNS_Url: {provider.api}", "PDNS_ServerId: localhost")
        told = "\n".join((*lines, f"PDNS_Token: {provider.token!r}"))
        gate = nginx_proxy_gate.read_gate({"ACME_CHALLENGE": "DNS-01", "ACMESH_DNS_API_CONFIG": told})
        acme = gate.apply(model.Globals(), nginx_proxy_folders.Folders()).acme
        order = Order(provider.address)
        order.obtain(ca, model.Ordering(challenge=acme.challenge, dns=acme.dns), ZONE, f"*.{ZONE}")
        assert provider.texts(APEX) == set()


# --- what is left behind -------------------------------------------------------------------------------------------


def test_records_are_removed_after_the_ca_refused(dns: knot.Dns) -> None:
    with pebble.running_pebble(1) as ca:  # which looks at a DNS of its own
        order = Order(dns)
        ordering = model.Ordering(challenge=model.Challenge.DNS_01, dns=by_rfc2136(dns))
        with pytest.raises(errors.RetryableError, match="does not find the TXT record in DNS"):
            order.obtain(ca, ordering, ZONE)
    assert dns.texts(APEX) == set()
    assert record_journal.read_all(order.store) == ()


def test_what_a_killed_process_left_is_removed(dns: knot.Dns) -> None:
    killed = Order(dns)
    killed.prover.present([proof(ZONE, "left", by_rfc2136(dns)), proof("b.example.test", "left", by_rfc2136(dns))])
    assert dns.texts(APEX) == {"left"}
    started = Order(dns, killed.store)
    started.remove_leftovers(by_rfc2136(dns))
    assert dns.texts(APEX) == dns.texts("_acme-challenge.b.example.test") == set()
    started.clock.advance(leftovers.IN_FLIGHT)
    started.remove_leftovers(by_rfc2136(dns))
    assert record_journal.read_all(started.store) == ()


@pytest.mark.parametrize("action", ["present", "cleanup"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_that_is_killed_while_dns_changes(
    dns: knot.Dns, tmp_path: pathlib.Path, action: str, moment: str
) -> None:
    program = tmp_path / "hook"
    program.write_text(f"#!{sys.executable}\n{CHANGE}")
    program.chmod(0o700)
    by_hook = model.Dns(provider=model.HOOK, command=(str(program), dns.primary, dns.secret), wait_s=30)
    arguments = [str(tmp_path / "store"), dns.primary, str(program), dns.secret]
    environment = {**os.environ, "KILL": f"{action}-{moment}", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.support.dns01_order", *arguments]
    ended = subprocess.run(command, env=environment, cwd=ROOT, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL
    started = Order(dns, file_store.FileStore(tmp_path / "store"))
    assert len(record_journal.read_all(started.store)) == 1
    started.remove_leftovers(by_hook)
    assert dns.texts(APEX) == set()
    (tmp_path / "go").touch()  # the program of the killed process goes on
    if (action, moment) == ("present", "before"):
        until.true(lambda: dns.texts(APEX) == {"killed"})
    started.clock.advance(leftovers.IN_FLIGHT)
    started.remove_leftovers(by_hook)
    assert dns.texts(APEX) == set()
    assert record_journal.read_all(started.store) == ()


CHANGE = """
import os, pathlib, signal, sys, time
import dns.query, dns.tsigkeyring, dns.update
server, secret, action, name, value = sys.argv[1:]
update = dns.update.UpdateMessage(os.environ["DAEMUN_ZONE"], keyring=dns.tsigkeyring.from_text({"update.": secret}))
getattr(update, "add" if action == "present" else "delete")(
    dns.name.from_text(name), *([60] if action == "present" else []), "TXT", value
)
for moment in ("before", "after"):
    if os.environ.get("KILL") == f"{action}-{moment}":
        os.kill(os.getppid(), signal.SIGKILL)
        for _ in range(600):
            if pathlib.Path(__file__).with_name("go").exists():
                break
            time.sleep(0.1)
    if moment == "before":
        sys.exit(1) if dns.query.tcp(update, server, timeout=10).rcode() else None
"""


def test_what_an_order_needs_is_not_left_over(dns: knot.Dns) -> None:
    order = Order(dns)
    needed = proof(ZONE, "needed", by_rfc2136(dns))
    order.prover.present([needed])
    order.remove_leftovers(by_rfc2136(dns))
    assert dns.texts(APEX) == {"needed"}
    order.prover.remove([needed])
    assert dns.texts(APEX) == set()


def test_what_cannot_be_removed_now_is_removed_later(dns: knot.Dns, tmp_path: pathlib.Path) -> None:
    key = tmp_path / "key"
    key.write_text(dns.secret)
    options = {"key_name": model.Secret(text="update"), "key_secret": model.Secret(file=str(key))}
    options["server"] = model.Secret(text=dns.primary)
    by_file = model.Dns(provider=model.RFC2136, options=tuple(options.items()), wait_s=30)
    order = Order(dns)
    order.prover.present([made := proof(ZONE, "kept", by_file)])
    key.write_text("d3Jvbmcgd3Jvbmcgd3Jvbmc=")
    order.prover.remove([made])
    order.remove_leftovers(None)
    order.remove_leftovers(by_file)
    assert dns.texts(APEX) == {"kept"}
    key.write_text(dns.secret)
    order.remove_leftovers(by_file)
    assert dns.texts(APEX) == set()


def test_what_was_never_made_is_forgotten(dns: knot.Dns) -> None:
    order = Order(dns)
    refused = proof("c.example.test", "never", by_rfc2136(dns, {"key_name": "other"}))
    with pytest.raises(errors.RetryableError):
        order.prover.present([refused])
    order.prover.remove([refused])
    order.remove_leftovers(None)
    assert len(record_journal.read_all(order.store)) == 1
    order.clock.advance(datetime.timedelta(hours=2))
    order.remove_leftovers(None)
    assert record_journal.read_all(order.store) == ()


def test_two_orders_may_share_a_proof(dns: knot.Dns) -> None:
    order = Order(dns)
    shared = proof(ZONE, "shared", by_rfc2136(dns))
    order.prover.present([shared])
    order.prover.present([shared])
    order.prover.remove([shared])
    assert dns.texts(APEX) == {"shared"}
    order.prover.remove([shared])
    assert dns.texts(APEX) == set()


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_the_server_that_lacks_the_record_is_named() -> None:
    with knot.running_dns(ZONE, is_slow=True) as dns:
        order = Order(dns)
        wanted = proof(ZONE, "value", by_rfc2136(dns, wait_s=1))
        with pytest.raises(errors.RetryableError) as caught:
            order.prover.present([wanted])
        assert f"is not yet seen at ns2.example.test ({dns.secondary}); check" in str(caught.value)
        order.prover.remove([wanted])
        assert dns.texts(APEX) == set()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"key_name": "other"}, 'does not accept the key "other"'),
        ({"key_secret": "d3Jvbmcgd3Jvbmcgd3Jvbmc="}, "differs from the server's"),
        ({"zone": "test"}, "is not the primary server of that zone"),
        ({"zone": "proofs.test"}, "is not in the zone"),
        ({"port": "1"}, "check `server`, `port` and the firewalls"),
        ({"server": "127.77.255.254"}, "check `server`, `port` and the firewalls"),
        ({"key_secret": "no base64!"}, "is not base64"),
    ],
)
def test_a_refused_update_says_what_to_do(dns: knot.Dns, changed: dict[str, str], told: str) -> None:
    with pytest.raises((errors.RetryableError, errors.ConfigError)) as caught:
        Order(dns).prover.present([proof(ZONE, "value", by_rfc2136(dns, changed))])
    assert told in str(caught.value)
    assert dns.secret not in str(caught.value)


def test_an_update_without_a_key_says_that_one_is_wanted(dns: knot.Dns) -> None:
    record = txt_records.Record(name=APEX, zone=ZONE, value="value")
    with pytest.raises(errors.RetryableError, match="it wants a key"):
        by_update.make({"server": dns.primary}).create(record)


def test_a_circle_of_cnames_is_told(dns: knot.Dns) -> None:
    dns.add(ZONE, "_acme-challenge.round.example.test.", "CNAME", "_acme-challenge.about.example.test.")
    dns.add(ZONE, "_acme-challenge.about.example.test.", "CNAME", "_acme-challenge.round.example.test.")
    with pytest.raises(errors.RetryableError, match="CNAMEs follow each other"):
        Order(dns).prover.present([proof("round.example.test", "value", by_rfc2136(dns))])


def test_a_resolver_that_refuses_is_told(dns: knot.Dns) -> None:
    with pytest.raises(errors.RetryableError, match=f"the resolver .*{dns.primary}.* refuses, or fails, to answer"):
        Order(dns).prover.present([proof("a.nowhere.test", "value", by_rfc2136(dns))])


# --- dns-persist-01 ------------------------------------------------------------------------------------------------


def test_a_record_that_a_person_made_proves_a_name_and_its_wildcard(dns: knot.Dns, ca: pebble.Pebble) -> None:
    order = Order(dns)
    ordering = model.Ordering(challenge=model.Challenge.DNS_PERSIST_01)
    with pytest.raises(errors.RetryableError, match="make it once at the DNS provider") as caught:
        order.obtain(ca, ordering, "*.kept.example.test")
    record = str(caught.value).split(' TXT "')[1].split('"')[0]
    said = persist_records.parse(record)
    assert said is not None and said.is_wildcard
    dns.add(ZONE, "_validation-persist.kept.example.test.", "TXT", f'"{record}"')
    until.true(lambda: dns.texts("_validation-persist.kept.example.test", dns.secondary) == {record})
    order.obtain(ca, ordering, "kept.example.test", "*.kept.example.test")
    assert dns.texts("_validation-persist.kept.example.test") == {record}
