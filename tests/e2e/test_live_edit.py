"""daemun.yaml is edited while the gate runs."""

import socket

import pytest

from tests.support import ports
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx


def _reloads(daemon: Daemon) -> int:
    reloads: int = daemon.status()["nginx"]["reloads"]
    return reloads


@pytest.fixture
def running(daemon: Daemon) -> Daemon:
    """A gate with one site, live."""
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    return daemon


def test_a_saved_edit_is_live_without_a_command(running: Daemon) -> None:
    running.write("sites:\n" + signpost("a.test", "two") + signpost("b.test", "new"))
    running.wait_sign("a.test", "two")
    running.wait_sign("b.test", "new")
    running.write("sites:\n" + signpost("b.test", "new"))
    running.wait(lambda: running.sign("a.test") is None, "a.test to be gone")
    assert running.sign("b.test") == "new"


def test_a_file_written_in_place_is_read_too(running: Daemon) -> None:
    """Not every editor replaces the file."""
    running.config.write_text(running.listen + "sites:\n" + signpost("a.test", "in-place"))
    running.wait_sign("a.test", "in-place")


@pytest.mark.parametrize(
    ("broken", "line", "column", "words"),
    [
        ("sites:\n  a.test:\n    rouets: {/: http://127.0.0.1:1}\n", 4, 5, ["rouets", "routes"]),
        ("sites:\n  a.test: http://127.0.0.1:99999\n", 3, 11, ["99999"]),
        ("sites:\n  a.test: {/: http://127.0.0.1:1\n", None, None, ["daemun.yaml"]),
    ],
    ids=["an unknown key", "a bad port", "a syntax error"],
)
def test_a_broken_edit_changes_nothing_and_is_told_with_its_place(
    running: Daemon, broken: str, line: int | None, column: int | None, words: list[str]
) -> None:
    workers = running.worker_pids()
    before = len(running.log_text())
    running.write(broken)
    place = "daemun.yaml:" if line is None else f"daemun.yaml:{line}:{column}"
    running.wait_log(place, *words, since=before)
    running.wait_settled()
    assert running.sign("a.test") == "one"
    assert running.worker_pids() == workers
    status = running.cli("status")
    assert status.returncode == 3, status.stdout
    assert place in status.stdout
    check = running.cli("check")
    assert check.returncode == 1
    assert place in check.stdout + check.stderr

    running.write("sites:\n" + signpost("a.test", "repaired"))
    running.wait_sign("a.test", "repaired")
    running.wait(lambda: running.cli("status").returncode == 0, "status to be good again", every_s=0.2)


def test_a_save_without_a_change_does_not_touch_nginx(running: Daemon) -> None:
    workers, reloads = running.worker_pids(), _reloads(running)
    text = running.config.read_text()
    running.write_raw(text)
    running.write_raw(text + "\n# a comment changes nothing either\n")
    running.write_raw("# nor does one that moves all lines\n" + text)
    assert "nothing to do" in running.cli_good("plan")
    # `apply` returns once everything saved before it is live.
    assert running.cli_good("apply")
    assert _reloads(running) == reloads
    assert running.worker_pids() == workers


def test_a_burst_of_edits_makes_few_reloads_and_the_last_one_wins(running: Daemon) -> None:
    reloads = _reloads(running)
    for number in range(20):
        running.write("sites:\n" + signpost("a.test", f"burst-{number}"))
    running.wait_sign("a.test", "burst-19")
    running.cli_good("apply")
    assert running.sign("a.test") == "burst-19"
    assert 1 <= _reloads(running) - reloads <= 3


def test_a_file_that_vanishes_and_comes_back(running: Daemon) -> None:
    """What runs goes on without the file: a failed read is not an empty file."""
    before = len(running.log_text())
    running.config.unlink()
    running.wait_log("daemun.yaml", since=before)
    assert running.sign("a.test") == "one"
    running.write("sites:\n" + signpost("a.test", "back"))
    running.wait_sign("a.test", "back")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except ConnectionRefusedError:
        return False
    return True


def test_another_port_is_opened_and_the_old_one_closed(running: Daemon) -> None:
    old, running.https = running.https, ports.free_port()
    running.write("sites:\n" + signpost("a.test", "moved"))
    running.wait_sign("a.test", "moved")
    running.wait(lambda: not _listens(old), "the old port to be closed")
    moved = running.get("http://a.test/x").headers["Location"]
    assert moved == f"https://a.test:{running.https}/x"


def test_an_edit_of_a_long_file_is_live_also_beside_a_mistake(running: Daemon) -> None:
    """O2: only an excerpt of the file is read by the command, all of it by the daemon."""
    plain = "".join(f"  p{number}.test: http://127.0.0.1:{number}\n" for number in range(1, 451))
    running.write(f"sites:\n{plain}" + signpost("a.test", "one") + signpost("z.test", "last"))
    running.wait_sign("z.test", "last")
    assert running.cli("rm", "p7.test").returncode == 0
    assert "p7.test" not in running.config.read_text()
    assert "p8.test" in running.config.read_text()
    assert "p7.test" not in {site["host"] for site in running.status()["sites"]}

    bad = running.config.read_text().replace("127.0.0.1:9\n", "127.0.0.1:99999\n")
    running.write_raw(bad)
    added = running.cli("add", "new.test", "http://127.0.0.1:1")
    assert added.returncode == 0, added.stderr
    assert "new.test" in running.config.read_text()
    assert "99999" in running.cli("status").stdout


def test_a_name_that_gets_a_port_is_served_as_before(running: Daemon) -> None:
    running.write("sites:\n" + signpost("a.test:8443", "two") + signpost("b.test", "new"))
    running.wait_sign("b.test", "new")
    running.wait_sign("a.test", "one")
    sites = {site["host"]: site for site in running.status()["sites"]}
    assert sites.keys() == {"a.test", "b.test"}
    assert 'write "a.test"' in str(sites["a.test"])
