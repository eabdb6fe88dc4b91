"""Names that are proved in DNS, by the daemon: a wildcard's certificate, and what a SIGKILL leaves behind."""

import collections.abc
import json
import pathlib
import textwrap

import pytest
from cryptography import x509

from tests.support import knot, pebble
from tests.support.daemon import Daemon

pytestmark = [pytest.mark.nginx, pytest.mark.pebble]

ZONE = "example.test"
RECORD = f"_acme-challenge.{ZONE}"


@pytest.fixture(name="slow")
def slow_servers() -> collections.abc.Iterator[knot.Dns]:
    with knot.running_dns(ZONE, is_slow=True) as servers:
        yield servers


def write(daemon: Daemon, ca: pebble.Pebble, dns: knot.Dns, sites: str) -> None:
    key = daemon.root / "key"
    key.write_text(dns.secret)
    acme = f"""
        acme:
          directory: {ca.directory}
          ca_file: {ca.ca_file}
          challenge: dns-01
          resolvers: {dns.primary}
          dns: {{provider: rfc2136, server: {dns.primary}, key_name: update, key_secret: {{file: key}}, wait: 1m}}
        """
    daemon.write(textwrap.dedent(acme) + textwrap.dedent(sites))


SITES = f"""
    sites:
      "*.{ZONE}":
        aliases: [{ZONE}]
        tls: acme
        routes: {{/: {{redirect: 'https://sign.test/one'}}}}
    """


def served_names(daemon: Daemon) -> set[str]:
    """But that of the dashboard."""
    chain = pathlib.Path(daemon.state, "live").glob("*/fullchain.pem")
    leaves = [x509.load_pem_x509_certificates(path.read_bytes())[0] for path in chain]
    names = [leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value for leaf in leaves]
    return {name for found in names for name in found.get_values_for_type(x509.DNSName)} - {"daemun.localhost"}


def test_a_killed_order_is_finished_and_leaves_nothing_in_dns(daemon: Daemon, slow: knot.Dns) -> None:
    with pebble.running_pebble(1, dns_server=f"{slow.primary}:53") as ca:
        write(daemon, ca, slow, SITES)
        daemon.start()
        daemon.wait(lambda: len(slow.texts(RECORD)) == 2, "both records to be made")
        daemon.kill()
        assert len(slow.texts(RECORD)) == 2
        daemon.start()
        daemon.wait_state(f"*.{ZONE}", "live")
        daemon.wait(lambda: len(slow.texts(RECORD)) == 2, "the records of the order that goes on")
        slow.sync()
        daemon.wait(lambda: state_of(daemon) == "valid", "the certificate")
        assert served_names(daemon) == {ZONE, f"*.{ZONE}"}
        daemon.wait(lambda: not slow.texts(RECORD), "the records to be removed")
        assert ca.orders == 1


def test_what_an_order_that_is_not_wanted_any_more_left_is_removed(daemon: Daemon, slow: knot.Dns) -> None:
    with pebble.running_pebble(1, dns_server=f"{slow.primary}:53") as ca:
        write(daemon, ca, slow, SITES)
        daemon.start()
        daemon.wait(lambda: len(slow.texts(RECORD)) == 2, "both records to be made")
        daemon.kill()
        write(daemon, ca, slow, "sites: {other.test: {tls: local, routes: {/: {redirect: 'https://sign.test/two'}}}}\n")
        daemon.start()
        daemon.wait(lambda: not slow.texts(RECORD), "the records to be removed")


def test_the_record_that_stays_is_told_and_looked_for(daemon: Daemon) -> None:
    with knot.running_dns(ZONE) as dns, pebble.running_pebble(1, dns_server=f"{dns.primary}:53") as ca:
        acme = f"""
            acme:
              directory: {ca.directory}
              ca_file: {ca.ca_file}
              challenge: dns-persist-01
              resolvers: {dns.primary}
            """
        daemon.write(textwrap.dedent(acme) + textwrap.dedent(SITES))
        early = daemon.cli("certs", "dns", ZONE)
        assert early.returncode == 1
        assert f"run {daemon.named('up')} with this configuration" in early.stderr
        daemon.start()
        daemon.wait_ready()
        daemon.wait(lambda: state_of(daemon) == "failing", "the first order to fail")
        told = daemon.cli("certs", "dns", ZONE)
        assert told.returncode == 3, told.stderr
        assert f"ns2.{ZONE} ({dns.secondary}) does not have it" in told.stdout
        value = told.stdout.split(f'_validation-persist.{ZONE}. TXT "')[1].split('"')[0]
        assert value.endswith("; policy=wildcard")
        dns.add(ZONE, f"_validation-persist.{ZONE}.", "TXT", f'"{value}"')
        daemon.wait(lambda: daemon.cli("certs", "dns", ZONE).returncode == 0, "the record to be seen", every_s=0.5)
        seen = json.loads(daemon.cli_good("certs", "dns", f"*.{ZONE}", "--json"))["names"]
        assert [(one["host"], one["challenge"], one["is_done"]) for one in seen] == [(ZONE, "dns-persist-01", True)]
        daemon.cli_good("certs", "renew", f"*.{ZONE}")
        daemon.wait(lambda: state_of(daemon) == "valid", "the certificate", every_s=0.5)
        assert served_names(daemon) == {ZONE, f"*.{ZONE}"}


def test_delegation_is_told(daemon: Daemon) -> None:
    with knot.running_dns(ZONE) as dns:
        dns.add(ZONE, f"{RECORD}.", "CNAME", f"proofs.{ZONE}.")
        daemon.write(f"acme: {{resolvers: {dns.primary}, challenge: http-01}}\nsites: {{}}\n")
        over_http = daemon.cli_good("certs", "dns", ZONE)
        assert "this name is proved over HTTP" in over_http
        wildcard = daemon.cli("certs", "dns", f"*.{ZONE}")
        assert wildcard.returncode == 3
        assert f"{RECORD} leads to proofs.{ZONE} in the zone {ZONE}" in wildcard.stdout
        assert "nobody makes records for *.example.test" in wildcard.stdout


def state_of(daemon: Daemon) -> str:
    found = daemon.status()["sites"][0]["certificate"]
    state: str = found["state"]
    return state
