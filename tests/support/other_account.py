"""A program of another account of this machine, without any right: what an attacker on the machine is."""

import os
import subprocess
import sys

import pytest

NOBODY = 65534
# What a program may need is imported first: another account may not read the interpreter's own files.
_DROP = """
import errno, json, os, pathlib, signal, socket, struct, sys, time
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534); os.chdir("/")
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program as account 65534 to its end. Skips the test unless root runs the tests."""
    need_root()
    return subprocess.run(_command(program, *arguments), capture_output=True, text=True, check=False, timeout=60)


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    """As `run`, going on; what it prints is in stdout."""
    need_root()
    return subprocess.Popen(_command(program, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can start a program of another account")


def _command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", _DROP + program, *arguments]
