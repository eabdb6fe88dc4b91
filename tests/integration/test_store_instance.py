"""One daemon per state directory."""

import fcntl
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
        assert lock.read_text().split()[0] == str(os.getpid())
        assert instance.read_owner(lock) == os.getpid()


def test_a_later_process_with_its_number_is_not_taken_for_the_owner(tmp_path: pathlib.Path) -> None:
    """`daemun stop --force` ended an editor of daemun.yaml that had got the number of a daemun that was gone."""
    lock = tmp_path / "daemun.lock"
    command = [sys.executable, "-c", "import sys; sys.stdin.read()", "daemun.yaml", "/etc/daemun/daemun.yaml"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as editor:
        with instance.held_alone(lock):
            started = int(lock.read_text().split()[1])
        later = f"{editor.pid} {started}"
        for text in (later, f"{editor.pid}", f"{editor.pid} 0", "", "x", "0", "999999999 1", "1 2 3"):
            lock.write_text(f"{text}\n")
            assert instance.read_owner(lock) is None, text
        assert editor.poll() is None
        editor.communicate(b"")


def test_a_daemun_that_did_not_note_its_start_is_known_by_its_command(tmp_path: pathlib.Path) -> None:
    """Of the version before, during an upgrade."""
    lock = tmp_path / "daemun.lock"
    command = [
        sys.executable,
        "-c",
        "import sys; print('up', flush=True); sys.stdin.read()",
        "/opt/daemun/bin/daemun",
        "up",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as before:
        assert before.stdout is not None
        assert before.stdout.readline() == b"up\n"
        lock.write_text(f"{before.pid}\n")
        assert instance.read_owner(lock) == before.pid
        before.communicate(b"")


def _start_holder(lock: pathlib.Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_lock_that_was_taken_on_a_full_disk_holds_when_the_disk_is_free_again(tmp_path: pathlib.Path) -> None:
    """Its file could not be made then; the next daemun makes it, and must not start beside the first."""
    run = tmp_path / "run"
    run.mkdir()
    # No second inode: a file cannot be made, as on a disk that is full.
    options = ["-t", "tmpfs", "-o", "nr_inodes=1,mode=755", "tmpfs", str(run)]
    if subprocess.run(["mount", *options], check=False).returncode != 0:
        pytest.skip("this machine does not let tests mount a file system")
    lock = run / "daemun.lock"
    try:
        with _start_holder(lock) as holder:
            assert not lock.exists()
            subprocess.run(["mount", "-o", "remount,nr_inodes=100", str(run)], check=True)
            with pytest.raises(LockHeldError, match="process unknown"), instance.held_alone(lock):
                pass
            holder.communicate("")
        with instance.held_alone(lock) as held:
            assert held.is_there()
            assert instance.read_owner(lock) == os.getpid()
    finally:
        subprocess.run(["umount", str(run)], check=True)


def test_a_lock_whose_file_or_folder_was_deleted_is_taken_again(tmp_path: pathlib.Path) -> None:
    lock = tmp_path / "run" / "daemun.lock"
    with instance.held_alone(lock) as held:
        for removed in (lock, lock.parent):
            lock.unlink()
            if removed is lock.parent:
                removed.rmdir()
            assert not held.is_there()
            held.take()
            assert held.is_there()
            assert instance.read_owner(lock) == os.getpid()
        lock.unlink()
        with pytest.raises(LockHeldError), instance.held_alone(lock):
            pass


def test_a_daemun_that_locks_the_file_alone_is_seen(tmp_path: pathlib.Path) -> None:
    """As the version before did."""
    lock = tmp_path / "daemun.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockHeldError), instance.held_alone(lock):
            pass
    with instance.held_alone(lock):
        pass
