"""N16: examples/daemun.service takes all rights away that daemun and nginx do not use, and what is left is enough."""

import asyncio
import configparser
import os
import pathlib
import re
import signal
import socket
import subprocess

import psutil
import pytest

from tests.support import binaries, clients, echo, other_account
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

ROOT = pathlib.Path(__file__).parents[2]
UNIT = ROOT / "examples/daemun.service"
OK_BELOW = 5.0
"""systemd-analyze calls an exposure from 2 to 4.9 "OK"."""


def _service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def _capabilities() -> list[str]:
    """As `docker run --cap-add` names them."""
    return [name.removeprefix("CAP_") for name in _service()["CapabilityBoundingSet"].split()]


def _bounded(*left_out: str) -> tuple[str, ...]:
    """A command that starts another one with the unit's rights."""
    other_account.need_root()
    setpriv = binaries.program("setpriv", "util-linux")
    kept = [f"+{name.lower()}" for name in _capabilities() if name not in left_out]
    return (setpriv, "--no-new-privs", f"--bounding-set=-all,{','.join(kept)}", "--")


def test_n16_systemd_calls_the_unit_ok() -> None:
    analyze = binaries.program("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "security", "--offline=true", str(UNIT)], capture_output=True, text=True, check=False
    )
    match = re.search(r"Overall exposure level for daemun.service: ([0-9.]+)", done.stdout)
    if match is None:
        pytest.skip(f"systemd-analyze cannot judge a file here: {done.stderr}")
    assert float(match[1]) < OK_BELOW, done.stdout


def test_n16_the_unit_names_only_what_systemd_knows() -> None:
    analyze = binaries.program("systemd-analyze", "systemd")
    done = subprocess.run([analyze, "verify", str(UNIT)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "daemun" in line and "is not executable" not in line]
    assert complaints == []


def test_n16_what_is_asked_for_is_there() -> None:
    service = _service()
    assert service["NoNewPrivileges"] == "true"
    assert service["ProtectSystem"] == "strict"
    assert service["PrivateTmp"] == "true"
    assert int(service["LimitNOFILE"]) >= 65536


def test_n16_the_same_rights_are_documented_for_containers() -> None:
    text = (ROOT / "docs/docker.md").read_text()
    command = text[text.index("--cap-drop ALL") :].partition("```")[0]
    assert re.findall(r"--cap-add ([A-Z_]+)", command) == _capabilities()
    text = (ROOT / "docs/SECURITY.md").read_text()
    assert all(name in text for name in _capabilities())


async def test_n16_the_rights_of_the_unit_are_enough(daemon: Daemon) -> None:
    """Low ports, workers of another account, files that only another account may read, reloads, WebSockets in old
    workers whose connections are counted, rotation, a restart that adopts nginx, and the end."""
    daemon.run_by = _bounded()
    page = daemon.root / "page/index.html"
    page.parent.mkdir()
    page.write_text("a page\n")
    daemon.config.touch()
    low = _free_low_ports()
    with echo.websocket_server() as port:
        listen = f'listen: {{http: "127.0.0.1:{low[0]}", https: "127.0.0.1:{low[1]}"}}\nlogs: {{max_size: 1k}}\n'
        sites = f"sites:\n  chat.test: http://127.0.0.1:{port}\n  page.test: {{routes: {{/: {{files: ./page}}}}}}\n"
        daemon.write_raw(listen + sites)
        os.chown(daemon.config, other_account.NOBODY, -1)
        daemon.config.chmod(0o600)
        daemon.http, daemon.https = low
        await asyncio.to_thread(daemon.start)
        await asyncio.to_thread(daemon.wait_answer, "https://page.test/", lambda answer: answer.text == "a page\n")
        masters = {psutil.Process(daemon.nginx_pid() or 0).uids().effective}
        workers = {psutil.Process(pid).uids().effective for pid in daemon.worker_pids()}
        assert masters == {0}
        assert 0 not in workers
        assert _effective(daemon.pid) == _effective(daemon.nginx_pid() or 0) == len(_capabilities())
        assert {_effective(pid) for pid in daemon.worker_pids()} == {0}
        async with clients.websocket(daemon.gate, "chat.test", "/") as chat:
            await chat.recv()
            for _ in range(2):
                daemon.write_raw(listen + sites + signpost("a.test", "one"))
                await asyncio.to_thread(daemon.wait_sign, "a.test", "one")
                daemon.write_raw(listen + sites)
                await asyncio.to_thread(
                    daemon.wait, lambda: daemon.worker_pids(draining=True), "workers that finish their connections"
                )
            await clients.echo(chat, "still here")
            await asyncio.to_thread(
                daemon.wait, lambda: daemon.look()["nginx"]["old_workers"]["sockets"] == 1, "one socket to be counted"
            )
        for _ in range(30):
            await asyncio.to_thread(daemon.get, "https://page.test/")
        log = daemon.state / "logs/access.log"
        await asyncio.to_thread(daemon.wait, lambda: log.stat().st_size > 1024, "lines of these requests")
        os.kill(daemon.pid, signal.SIGUSR1)
        await asyncio.to_thread(daemon.wait, lambda: log.exists() and log.stat().st_size < 1024, "a new log")
        master = daemon.nginx_pid()
        await asyncio.to_thread(daemon.cli_good, "stop", "--keep-traffic")
        await asyncio.to_thread(daemon.wait_exit)
        await asyncio.to_thread(daemon.start)
        assert (await asyncio.to_thread(daemon.wait_ready))["nginx"]["pid"] == master
        await asyncio.to_thread(daemon.cli_good, "stop")
        await asyncio.to_thread(daemon.wait_exit)
    assert daemon.nginx_processes() == []
    assert not re.search(r'"level": "(error|critical)"', daemon.log_text()), daemon.log_text()
    refused = re.findall(r".*(?:not permitted|Permission denied).*", _error_log(daemon))
    assert refused == []


@pytest.mark.parametrize("left_out", ["SETUID", "SETGID", "CHOWN"])
def test_n16_nothing_is_in_the_set_that_is_not_used(daemon: Daemon, left_out: str) -> None:
    """Without one of them daemun does not serve."""
    daemon.run_by = _bounded(left_out)
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    if left_out == "CHOWN":
        assert daemon.wait_exit() == 1
        return
    daemon.wait(lambda: "failed (1" in _error_log(daemon) or not daemon.is_running, "what fails")
    assert daemon.sign("a.test") is None


def _effective(pid: int) -> int:
    """How many rights a process has now."""
    match = re.search(r"^CapEff:\s+([0-9a-f]+)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1], 16).bit_count()


def _error_log(daemon: Daemon) -> str:
    return "".join(path.read_text() for path in sorted((daemon.state / "logs").glob("error.log*")))


def _free_low_ports() -> tuple[int, int]:
    found: list[int] = []
    for port in range(700, 1000):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == 2:
            return found[0], found[1]
    pytest.skip("no low ports are free")
