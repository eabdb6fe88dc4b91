"""N9: visitors of dead sites take neither daemun's descriptors, nor nginx's connections, nor the disk."""

import asyncio
import pathlib
import re
import resource

import pytest

from tests.support import binaries, clients, ports
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx


def _limited(daemon: Daemon, soft: int, hard: int) -> None:
    daemon.run_by = (binaries.program("prlimit", "util-linux"), f"--nofile={soft}:{hard}", "--")


def _limits(pid: int) -> tuple[int, int]:
    match = re.search(r"Max open files\s+(\d+)\s+(\d+)", pathlib.Path(f"/proc/{pid}/limits").read_text())
    assert match is not None
    return int(match[1]), int(match[2])


@pytest.mark.parametrize(("soft", "hard"), [(256, 4096), (1024, 1024), (100, 2048), (600, 700)])
def test_n9_daemun_may_open_all_it_may_and_nginx_no_more(daemon: Daemon, soft: int, hard: int) -> None:
    _limited(daemon, soft, hard)
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert _limits(daemon.pid) == (hard, hard)
    text = (daemon.state / "nginx/current/nginx.conf").read_text()
    match = re.search(r"worker_rlimit_nofile (\d+);.*worker_connections (\d+);", text, re.DOTALL)
    assert match is not None
    assert int(match[1]) == hard
    assert int(match[2]) < hard
    assert all(_limits(pid) == (hard, hard) for pid in daemon.worker_pids())
    assert "setrlimit" not in (daemon.state / "logs/error.log").read_text()


@pytest.mark.parametrize(("hard", "visitors"), [(20_000, 1400), (1024, 500)])
async def test_n9_a_crowd_at_dead_sites_leaves_others_and_the_disk_alone(
    daemon: Daemon, hard: int, visitors: int
) -> None:
    """Begun with the descriptors that most programs are given, 1024."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip(f"no more than {hard - 1} descriptors here")
    _limited(daemon, 1024, hard)
    nobody = ports.free_port()
    dead = "".join(
        f"  d{number}.test: {{tls: off, routes: {{/: {{to: 'http://127.0.0.1:{nobody}', hold: 10s}}}}}}\n"
        for number in range(7)
    )
    daemon.write("sites:\n" + signpost("a.test", "one") + dead)
    await asyncio.to_thread(daemon.start)
    await asyncio.to_thread(daemon.wait_sign, "a.test", "one")
    before = _log_bytes(daemon)
    async with asyncio.TaskGroup() as group:
        visits = [group.create_task(_visit(daemon, f"d{number % 7}.test")) for number in range(visitors)]
        seen = [await asyncio.to_thread(clients.try_get, daemon.gate, "https://a.test/") for _ in range(20)]
    assert [answer and answer.status_code for answer in seen] == [302] * 20
    answered = [task.result() for task in visits]
    assert set(answered) <= {502, 503, 504}, set(answered)
    assert _log_bytes(daemon) - before < 4 << 20
    assert daemon.log_text().count("out of system resource") <= 1
    assert "worker_connections are not enough" not in (daemon.state / "logs/error.log").read_text()
    assert daemon.is_running


def _log_bytes(daemon: Daemon) -> int:
    return daemon.log_file.stat().st_size + sum(path.stat().st_size for path in (daemon.state / "logs").iterdir())


async def _visit(daemon: Daemon, host: str) -> int:
    """Over plain HTTP: 1,400 handshakes would be the test's own load. The status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.http)
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
        await reader.read()
        return int(line.split()[1])
    finally:
        writer.close()
