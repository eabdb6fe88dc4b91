"""N1: no other account of the machine can answer nginx's questions for the addresses of servers."""

import asyncio
import collections.abc
import contextlib
import pathlib
import re

import pytest

from tests.support import backend, binaries, clients, echo, other_account
from tests.support import daemon as daemon_support
from tests.support.daemon import Daemon, signpost, wait_for

pytestmark = pytest.mark.nginx

_BIND = """
import errno, socket, sys
host, port = sys.argv[1], int(sys.argv[2])
for address in (host, "0.0.0.0"):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                taken.bind((address, port))
                print("taken")
            except OSError as error:
                print(errno.errorcode[error.errno])
"""


def attempt_to_take(place: tuple[str, int]) -> set[str]:
    """How another account fares that wants the place for itself, on its address and on all."""
    done = other_account.run(_BIND, place[0], str(place[1]))
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def resolver_of(daemon: Daemon) -> tuple[str, int]:
    text = (daemon.state / "nginx/current/nginx.conf").read_text()
    match = re.search(r"^\s*resolver ([0-9.]+):(\d+);", text, re.MULTILINE)
    assert match is not None, text
    return match[1], int(match[2])


@contextlib.contextmanager
def as_earlier(daemon: Daemon) -> collections.abc.Iterator[None]:
    """daemun is started without the right to privileged ports, as one that did not use them."""
    daemon.run_by = (binaries.program("setpriv", "util-linux"), "--bounding-set=-net_bind_service", "--")
    try:
        yield
    finally:
        daemon.run_by = ()


@pytest.fixture
def app() -> collections.abc.Iterator[backend.Backend]:
    with backend.running("app") as running:
        yield running


def write_site(daemon: Daemon, port: int) -> None:
    # A name: nginx asks daemun for its addresses.
    daemon.write(f"sites:\n  a.test: http://localhost:{port}\n" + signpost("sign.test", "one"))


def is_privileged(place: tuple[str, int]) -> bool:
    start = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    return place[1] < min(1024, start)


def test_n1_while_daemun_is_down_no_other_account_takes_its_place(daemon: Daemon, app: backend.Backend) -> None:
    """Traffic goes on, to the same server, until the next daemun answers at the same place."""
    other_account.need_root()
    write_site(daemon, app.port)
    daemon.up("https://a.test/")
    place = resolver_of(daemon)
    assert is_privileged(place)
    assert place[0] not in {"127.0.0.1", "0.0.0.0"}
    assert attempt_to_take(place) == {"EACCES"}
    daemon.cli_good("stop", "--keep-traffic")
    daemon.wait_exit()
    assert attempt_to_take(place) == {"EACCES"}
    assert daemon.get("https://a.test/").text.startswith("app ")
    daemon.up("https://a.test/")
    daemon.kill()
    assert attempt_to_take(place) == {"EACCES"}
    daemon.up("https://a.test/")
    assert resolver_of(daemon) == place
    assert daemon.wait_ready()["nginx"]["reloads"] == 0, "nothing changed for nginx"


async def test_n1_after_an_upgrade_the_earlier_port_is_held_until_its_workers_are_gone(daemon: Daemon) -> None:
    other_account.need_root()
    with echo.websocket_server() as port, as_earlier(daemon):
        write_site(daemon, port)
        await asyncio.to_thread(daemon.up, "https://sign.test/")
        earlier = resolver_of(daemon)
        assert earlier[0] == "127.0.0.1"
        assert earlier[1] >= 1024
        async with clients.websocket(daemon.gate, "a.test", "/") as socket:
            await socket.recv()  # the path
            await clients.echo(socket, "before")
            await asyncio.to_thread(daemon.cli_good, "stop", "--keep-traffic")
            await asyncio.to_thread(daemon.wait_exit)
            daemon.run_by = ()
            await asyncio.to_thread(daemon.up, "https://sign.test/")
            await asyncio.to_thread(
                daemon.wait, lambda: daemon.worker_pids(draining=True), "old workers that finish their connections"
            )
            assert is_privileged(resolver_of(daemon))
            # Long enough for some of the looks after which the port would be left.
            for _ in range(20):
                assert await asyncio.to_thread(attempt_to_take, earlier) == {"EADDRINUSE"}
                await asyncio.sleep(0.5)
            assert (daemon.state / "store/discovery/port").exists(), "the next start holds it, too"
            await clients.echo(socket, "after")
        await asyncio.to_thread(
            wait_for, lambda: attempt_to_take(earlier) == {"taken"}, "the earlier port to be given up", within_s=60
        )
        await asyncio.to_thread(
            wait_for, lambda: not (daemon.state / "store/discovery/port").exists(), "the port to be forgotten"
        )
        assert daemon.is_running


def test_n1_an_earlier_port_that_somebody_took_meanwhile_is_told(daemon: Daemon, app: backend.Backend) -> None:
    other_account.need_root()
    with as_earlier(daemon):
        write_site(daemon, app.port)
        daemon.up("https://a.test/")
        earlier = resolver_of(daemon)
        problems = [problem["message"] for problem in daemon.wait_ready()["problems"]]
        assert any("CAP_NET_BIND_SERVICE" in message for message in problems), "root without the right is told"
        daemon.cli_good("stop", "--keep-traffic")
        daemon.wait_exit()
    taker = other_account.start(
        "import socket, sys\n"
        "taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"taken.bind({earlier!r})\n"
        "print('taken', flush=True)\n"
        "sys.stdin.read()\n"
    )
    try:
        assert taker.stdout is not None
        assert taker.stdout.readline().strip() == "taken"
        daemon.start()
        daemon.wait_log(f"another program holds {earlier[0]}:{earlier[1]}")
        daemon.wait(lambda: is_privileged(resolver_of(daemon)), "nginx to ask daemun again")
        daemon.wait_settled()
        assert daemon.get("https://a.test/").text.startswith("app ")
    finally:
        taker.communicate()


def test_n1_daemuns_of_several_state_directories_do_not_meet(daemon: Daemon, app: backend.Backend) -> None:
    with daemon_support.new_daemon() as second:
        for one in (daemon, second):
            write_site(one, app.port)
            one.up("https://a.test/")
        assert resolver_of(daemon) != resolver_of(second)
        assert [one.get("https://a.test/").status_code for one in (daemon, second)] == [200, 200]
