"""`daemun password` as people and scripts use it."""

import json
import os
import pty
import subprocess

import argon2
import pytest

from daemun.core import password_hashes
from tests.support import daemon as daemon_support

Run = daemon_support.Daemon


def from_pipe(daemon: Run, typed: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [*daemon.program, "password", *arguments]
    return subprocess.run(command, input=typed, capture_output=True, env=daemon.environment, check=False, timeout=60)


def on_terminal(daemon: Run, *lines: str) -> tuple[int, str]:
    """What the terminal shows, with lines typed when they are asked for."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [*daemon.program, "password"],
        stdin=its,
        stdout=its,
        stderr=its,
        env=daemon.environment,
        start_new_session=True,
    )
    os.close(its)
    shown = b""
    for line in lines:
        while not shown.endswith(b": "):
            shown += os.read(ours, 4096)
        os.write(ours, line.encode() + b"\n")
        shown += b"\n"
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # EIO: the other side is closed (pty(7))
        pass
    os.close(ours)
    return process.wait(60), shown.decode()


def test_from_a_script(daemon: Run) -> None:
    done = from_pipe(daemon, "öffne dich\n".encode())
    assert done.returncode == 0, done.stderr
    hashed = done.stdout.decode().strip()
    assert password_hashes.check_hash(hashed) is None
    assert argon2.PasswordHasher().verify(hashed, "öffne dich")
    assert b"dich" not in done.stdout + done.stderr


def test_a_line_of_a_htpasswd_file(daemon: Run) -> None:
    user, _, hashed = from_pipe(daemon, b"pw", "--htpasswd", "alice").stdout.decode().strip().partition(":")
    assert user == "alice"
    assert argon2.PasswordHasher().verify(hashed, "pw")
    found = json.loads(from_pipe(daemon, b"pw", "--htpasswd", "alice", "--json").stdout)
    assert found["user"] == "alice"
    assert argon2.PasswordHasher().verify(found["hash"], "pw")


@pytest.mark.parametrize(
    ("typed", "arguments"),
    [(b"", ()), (b"\n", ()), (b"a\xffb\n", ()), (b"a\0b\n", ()), (b"x" * 2000, ()), (b"pw", ("--htpasswd", "a:b"))],
)
def test_what_could_never_be_sent_is_refused(daemon: Run, typed: bytes, arguments: tuple[str, ...]) -> None:
    done = from_pipe(daemon, typed, *arguments)
    assert done.returncode == 1
    assert not done.stdout
    assert done.stderr.startswith(b"error: cannot ")


def test_a_person_types_it_twice_unseen(daemon: Run) -> None:
    code, shown = on_terminal(daemon, "open sesame", "open sesame")
    assert code == 0, shown
    assert "sesame" not in shown
    assert argon2.PasswordHasher().verify(shown.strip().splitlines()[-1], "open sesame")


def test_a_slip_is_noticed(daemon: Run) -> None:
    code, shown = on_terminal(daemon, "open sesame", "open sesam")
    assert code == 1
    assert "differs" in shown
    assert "$argon2" not in shown
