"""Changes, certificates and restarts of the daemon cost no visitor anything."""

import asyncio
import contextlib

import pytest

from tests.e2e import servers
from tests.support import clients
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

SOCKETS = 200
CHANGES = 50
CERTIFICATES = 20


def _replace_certificate(daemon: Daemon) -> None:
    """Have a new certificate of the visited site in place, and wait until it is."""
    chain = daemon.state / "live" / "chat.test" / "fullchain.pem"
    before = chain.read_bytes()
    daemon.cli_good("certs", "renew", "chat.test")
    daemon.wait(lambda: chain.read_bytes() != before, "another certificate")


def _restart(daemon: Daemon, number: int) -> None:
    """A new daemon takes over the running nginx, and does its work: a change is live when this returns."""
    if number == 1:
        daemon.kill()
    else:
        daemon.cli_good("stop", "--keep-traffic")
        assert daemon.wait_exit() == 0
    daemon.start()


def _are_counted(daemon: Daemon) -> bool:
    """Of those that go on for visitors some end meanwhile."""
    counted: int = daemon.look()["nginx"]["draining_workers"]
    return counted >= 1 and counted == len(daemon.worker_pids(draining=True))


@pytest.mark.timeout(600)
async def test_two_hundred_sockets_and_a_load(daemon: Daemon) -> None:
    with servers.running("html") as html, servers.running("chat") as chat:
        visited = f"sites:\n  chat.test:\n    /: {html.url}\n    /websocket/: {chat.url}/\n"
        # Each change is to be a reload of its own, with all of them alive: visitors keep old workers for ten seconds.
        daemon.preamble = "old_workers: {generations: 1000, memory: 16g}\n"
        daemon.write(visited + signpost("other.test", "v0"))
        daemon.start()
        await asyncio.to_thread(daemon.wait_sign, "other.test", "v0")
        master = daemon.nginx_pid()
        async with contextlib.AsyncExitStack() as stack:
            sockets = await asyncio.gather(
                *(
                    stack.enter_async_context(clients.websocket(daemon.gate, "chat.test", "/websocket/"))
                    for _ in range(SOCKETS)
                )
            )
            loads = [
                clients.Load(daemon.gate, "https://chat.test/", visitors=4, pause_s=0.02),
                clients.Load(daemon.gate, "https://chat.test/", visitors=4, pause_s=1.5),
                clients.Load(daemon.gate, "https://chat.test/", visitors=1, pause_s=0.2, keep_alive=False),
            ]
            for load in loads:
                await stack.enter_async_context(load)
            await clients.echo_all(sockets, "before")

            for number in range(1, CHANGES + 1):
                daemon.write(visited + signpost("other.test", f"v{number}"))
                await asyncio.to_thread(daemon.wait_sign, "other.test", f"v{number}")
                if number % 10 == 0:
                    await clients.echo_all(sockets, f"change {number}")
            for _ in range(CERTIFICATES):
                await asyncio.to_thread(_replace_certificate, daemon)
            await clients.echo_all(sockets, "certificates")
            for number in range(3):
                await asyncio.to_thread(_restart, daemon, number)
                daemon.write(visited + signpost("other.test", f"restart-{number}"))
                await asyncio.to_thread(daemon.wait_sign, "other.test", f"restart-{number}")
                await clients.echo_all(sockets, f"restart {number}")
            for load in loads:
                await load.answer(2)

            assert [dict(load.failures) for load in loads] == [{}, {}, {}]
            assert all(socket.close_code is None for socket in sockets)
            await asyncio.to_thread(daemon.wait, lambda: _are_counted(daemon), "old workers that live on for sockets")
            answered = sum(load.answered for load in loads)
            print(f"\n{SOCKETS} sockets open, {answered} requests answered, 0 failed")
        assert daemon.nginx_pid() == master, "nginx itself was never restarted"
