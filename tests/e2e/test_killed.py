"""SIGKILL at any moment of a change: visitors notice nothing, and the next start makes exactly what the file says."""

import collections
import contextlib
import os
import random
import threading
import types

import httpx
import psutil
import pytest

from tests.support import clients
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

KILLS = 50 if os.environ.get("DAEMUN_TEST_DEEP") else 12
SEED = 20_240_229


class Prober:
    """Asks nginx over plain HTTP, without a pause worth the name, each time on a new connection, and counts."""

    def __init__(self, gate: clients.GateAddress, host: str) -> None:
        self._gate = gate
        self._host = host
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._probe)
        self.answers = 0
        self.failures: collections.Counter[str] = collections.Counter()

    def __enter__(self) -> "Prober":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _probe(self) -> None:
        headers = {"Host": self._host, "Connection": "close"}
        with httpx.Client(trust_env=False, timeout=20) as client:
            while not self._ended.wait(0.01):
                try:
                    answer = client.get(f"http://127.0.0.1:{self._gate.http}/", headers=headers)
                except httpx.TransportError as error:
                    self.failures[repr(error)] += 1
                    continue
                if answer.status_code == 301:
                    self.answers += 1
                else:
                    self.failures[f"HTTP {answer.status_code}"] += 1


def _config(number: int) -> str:
    """Every version changes a site, and adds or removes others."""
    passing = "".join(signpost(f"s{other}.test", f"v{number}") for other in range(number % 4))
    return "sites:\n" + signpost("stays.test", "same") + signpost("changes.test", f"v{number}") + passing


@pytest.mark.walk
@pytest.mark.timeout(600)
def test_killed_at_many_moments(daemon: Daemon) -> None:
    due_times = random.Random(SEED)
    daemon.write(_config(0))
    daemon.start()
    daemon.wait_sign("changes.test", "v0")
    master = daemon.nginx_pid()
    assert master is not None
    with Prober(daemon.gate, "stays.test") as prober:
        for number in range(1, KILLS + 1):
            daemon.write(_config(number))
            # One change in five meets a daemon that is itself just starting.
            if number % 5 == 0:
                daemon.kill()
                daemon.start()
            with contextlib.suppress(psutil.TimeoutExpired):
                psutil.Process(daemon.pid).wait(due_times.uniform(0.0, 0.5 if number % 5 else 1.5))
            daemon.kill()
            daemon.start()
            daemon.wait_sign("changes.test", f"v{number}")
            for other in range(3):
                wanted = f"v{number}" if other < number % 4 else None
                assert daemon.sign(f"s{other}.test") == wanted, f"after kill {number}"
    assert not prober.failures
    assert prober.answers > KILLS
    assert daemon.nginx_pid() == master, "nginx is adopted, never started anew"

    # Exactly the desired state: nothing is left to do, and a fresh state directory gets the same files.
    assert daemon.wait_ready()["nginx"]["pid"] == master
    plan = daemon.cli_good("plan")
    assert "stays.test" not in plan
    assert "changes.test" not in plan
    used = daemon.state / "nginx"
    assert sorted(path.name for path in (used / "current" / "sites").iterdir()) == sorted(
        f"{host}.conf" for host in ["stays.test", "changes.test", *(f"s{other}.test" for other in range(KILLS % 4))]
    )
    generations = [path.name for path in (used / "gen").iterdir()]
    assert all(name.isdigit() for name in generations), f"nothing half-written is left: {generations}"
    assert len(generations) <= 10, "old generations are removed"
    assert daemon.terminate() == 0
    assert daemon.nginx_processes() == []


def test_status_after_a_kill_names_the_nginx_that_goes_on(daemon: Daemon) -> None:
    """L7."""
    daemon.write(_config(0))
    daemon.start()
    daemon.wait_sign("changes.test", "v0")
    master = daemon.nginx_pid()
    daemon.kill()
    said = daemon.cli("status")
    assert said.returncode == 3
    assert "is not running" in said.stderr
    assert f"nginx (process {master}) goes on serving what was live" in said.stderr
    assert daemon.sign("changes.test") == "v0"
