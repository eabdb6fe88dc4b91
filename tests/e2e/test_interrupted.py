"""J3: Ctrl-C at any moment of any command ends it without a traceback, and with 130."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests.support.daemon import Daemon, signpost, wait_for

pytestmark = pytest.mark.nginx

COMMANDS = (
    ("status",),
    ("sites", "--json"),
    ("check",),
    ("certs",),
    ("doctor",),
    ("plan",),
    ("up",),
    ("add", "b.test", "http://127.0.0.1:1"),
    ("--version",),
)
_BLOCKED = (
    sys.executable,
    "-c",
    "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {2}); os.execv(sys.argv[1], sys.argv[1:])",
)
"""Ctrl-C may come while Python itself starts, where no program has a say. Here it waits until daemun listens."""
DELAYS_S = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)


def _is_begun(pid: int) -> bool:
    return b"daemun" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:4]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_ctrl_c(daemon: Daemon, command: tuple[str, ...]) -> None:
    text = daemon.write("sites:\n" + signpost("a.test", "one"))
    for delay_s in DELAYS_S:
        code = _interrupt(daemon, command, delay_s)
        # A command may have ended by itself before; a daemon that was up when it was interrupted ends well.
        assert code in ({130} if delay_s == 0 else {130, 0, 1, 3})
        if code == 130:
            assert daemon.config.read_text() == text, "an edit is undone"
        daemon.write_raw(text)


def _interrupt(daemon: Daemon, command: tuple[str, ...], delay_s: float) -> int:
    """Returns: the exit code."""
    process = subprocess.Popen(
        [*_BLOCKED, *daemon.command(*command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=daemon.environment,
        cwd=daemon.root,
    )
    wait_for(lambda: _is_begun(process.pid), "Python to become daemun", every_s=0.001)
    time.sleep(delay_s)  # the moment is what is tried out, not waited for
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0].decode()
    assert "Traceback" not in said
    assert "defect" not in said
    return process.returncode
