"""J2: from the version before to this one and back, under load: no WebSocket is dropped and no request fails."""

import asyncio
import contextlib
import os
import pathlib
import re

import psutil
import pytest

from tests.e2e import servers
from tests.support import clients, installing, pebble
from tests.support.daemon import Daemon, signpost

pytestmark = [pytest.mark.nginx, pytest.mark.pebble]

SOCKETS = 200


def _resolver_of(daemon: Daemon) -> tuple[str, int]:
    text = (daemon.state / "nginx/current/nginx.conf").read_text()
    match = re.search(r"^\s*resolver ([0-9.]+):(\d+)", text, re.MULTILINE)
    assert match is not None, text
    return match[1], int(match[2])


def _is_privileged(place: tuple[str, int]) -> bool:
    start = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    return place[1] < min(1024, start)


def _listens(daemon: Daemon, place: tuple[str, int]) -> bool:
    found = psutil.Process(daemon.pid).net_connections(kind="udp")
    return any(one.laddr == place for one in found)


def _is_issued(daemon: Daemon) -> bool:
    found = [clients.try_handshake(daemon.gate, name) for name in ("issued.example.com", "also.example.com")]
    return all(one is not None and one.certificate is not None and "Pebble" in one.issuer for one in found)


def _is_live_closed(daemon: Daemon) -> bool:
    return (daemon.state / "live").readlink() == pathlib.PurePath("nginx/live")


def _read_times(folder: pathlib.Path) -> dict[str, int]:
    """All files that were there, and when they were changed last."""
    ours = [path for name in ("bin", "lib", "pyvenv.cfg") for path in ((folder / name), *(folder / name).rglob("*"))]
    return {str(path): path.lstat().st_ctime_ns for path in ours if path.name != "__pycache__"}


def _take_over(daemon: Daemon, prefix: installing.Prefix) -> None:
    """As README.md says, once another version is current: the daemon is replaced, nginx goes on."""
    daemon.cli_good("stop", "--keep-traffic")
    assert daemon.wait_exit() == 0
    daemon.environment["DAEMUN_NGINX"] = str(prefix.nginx())
    daemon.start()


@pytest.mark.timeout(600)
async def test_j2_upgrade_and_back_with_two_hundred_sockets(daemon: Daemon) -> None:
    prefix = installing.Prefix(daemon.root)
    await asyncio.to_thread(prefix.install_first)
    daemon.program = (str(prefix.program),)
    daemon.environment["DAEMUN_NGINX"] = str(prefix.nginx())
    with servers.running("html") as html, servers.running("chat") as chat, pebble.running_pebble(daemon.http) as ca:
        # By a name: its addresses are asked of daemun.
        by_name = chat.url.replace("127.0.0.1", "localhost")
        visited = f"sites:\n  chat.test:\n    /: {html.url}\n    /named/: {by_name}/\n    /websocket/: {by_name}/\n"
        visited += (
            f"  issued.example.com: {{aliases: [also.example.com], routes: {{/: {{to: '{html.url}', health: /}}}}}}\n"
        )
        authority = f"directory: '{ca.directory}', ca_file: {ca.ca_file}, resolvers: '{ca.resolver}'"
        daemon.preamble = f"acme: {{{authority}}}\nold_workers: {{generations: 1000, memory: 16g}}\n"

        async def change(sign: str) -> None:
            daemon.write(visited + signpost("other.test", sign))
            await asyncio.to_thread(daemon.wait_sign, "other.test", sign)

        daemon.write(visited + signpost("other.test", "v0"))
        daemon.start()
        await asyncio.to_thread(daemon.wait_sign, "other.test", "v0")
        await asyncio.to_thread(daemon.wait, lambda: _is_issued(daemon), "the CA's certificate", within_s=60)
        master, earlier = daemon.nginx_pid(), _resolver_of(daemon)
        assert master is not None
        executable = pathlib.Path(f"/proc/{master}/exe").readlink()
        assert executable.is_relative_to(prefix.folder / "lib"), "the nginx that the version brought"
        async with contextlib.AsyncExitStack() as stack:
            sockets = await asyncio.gather(
                *(
                    stack.enter_async_context(clients.websocket(daemon.gate, "chat.test", "/websocket/"))
                    for _ in range(SOCKETS)
                )
            )
            loads = [
                clients.Load(daemon.gate, "https://chat.test/", visitors=2, pause_s=0.05),
                clients.Load(daemon.gate, "https://chat.test/named/", visitors=2, pause_s=0.05),
                clients.Load(daemon.gate, "https://chat.test/named/", visitors=1, pause_s=0.2, keep_alive=False),
            ]
            for load in loads:
                await stack.enter_async_context(load)
            await clients.echo_all(sockets, "before")

            files = _read_times(prefix.folder)
            said = await asyncio.to_thread(prefix.install)
            assert "daemun stop --keep-traffic" in said
            assert files.items() <= _read_times(prefix.folder).items(), "what runs is left alone"
            assert prefix.program.resolve().is_relative_to(prefix.folder / "versions")
            await asyncio.to_thread(_take_over, daemon, prefix)
            await change("new")
            await clients.echo_all(sockets, "new")
            assert _is_issued(daemon)
            # N2: once no handshake can be left of the configuration that had the keys in live/ itself.
            await asyncio.to_thread(daemon.wait, lambda: _is_live_closed(daemon), "live/ to be root's alone")
            used = _resolver_of(daemon)
            if os.geteuid() == 0:
                assert not _is_privileged(earlier)
                assert _is_privileged(used), "N1"
                assert _listens(daemon, earlier), "old workers, which have the WebSockets, ask there"
            assert _listens(daemon, used)

            (prefix.folder / "current").unlink()
            (prefix.folder / "current").symlink_to((prefix.folder / "previous").readlink())
            await asyncio.to_thread(_take_over, daemon, prefix)
            await change("back")
            await clients.echo_all(sockets, "back")
            assert _resolver_of(daemon) == earlier, "where the oldest workers ask"
            assert _listens(daemon, earlier)
            for load in loads:
                await load.each_asks_anew()

            assert [dict(load.failures) for load in loads] == [{}, {}, {}]
            assert all(socket.close_code is None for socket in sockets)
            status = await asyncio.to_thread(daemon.status)
            assert {site["state"] for site in status["sites"]} == {"live"}
            assert not status.get("problems"), status["problems"]
            assert _is_issued(daemon)
            assert ca.orders == 1, "each version reads the certificates of the other"
        assert daemon.nginx_pid() == master, "nginx itself was never restarted"
        assert "Traceback" not in daemon.log_text()
