"""Access log and daemon log."""

import collections.abc
import functools
import json
import os
import pathlib
import re
import signal
import time

import pytest

from daemun.nginx import access_lines
from tests.support import clients
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

SITES = 2000
LINE = re.compile(r'\S+ - \S+ \[[^]]+\] "GET /(?P<number>\d+) HTTP/\d[.\d]*" 302 \d+ "[^"]*" "[^"]*"')
"""nginx's "combined" format; what daemun adds comes after it."""


def _access_logs(daemon: Daemon) -> list[pathlib.Path]:
    return sorted((daemon.state / "logs").glob("access.log*"))


def _numbers(daemon: Daemon) -> list[int]:
    """The number of every request in every access log."""
    lines = [line for path in _access_logs(daemon) for line in path.read_text().splitlines()]
    return sorted(int(match["number"]) for line in lines if (match := LINE.match(line)))


def test_an_access_log_line(daemon: Daemon) -> None:
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.get("https://a.test/4711")
    daemon.wait(lambda: _numbers(daemon) == [4711], "the line in the access log")
    (line,) = [line for line in _access_logs(daemon)[0].read_text().splitlines() if "/4711" in line]
    assert "a.test" in LINE.sub("", line), "the host follows the combined format"


def test_rotation_by_size_loses_no_line(daemon: Daemon) -> None:
    """daemun looks every half minute, and at once when told to (SIGUSR1); visitors go on meanwhile."""
    daemon.write("logs: {max_size: 16k, keep: 100}\nsites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    log = daemon.state / "logs" / "access.log"
    asked = 0
    with clients.client(daemon.gate) as client:

        def ask(count: int) -> None:
            nonlocal asked
            for _ in range(count):
                assert client.get(f"https://a.test/{asked}").status_code == 302
                asked += 1

        def ask_on(rotations: int) -> bool:
            ask(5)
            return len(_access_logs(daemon)) == rotations + 1

        for rotations in (1, 2, 3):
            ask(200)
            daemon.wait(lambda: log.stat().st_size > 16 << 10, "lines that nginx has not written yet")
            os.kill(daemon.pid, signal.SIGUSR1)
            daemon.wait(functools.partial(ask_on, rotations), f"rotation {rotations}")
    daemon.wait(lambda: _numbers(daemon) == list(range(asked)), f"all {asked} lines")


def test_rotation_by_itself_at_a_gate_of_very_many_sites(daemon: Daemon) -> None:
    """Without a signal daemun looks twice a minute. Two things in one test, because both take their time."""
    many = "".join(signpost(f"s{number}.test", "v0") for number in range(SITES))
    text = "logs: {max_size: 16k, keep: 100}\nsites:\n" + signpost("a.test", "one")
    started = time.monotonic()
    daemon.write(text + many)
    daemon.start()
    daemon.wait_answers(f"https://s{SITES - 1}.test/", within_s=200)
    live = time.monotonic()
    asked = 0
    with clients.client(daemon.gate) as client:

        def ask_until(is_reached: collections.abc.Callable[[], bool]) -> bool:
            nonlocal asked
            for _ in range(20):
                assert client.get(f"https://a.test/{asked}").status_code == 302
                asked += 1
            return is_reached()

        daemon.write(text + many + signpost("new.test", "new"))
        daemon.wait(lambda: ask_until(lambda: daemon.sign("new.test") == "new"), "the change", within_s=200)
        changed = time.monotonic()
        daemon.wait(lambda: ask_until(lambda: len(_access_logs(daemon)) > 1), "a rotation", within_s=120)
    daemon.wait(lambda: _numbers(daemon) == list(range(asked)), f"all {asked} lines")
    print(f"\n{SITES} sites: live after {live - started:.1f} s, one more after {changed - live:.1f} s")


def test_rotation_by_signal(daemon: Daemon) -> None:
    """As logrotate does it: rename, then SIGUSR1 to daemun, which lets nginx reopen."""
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    log = daemon.state / "logs" / "access.log"
    daemon.get("https://a.test/0")
    log.rename(log.with_suffix(".log.1"))
    daemon.get("https://a.test/1")
    os.kill(daemon.pid, signal.SIGUSR1)
    daemon.wait(log.exists, "a new access.log")
    asked = 2

    def ask_on() -> bool:
        """A worker opens the new file when it gets to it, and writes into the old one until then."""
        nonlocal asked
        daemon.get(f"https://a.test/{asked}")
        asked += 1
        return "GET /" in log.read_text()

    daemon.wait(ask_on, "a line in the new file")
    daemon.wait(lambda: _numbers(daemon) == list(range(asked)), "all lines, old and new")


def test_no_access_log(daemon: Daemon) -> None:
    daemon.write("logs: {access: false}\nsites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.get("https://a.test/0")
    assert daemon.terminate() == 0
    assert _numbers(daemon) == []


@pytest.mark.parametrize(
    ("logs", "variable", "is_there"),
    [
        ("logs: {access: stdout}", "", True),
        ("", "stdout", True),
        ("logs: {keep: 3}", "stdout", True),
        ("logs: {access: true}", "stdout", False),
        ("", "", False),
        ("logs: {access: false}", "stdout", False),
    ],
)
def test_access_lines_on_standard_output(daemon: Daemon, logs: str, variable: str, is_there: bool) -> None:
    """M8: in the image by itself; nginx goes on writing its file."""
    daemon.environment["DAEMUN_ACCESS_LOG"] = variable
    daemon.write(f"{logs}\nsites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    for number in range(300):
        daemon.get(f"https://a.test/{number}")
    if is_there:
        daemon.wait(lambda: _on_standard_output(daemon) == list(range(300)), "the lines")
    if "false" not in logs:
        daemon.wait(lambda: _numbers(daemon) == list(range(300)), "the lines in the file")
    assert bool(_on_standard_output(daemon)) is is_there


def test_access_lines_as_json(daemon: Daemon) -> None:
    """M8."""
    daemon.write("logs: {access: stdout, format: json}\nsites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    with clients.client(daemon.gate) as client:
        client.get("https://a.test/4711", headers={"User-Agent": 'a "quoted" one \\ here'})
    lines = daemon.wait(
        lambda: [line for line in daemon.log_text().splitlines() if "/4711" in line] or None, "the line"
    )
    found = json.loads(lines[0])
    assert (found["host"], found["uri"], found["status"], found["method"]) == ("a.test", "/4711", 302, "GET")
    assert found["user_agent"] == 'a "quoted" one \\ here'


def _on_standard_output(daemon: Daemon) -> list[int]:
    return sorted(int(match["number"]) for line in daemon.log_text().splitlines() if (match := LINE.match(line)))


def test_lines_are_followed_through_a_rotation(tmp_path: pathlib.Path) -> None:
    """M8: whole lines, each once, also those that are written into the renamed file meanwhile."""
    path = tmp_path / "access.log"
    path.write_bytes(b"before\n")
    follower = access_lines.Follower(path)
    with path.open("ab", buffering=0) as old:
        old.write(b"1\n2")
        assert list(follower.read()) == [b"1\n"]
        path.rename(tmp_path / "access.log.1")
        assert list(follower.read()) == []
        old.write(b"\n3\n")
        path.write_bytes(b"")
        assert list(follower.read()) == [b"2\n3\n"]
        old.write(b"4\n")
        path.write_bytes(b"5\n")
        assert b"".join(follower.read()) == b"4\n5\n"
    path.write_bytes(b"")
    assert list(follower.read()) == []
    with path.open("ab", buffering=0) as again:
        again.write(b"6\n")
    assert list(follower.read()) == [b"6\n"]
    follower.close()


def test_a_log_that_is_not_there_yet_is_followed_from_its_first_line(tmp_path: pathlib.Path) -> None:
    """M8."""
    path = tmp_path / "access.log"
    follower = access_lines.Follower(path)
    assert list(follower.read()) == []
    path.write_bytes(b"1\n")
    assert list(follower.read()) == [b"1\n"]
    follower.close()


def test_the_daemon_logs_json_when_nobody_watches(daemon: Daemon) -> None:
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.write("sites:\n  a.test: ftp://127.0.0.1\n")
    daemon.wait_log("ftp")
    assert daemon.terminate() == 0
    lines = daemon.log_lines()
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    assert any(line["level"] == "error" and "ftp" in json.dumps(line) for line in lines)


def test_the_daemon_logs_for_people_on_a_terminal(daemon: Daemon) -> None:
    daemon.write("sites:\n" + signpost("a.test", "one"))
    with daemon.on_a_terminal() as read:
        daemon.wait_sign("a.test", "one")
        text = daemon.wait(lambda: shown if "live" in (shown := read()) else None, "the terminal to say what is live")
        assert not any(line.startswith("{") for line in text.splitlines())
        assert daemon.terminate() == 0
