"""What `daemun traffic` shows is what clients did, whatever happened to the daemon, its files and nginx meanwhile."""

import collections.abc
import contextlib
import json
import os
import pty
import signal
import termios
import typing

import pytest

from tests.support import forked, metrics_scrape, ports
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


def _look_at_top(daemon: Daemon) -> None:
    """What it shows once and live, beside a daemon that counts."""
    found = json.loads(daemon.cli("top", "--json").stdout)
    assert "counted.test" in {one["site"] for one in found["sites"]}
    assert found["notes"] == []
    assert set(found["open_connections"]["ports"]) <= {str(daemon.http), str(daemon.https)}
    text = daemon.cli("top", "--top", "1").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert daemon.cli("top", "nobody.test").returncode == 1
    with _terminal(daemon, "top") as (shown, keys):
        daemon.wait(lambda: "counted.test" in shown() and "requests*" in shown(), "a live table")
        assert "unknown names" not in shown()
        daemon.get("http://nobody.test/")
        daemon.wait(lambda: "unknown names" in shown(), "a request that came while it looked")
        os.write(keys, b"e")
        daemon.wait(lambda: "errors*" in shown(), "another order")
        os.write(keys, b"q")


@contextlib.contextmanager
def _terminal(daemon: Daemon, *words: str) -> collections.abc.Iterator[tuple[collections.abc.Callable[[], str], int]]:
    """A command on a terminal, which ends well. Yields: what it showed so far, and where keys are written."""
    ours, its = pty.openpty()
    os.set_blocking(ours, False)
    before = termios.tcgetattr(its)
    process = forked.Popen(
        daemon.command(*words), stdin=its, stdout=its, stderr=its, env=daemon.environment, cwd=daemon.root
    )
    shown = bytearray()

    def read() -> str:
        with contextlib.suppress(OSError):  # nothing new
            while chunk := os.read(ours, 65536):
                shown.extend(chunk)
        return shown.decode(errors="replace")

    try:
        yield read, ours
        daemon.wait(lambda: (read(), process.poll() is not None)[1], "its end")
        assert process.returncode == 0, read()
        assert termios.tcgetattr(its) == before
    finally:
        process.kill()
        process.wait()
        os.close(its)
        os.close(ours)


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
    _look_at_top(daemon)
    (route,) = _show(daemon, "counted.test", "--since", "1h")["routes"]
    assert (route["route"], route["requests"], route["statuses"]) == ("/", 40, {"302": 40})
    assert daemon.terminate() == 0
    assert [one["route"] for one in _show(daemon, "counted.test")["routes"]] == ["/"]
    assert _count(daemon) == 40
    assert "neither daemun nor nginx runs" in daemon.cli("top").stdout
    text = daemon.cli("traffic").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "counted.test" in text
    assert daemon.cli("traffic", "nobody.test").returncode == 1
    assert (daemon.state / "store" / "~traffic.sqlite").stat().st_mode & 0o777 == 0o600


GUARDED = """
  guarded.test:
    routes:
      /: {respond: 204}
      /far/: {to: "http://127.0.0.1:1", access: {allow: 203.0.113.0/24}}
      /private/: {deny: true}
      /slow/: {respond: 204, access: {rate_limit: {rate: 1/m, burst: 1}}}
"""


def test_what_each_rule_refused_is_kept_and_shown(daemon: Daemon) -> None:
    port = ports.free_port()
    metrics = f"metrics: {{listen: '127.0.0.1:{port}'}}\n"
    daemon.write(f"{metrics}{SITES}{GUARDED}")
    daemon.start()
    daemon.wait_sign("a.test", "one")

    def visit(**statuses: int) -> None:
        for path, status in statuses.items():
            assert daemon.get(f"https://guarded.test/{path}/").status_code == status

    def count() -> dict[str, int]:
        found: dict[str, int] = _show(daemon, "guarded.test")["total"]["refused_by_rule"]
        return found

    def scraped(rule: str) -> float:
        name = "daemun_refused_requests_total"
        return metrics_scrape.count(port, name, site="guarded.test", route=f"/{ROUTES[rule]}/", rule=rule)

    visit(far=403, private=403, slow=204)
    visit(slow=429, open=204)
    visit(slow=429)
    expected = {"allow": 1, "deny_route": 1, "rate_limit": 2}
    daemon.wait(lambda: count() == expected, "what nginx wrote")
    daemon.wait(lambda: {rule: scraped(rule) for rule in expected} == expected, "the metrics")
    by_route = {one["route"]: one["refused_by_rule"] for one in _show(daemon, "guarded.test")["routes"]}
    assert by_route == {"/": {}, "/far/": {"allow": 1}, "/private/": {"deny_route": 1}, "/slow/": {"rate_limit": 2}}
    assert "refused by rule: rate_limit (2), allow (1), deny_route (1)" in daemon.cli("traffic", "guarded.test").stdout

    daemon.kill()
    visit(far=403)
    daemon.start()
    daemon.write(f"{metrics}{SITES}{GUARDED}" + signpost("c.test", "three"))
    daemon.wait_sign("c.test", "three")  # nginx was reloaded
    visit(private=403)
    expected = {"allow": 2, "deny_route": 2, "rate_limit": 2}
    daemon.wait(lambda: count() == expected, "all refusals, also those without a daemon")
    assert daemon.terminate() == 0
    assert count() == expected


ROUTES = {"allow": "far", "deny_route": "private", "rate_limit": "slow"}
