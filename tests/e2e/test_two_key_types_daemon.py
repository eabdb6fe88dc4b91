"""C9: two types of key through the daemon: each client gets the certificate that it takes, whatever happens."""

import collections.abc
import pathlib
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support import binaries, certbot, clients, pebble
from tests.support.daemon import Daemon, signpost

pytestmark = [pytest.mark.nginx, pytest.mark.pebble]

HOST, OTHER = "a.example.com", "b.example.com"
OF_RSA, OF_ECDSA = "aRSA", "aECDSA"
KINDS = {OF_RSA: rsa.RSAPublicKey, OF_ECDSA: ec.EllipticCurvePublicKey}
Pair = tuple[x509.Certificate, x509.Certificate]


@pytest.fixture(name="ca")
def running_ca(daemon: Daemon) -> collections.abc.Iterator[pebble.Pebble]:
    with pebble.running_pebble(daemon.http) as ca:
        both = "key_type: [ecdsa-p256, rsa-2048]"
        daemon.preamble = f"acme: {{directory: '{ca.directory}', ca_file: {ca.ca_file}, {both}}}\n"
        yield ca


def shown(daemon: Daemon, host: str = HOST) -> Pair | None:
    """To a client that takes only RSA, and to one that takes only ECDSA; None until each gets one of Pebble's."""
    found = []
    for ciphers, kind in KINDS.items():
        seen = clients.try_handshake(daemon.gate, host, ciphers=ciphers)
        if seen is None or seen.certificate is None or "Pebble" not in seen.issuer:
            return None
        assert isinstance(seen.certificate.public_key(), kind)
        found.append(seen.certificate)
    of_rsa, of_ecdsa = found
    return of_rsa, of_ecdsa


def in_tls_1_3(daemon: Daemon, signatures: str) -> x509.Certificate:
    """What OpenSSL's own client is shown, which can be told what it takes."""
    command = [binaries.program("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{daemon.https}"]
    command += ["-servername", HOST, "-tls1_3", "-sigalgs", signatures]
    done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60)
    return x509.load_pem_x509_certificate(done.stdout)


def states(daemon: Daemon) -> list[tuple[str, str, str | None]]:
    return sorted((one["host"], one["state"], one["key_type"]) for one in daemon.certificates())


def valid(*hosts: str) -> list[tuple[str, str, str | None]]:
    return [(host, "valid", kind) for host in hosts for kind in ("ecdsa-p256", "rsa-2048")]


def test_each_client_gets_what_it_takes_after_a_renewal_and_a_restart_too(daemon: Daemon, ca: pebble.Pebble) -> None:
    daemon.write(f"sites:\n{signpost(HOST, 'a')}")
    daemon.start()
    first = daemon.wait(lambda: shown(daemon), "both certificates", within_s=90)
    daemon.wait(lambda: states(daemon) == valid(HOST), "both to be valid", every_s=0.3)
    assert in_tls_1_3(daemon, "rsa_pss_rsae_sha256") == first[0]
    assert in_tls_1_3(daemon, "ecdsa_secp256r1_sha256") == first[1]
    seen = clients.handshake(daemon.gate, HOST)
    assert seen.certificate == first[1], "who takes both gets the smaller one"

    reloads = daemon.status()["nginx"]["reloads"]
    daemon.cli_good("certs", "renew", HOST)
    renewed = daemon.wait(
        lambda: now if (now := shown(daemon)) and not {*now} & {*first} else None, "both anew", within_s=90
    )
    daemon.wait(lambda: states(daemon) == valid(HOST), "both to be valid again", every_s=0.3)
    assert daemon.status()["nginx"]["reloads"] == reloads

    daemon.terminate()
    daemon.start()
    daemon.wait(lambda: shown(daemon) == renewed, "the same after a restart")
    daemon.wait(lambda: states(daemon) == valid(HOST), "both to be valid after a restart", every_s=0.3)
    daemon.wait_state(HOST, "live")
    assert daemon.cli("status").returncode == 0
    assert ca.orders == 4


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_an_imported_one_is_shown_to_those_who_take_it_and_the_other_is_ordered(
    daemon: Daemon, ca: pebble.Pebble, kind: str
) -> None:
    """As who comes from certbot, which makes one type."""
    client = certbot.Certbot(folder=daemon.root / "letsencrypt", ca=ca, http_port=daemon.http)
    theirs = leaf(client.obtain(HOST, options=("--key-type", kind)))
    orders = ca.orders
    daemon.write(f"sites:\n{signpost(HOST, 'a')}")
    assert f"is served for {HOST}" in daemon.cli_good("certs", "import", str(client.folder))
    daemon.start()
    found = daemon.wait(lambda: shown(daemon), "both certificates", within_s=90)
    assert (theirs == found[0], theirs == found[1]) == (kind == "rsa", kind == "ecdsa")
    daemon.wait(lambda: states(daemon) == valid(HOST), "both to be valid", every_s=0.3)
    assert ca.orders == orders + 1

    daemon.cli_good("certs", "renew", HOST)
    daemon.wait(
        lambda: (now := shown(daemon)) is not None and not {*now} & {*found}, "both anew, by daemun", within_s=90
    )


def test_with_both_imported_nothing_is_ordered(daemon: Daemon, ca: pebble.Pebble) -> None:
    client = certbot.Certbot(folder=daemon.root / "letsencrypt", ca=ca, http_port=daemon.http)
    of_ecdsa = leaf(client.obtain(HOST, options=("--key-type", "ecdsa")))
    client.obtain(HOST, options=("--key-type", "rsa", "--cert-name", "of-rsa"))
    of_rsa = leaf(client.folder / "live" / "of-rsa")
    orders = ca.orders
    daemon.write(f"sites:\n{signpost(HOST, 'a')}")
    daemon.cli_good("certs", "import", str(client.folder))
    daemon.start()
    daemon.wait(lambda: shown(daemon) == (of_rsa, of_ecdsa), "what certbot had")
    daemon.wait(lambda: states(daemon) == valid(HOST), "both to be valid", every_s=0.3)
    assert ca.orders == orders


def test_a_name_on_demand_has_both_too(daemon: Daemon, ca: pebble.Pebble) -> None:
    daemon.write("sites: {app.example.com: {on_demand: true, routes: {/: {redirect: '/$host', status: 302}}}}\n")
    daemon.up("https://app.example.com/")
    daemon.wait(lambda: shown(daemon, "app.example.com"), "both certificates of the site", within_s=90)
    daemon.cli_good("domains", "add", OTHER)
    first = daemon.wait(lambda: shown(daemon, OTHER), "both certificates of the name", within_s=90)
    daemon.wait(lambda: states(daemon) == valid("app.example.com", OTHER), "all to be valid", every_s=0.3)

    daemon.cli_good("certs", "renew", OTHER)
    renewed = daemon.wait(
        lambda: now if (now := shown(daemon, OTHER)) and not {*now} & {*first} else None, "both anew", within_s=90
    )
    daemon.terminate()
    daemon.start()
    daemon.wait(lambda: shown(daemon, OTHER) == renewed, "the same after a restart")
    assert ca.orders == 6


def leaf(lineage: pathlib.Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((lineage / "cert.pem").read_bytes())
