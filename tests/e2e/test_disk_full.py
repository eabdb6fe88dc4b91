"""A full disk while a change is applied: told as such, nothing half-written goes live, and it recovers."""

import collections.abc
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from daemun.nginx import work_folder
from tests.support import clients, echo, receivers
from tests.support.daemon import Daemon, Json, signpost

pytestmark = [
    pytest.mark.nginx,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system"),
]


@pytest.fixture
def small(daemon: Daemon) -> collections.abc.Iterator[Daemon]:
    """A gate whose state directory is a file system of 6 MB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    assert mount is not None
    assert umount is not None
    disk = daemon.root / "disk"
    disk.mkdir()
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=6m,mode=755", "tmpfs", str(disk)], check=False)
    if done.returncode != 0:
        pytest.skip("this machine does not let tests mount a file system")
    daemon.state = disk / "s"
    try:
        yield daemon
    finally:
        daemon.close()
        subprocess.run([umount, "--lazy", str(disk)], check=True)


def _fill(daemon: Daemon) -> None:
    """Write until not one byte more fits."""
    with (daemon.state.parent / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))


def test_a_change_on_a_full_disk(small: Daemon) -> None:
    small.write("sites:\n" + signpost("a.test", "one"))
    small.start()
    small.wait_sign("a.test", "one")
    current = (small.state / "nginx" / "current").resolve()
    files = {path.name: path.read_bytes() for path in (current / "sites").iterdir()}
    _fill(small)
    before = len(small.log_text())
    small.write("sites:\n" + signpost("a.test", "two") + "".join(signpost(f"n{n}.test", "new") for n in range(20)))
    small.wait(lambda: "free some space" in small.log_text()[before:], "the cause in the log")
    assert "Traceback" not in small.log_text()
    assert small.sign("a.test") == "one"
    applied = small.cli("apply")
    assert applied.returncode == 1
    assert "free some space" in applied.stdout + applied.stderr
    assert (small.state / "nginx" / "current").resolve() == current
    assert {path.name: path.read_bytes() for path in (current / "sites").iterdir()} == files

    (small.state.parent / "filler").unlink()
    small.wait_sign("a.test", "two")
    small.wait_sign("n19.test", "new")
    small.wait(lambda: small.cli("status").returncode == 0, "the end of the trouble")


@pytest.mark.parametrize("hold", ["", ", hold: 0s"])
def test_uploads_on_a_full_disk(small: Daemon, hold: str) -> None:
    """nginx runs, and the disk fills up: bodies need none of it, and the trouble is in the status until it is over."""
    with echo.echo_server("app") as server:
        small.write(f"sites:\n  up.test: {{routes: {{/: {{to: 'http://127.0.0.1:{server.port}'{hold}}}}}}}\n")
        small.start()
        small.wait_answers("https://up.test/")
        assert small.cli("status").returncode == 0
        _fill(small)
        for size in (100, 12_000, 100_000, 999_999, 3_000_000):
            for is_http2 in (False, True):
                with clients.client(small.gate, http2=is_http2) as visitor:
                    body = b"x" * size
                    for content in (body, iter([body[: size // 2], body[size // 2 :]])):
                        answer = visitor.post("https://up.test/", content=content)
                        assert answer.status_code == 200, (size, is_http2)
                        said = echo.Said.parse(answer.content).body
                        assert said == (f"{size} bytes" if size > 10_000 else body.decode())
        small.wait(lambda: small.cli("status").returncode == 3, "the trouble in the status")
        assert "free some space" in small.cli("status").stdout
        (small.state.parent / "filler").unlink()
        small.wait(lambda: small.cli("status").returncode == 0, "the end of the trouble")


def test_a_start_on_a_full_disk(small: Daemon) -> None:
    small.write("sites:\n" + signpost("a.test", "one"))
    _fill(small)
    small.start()
    assert small.wait_exit() == 1
    small.wait_log("free some space")
    assert "Traceback" not in small.log_text()
    (small.state.parent / "filler").unlink()
    small.start()
    small.wait_sign("a.test", "one")


def test_one_daemun_also_where_nginx_would_work_elsewhere(small: Daemon) -> None:
    """The disk is full and nginx just gone: a second daemun would begin a folder of its own in memory."""
    small.write("sites:\n" + signpost("a.test", "one"))
    small.start()
    small.wait_sign("a.test", "one")
    os.kill(small.pid, signal.SIGSTOP)
    try:
        for process in small.nginx_processes():
            process.kill()
        small.wait(lambda: not any(one.is_running() for one in small.nginx_processes()), "nginx to end")
        _fill(small)
        second = small.cli("up")
    finally:
        os.kill(small.pid, signal.SIGCONT)
    assert second.returncode != 0
    assert f"another daemun (process {small.pid})" in second.stderr
    (small.state.parent / "filler").unlink()
    small.wait_sign("a.test", "one")


def test_a7_doctor_says_one_thing_of_a_full_disk(small: Daemon) -> None:
    """A7: "can be written" beside "0 MiB are free"."""
    small.write("sites:\n" + signpost("a.test", "one"))
    small.start()
    small.wait_sign("a.test", "one")
    _fill(small)
    said = small.cli("doctor")
    assert said.returncode == 1
    assert "cannot be written: no space left on device (0 MiB are free" in said.stdout
    assert "can be written" not in said.stdout
    assert "df -i" in said.stdout


@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_a_daemun_that_starts_beside_its_nginx_on_a_read_only_file_system_answers(small: Daemon, end: str) -> None:
    """Where nginx works it has its sockets, so nothing of it is moved; daemun's own cannot be made there."""
    small.write("sites:\n" + signpost("a.test", "one"))
    small.start()
    small.wait_sign("a.test", "one")
    if end == "killed":
        small.kill()
    else:
        small.cli_good("stop", "--keep-traffic")
        assert small.wait_exit() == 0
    with _read_only(small.state.parent):
        before = len(small.log_text())
        small.start()
        status = small.wait_ready()
        assert (small.state / "run" / "control.sock").exists() == (end == "killed"), "no daemun can answer there"
        assert (status["nginx"]["pid"], small.sign("a.test")) == (small.nginx_pid(), "one")
        _assert_told(small, before, "remount,rw")
        told = small.cli("status")
        assert (told.returncode, "remount,rw" in told.stdout) == (3, True)
        doctor = small.cli("doctor")
        assert doctor.returncode == 1
        assert "daemun is not running" not in doctor.stdout
        assert "(`mount -o remount,rw`), or choose another directory" in doctor.stdout
        assert small.cli("certs").returncode == 0
        assert "deleted under the running daemun" not in small.log_text()[before:]
        small.write("sites:\n" + signpost("a.test", "two"))
        applied = small.cli("apply")
        assert (applied.returncode, small.sign("a.test")) == (1, "one")
        assert "read-only file system" in (applied.stdout + applied.stderr).lower()
    small.wait_sign("a.test", "two")
    assert small.cli("status").returncode == 0
    _stop(small)
    assert small.nginx_pid() is None
    assert work_folder.find_control_socket(str(small.state)) is None


@contextlib.contextmanager
def _read_only(folder: pathlib.Path) -> collections.abc.Iterator[None]:
    """While files in it are open for writing, too, which a remount of the disk itself refuses."""
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,bind,rw", str(folder)], check=True)


def _stop(small: Daemon) -> None:
    """Daemon and nginx, as when the machine is switched off."""
    assert small.terminate() == 0
    assert small.nginx_processes() == []


def _assert_told(small: Daemon, before: int, *words: str) -> None:
    log = small.log_text()[before:]
    assert "Traceback" not in log
    for word in (str(small.state), *words):
        assert word in log, log


def test_a_restart_on_a_full_disk(small: Daemon) -> None:
    """B1, N5: what was served is served, the trouble is reported, and what can be done goes on: also an edit."""
    small.write("sites:\n" + signpost("a.test", "one") + signpost("b.test", "b"))
    small.start()
    small.wait_sign("a.test", "one")
    small.wait_sign("b.test", "b")
    _stop(small)
    _fill(small)
    before = len(small.log_text())
    small.start()
    small.wait_answers("https://a.test/", "https://b.test/")
    assert small.sign("a.test") == "one"
    status = small.cli("status")
    assert status.returncode == 3
    assert "free some space" in status.stdout
    _assert_told(small, before, "free some space")
    small.write("sites:\n" + signpost("a.test", "two") + signpost("b.test", "b"))
    small.wait(lambda: small.sign("a.test") == "two", "the edit")
    assert work_folder.find(str(small.state)) is not None
    assert small.terminate() == 0
    assert work_folder.find(str(small.state)) is None, "it is left after a clean stop"
    small.start()
    small.wait(lambda: small.sign("a.test") == "two", "the edit after a start")
    (small.state.parent / "filler").unlink()
    assert small.terminate() == 0
    small.start()
    small.wait_sign("a.test", "two")
    assert small.cli("status").returncode == 0
    assert (small.state / "run" / "control.sock").exists()


def test_a_restart_while_nginx_serves_from_memory(small: Daemon) -> None:
    """It is adopted where it is, and left there for the disk once it does not run."""
    small.write("sites:\n" + signpost("a.test", "one"))
    small.start()
    small.wait_sign("a.test", "one")
    _stop(small)
    _fill(small)
    small.start()
    small.wait_answers("https://a.test/")
    small.wait_ready()
    (small.state.parent / "filler").unlink()
    serving = small.status()["nginx"]["pid"]
    assert small.cli("stop", "--keep-traffic").returncode == 0
    assert small.wait_exit() == 0
    assert small.sign("a.test") == "one"
    small.start()
    small.wait_ready()
    assert small.status()["nginx"]["pid"] == serving
    assert small.cli("stop", "--keep-traffic").returncode == 0
    assert small.wait_exit() == 0
    assert small.cli("stop").returncode == 0
    assert work_folder.find(str(small.state)) is None
    small.start()
    small.wait_sign("a.test", "one")


def test_a_restart_on_a_file_system_that_is_read_only(small: Daemon) -> None:
    """B1"""
    small.write("sites:\n" + signpost("a.test", "one"))
    small.start()
    small.wait_sign("a.test", "one")
    _stop(small)
    disk = str(small.state.parent)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    before = len(small.log_text())
    small.start()
    small.wait_answers("https://a.test/")
    small.wait_ready()
    assert small.sign("a.test") == "one"
    _assert_told(small, before, "remount,rw")
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    _stop(small)
    small.start()
    small.wait_sign("a.test", "one")
    assert small.cli("status").returncode == 0


# --- a folder with a disk of its own ------------------------------------------------------------------------------


@contextlib.contextmanager
def _apart(folder: pathlib.Path) -> collections.abc.Iterator[pathlib.Path]:
    """A folder of the state directory, with what it holds, on a disk of its own that is small."""
    kept = folder.parent.parent / f"kept-{folder.name}"
    shutil.copytree(folder, kept, symlinks=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("this machine does not let tests mount a file system")
    try:
        folder.chmod((kept.stat().st_mode) & 0o7777)
        subprocess.run(["cp", "-a", f"{kept}/.", str(folder)], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(("name", "way"), [("store", "read-only"), ("live", "full"), ("logs", "full")])
def test_a_folder_with_a_disk_of_its_own_is_reported(daemon: Daemon, name: str, way: str) -> None:
    """Everything is served, and certificates are not renewed, files not remembered, or lines not logged."""
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    _stop(daemon)
    folder = daemon.state / name
    with _apart(folder):
        daemon.start()
        daemon.wait_sign("a.test", "one")
        daemon.wait(lambda: daemon.cli("status").returncode == 0, "a status without trouble")
        with _full(folder) if way == "full" else _read_only(folder):
            _wait_reported(daemon, folder)
            doctor = daemon.cli("doctor")
            assert doctor.returncode == 1
            assert f"{folder} cannot be written" in doctor.stdout
            assert daemon.sign("a.test") == "one"
        daemon.wait(lambda: daemon.cli("status").returncode == 0, "the end of the trouble")
        assert daemon.terminate() == 0


def test_a_full_store_sends_an_alert_also_at_the_start(daemon: Daemon) -> None:
    """What was sent cannot be stored either: that is logged once."""
    with receivers.receiving() as hook:
        daemon.environment |= {"HOOK": f"{hook.url}/x"}
        daemon.preamble = "alerts: {webhook: {env: HOOK}, rules: {nginx: false}}\n"
        daemon.write("sites:\n" + signpost("a.test", "one"))
        daemon.start()
        daemon.wait_sign("a.test", "one")
        _stop(daemon)
        folder = daemon.state / "store"
        with _apart(folder):
            with _full(folder):
                daemon.start()
                daemon.wait_sign("a.test", "one")
                _wait_reported(daemon, folder)
                daemon.wait(lambda: _of_folders(hook), "the alert", within_s=60)
                assert _of_folders(hook)[0]["event"] == "unwritable"
                assert _of_folders(hook)[0]["folders"][0]["folder"] == str(folder)
            daemon.wait(lambda: daemon.cli("status").returncode == 0, "the end of the trouble")
            daemon.wait(lambda: len(_of_folders(hook)) > 1, "the word that it is over", within_s=60)
            assert _of_folders(hook)[1]["event"] == "solved"
            assert daemon.log_text().count("what was sent could not be stored") == 1
            assert daemon.terminate() == 0


def _of_folders(hook: receivers.Receiver) -> list[Json]:
    """A disk that stays full for two minutes has an alert of its own, which a slow machine may see."""
    return [one for one in hook.taken if one["folders"]]


def _wait_reported(daemon: Daemon, folder: pathlib.Path) -> None:
    daemon.wait(lambda: daemon.cli("status").returncode == 3, "the trouble in the status", within_s=60)
    assert f"{folder} cannot be written: " in daemon.cli("status").stdout
    assert any(f"{folder} cannot" in one["message"] for one in daemon.status()["problems"])


@contextlib.contextmanager
def _full(folder: pathlib.Path) -> collections.abc.Iterator[None]:
    filler = folder / "~filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()
