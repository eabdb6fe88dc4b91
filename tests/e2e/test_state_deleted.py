"""N8: the state directory, or a part of it, deleted under a running daemun. N7: whatever the umask is."""

import collections.abc
import contextlib
import json
import os
import pathlib
import shutil
import stat

import pytest

from tests.support import clients, counting_server, other_account
from tests.support.daemon import Daemon, signpost, wait_for

pytestmark = pytest.mark.nginx

ONE_SITE = "sites:\n" + signpost("a.test", "one")


@pytest.fixture
def running(daemon: Daemon) -> Daemon:
    daemon.write(ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait_up()
    return daemon


def _delete(path: pathlib.Path) -> None:
    """As a person would: what comes to be meanwhile is deleted, too, or stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


def _deletions() -> collections.abc.Iterator[str]:
    yield from ("", "live", "pairs", "run", "nginx", "logs", "challenges", "store", "nginx/current", "nginx/live")
    yield from ("run/control.sock", "run/nginx.sock", "run/hold.sock", "run/nginx.pid", "run/daemun.lock")


@pytest.mark.parametrize("what", [*_deletions()], ids=lambda what: what or "all")
def test_n8_what_is_deleted_is_made_again(running: Daemon, what: str) -> None:
    master = running.nginx_pid()
    _delete(running.state / what)
    if what != "run/nginx.pid":  # nginx is known without it
        # Certificates have a watch of their own, which may be the first to see that pairs/ is gone.
        told = ("deleted under the running daemun", *(["they are written again"] if what == "pairs" else []))
        running.wait(lambda: any(words in running.log_text() for words in told), "it to be told")
    running.wait(lambda: clients.try_get(running.gate, "https://a.test/"), "a handshake that succeeds")
    # Changes are live, so nginx is reached, and tells that it runs them.
    running.write("sites:\n" + signpost("a.test", "two") + signpost("b.test", "other"))
    running.wait(lambda: running.sign("a.test") == "two", "the change to be live", within_s=60)
    running.wait(lambda: running.sign("b.test") == "other", "the new site to be live", within_s=60)
    second = running.cli("up")
    assert second.returncode == 1
    assert "another daemun" in second.stdout + second.stderr
    status = running.wait_ready()
    assert status["nginx"]["pid"] == master, f"nginx itself did not go on: {running.log_text()}"
    assert {site["state"] for site in status["sites"]} == {"live"}
    assert running.terminate() == 0
    assert running.nginx_processes() == []
    assert clients.try_get(running.gate, "https://a.test/") is None


def test_n8_after_all_was_deleted_under_a_daemun_that_was_killed_the_next_one_finds_nginx(running: Daemon) -> None:
    master = running.nginx_pid()
    running.kill()
    _delete(running.state)
    running.start()
    running.wait(lambda: running.sign("a.test") == "one", "the site")
    running.wait((running.state / "run/control.sock").exists, "the daemon")
    assert running.wait_ready()["nginx"]["pid"] == master
    assert running.terminate() == 0
    assert running.nginx_processes() == []


def test_n8_a_state_directory_that_is_moved_away_leaves_nginx_in_hand(running: Daemon) -> None:
    running.state.rename(running.root / "moved")
    running.wait((running.state / "run/control.sock").exists, "a state directory again")
    running.wait(lambda: clients.try_get(running.gate, "https://a.test/"), "a handshake that succeeds")
    assert running.terminate() == 0
    assert running.nginx_processes() == []


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o027, 0o077, 0o177, 0o777], ids=oct)
def test_n7_modes_are_our_own_whatever_the_umask(daemon: Daemon, umask: int) -> None:
    daemon.write(ONE_SITE)
    before = os.umask(umask)
    try:
        # The log is the test's own.
        daemon.log_file.touch(0o644)
        daemon.log_file.chmod(0o644)
        daemon.start()
        daemon.wait_sign("a.test", "one")
    finally:
        os.umask(before)
    modes = {
        path: stat.S_IMODE((daemon.state / path).stat().st_mode)
        for path in ("", "store", "live", "pairs", "run", "nginx", "logs", "run/control.sock", "ca.pem")
    }
    group = os.geteuid() == 0
    assert modes == {
        "": 0o755,
        "store": 0o700,
        "live": 0o750 if group else 0o700,
        "pairs": 0o710 if group else 0o700,
        "run": 0o710 if group else 0o700,
        "nginx": 0o700,
        "logs": 0o750 if group else 0o700,
        "run/control.sock": 0o600,
        "ca.pem": 0o644,
    }
    for path in daemon.state.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # files come and go
            mode = path.lstat().st_mode
            assert stat.S_ISLNK(mode) or stat.S_ISSOCK(mode) or not mode & stat.S_IWOTH, path
    keys = [*daemon.state.rglob("privkey.pem"), *(daemon.state / "store").rglob("*.pem")]
    assert keys
    assert not any(path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP) for path in keys)


def test_n7_a_state_directory_that_was_left_open_is_closed(daemon: Daemon) -> None:
    daemon.state.mkdir()
    daemon.state.chmod(0o777)
    daemon.write(ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert stat.S_IMODE(daemon.state.stat().st_mode) == 0o755
    done = other_account.run("open(sys.argv[1], 'w')", str(daemon.state / "ca.pem.new"))
    assert "PermissionError" in done.stderr
    wait_for(lambda: daemon.is_running, "the daemon")


def test_n8_a_response_cache_that_cannot_be_costs_the_cache_alone(daemon: Daemon) -> None:
    def state() -> str:
        answer = daemon.get("https://b.test/")
        assert answer.status_code == 200
        return answer.headers["X-Cache"]

    daemon.state.mkdir(mode=0o755, exist_ok=True)
    cache = daemon.state / "cache"
    cache.symlink_to("a-disk-that-is-away")
    with counting_server.running() as server:
        daemon.write(f"cache: 10m\nsites:\n  b.test: {server.url}\n")
        daemon.start()
        daemon.wait_answers("https://b.test/")
        daemon.wait_up()
        daemon.wait(lambda: "no answers are kept" in json.dumps(daemon.status()["problems"]), "the warning")
        assert [state(), state()] == ["BYPASS"] * 2
        cache.unlink()
        assert daemon.cli("apply").returncode == 0
        daemon.wait(lambda: state() == "HIT", "an answer that is kept")
        _delete(cache)
        daemon.wait(lambda: f"made again: {cache}" in daemon.log_text(), "it to be told")
        daemon.wait(lambda: state() == "HIT", "an answer that is kept again")
        assert "Exception" not in daemon.log_text()
