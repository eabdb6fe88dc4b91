"""Names and passwords through the life of a daemon: its file changes, it is killed, upgraded, stopped."""

import base64
import contextlib
import hashlib
import os
import pathlib
import signal

import httpx
import psutil
import pytest
from passlib import hash as passlib_hash

from daemun.core import layout
from daemun.judge import judge_process
from tests.e2e import servers
from tests.support import clients
from tests.support import daemon as daemon_support

pytestmark = pytest.mark.nginx

Run = daemon_support.Daemon
HASHES = {word: passlib_hash.bcrypt.using(rounds=4).hash(word) for word in ("pw", "word", "new")}


def sent(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


ALICE, BOB = sent("alice", "pw"), sent("bob", "word")
SITE = "https://home.test/"


def guard(daemon: Run, server: servers.Server) -> None:
    daemon.write(f"""
        sites:
          home.test:
            access: {{basic_auth: {{file: ./htpasswd}}}}
            routes: {{/: {server.url}}}
    """)


def write_users(daemon: Run, **passwords: str) -> None:
    draft = daemon.root / "htpasswd.new"
    draft.write_text("".join(f"{user}:{HASHES[password]}\n" for user, password in passwords.items()))
    draft.replace(daemon.root / "htpasswd")


def status(daemon: Run, headers: dict[str, str]) -> int:
    with contextlib.suppress(httpx.TransportError, OSError):
        return clients.get(daemon.gate, SITE, http2=False, **headers).status_code
    return 0


def wait(daemon: Run, headers: dict[str, str], wanted: int) -> None:
    daemon_support.wait_for(lambda: status(daemon, headers) == wanted, f"{wanted} for {headers}")


def judge(daemon: Run) -> psutil.Process | None:
    return judge_process.find_left(layout.Layout(str(daemon.state)))


def test_the_file_of_passwords_is_obeyed_at_once(daemon: Run) -> None:
    with servers.running("home") as server:
        write_users(daemon, alice="pw")
        guard(daemon, server)
        daemon.up()
        wait(daemon, ALICE, 200)
        assert (status(daemon, {}), status(daemon, BOB)) == (401, 401)
        write_users(daemon, bob="word")
        wait(daemon, BOB, 200)
        wait(daemon, ALICE, 401)
        # Without the file nobody comes in, and that is told.
        (daemon.root / "htpasswd").unlink()
        wait(daemon, BOB, 401)
        problems = daemon.wait(
            lambda: [one for one in daemon.look()["problems"] if "htpasswd" in one["message"]], "told"
        )
        assert "cannot read" in problems[0]["message"]
        (one,) = daemon.look()["sites"]
        assert (one["state"], one["cure"].partition(",")[0]) == ("degraded", "correct the path")
        assert daemon.cli("check").returncode == 1
        write_users(daemon, alice="new")
        wait(daemon, sent("alice", "new"), 200)
        assert status(daemon, ALICE) == 401
        logged = daemon.log_text() + "".join(
            path.read_text() for path in pathlib.Path(daemon.state, "logs").iterdir() if path.is_file()
        )
        assert not any(hashed in logged for hashed in HASHES.values())
        assert ALICE["Authorization"].split()[1] not in logged


def test_while_the_daemon_is_away_and_when_it_comes_back(daemon: Run) -> None:
    with servers.running("home") as server:
        write_users(daemon, alice="pw", bob="word")
        guard(daemon, server)
        daemon.up()
        wait(daemon, ALICE, 200)
        first = judge(daemon)
        assert first is not None
        daemon.kill()
        assert status(daemon, ALICE) == 200
        assert status(daemon, BOB) == 200  # who was not there before
        assert status(daemon, sent("alice", "no")) == 401
        daemon.start()
        daemon.wait_ready()
        assert judge(daemon) == first
        assert (status(daemon, ALICE), status(daemon, {})) == (200, 401)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "suspended"])
def test_a_judge_that_ends_or_hangs_is_replaced(daemon: Run, sign: signal.Signals) -> None:
    with servers.running("home") as server:
        write_users(daemon, alice="pw", bob="word")
        guard(daemon, server)
        daemon.up()
        wait(daemon, ALICE, 200)
        first = judge(daemon)
        assert first is not None
        os.kill(first.pid, sign)
        daemon.wait(lambda: judge(daemon) not in {None, first}, "another judge", within_s=120)
        wait(daemon, BOB, 200)
        assert status(daemon, {}) == 401


def test_stopping_and_no_site_that_needs_it(daemon: Run) -> None:
    with servers.running("home") as server:
        daemon.write(f"sites: {{home.test: {server.url}}}\n")
        daemon.up(SITE)
        assert judge(daemon) is None
        write_users(daemon, alice="pw")
        guard(daemon, server)
        wait(daemon, {}, 401)
        assert judge(daemon) is not None
        daemon.cli_good("stop", "--keep-traffic")
        daemon.wait_exit()
        assert status(daemon, ALICE) == 200
        daemon.cli_good("stop")
        assert judge(daemon) is None
        daemon.up()
        wait(daemon, ALICE, 200)
        assert daemon.terminate() == 0
        assert judge(daemon) is None
        assert not list(pathlib.Path("/dev/shm").glob(f"*{layout_digest(daemon)}*"))


def test_stopping_what_was_left_of_a_killed_daemon_and_nginx(daemon: Run) -> None:
    with servers.running("home") as server:
        write_users(daemon, alice="pw")
        guard(daemon, server)
        daemon.up()
        wait(daemon, ALICE, 200)
        master = psutil.Process(daemon.status()["nginx"]["pid"])
        daemon.kill()
        for one in (master, *master.children()):
            one.kill()
        psutil.wait_procs([master], timeout=20)
        assert judge(daemon) is not None
        daemon.cli("stop")
        assert judge(daemon) is None


def layout_digest(daemon: Run) -> str:
    return hashlib.sha256(os.path.realpath(daemon.state).encode()).hexdigest()[:12]


def test_a_site_that_is_kept_goes_on_with_its_users(daemon: Run) -> None:
    """A mistake in a site leaves it as it was, also for a daemon that starts with it."""
    with servers.running("home") as server:
        inline = f"users: {{alice: {HASHES['pw']!r}}}"
        daemon.write(f"""
            sites:
              home.test:
                access: {{basic_auth: {{{inline}}}}}
                routes: {{/: {server.url}}}
              other.test: {server.url}
        """)
        daemon.up()
        wait(daemon, ALICE, 200)
        daemon.write(f"""
            sites:
              home.test:
                access: {{basic_auth: {{users: {{alice: plain, bob: {HASHES["word"]!r}}}}}}}
                routes: {{/: {server.url}}}
              other.test: {server.url}
        """)
        daemon.wait(lambda: "is no hashed password" in str(daemon.look()), "told")
        assert (status(daemon, ALICE), status(daemon, BOB), status(daemon, {})) == (200, 401, 401)
        daemon.terminate()
        daemon.up("https://other.test/")
        wait(daemon, ALICE, 200)
        assert (status(daemon, BOB), status(daemon, {})) == (401, 401)
        assert "plain" not in daemon.log_text()


def test_who_is_removed_from_the_file_is_out_also_of_a_site_that_is_kept(daemon: Run) -> None:
    with servers.running("home") as server:
        write_users(daemon, alice="pw", bob="word")
        guard(daemon, server)
        daemon.up()
        wait(daemon, BOB, 200)
        daemon.write(f"""
            sites:
              home.test:
                acces: true
                access: {{basic_auth: {{file: ./htpasswd}}}}
                routes: {{/: {server.url}}}
              other.test: {server.url}
        """)
        daemon.wait(lambda: 'unknown key "acces"' in str(daemon.look()), "told")
        assert status(daemon, BOB) == 200
        write_users(daemon, alice="pw")
        wait(daemon, BOB, 401)
        assert status(daemon, ALICE) == 200
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        wait(daemon, ALICE, 200)
        assert status(daemon, BOB) == 401
