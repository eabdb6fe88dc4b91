"""What `daemun traffic` shows is what clients did, whatever happened to the daemon, its files and nginx meanwhile."""

import json
import os
import signal
import typing

import pytest

from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

Json = dict[str, typing.Any]
SITES = "sites:\n" + signpost("a.test", "one") + signpost("counted.test", "two")


def _show(daemon: Daemon, *words: str) -> Json:
    done = daemon.cli("traffic", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    return found


def _count(daemon: Daemon) -> int:
    return sum(one["requests"] for one in _show(daemon)["sites"] if one["site"] == "counted.test")


def test_each_request_counts_once(daemon: Daemon) -> None:
    daemon.write(SITES)
    daemon.start()
    daemon.wait_sign("a.test", "one")

    def visit(count: int) -> None:
        for number in range(count):
            assert daemon.get(f"https://counted.test/{number}").status_code == 302

    visit(20)
    daemon.wait(lambda: _count(daemon) == 20, "what nginx wrote")
    daemon.kill()
    visit(10)
    daemon.start()
    daemon.write(SITES + signpost("c.test", "three"))
    daemon.wait_sign("c.test", "three")  # nginx was reloaded
    visit(5)
    os.kill(daemon.pid, signal.SIGUSR1)  # nginx opens its logs anew
    visit(5)
    daemon.wait(lambda: _count(daemon) == 40, "all requests")
    (route,) = _show(daemon, "counted.test", "--since", "1h")["routes"]
    assert (route["requests"], route["statuses"]) == (40, {"302": 40})
    assert daemon.terminate() == 0
    assert _count(daemon) == 40
    text = daemon.cli("traffic").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "counted.test" in text
    assert daemon.cli("traffic", "nobody.test").returncode == 1
    assert (daemon.state / "store" / "~traffic.sqlite").stat().st_mode & 0o777 == 0o600
