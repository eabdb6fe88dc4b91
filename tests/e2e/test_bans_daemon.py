"""Bans through the life of a daemon, by its commands, by wrong passwords, and by CrowdSec."""

import base64
import itertools
import json
import pathlib

import pytest
from passlib import hash as passlib_hash

from tests.e2e import servers
from tests.support import clients, crowdsec, judges
from tests.support import daemon as daemon_support

pytestmark = pytest.mark.nginx

Run = daemon_support.Daemon
OPEN, GUARDED = "https://open.test/", "https://home.test/"
HASH = passlib_hash.bcrypt.using(rounds=4).hash("pw")


def write(daemon: Run, server: servers.Server, more: str = "") -> None:
    daemon.write(f"""
        trusted_proxies: [127.0.0.1]
        {more}
        sites:
          open.test: {server.url}
          home.test:
            access: {{basic_auth: {{users: {{alice: "{HASH}"}}}}}}
            routes: {{/: {server.url}}}
    """)


def status(daemon: Run, address: str, url: str = OPEN, password: str = "pw") -> int:
    headers = {"X-Forwarded-For": address}
    if url == GUARDED:
        headers["Authorization"] = "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()
    return clients.get(daemon.gate, url, **headers).status_code  # type: ignore[arg-type]


def wait(daemon: Run, address: str, wanted: int, url: str = OPEN) -> None:
    daemon_support.wait_for(lambda: status(daemon, address, url) == wanted, f"{wanted} for {address}")


def listed(daemon: Run) -> dict[str, dict[str, object]]:
    return {one["address"]: one for one in json.loads(daemon.cli_good("bans", "--json"))["bans"]}


def read_log(daemon: Run) -> list[str]:
    lines = (daemon.state / "logs" / "access.log").read_text().splitlines()
    return lines if any(" 403 " in one for one in lines) else []


def test_the_commands(daemon: Run) -> None:
    with servers.running("home") as server:
        write(daemon, server)
        daemon.up(OPEN)
        before = daemon.look()
        assert daemon.cli_good("bans").strip() == "no address is banned"
        assert "203.0.113.7 is refused for good" in daemon.cli_good("ban", "203.0.113.7")
        assert status(daemon, "203.0.113.7") == 403
        assert status(daemon, "203.0.113.7", GUARDED) == 403
        assert status(daemon, "203.0.113.8") == 200
        daemon.cli_good("ban", "2001:db8::1", "--for", "1h")
        assert status(daemon, "2001:db8::2") == 403
        assert listed(daemon).keys() == {"203.0.113.7", "2001:db8::/64"}
        assert listed(daemon)["203.0.113.7"]["until"] is None
        assert daemon.look()["nginx"]["reloads"] == before["nginx"]["reloads"]
        assert daemon.look()["bans"] == 2
        # It goes on without the daemon, and with the next one, also when the files are gone meanwhile.
        daemon.kill()
        assert status(daemon, "203.0.113.7") == 403
        for path in (daemon.state / "run" / "bans").iterdir():
            path.unlink()
        daemon.start()
        daemon.wait_ready()
        wait(daemon, "203.0.113.7", 403)
        assert "may come in again" in daemon.cli_good("unban", "203.0.113.7")
        assert status(daemon, "203.0.113.7") == 200
        # The first network makes nginx test for networks, too; a ban ends by itself.

        def ban() -> bool:
            """It may be over before it is looked at."""
            daemon.cli_good("ban", "198.51.100.0/24", "--for", "2s")
            return status(daemon, "198.51.100.200") == 403

        daemon.wait(ban, "a network that is refused")
        wait(daemon, "198.51.100.200", 200)
        assert listed(daemon).keys() == {"2001:db8::/64"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ban", "127.0.0.1"), "trusted proxy"),
        (("ban", "::1"), "this machine"),
        (("ban", "0.0.0.0/0"), "too large"),
        (("ban", "example.com"), "neither an address"),
        (("ban", "203.0.113.7", "--for", "soon"), "30m, 1h or 7d"),
        (("unban", "203.0.113.7"), "it is not banned"),
    ],
)
def test_what_cannot_be_banned(one_daemon: Run, arguments: tuple[str, ...], told: str) -> None:
    done = one_daemon.cli(*arguments)
    assert done.returncode != 0
    assert told in done.stderr
    assert json.loads(one_daemon.cli_good("bans", "--json"))["bans"] == []


@pytest.fixture(scope="module")
def one_daemon() -> object:
    with daemon_support.new_daemon() as daemon, servers.running("home") as server:
        write(daemon, server)
        daemon.up(OPEN)
        yield daemon


def test_wrong_passwords_wait_on_every_site(daemon: Run) -> None:
    with servers.running("home") as server:
        write(daemon, server)
        daemon.up(OPEN)
        daemon.wait(lambda: status(daemon, "203.0.113.7", GUARDED) == 200, "the judge")

        def guess() -> bool:
            guess.number += 1  # type: ignore[attr-defined]
            status(daemon, "203.0.113.7", GUARDED, f"wrong{guess.number}")  # type: ignore[attr-defined]
            return status(daemon, "203.0.113.7") == 429

        guess.number = 0  # type: ignore[attr-defined]
        daemon.wait(guess, "429 on the open site")
        assert guess.number >= 20  # type: ignore[attr-defined]
        assert status(daemon, "203.0.113.8") == 200

        def list_guessing() -> dict[str, object] | None:
            """The first waits are short, and may be over before they are listed."""
            guess()
            return listed(daemon).get("203.0.113.7")

        found = daemon.wait(list_guessing, "the wait in the list")
        assert found["reason"] == "guesses"
        assert "wrong passwords" in str(found["note"])

        def unban() -> bool:
            guess()
            return daemon.cli("unban", "203.0.113.7").returncode == 0

        daemon.wait(unban, "an address that waits and is freed")
        assert status(daemon, "203.0.113.7", GUARDED) == 200
        # The owner may do without.
        daemon.wait(guess, "429 on the open site")
        write(daemon, server, "bans: false")
        wait(daemon, "203.0.113.7", 200)


def test_who_guesses_passwords_of_a_server_waits_on_every_site(daemon: Run) -> None:
    """The first such ban takes a reload, for until then nginx tests for none."""
    with servers.running("home") as server, judges.running(lambda _: judges.Judgement(status=401)) as refusing:
        daemon.write(f"""
            trusted_proxies: [127.0.0.1]
            sites:
              open.test: {server.url}
              app.test: {refusing.url}
        """)
        daemon.up(OPEN)
        tried = itertools.count()

        def guess(password: str) -> int:
            headers = {"X-Forwarded-For": "203.0.113.7", "Authorization": f"Bearer {password}"}
            clients.get(daemon.gate, "https://app.test/", **headers)  # type: ignore[arg-type]
            return status(daemon, "203.0.113.7")

        for _ in range(60):
            assert guess("an old one") == 200
        assert listed(daemon) == {}
        daemon.wait(lambda: guess(f"wrong{next(tried)}") == 429, "429 on the other site")
        assert next(tried) > 20
        assert status(daemon, "203.0.113.8") == 200


def test_decisions_of_crowdsec(daemon: Run, tmp_path: pathlib.Path) -> None:
    with servers.running("home") as server, crowdsec.running(tmp_path) as api:
        api.cscli("decisions", "add", "--ip", "203.0.113.7", "--duration", "1h")
        (daemon.root / "key").write_text(api.key)
        write(daemon, server, f"crowdsec: {{url: {api.url}, key: {{file: {daemon.root}/key}}}}")
        daemon.up(OPEN)
        wait(daemon, "203.0.113.7", 403)
        lines = daemon.wait(lambda: read_log(daemon), "lines in the access log")
        assert all(api.parses(one) for one in (lines[0], lines[-1]))
        reloads = daemon.look()["nginx"]["reloads"]
        api.cscli("decisions", "add", "--ip", "203.0.113.8", "--duration", "1h")
        wait(daemon, "203.0.113.8", 403)
        api.cscli("decisions", "add", "--ip", "203.0.113.9", "--duration", "1h", "--type", "captcha")
        api.cscli("decisions", "add", "--ip", "127.0.0.1", "--duration", "1h")
        api.cscli("decisions", "delete", "--ip", "203.0.113.7")
        wait(daemon, "203.0.113.7", 200)
        assert status(daemon, "203.0.113.9") == 200
        assert status(daemon, "127.0.0.1") == 200
        assert daemon.look()["nginx"]["reloads"] == reloads
        api.cscli("decisions", "add", "--range", "198.51.100.0/24", "--duration", "1h")
        wait(daemon, "198.51.100.7", 403)
        assert listed(daemon)["203.0.113.8"]["reason"] == "crowdsec"
        done = daemon.cli("unban", "203.0.113.8")
        assert "cscli decisions delete" in done.stderr
        # While it is away its decisions hold, and that is told.
        kept = daemon.state / "store" / "bans" / "crowdsec.json"
        daemon.wait(lambda: kept.exists() and "203.0.113.8" in kept.read_text(), "stored")
        api.stop()
        daemon.wait(lambda: any("CrowdSec" in one["message"] for one in daemon.look()["problems"]), "told")
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        assert status(daemon, "203.0.113.8") == 403
        api.start()
        api.cscli("decisions", "delete", "--all")
        wait(daemon, "203.0.113.8", 200)
        wait(daemon, "198.51.100.7", 200)
        daemon.wait(lambda: not any("CrowdSec" in one["message"] for one in daemon.look()["problems"]), "told no more")
        # Nor is a wrong key anything but told.
        (daemon.root / "key").write_text("wrong")
        daemon.wait(lambda: any("does not take the key" in one["message"] for one in daemon.look()["problems"]), "told")
        assert status(daemon, "203.0.113.8") == 200
