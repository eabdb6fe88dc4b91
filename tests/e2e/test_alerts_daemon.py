"""People are told of a certificate in danger, and that it is over: by a daemon that is restarted meanwhile."""

import datetime
import pathlib
import typing

import pytest

from daemun.certs.served import local_ca
from daemun.store import memory_store
from daemun.wiring import clock
from tests.support import pebble, receivers
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

HOST = "broken.example.com"
SECRET = "T0Ps3cret"
TRIES = 20
"""More than the three failures that are told: those between two looks at the certificates are counted once."""

Json = dict[str, typing.Any]


def certificate(daemon: Daemon, host: str) -> Json | None:
    return next((each for each in daemon.certificates() if each["host"] == host), None)


def wait_failure(daemon: Daemon, before: str | None) -> str:
    """Wait until a try failed, another one than that whose next try was planned for `before`."""

    def look() -> str | None:
        found = certificate(daemon, HOST)
        attempt = found["next_attempt"] if found and found["state"] == "failing" else None
        return typing.cast(str, attempt) if attempt != before else None

    return daemon.wait(look, "another failure", within_s=90, every_s=0.2)


@pytest.mark.pebble
def test_a_name_that_the_ca_cannot_reach(daemon: Daemon, tmp_path: pathlib.Path) -> None:
    with (
        pebble.running_pebble(daemon.http) as ca,
        receivers.receiving() as hook,
        receivers.mail_server(tmp_path, user="gate", password=SECRET) as mail,
    ):
        ca.break_dns(HOST)
        (daemon.root / "password").write_text(f"{SECRET}\n")
        daemon.environment |= {"HOOK": f"{hook.url}/{SECRET}", "SSL_CERT_FILE": str(mail.ca)}
        daemon.preamble = (
            f"acme: {{directory: '{ca.directory}', ca_file: {ca.ca_file}}}\n"
            "alerts:\n"
            "  rules: {nginx: false}\n"
            "  webhook: {env: HOOK}\n"
            f"  smtp: {{server: {mail.host}, port: {mail.port}, user: gate, password: {{file: password}},\n"
            "    from: gate@example.com, to: me@example.com}\n"
        )
        daemon.write("sites:\n" + signpost(HOST, "one"))
        daemon.start()
        attempt = wait_failure(daemon, None)
        for _ in range(TRIES):  # a person's tries count, too: nobody has to wait for the ladder
            if hook.taken:
                break
            daemon.cli_good("certs", "renew", HOST)
            attempt = wait_failure(daemon, attempt)
        daemon.wait(lambda: _delivered(daemon) == 2, "the alert, taken by both", within_s=60)
        (told,) = hook.taken
        assert told["event"] == "failing"
        assert told["certificates"][0]["host"] == HOST
        assert HOST in told["certificates"][0]["reason"]
        assert told["certificates"][0]["trusted"] is False
        assert mail.mails[0]["Subject"].endswith(f"cannot get a certificate for {HOST}")

        assert daemon.terminate() == 0
        daemon.start()
        daemon.wait_ready()
        ca.repair_dns(HOST)
        daemon.cli_good("certs", "renew", HOST)
        daemon.wait(lambda: _delivered(daemon) == 4, "the word that it is over", within_s=120)

        assert daemon.terminate() == 0
        daemon.start()
        daemon.wait_ready()
        said = daemon.wait(lambda: _tested(daemon), "the test")
        assert said.splitlines() == ["webhook in the environment variable HOOK: taken", "mail to me@example.com: taken"]
        assert [body["event"] for body in hook.taken] == ["failing", "solved", "test"]
        assert "Pebble" in hook.taken[1]["certificates"][0]["issuer"]
        subjects = [got["Subject"].partition("] ")[2] for got in mail.mails]
        assert [subject.partition(":")[0] for subject in subjects] == [
            f"cannot get a certificate for {HOST}",
            "solved",
            "a test of daemun's alerts",
        ]
        assert all(mail.over_tls)
    assert SECRET not in daemon.log_text()
    kept = (path for path in (daemon.state / "store").rglob("*") if path.is_file())
    assert not any(SECRET.encode() in path.read_bytes() for path in kept)


def _delivered(daemon: Daemon) -> int:
    """How many messages were taken and noted. One that is taken when the daemon ends may come again."""
    return daemon.log_text().count('"alert delivered"')


def _tested(daemon: Daemon) -> str | None:
    """What `daemun alerts test` says, once the daemon knows whom it tells."""
    done = daemon.cli("alerts", "test")
    return done.stdout if done.returncode == 0 else None


def test_an_owners_file_that_runs_out(daemon: Daemon) -> None:
    now = clock.SystemClock().now()
    ca = local_ca.load_or_create(memory_store.MemoryStore(), now - datetime.timedelta(days=100))

    def put(signed_at: datetime.datetime) -> None:
        new = ca.issue(["own.test"], signed_at)
        (daemon.root / "own.pem").write_bytes(new.fullchain_pem)
        (daemon.root / "own.key").write_bytes(new.key_pem)

    with receivers.receiving() as hook:
        first = ca.issue(["own.test"], now)
        put(now - (first.not_after - now) * 0.95)
        rules = "{changes: 0s, nginx: false}"
        daemon.preamble = f"alerts: {{ntfy: {{url: '{hook.url}/gate', token: {SECRET}}}, rules: {rules}}}\n"
        site = (
            "sites:\n  own.test:\n    tls: {certificate: own.pem, key: own.key}\n"
            '    routes: {/: {redirect: "https://sign.test/own", status: 302}}\n'
        )
        daemon.write(site)
        daemon.start()
        daemon.wait(lambda: hook.posts, "the alert", within_s=60)
        put(now)
        daemon.cli_good("apply")
        daemon.wait(lambda: len(hook.posts) > 1, "the word that it is over", within_s=60)
        said = daemon.cli_good("certs", "forecast")
        daemon.write(f"{site}    nginx: no_such_directive on;\n")
        daemon.wait(lambda: len(hook.posts) > 2, "the alert of a change that is not live", within_s=60)
    titles = [post.headers["title"].partition(": ")[2] for post in hook.posts]
    assert titles == [
        "the certificate of own.test runs out",
        "solved: the certificate of own.test",
        "a change is not live: own.test",
    ]
    assert {post.headers["authorization"] for post in hook.posts} == {f"Bearer {SECRET}"}
    assert "Not renewed by daemun" in said
    assert "own.test" in said
