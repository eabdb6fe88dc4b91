"""J1: daemun.yaml is moved away, and a command would begin a new one in its place."""

import re
import shlex

import pytest

from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

TWO = "# ours\nsites:\n" + signpost("a.test", "a") + signpost("b.test", "b")
COMMANDS = (
    ("add", "q.test", "http://127.0.0.1:8000"),
    ("add", "a.test", "http://127.0.0.1:8000", "--path", "/x"),
    ("rm", "a.test"),
    ("disable", "a.test"),
    ("enable", "a.test"),
)


@pytest.fixture
def lost(daemon: Daemon) -> Daemon:
    """A gate of two sites whose file is gone."""
    daemon.write(TWO)
    daemon.start()
    daemon.wait_sign("b.test", "b")
    daemon.wait((daemon.state / "store" / "history" / "daemun.yaml").exists, "the file to be remembered")
    daemon.config.rename(daemon.root / "elsewhere")
    return daemon


@pytest.mark.parametrize("with_daemon", [True, False])
def test_edits_are_refused_until_the_file_is_put_back(lost: Daemon, with_daemon: bool) -> None:
    if not with_daemon:
        assert lost.terminate() == 0
    for command in COMMANDS:
        done = lost.cli(*command)
        assert done.returncode == 1, command
        assert "daemun restore-file" in done.stderr
        assert str(lost.config) in done.stderr
        assert not lost.config.exists()
    if with_daemon:
        assert (lost.sign("a.test"), lost.sign("b.test")) == ("a", "b")
    lost.cli_good("restore-file")
    assert lost.config.read_text() == (lost.root / "elsewhere").read_text()
    assert lost.config.stat().st_mode & 0o777 == 0o600
    lost.cli_good("add", "q.test", "http://127.0.0.1:8000")
    assert "# ours" in lost.config.read_text()
    assert "q.test" in lost.config.read_text()


def test_commands_that_miss_the_file_tell_how_to_put_it_back(lost: Daemon) -> None:
    lost.wait(lambda: "restore-file" in lost.cli("status").stdout, "the missing file in the status")
    assert lost.terminate() == 0
    for command in ("check", "doctor"):
        done = lost.cli(command)
        (named,) = set(re.findall("`daemun ([^`]*restore-file[^`]*)`", done.stdout + done.stderr))
        assert lost.named("restore-file") == f"`daemun {named}`"
    # What was printed leads to this gate from anywhere, without another word.
    assert lost.bare(*shlex.split(named)).returncode == 0
    lost.cli_good("check")


def test_a_new_file_is_begun_when_that_is_meant(lost: Daemon) -> None:
    assert lost.terminate() == 0
    lost.cli_good("add", "--new", "q.test", "http://127.0.0.1:8000")
    assert "a.test" not in lost.config.read_text()


def test_a_file_that_is_there_is_not_replaced(daemon: Daemon) -> None:
    daemon.write(TWO)
    before = daemon.config.read_bytes()
    done = daemon.cli("restore-file")
    assert done.returncode == 1
    assert "move it away" in done.stderr
    assert daemon.config.read_bytes() == before


def test_where_nothing_is_kept_that_is_told(daemon: Daemon) -> None:
    done = daemon.cli("restore-file")
    assert done.returncode == 1
    assert "daemun add" in done.stderr
    daemon.cli_good("add", "q.test", "http://127.0.0.1:8000")
