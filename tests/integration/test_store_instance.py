"""One daemon per state directory."""

import os
import pathlib
import subprocess
import sys

import pytest

from daemun.errors import LockHeldError
from daemun.store import instance

HOLDER = """
import pathlib, sys
from daemun.store import instance
with instance.held_alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_daemon_is_told_who_holds_it(tmp_path: pathlib.Path) -> None:
    lock = tmp_path / "run" / "daemun.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockHeldError, match=f"process {holder.pid}\\)"), instance.held_alone(lock):
            pass
        holder.kill()
    with instance.held_alone(lock):
        assert lock.read_text() == f"{os.getpid()}\n"
