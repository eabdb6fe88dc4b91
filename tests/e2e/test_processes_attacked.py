"""N13: processes that pretend to be nginx, requests that are made to break daemun, a daemun that does not answer, and a
clock that jumps."""

import collections.abc
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from tests.support import other_account
from tests.support.daemon import Daemon, signpost, wait_for

pytestmark = pytest.mark.nginx

ONE_SITE = "sites:\n" + signpost("a.test", "one")


def _start(daemon: Daemon) -> None:
    daemon.write(ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait(lambda: daemon.cli("status", "--alive").returncode == 0, "the daemon")


# --- a process with nginx's title -------------------------------------------------------------------------------

_PRETEND = """
os.chdir(sys.argv[1])
title = "nginx: master process nginx -c " + sys.argv[1] + "/nginx/current/nginx.conf -p " + sys.argv[1]
os.execv("/bin/sleep", [title, "600"])
"""


@contextlib.contextmanager
def pretender(daemon: Daemon, *, is_other_account: bool) -> collections.abc.Iterator[subprocess.Popen[str]]:
    """A process whose title and folder are those of nginx's master."""
    # sleep takes no word that is no number, so the title is a single one.
    if is_other_account:
        other_account.need_root()
        process = other_account.start(_PRETEND, str(daemon.state))
    else:
        title = f"nginx: master process nginx -c {daemon.state}/nginx/current/nginx.conf -p {daemon.state}"
        process = subprocess.Popen(
            [title, "600"], executable=shutil.which("sleep"), cwd=daemon.state, stdin=subprocess.PIPE, text=True
        )
    try:
        wait_for(lambda: _title(process.pid).startswith("nginx: master"), "the title")
        yield process
    finally:
        process.kill()
        process.communicate()


def _title(pid: int) -> str:
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


@pytest.mark.parametrize("is_other_account", [True, False], ids=["another account", "another program"])
def test_n13_who_pretends_to_be_nginx_is_not_taken_for_it(daemon: Daemon, is_other_account: bool) -> None:
    daemon.state.mkdir(mode=0o755)
    with pretender(daemon, is_other_account=is_other_account) as process:
        _start(daemon)
        assert daemon.status()["nginx"]["pid"] not in {None, process.pid}
        # Nor when it is in the pid file, and nginx itself is gone.
        daemon.cli_good("stop")
        assert daemon.wait_exit() == 0
        (daemon.state / "run/nginx.pid").write_text(f"{process.pid}\n")
        daemon.start()
        daemon.wait_sign("a.test", "one")
        assert daemon.wait_ready()["nginx"]["pid"] not in {None, process.pid}
        daemon.cli_good("stop")
        assert daemon.wait_exit() == 0
        assert process.poll() is None, "no signal went to it"


# --- requests to the control socket -----------------------------------------------------------------------------


def _post(daemon: Daemon, path: str, body: bytes) -> tuple[int, dict[str, str]]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.state / "run/control.sock"))
        head = f"POST {path} HTTP/1.1\r\nHost: daemun\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    head_, _, text = answer.partition(b"\r\n\r\n")
    return int(head_.split()[1]), json.loads(text)


def test_n13_json_that_is_made_to_break_is_a_bad_request(daemon: Daemon) -> None:
    _start(daemon)
    deep = (b"[" * 60_000, b'{"a":' * 10_000, b"[" * 30_000 + b"]" * 30_000, b'{"keep_traffic": ' + b"[" * 50_000)
    broken = (b"", b"\xff\xfe", b"nul", b'"' * 3, b"1e999", b'{"keep_traffic": 1}', b"[]", b'{"a": 1}', b"9" * 5000)
    for body in (*deep, *broken[1:]):
        for path in ("/stop", "/domains", "/certs/adopt", "/accounts/adopt"):
            status, answer = _post(daemon, path, body)
            assert 400 <= status < 500, (path, body[:20], status, answer)
            assert answer["error"]
            assert "sys.set_int_max_str_digits" not in answer["error"]  # Python's advice to programmers
    assert "Traceback" not in daemon.log_text()
    assert daemon.is_running


# --- secrets ----------------------------------------------------------------------------------------------------


def test_n13_the_copy_of_the_file_is_its_owners_alone_and_documented(daemon: Daemon) -> None:
    daemon.preamble = "alerts: {webhook: 'https://hooks.test/very-secret'}\n"
    _start(daemon)
    copy = daemon.state / "store/history/daemun.yaml"
    wait_for(copy.exists, "the copy")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    holders = [path for path in daemon.state.rglob("*") if path.is_file() and b"very-secret" in path.read_bytes()]
    assert holders == [copy]
    assert "very-secret" not in daemon.log_text()
    documents = pathlib.Path(__file__).parents[2] / "docs"
    for name in ("SECURITY.md", "CONFIGURATION.md"):
        assert "store/history/daemun.yaml" in (documents / name).read_text()


# --- a daemun that does not answer ------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_traffic", [False, True], ids=["all", "keep traffic"])
def test_n13_a_suspended_daemun_is_told_and_ended_by_force(daemon: Daemon, keep_traffic: bool) -> None:
    _start(daemon)
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        shown = daemon.cli("status")
        assert shown.returncode == 3
        for words in (f"process {daemon.pid} is suspended", f"kill -CONT {daemon.pid}", "daemun stop --force"):
            assert words in shown.stderr
        assert daemon.cli("status", "--alive").returncode == 3
        refused = daemon.cli("stop")
        assert refused.returncode == 1
        assert "daemun stop --force" in refused.stderr
        assert daemon.sign("a.test") == "one", "nginx serves on"
        daemon.cli_good("stop", "--force", *(["--keep-traffic"] if keep_traffic else []))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemon.pid, signal.SIGCONT)
    daemon.wait_exit()
    assert (daemon.sign("a.test") == "one") is keep_traffic
    assert bool(daemon.nginx_processes()) is keep_traffic


def test_n13_a_suspended_daemun_goes_on_by_the_printed_cure(daemon: Daemon) -> None:
    _start(daemon)
    os.kill(daemon.pid, signal.SIGSTOP)
    said = daemon.cli("status").stderr
    cure = said[said.index("`kill") + 1 :].partition("`")[0]
    subprocess.run(cure.split(), check=True)
    assert daemon.cli("status").returncode == 0
