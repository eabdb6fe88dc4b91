"""C1, C2: what visitors of each name of a site are shown, by the nginx that they reach."""

import collections.abc

import pytest

from tests.support import clients, pebble
from tests.support.daemon import Daemon, Json

pytestmark = [pytest.mark.nginx, pytest.mark.pebble]

MANY = [f"  s{number:03}.test: {{tls: off, routes: {{/: {{redirect: https://x.test}}}}}}\n" for number in range(200)]
"""Sites beyond these share their nginx blocks."""


@pytest.fixture(name="ca")
def running_ca(daemon: Daemon) -> collections.abc.Iterator[pebble.Pebble]:
    with pebble.running_pebble(daemon.http) as ca:
        authority = f"directory: '{ca.directory}', ca_file: {ca.ca_file}, resolvers: '{ca.resolver}'"
        daemon.preamble = f"acme: {{{authority}}}\n"
        yield ca


def test_a_site_of_five_thousand_aliases(daemon: Daemon) -> None:
    names = [f"a-rather-long-name-of-{number}.of-a-customer-with-many-names.test" for number in range(5000)]
    aliases = "".join(f"      - {name}\n" for name in names)
    answer = "routes: {/: {redirect: https://x.test}}"
    daemon.write_raw(
        f"{daemon.listen}sites:\n  other.test: {{{answer}}}\n  many.test:\n    {answer}\n    aliases:\n{aliases}"
    )
    daemon.start()
    daemon.wait_settled(within_s=120)
    for name in ("many.test", names[0], names[2500], names[-1]):
        assert name in clients.handshake(daemon.gate, name).names
        assert daemon.get(f"https://{name}/").status_code == 301
        assert daemon.get(f"https://{name}/", Host=names[7]).status_code == 301
        assert daemon.get(f"https://{name}/", Host="other.test").status_code == 421
        assert daemon.get("https://other.test/", Host=name).status_code == 421


def _is_failing(site: Json) -> bool:
    return bool(site["certificate"] and site["certificate"]["state"] == "failing")


def shown(daemon: Daemon, name: str) -> set[str]:
    """The names of the CA's certificate that a visitor gets; none for the local CA's."""
    found = clients.try_handshake(daemon.gate, name)
    if found is None or found.certificate is None:
        return {f"nothing: {found}"}
    return found.names if "Pebble" in found.issuer else set()


@pytest.mark.parametrize("others", [[], MANY], ids=["own blocks", "shared blocks"])
def test_c1_c2_each_name_is_shown_the_best_that_there_is(
    daemon: Daemon, ca: pebble.Pebble, others: collections.abc.Sequence[str]
) -> None:
    many = "".join(others)
    daemon.write(f"sites:\n{many}  told.example.com: http://127.0.0.1:9\n")
    daemon.start()
    daemon.wait(lambda: shown(daemon, "told.example.com") == {"told.example.com"}, "the first certificate")
    orders = ca.orders

    ca.break_dns("unknown.example.com")
    line = "unknown.example.com: {aliases: [told.example.com, more.example.com], routes: {/: 'http://127.0.0.1:9'}}"
    daemon.write(f"sites:\n{many}  {line}\n")
    daemon.wait(
        lambda: shown(daemon, "more.example.com") == {"more.example.com", "told.example.com"},
        "a certificate for the other names",
        within_s=60,
    )
    assert ca.orders == orders + 2
    both = {"more.example.com", "told.example.com"}
    for name in ("told.example.com", "more.example.com", "TOLD.example.com", "More.Example.com"):
        assert shown(daemon, name) in (both, {"told.example.com"}), name
    assert shown(daemon, "unknown.example.com") == set()
    assert shown(daemon, "UNKNOWN.example.com") == set()
    found = daemon.wait_site("unknown.example.com", _is_failing, "the failure of its order")["certificate"]
    assert 'cannot validate "unknown.example.com"' in found["reason"]

    ca.repair_dns("unknown.example.com")
    daemon.cli_good("certs", "renew", "unknown.example.com")
    whole = both | {"unknown.example.com"}
    daemon.wait(lambda: all(shown(daemon, name) == whole for name in whole), "one for all names")


def test_c1_other_programs_read_what_a_site_left(daemon: Daemon, ca: pebble.Pebble) -> None:
    daemon.write("sites:\n  mail.example.com: http://127.0.0.1:9\n  x.test: http://127.0.0.1:9\n")
    daemon.start()
    daemon.wait(lambda: shown(daemon, "mail.example.com") == {"mail.example.com"}, "the certificate")
    chain = (daemon.state / "live" / "mail.example.com" / "fullchain.pem").read_bytes()
    daemon.write("sites:\n  x.test: http://127.0.0.1:9\n")
    daemon.wait(lambda: clients.handshake(daemon.gate, "mail.example.com").certificate is None, "the site is gone")
    daemon.terminate()
    daemon.start()
    daemon.wait_ready()
    assert (daemon.state / "live" / "mail.example.com" / "fullchain.pem").read_bytes() == chain
    assert ca.orders == 1
