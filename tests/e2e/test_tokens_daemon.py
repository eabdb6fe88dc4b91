"""`daemun tokens` through the life of a daemon."""

import json
import pathlib

import pytest

from tests.e2e import servers
from tests.support import daemon as daemon_support
from tests.support import passwords
from tests.support.login_browser import Browser

pytestmark = pytest.mark.nginx

Run = daemon_support.Daemon
SITE = "https://home.test/"


def make(daemon: Run, *arguments: str) -> str:
    return str(json.loads(daemon.cli_good("tokens", "add", *arguments, "--json"))["token"])


def status(daemon: Run, secret: str, url: str = SITE) -> int:
    headers = {"Authorization": f"Bearer {secret}", "Accept": "*/*"}
    return Browser(daemon.gate).send(url, **headers).status_code


def add_user(daemon: Run, name: str, *arguments: str) -> None:
    passwords.run_with(daemon, "pw", "users", "add", name, *arguments).check_returncode()


def test_from_the_first_token_to_the_last(daemon: Run) -> None:
    with servers.running("home") as server:
        add_user(daemon, "alice", "--group", "family")
        early = make(daemon, "alice", "--site", "home.test")
        daemon.write(f"""
            login: {{host: auth.test}}
            sites:
              home.test:
                access: {{login: [family]}}
                routes: {{/: {server.url}}}
              open.test: {server.url}
        """)
        daemon.up("https://open.test/", "https://auth.test/")
        daemon_support.wait_for(lambda: status(daemon, early) == 200, "made before the start")
        shown = daemon.cli_good("tokens", "add", "backup", "--user", "alice", "--all-sites", "--expires", "12h")
        backup = shown.partition("Bearer ")[2].split()[0]
        daemon_support.wait_for(lambda: status(daemon, backup) == 200, "made while it runs")
        assert daemon.cli("tokens", "add", "backup", "--user", "alice", "--all-sites").returncode == 1
        listed = json.loads(daemon.cli_good("tokens", "--json"))["tokens"]
        assert [(one["name"], one["user"], one["sites"], one["state"]) for one in listed] == [
            ("alice", "alice", ["home.test"], "good"),
            ("backup", "alice", ["*"], "good"),
        ]
        # While the daemon is away: what is made opens, what is withdrawn does not.
        daemon.kill()
        late = make(daemon, "late", "--user", "alice", "--site", "home.test")
        daemon_support.wait_for(lambda: status(daemon, late) == 200, "made meanwhile")
        daemon.cli_good("tokens", "rm", "backup")
        daemon_support.wait_for(lambda: status(daemon, backup) == 401, "withdrawn")
        daemon.start()
        daemon.wait_ready()
        daemon_support.wait_for(lambda: status(daemon, late) == 200, "known after the start")
        daemon.cli_good("users", "disable", "alice")
        daemon_support.wait_for(lambda: status(daemon, late) == 401, "its user is disabled")
        states = {one["state"] for one in json.loads(daemon.cli_good("tokens", "--json"))["tokens"]}
        assert states == {"disabled"}
        daemon.cli_good("users", "enable", "alice")
        daemon_support.wait_for(lambda: status(daemon, late) == 200, "and let in again")
        # Another user of the same name does not inherit it.
        daemon.cli_good("users", "rm", "alice")
        daemon_support.wait_for(lambda: status(daemon, late) == 401, "the user is gone")
        add_user(daemon, "alice", "--group", "family")
        assert status(daemon, early) == 401
        assert json.loads(daemon.cli_good("tokens", "--json")) == {"tokens": []}
        kept = [path for path in pathlib.Path(daemon.state).rglob("*") if path.is_file()]
        everything = daemon.log_text() + "".join(path.read_text(errors="replace") for path in kept)
        assert not any(one in everything for one in (early, backup, late))
        assert pathlib.Path(daemon.state, "store", "login", "tokens.json").stat().st_mode & 0o777 == 0o600
