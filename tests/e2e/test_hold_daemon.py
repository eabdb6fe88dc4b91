"""Requests wait in the running daemon, and never for a daemon that is not there."""

import concurrent.futures

import httpx
import pytest

from tests.support import backend, clients, ports
from tests.support.daemon import Daemon, wait_for

pytestmark = pytest.mark.nginx

BODY = b"x" * 300_000


def write(daemon: Daemon, port: int, hold: str = "30s") -> None:
    daemon.write(f"""\
        sites:
          app.localhost: {{routes: {{/: {{to: "http://127.0.0.1:{port}", hold: {hold}}}}}}}
          sign.localhost: {{routes: {{/: {{redirect: "https://sign.test/up", status: 302}}}}}}
    """)


def ask(daemon: Daemon, path: str, content: bytes = b"") -> httpx.Response:
    with clients.client(daemon.gate) as client:
        return client.request("POST" if content else "GET", f"https://app.localhost{path}", content=content)


def waiting(daemon: Daemon) -> int:
    return int(daemon.status()["requests"]["waiting"])


def test_twenty_five_requests_wait_for_a_server_and_come_once(daemon: Daemon) -> None:
    port = ports.free_port()
    write(daemon, port)
    daemon.up("https://sign.localhost/")
    wanted = [(f"/get/{number}", b"") for number in range(20)] + [(f"/post/{number}", BODY) for number in range(5)]
    with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
        asking = [pool.submit(ask, daemon, path, content) for path, content in wanted]
        wait_for(lambda: waiting(daemon) == len(wanted), "all to wait")
        assert daemon.status()["nginx"]["reloads"] == 0
        with backend.running(port=port) as server:
            answers = [task.result() for task in asking]
    assert [(answer.status_code, answer.text) for answer in answers] == [
        (200, f"one {len(content)}") for _, content in wanted
    ]
    assert set(server.seen.values()) == {1}
    # daemun tries the server itself, too, with one request for "/".
    asked = [line for line in server.seen.elements() if not line.endswith(" /")]
    assert len(asked) == len(wanted)
    wait_for(lambda: daemon.status()["requests"] == {"waiting": 0, "waited": len(wanted)}, "none to wait any more")


def test_nothing_hangs_without_the_daemon(daemon: Daemon) -> None:
    write(daemon, ports.free_port())
    daemon.up("https://sign.localhost/")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, daemon, "/held")
        wait_for(lambda: waiting(daemon) == 1, "it to wait")
        daemon.kill()
        assert asking.result().status_code == 502, "a wait that ended in vain would be a 503"
    assert ask(daemon, "/new").status_code == 502


def test_a_daemon_that_stops_releases_everybody(daemon: Daemon) -> None:
    write(daemon, ports.free_port())
    daemon.up("https://sign.localhost/")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, daemon, "/held")
        wait_for(lambda: waiting(daemon) == 1, "it to wait")
        daemon.cli_good("stop", "--keep-traffic")
        assert daemon.wait_exit() == 0
        assert asking.result().status_code == 503


def test_requests_wait_again_after_the_daemon_was_killed(daemon: Daemon) -> None:
    port = ports.free_port()
    write(daemon, port)
    daemon.up("https://sign.localhost/")
    daemon.kill()
    daemon.start()
    daemon.wait_ready()

    def ask_on() -> httpx.Response:
        """Where requests wait may open a moment later than the daemon answers commands."""
        return wait_for(lambda: seen if (seen := ask(daemon, "/held")).status_code != 502 else None, "a place to wait")

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_on)
        wait_for(lambda: waiting(daemon) == 1, "it to wait")
        with backend.running(port=port):
            assert asking.result().status_code == 200


@pytest.mark.parametrize("hold", ["off", "0"])
def test_a_switched_off_wait(daemon: Daemon, hold: str) -> None:
    write(daemon, ports.free_port(), hold=hold)
    daemon.up("https://sign.localhost/")
    assert ask(daemon, "/").status_code == 502
    assert daemon.status()["requests"]["waited"] == 0


def test_a_mistake_is_named(daemon: Daemon) -> None:
    write(daemon, 80, hold="2h")
    said = daemon.cli("check")
    assert said.returncode == 1
    assert 'route "/", hold: 2h is not between 0s and 1h' in said.stdout + said.stderr
