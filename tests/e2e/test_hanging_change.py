"""N10: `daemun status` does not say that all is live while a change hangs, or while nginx does not serve."""

import os
import signal
import subprocess

import pytest

from tests.support import own_certificates
from tests.support.daemon import Daemon, signpost, wait_for

pytestmark = pytest.mark.nginx

ONE_SITE = "sites:\n" + signpost("a.test", "one")


@pytest.fixture
def running(daemon: Daemon) -> Daemon:
    daemon.write(ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait(lambda: daemon.cli("status").returncode == 0, "all to be live")
    return daemon


def _shown(daemon: Daemon) -> str:
    """What `status` shows when it exits with 3, else nothing."""
    done = daemon.cli("status")
    return done.stdout + done.stderr if done.returncode == 3 else ""


def test_n10_a_change_whose_trial_blocks_is_told(running: Daemon) -> None:
    pipe = running.root / "pipe"
    os.mkfifo(pipe)
    included = running.root / "included.conf"  # what is named in daemun.yaml itself is looked at before
    included.write_text(f"ssl_dhparam {pipe};\n")
    running.write(ONE_SITE + f'  b.test: {{routes: {{/: http://127.0.0.1:9}}, nginx: "include {included};"}}\n')
    running.wait(lambda: "a change has been applied since 20" in _shown(running), "it to be told", every_s=0.5)
    status = running.look()
    assert status["applying_since"] is not None
    assert status["nginx"]["answers"] is True
    assert running.sign("a.test") == "one"
    assert running.cli("status", "--alive").returncode == 0, "traffic is served"
    with pipe.open("wb") as writer:
        pipe.unlink()  # nginx reads it once more when it looks for the site at fault
        pipe.write_text("not what nginx wants\n")
        writer.write(b"not what nginx wants\n")
    running.wait_state("b.test", "quarantined")
    assert running.status()["applying_since"] is None


@pytest.mark.parametrize("which", ["master", "workers", "one worker"])
def test_n10_suspended_processes_of_nginx_are_told_with_a_cure(running: Daemon, which: str) -> None:
    master, workers = running.nginx_pid(), sorted(running.worker_pids())
    assert master is not None
    suspended = {"master": [master], "workers": workers, "one worker": workers[:1]}[which]
    for pid in suspended:
        os.kill(pid, signal.SIGSTOP)
    try:
        cure = f"kill -CONT {' '.join(map(str, suspended))}"
        running.wait(lambda: cure in _shown(running), "the suspended processes to be told")
        assert running.cli("status", "--alive").returncode == 3
        assert running.status()["nginx"]["answers"] is False
        subprocess.run(cure.split(), check=True)
    finally:
        for pid in suspended:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: running.cli("status").returncode == 0, "all to be live again")
    assert running.cli("status", "--alive").returncode == 0


def test_n10_a_master_that_is_suspended_when_a_change_comes(running: Daemon) -> None:
    master = running.nginx_pid()
    assert master is not None
    os.kill(master, signal.SIGSTOP)
    try:
        running.write("sites:\n" + signpost("a.test", "two"))
        running.wait(lambda: f"kill -CONT {master}" in _shown(running), "it to be told", every_s=0.5)
        running.wait(lambda: "has been applied since" in _shown(running), "the change to be told", within_s=60)
    finally:
        os.kill(master, signal.SIGCONT)
    running.wait_sign("a.test", "two")
    wait_for(lambda: running.cli("status").returncode == 0, "all to be live again", within_s=60)


def test_b3_a_pipe_in_the_place_of_a_file_is_its_sites_trouble(running: Daemon) -> None:
    """B3: it held every edit, `check`, and the end of the daemon."""
    os.mkfifo(running.root / "pipe")
    pair = own_certificates.make("own.test")
    (running.root / "own.key").write_bytes(pair.key)
    ours = running.write(
        "alerts: {webhook: {file: pipe}}\nacme: {ca_file: pipe, directory: 'https://localhost:9/dir'}\n"
        + ONE_SITE
        + signpost("b.test", "two")
        + "  own.test: {tls: {certificate: pipe, key: own.key}, routes: {/: http://127.0.0.1:9}}\n"
        + "  checked.test: {routes: {/: {to: 'https://localhost:9', verify: pipe}}}\n"
        + "  open.test: http://127.0.0.1:9\n"
    )
    running.wait_sign("b.test", "two")
    said = running.cli("check")
    assert said.returncode == 1
    assert (said.stdout + said.stderr).count("is a pipe") >= 3
    running.write_raw(ours.replace("sign.test/two", "sign.test/three"))
    running.wait_sign("b.test", "three")
    running.config.unlink()
    os.mkfifo(running.config)
    running.wait(lambda: "is a pipe" in _shown(running), "it to be told")
    assert running.cli("add", "c.test", "http://127.0.0.1:9").returncode == 1
    assert (running.sign("a.test"), running.sign("b.test")) == ("one", "three")
    assert running.terminate() == 0
