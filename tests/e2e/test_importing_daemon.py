"""`daemun certs import`, `accounts` and `certs revoke` with the installed command, nginx, Pebble and certbot."""

import collections.abc
import json
import pathlib
import typing

import pytest
from cryptography import x509

from tests.support import certbot, clients, pebble
from tests.support.daemon import Daemon, signpost

pytestmark = [pytest.mark.nginx, pytest.mark.pebble]

HOST, OTHER = "a.example.com", "b.example.com"
Json = dict[str, typing.Any]


@pytest.fixture(name="ca")
def running_ca(daemon: Daemon) -> collections.abc.Iterator[pebble.Pebble]:
    with pebble.running_pebble(daemon.http) as ca:
        daemon.preamble = f"acme: {{directory: '{ca.directory}', ca_file: {ca.ca_file}}}\n"
        yield ca


@pytest.fixture(name="client")
def made_client(daemon: Daemon, ca: pebble.Pebble) -> certbot.Certbot:
    """certbot's server uses the port that nginx has later."""
    return certbot.Certbot(folder=daemon.root / "letsencrypt", ca=ca, http_port=daemon.http)


def states(daemon: Daemon) -> dict[str, str]:
    return {certificate["host"]: certificate["state"] for certificate in daemon.certificates()}


def served(daemon: Daemon, host: str) -> x509.Certificate | None:
    seen = clients.try_handshake(daemon.gate, host)
    return seen.certificate if seen else None


def another(daemon: Daemon, old: x509.Certificate | None) -> bool:
    """Whether visitors get a certificate that is not the old one."""
    return served(daemon, HOST) not in {old, None}


def leaf(lineage: pathlib.Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((lineage / "cert.pem").read_bytes())


def test_before_the_first_start_nothing_is_ordered_anew(
    daemon: Daemon, ca: pebble.Pebble, client: certbot.Certbot
) -> None:
    lineage, other = client.obtain(HOST, OTHER), client.obtain("spare.example.com")
    orders, registrations = ca.orders, ca.requests("sign-me-up")
    daemon.write(f"sites:\n{signpost(HOST, 'a')}{signpost(OTHER, 'b')}")
    dry = daemon.cli_good("certs", "import", "--dry-run", str(client.folder))
    assert "nothing was changed: this was a dry run" in dry
    assert not daemon.state.exists()
    said = daemon.cli_good("certs", "import", str(client.folder))
    assert f"certificate  {HOST}, {OTHER} (until " in said
    assert f"is served for {HOST}, {OTHER}" in said
    assert f'directory: "{ca.directory}"' in said
    assert f"used with the next {daemon.named('up')}" in said
    assert "PRIVATE" not in said
    assert "is used already" in daemon.cli_good("certs", "import", str(client.folder))

    daemon.start()
    daemon.wait(lambda: states(daemon) == {HOST: "valid", OTHER: "valid"}, "both to be valid")
    daemon.wait(lambda: served(daemon, HOST), "nginx, which starts with it")
    assert served(daemon, HOST) == served(daemon, OTHER) == leaf(lineage)
    assert ca.orders == orders

    # A site for the one that was kept.
    daemon.write(f"sites:\n{signpost(HOST, 'a')}{signpost('spare.example.com', 's')}")
    daemon.wait(lambda: served(daemon, "spare.example.com") == leaf(other), "the certificate that was kept")
    assert ca.orders == orders

    # Renewal is certbot's account's, proved over nginx's port by files.
    daemon.cli_good("certs", "renew", HOST)
    daemon.wait(lambda: another(daemon, leaf(lineage)), "the renewed certificate")
    daemon.wait(lambda: states(daemon).get(HOST) == "valid", "it to be valid")
    assert ca.requests("sign-me-up") == registrations
    (known,) = json.loads(daemon.cli_good("accounts", "--json"))["accounts"]
    (regr,) = (client.folder / "accounts").glob("*/dir/*/regr.json")
    assert (known["url"], known["key"], known["state"]) == (json.loads(regr.read_text())["uri"], "own", "active")
    daemon.wait(lambda: not list((daemon.state / "challenges").iterdir()), "the proofs to be removed")


def test_beside_a_running_daemon_it_is_served_at_once(daemon: Daemon, ca: pebble.Pebble) -> None:
    """The CA cannot validate the name, so that daemun has no certificate of its own when the old one is found."""
    apart = daemon.root / "apart"
    with pebble.running_pebble(daemon.http) as old:
        lineage = certbot.Certbot(folder=apart, ca=old, http_port=daemon.http).obtain(HOST)
        daemon.preamble = f"acme: {{directory: '{old.directory}', ca_file: {old.ca_file}}}\n"
        old.break_dns(HOST)
        daemon.write(f"sites:\n{signpost(HOST, 'a')}")
        daemon.start()
        daemon.wait(lambda: states(daemon) == {HOST: "failing"}, "the order to fail", within_s=60)
        reloads = daemon.status()["nginx"]["reloads"]
        said = daemon.cli_good("certs", "import", str(apart))
        assert f"is served for {HOST}" in said
        assert "what was taken over is in use" in said
        daemon.wait(lambda: served(daemon, HOST) == leaf(lineage), "certbot's certificate")
        assert daemon.status()["nginx"]["reloads"] == reloads


def test_a_folder_of_something_else_is_refused(daemon: Daemon) -> None:
    folder = daemon.root / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").touch()
    done = daemon.cli("certs", "import", str(folder))
    assert done.returncode == 1
    assert "it is no folder of certbot" in done.stderr
    assert "holiday.jpg" in done.stderr


def test_a_new_key_reaches_ca_and_nginx_and_accounts_can_be_closed(daemon: Daemon, ca: pebble.Pebble) -> None:
    daemon.write(f"sites:\n{signpost(HOST, 'a')}")
    assert "there is no account at any CA yet" in daemon.cli_good("accounts")
    daemon.start()
    daemon.wait(lambda: states(daemon) == {HOST: "valid"}, "the certificate", within_s=60)
    token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
    challenge = f"http://{HOST}/.well-known/acme-challenge/{token}"
    before = daemon.get(challenge).text

    assert f"{ca.directory}: knows the new key" in daemon.cli_good("accounts", "rollover")
    daemon.wait(lambda: daemon.get(challenge).text != before, "nginx to answer by the new key")
    old = served(daemon, HOST)
    daemon.cli_good("certs", "renew", HOST)
    daemon.wait(lambda: another(daemon, old), "a certificate by the new key")

    refused = daemon.cli("accounts", "deactivate", ca.directory)
    assert refused.returncode == 1
    assert "say --yes to do it without asking" in refused.stderr
    daemon.cli_good("accounts", "deactivate", ca.directory, "--yes")
    assert "deactivated" in daemon.cli_good("accounts")
    none = daemon.cli("accounts", "deactivate", "letsencrypt", "--yes")
    assert none.returncode == 1
    assert "daemun has none there" in none.stderr
    wrong = daemon.cli("accounts", "deactivate", "letsencript", "--yes")
    assert 'did you mean "letsencrypt"' in wrong.stderr or "letsencrypt" in wrong.stderr


def test_a_revoked_certificate_is_replaced_and_the_hook_told(daemon: Daemon, ca: pebble.Pebble) -> None:
    told = daemon.root / "told"
    hook = ["/bin/sh", "-c", f'echo "$RENEWED_DOMAINS $RENEWED_LINEAGE" >> {told}']
    daemon.preamble = f"acme: {{directory: '{ca.directory}', ca_file: {ca.ca_file}, hook: {json.dumps(hook)}}}\n"
    daemon.write(f"sites:\n{signpost(HOST, 'a')}")
    daemon.start()
    line = f"{HOST} {daemon.state}/live/{HOST}"
    daemon.wait(lambda: told.exists() and told.read_text().splitlines() == [line], "the hook", within_s=60)
    old = served(daemon, HOST)
    assert old is not None
    assert ca.certificate_status(old.serial_number) == "Valid"

    wrong = daemon.cli("certs", "revoke", HOST, "--reason", "boredom", "--yes")
    assert "expected one of unspecified, keycompromise" in wrong.stderr
    assert daemon.cli("certs", "revoke", HOST).returncode == 1
    assert ca.certificate_status(old.serial_number) == "Valid"
    daemon.cli_good("certs", "revoke", HOST, "--reason", "keycompromise", "--yes")
    assert ca.certificate_status(old.serial_number) == "Revoked"
    daemon.wait(lambda: another(daemon, old), "another certificate")
    daemon.wait(lambda: states(daemon) == {HOST: "valid"}, "it to be valid")
    daemon.wait(lambda: told.read_text().splitlines() == [line, line], "the hook once more")


def test_without_a_daemon_it_is_said(daemon: Daemon) -> None:
    daemon.write(f"sites:\n{signpost(HOST, 'a')}")
    for words in (("certs", "revoke", HOST), ("accounts", "rollover"), ("accounts", "deactivate", "letsencrypt")):
        done = daemon.cli(*words)
        assert done.returncode == 1
        assert "daemun is not running" in done.stderr
