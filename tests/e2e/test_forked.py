"""What `tests.support.forked` starts is to others, and to itself, what `subprocess` starts."""

import collections.abc
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys

import pytest

from tests.support import forked, own_network
from tests.support.daemon import Daemon, new_daemon, signpost


@pytest.fixture(scope="module")
def daemon() -> collections.abc.Iterator[Daemon]:
    with new_daemon() as daemon:
        daemon.write("sites:\n" + signpost("a.test", "1"))
        yield daemon


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("check", "--help"),
        ("no-such-command",),
        ("status",),
        ("status", "--json"),
        ("check",),
        ("check", "/no/such/file", "--json"),
    ],
    ids=" ".join,
)
def test_a_command(daemon: Daemon, arguments: tuple[str, ...]) -> None:
    command = daemon.command(*arguments)
    default = subprocess.run(
        command, env=daemon.environment, cwd=daemon.root, capture_output=True, text=True, check=False, timeout=60
    )
    found = forked.run(command, environment=daemon.environment, folder=daemon.root, within_s=60)
    assert (found.returncode, found.stdout, found.stderr) == (default.returncode, default.stdout, default.stderr)


@pytest.mark.skipif(
    platform.machine() != "x86_64" or bool(os.environ.get("DAEMUN_TEST_DEEP")), reason="every command starts anew"
)
def test_commands_of_each_test_are_cloned(daemon: Daemon) -> None:
    """A module that copies the environment while it is imported would make pytest's variable, another in each test,
    and those that a test sets one that modules depend on."""
    environment = {**daemon.environment, "PYTEST_CURRENT_TEST": "another"}
    assert forked.is_cloned(daemon.command("status"), environment)


def test_in_what_make_starts_a_thread_changes_nothing() -> None:
    code = (
        "import sys, threading\n"
        "from tests.support import forked\n"
        "thread = threading.Thread(target=int)\n"
        "thread.start(), thread.join()\n"
        "sys.exit(not forked.is_as_at_first())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], environment)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_is_read_at_the_start(daemon: Daemon) -> None:
    """Where the environment would load other modules, the interpreter starts anew."""
    (daemon.root / "sitecustomize.py").write_text("raise SystemExit(7)\n")
    environment = {**daemon.environment, "PYTHONPATH": str(daemon.root)}
    found = forked.run(daemon.command("--version"), environment=environment, folder=daemon.root, within_s=60)
    assert found.returncode != 0


def test_a_network_of_its_own() -> None:
    with own_network.own_network("8.8.4.4"), new_daemon() as daemon:
        daemon.write("sites:\n" + signpost("a.test", "1"))
        daemon.start()
        there = pathlib.Path(f"/proc/{daemon.pid}/ns/net").readlink()
        assert there == pathlib.Path("/proc/thread-self/ns/net").readlink()


def test_a_reader_that_is_gone(daemon: Daemon) -> None:
    ours, its = os.pipe()
    os.close(ours)
    with forked.Popen(
        daemon.command("schema"), stdout=its, stderr=subprocess.PIPE, env=daemon.environment, cwd=daemon.root
    ) as process:
        os.close(its)
        _, complaint = process.communicate(timeout=60)
    with subprocess.Popen(
        daemon.command("schema"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=daemon.environment,
        cwd=daemon.root,
    ) as default:
        assert default.stdout is not None
        default.stdout.close()
        assert default.stderr is not None
        assert (process.wait(60), complaint) == (default.wait(60), default.stderr.read())


def read_facts(daemon: Daemon) -> dict[str, object]:
    """What others see of a daemon that runs."""
    folder = pathlib.Path(f"/proc/{daemon.pid}")
    status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", (folder / "status").read_text(), re.MULTILINE))
    names = ("PPid", "Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs", "Name")
    return {name: status[name] for name in names} | {
        "session": (os.getsid(daemon.pid), os.getpgid(daemon.pid)),
        "arguments": [word for word in (folder / "cmdline").read_bytes().split(b"\0") if word],
        "program": (folder / "exe").readlink(),
        "folder": (folder / "cwd").readlink(),
        "streams": [(folder / "fd" / str(number)).readlink() for number in range(3)],
        "limits": (folder / "limits").read_text(),
    }


def test_a_daemon(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o077)
    try:
        facts = []
        for is_forked in (True, False):
            if not is_forked:
                monkeypatch.setattr(forked, "PROGRAM", ())
            daemon.up("https://a.test/")
            daemon.wait_ready()
            facts.append(read_facts(daemon))
            assert daemon.terminate() == 0
    finally:
        os.umask(before)
    assert facts[0] == facts[1]
    assert facts[0]["PPid"] == str(os.getpid())


def test_a_daemon_that_is_killed(daemon: Daemon) -> None:
    daemon.up("https://a.test/")
    os.kill(daemon.pid, signal.SIGKILL)
    assert daemon.wait_exit() == -signal.SIGKILL
