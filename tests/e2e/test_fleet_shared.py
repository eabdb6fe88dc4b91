"""Two real daemons that are a fleet: visitors who come from one machine are known at the other, and what one has the
other serves."""

import collections.abc
import contextlib
import datetime
import json
import pathlib
import subprocess
import tempfile
import typing
import urllib.parse

import httpx
import pytest

from daemun.certs.served import bundle
from daemun.fleet import membership, ticket_keeper, ticket_rotation
from daemun.store import fleet_key
from daemun.store.postgresql import postgresql_store
from tests.e2e import servers
from tests.support import binaries, clients, fleet_store, passwords, pebble, postgresql
from tests.support import daemon as daemon_support
from tests.support.login_browser import Browser

pytestmark = [pytest.mark.nginx, pytest.mark.postgresql]

SITES = f"sites:\n{daemon_support.signpost('app.example.com', 'app')}"


class Member(daemon_support.Daemon):
    def __init__(self, root: pathlib.Path, database: str, name: str) -> None:
        super().__init__(root)
        self._key = root / "fleet.key"
        self._key.touch(mode=0o600)
        self._key.write_text(fleet_key.encode(fleet_store.KEY))
        self._fleet = f"fleet: {{database: '{database}', key: '{self._key}', name: {name}}}\n"

    @property
    def listen(self) -> str:
        """What is this machine's own."""
        addresses = f"http: '127.0.0.1:{self.http}', https: '127.0.0.1:{self.https}'"
        return f"{self._fleet}node: {{listen: {{{addresses}}}}}\n"


@contextlib.contextmanager
def member(database: str, name: str) -> collections.abc.Iterator[Member]:
    root = pathlib.Path(tempfile.mkdtemp(prefix="dm-"))
    root.chmod(0o755)
    one = Member(root, database, name)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def shared(postgresql_server: postgresql.Server) -> collections.abc.Iterator[postgresql_store.PostgresqlStore]:
    with fleet_store.running(postgresql_server) as store:
        store.write(membership.KEY_IDENTITY, fleet_store.KEY.fleet.encode())
        yield store


@pytest.fixture
def two(
    shared: postgresql_store.PostgresqlStore, postgresql_server: postgresql.Server
) -> collections.abc.Iterator[tuple[Member, Member]]:
    url = postgresql_server.url(fleet_store.DATABASE)
    with member(url, "a") as a, member(url, "b") as b:
        yield a, b


def write(two: tuple[Member, Member], text: str) -> None:
    for one in two:
        one.write(text)


def visit(one: Member, version: str, *options: str) -> bool:
    """OpenSSL's own client. Whether its session went on."""
    command = [binaries.program("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{one.https}"]
    command += ["-servername", "app.example.com", version, "-ign_eof", *options]
    request = b"GET / HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n"
    done = subprocess.run(command, input=request, capture_output=True, check=False, timeout=60)
    assert b"302" in done.stdout, done.stdout + done.stderr
    return b"\nReused, " in done.stdout


def goes_on(begun: Member, other: Member, version: str, folder: pathlib.Path) -> bool:
    session = folder / "session.pem"
    assert not visit(begun, version, "-sess_out", str(session))
    return visit(other, version, "-sess_in", str(session))


def numbers(one: Member) -> list[str]:
    """Of the keys that nginx's files name, the one that encrypts first."""
    path = one.state / "nginx" / "current" / "nginx.conf"
    content = path.read_text() if path.exists() else ""
    lines = [line.split()[1] for line in content.splitlines() if "ssl_session_ticket_key" in line]
    return [pathlib.Path(line.rstrip(";")).stem for line in lines]


def test_a_tls_session_goes_on_at_another_machine(
    two: tuple[Member, Member],
    shared: postgresql_store.PostgresqlStore,
    tmp_path: pathlib.Path,
) -> None:
    a, b = two
    write(two, SITES)
    for one in two:
        one.start()
    for one in two:
        one.wait(lambda one=one: len(numbers(one)) == 1 and numbers(a) == numbers(b), "the same key of tickets")  # type: ignore[misc]
        one.wait_settled()
    for version in ("-tls1_2", "-tls1_3"):
        assert goes_on(a, b, version, tmp_path) and goes_on(b, a, version, tmp_path)
    for path in (a.state / "run" / "tickets").iterdir():
        assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o600, 0)
        assert path.stat().st_size == 80

    # A day later: the new one comes last, then first once both have it.
    first = numbers(a)[0]
    assert not visit(a, "-tls1_3", "-sess_out", str(tmp_path / "before.pem"))
    keys = ticket_rotation.decode(shared.read(ticket_keeper.KEY))
    earlier = ticket_rotation.TicketKeys(
        keys=keys.keys, is_next_last=False, turned_at=keys.turned_at - datetime.timedelta(days=1)
    )
    shared.write(ticket_keeper.KEY, ticket_rotation.encode(earlier))
    for one in two:
        one.wait(lambda one=one: numbers(one)[1:] == [first], "another key that encrypts", within_s=120)  # type: ignore[misc]
        one.wait_settled()
    assert numbers(a) == numbers(b)
    assert visit(b, "-tls1_3", "-sess_in", str(tmp_path / "before.pem")), "begun with the key before, elsewhere"
    for version in ("-tls1_2", "-tls1_3"):
        assert goes_on(a, b, version, tmp_path) and goes_on(b, a, version, tmp_path)


@pytest.mark.pebble
def test_any_machine_answers_the_ca_and_all_have_the_certificate(
    two: tuple[Member, Member],
) -> None:
    a, b = two
    with pebble.running_pebble(b.http) as ca:
        acme = f"acme: {{directory: '{ca.directory}', ca_file: {ca.ca_file}, resolvers: '{ca.resolver}'}}\n"
        write(two, acme + "sites:\n  local.test: {tls: local, routes: {/: {redirect: 'https://sign.test/x'}}}\n")
        for one in two:
            one.start()
            one.wait_answers("https://local.test/")
        # b's nginx alone answers for it from here on: its daemon can order nothing.
        b.kill()
        write(two, acme + SITES)
        a.wait(lambda: shown(a) is not None, "a certificate of the CA, which came to b", within_s=120)
        b.start()
        b.wait(lambda: shown(b) == shown(a), "the same certificate")
        assert ca.orders == 1

        # Both at work: whichever renews, both show it.
        before = shown(a)
        b.cli_good("certs", "renew", "app.example.com", "--force")
        a.wait(lambda: shown(a) not in {None, before}, "the new certificate", within_s=120)
        b.wait(lambda: shown(b) == shown(a), "the same certificate")
        assert ca.orders == 2


def shown(one: Member) -> str | None:
    """The fingerprint of a certificate of the CA, as a visitor is shown it."""
    seen = clients.try_handshake(one.gate, "app.example.com")
    if seen is None or seen.certificate is None or "Pebble" not in seen.issuer:
        return None
    return bundle.read_facts(seen.certificate).fingerprint


def test_a_ban_and_a_sign_in_of_one_hold_on_the_other(
    two: tuple[Member, Member],
) -> None:
    a, b = two
    write(two, SITES)
    for one in two:
        one.start()
        one.wait_answers("https://app.example.com/")
    a.cli_good("ban", "203.0.113.9")
    b.wait(lambda: "203.0.113.9" in json.dumps(json.loads(b.cli("bans", "--json").stdout)), "the ban")
    b.wait((b.state / "run" / "bans" / "203.0.113.9").exists, "the ban in nginx's folder")
    b.cli_good("unban", "203.0.113.9")
    a.wait(lambda: not (a.state / "run" / "bans" / "203.0.113.9").exists(), "the end of the ban")


def status(visitor: Browser, gate: Member, url: str = "https://home.test/") -> int:
    visitor.gate = gate.gate
    return visitor.send(url).status_code


class Wanderer(Browser):
    """Whose requests to the sign-in come to one machine, and all others to the other."""

    def __init__(self, sign_in: Member, sites: Member) -> None:
        super().__init__(sites.gate)
        self._gates = {"auth.test": sign_in.gate}
        self._sites = sites.gate

    def send(self, url: str, method: str = "GET", *, data: typing.Any = None, **headers: typing.Any) -> httpx.Response:
        self.gate = self._gates.get(urllib.parse.urlsplit(url).hostname or "", self._sites)
        return super().send(url, method, data=data, **headers)


def test_who_signs_in_at_one_is_signed_in_at_all_and_out_at_all(two: tuple[Member, Member]) -> None:
    a, b = two
    with servers.running("home") as server:
        write(
            two,
            f"""
            login: {{host: auth.test}}
            sites:
              home.test: {{access: {{login: true}}, routes: {{/: {server.url}}}}}
            """,
        )
        done = passwords.run_with(a, "pw", "users", "add", "alice")
        assert done.returncode == 0, done
        for one in two:
            one.up("https://home.test/", "https://auth.test/")
        alice = Browser(a.gate)
        assert alice.sign_in("https://home.test/").status_code == 200
        b.wait(lambda: status(alice, b) == 200, "the session of the other machine")
        # Between the pages of the sign-in and the site, machines change.
        for sign_in, sites in ((a, b), (b, a)):
            assert Wanderer(sign_in, sites).sign_in("https://home.test/").status_code == 200

        listed = json.loads(b.cli_good("sessions", "--json"))["sessions"]
        assert len(listed) == 3
        b.cli_good("sessions", "end", "--user", "alice")
        a.wait(lambda: status(alice, a) == 302, "the end of the session")

        # A judge that is new gets what there is; who is removed is out everywhere.
        alice = Browser(a.gate)
        assert alice.sign_in("https://home.test/").status_code == 200
        b.wait(lambda: status(alice, b) == 200, "the session of the other machine")
        b.terminate()
        b.up("https://home.test/")
        b.wait(lambda: status(alice, b) == 200, "the session in a new judge")
        a.cli_good("users", "rm", "alice")
        b.wait(lambda: status(alice, b) == 302, "the end of a user")
