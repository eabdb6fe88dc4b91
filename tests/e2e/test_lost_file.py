"""J1: daemun.yaml is moved away or emptied, and a command would begin a new one in its place."""

import pathlib
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


@pytest.mark.parametrize("with_daemon", [True, False])
def test_an_emptied_file_is_no_beginning(daemon: Daemon, with_daemon: bool) -> None:
    """J1: no edit makes a file of one site of what was emptied, with the ports of a gate of its own gone, too."""
    before = daemon.write(TWO)
    daemon.start()
    daemon.wait_sign("b.test", "b")
    kept = daemon.state / "store" / "history" / "daemun.yaml"
    daemon.wait(kept.exists, "the file to be remembered")
    if not with_daemon:
        assert daemon.terminate() == 0
    for content in ("", "\n\n", "---\n", "# sites:\n#   a.test: x\n", "null\n", "{}\n", daemon.listen):
        daemon.write_raw(content)
        for command in COMMANDS if content in ("", daemon.listen) else COMMANDS[:1]:
            done = daemon.cli(*command)
            assert (done.returncode, "daemun restore-file" in done.stderr) == (1, True), (content, command, done)
            assert daemon.config.read_text() == content
    if with_daemon:
        assert (daemon.sign("a.test"), daemon.sign("b.test")) == ("a", "b")
    assert kept.read_text() == before
    assert "move it away" in daemon.cli("restore-file").stderr
    for content in ("", "---\n"):
        daemon.write_raw(content)
        daemon.cli_good("restore-file")
        assert daemon.config.read_text() == before
    daemon.cli_good("add", "q.test", "http://127.0.0.1:8000")
    assert "a.test" in daemon.config.read_text()


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


def test_an_emptied_file_is_told_with_the_way_back(daemon: Daemon) -> None:
    """J1: `check` and `status` of a file that holds no sites any more. What they print puts it back."""
    before = daemon.write(TWO)
    daemon.start()
    daemon.wait_sign("b.test", "b")
    daemon.wait((daemon.state / "store" / "history" / "daemun.yaml").exists, "the file to be remembered")
    for content in ("", "# nothing\n", daemon.listen):
        daemon.write_raw(content)
        daemon.wait(lambda: "restore-file" in daemon.cli("status").stdout, "the way back in the status")
        done = daemon.cli("check")
        assert done.returncode == 1
        (cure,) = re.findall("or put back what it held last with `([^`]*)`", done.stdout + done.stderr)
        for command in cure.split(" && "):
            words = shlex.split(command)
            if words[0] == "mv":
                pathlib.Path(words[1]).rename(words[2])
            else:
                assert words[0] == "daemun"
                assert daemon.bare(*words[1:]).returncode == 0, cure
        assert daemon.config.read_text() == before
    assert (daemon.sign("a.test"), daemon.sign("b.test")) == ("a", "b")


def test_a_new_file_is_begun_when_that_is_meant(lost: Daemon) -> None:
    assert lost.terminate() == 0
    lost.cli_good("add", "--new", "q.test", "http://127.0.0.1:8000")
    assert "a.test" not in lost.config.read_text()
    lost.write_raw("# anew\n")
    lost.cli_good("add", "--new", "r.test", "http://127.0.0.1:8000")
    assert lost.config.read_text().startswith("# anew\n")


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
