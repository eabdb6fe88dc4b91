"""`daemun nginx upgrade` and `use` on a gate that runs: no WebSocket is dropped, no request fails, whatever happens to
the daemon or to the new nginx meanwhile."""

import asyncio
import collections.abc
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess

import psutil
import pytest
import websockets.asyncio.client

from daemun.core import layout
from daemun.nginx import find_nginx, process
from tests.e2e import servers
from tests.support import binaries, clients
from tests.support.daemon import Daemon, Json, signpost, wait_for
from tests.support.debian_mirror import packages  # noqa: F401 fixture

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(1800)]

IS_DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
TURNS = 20 if IS_DEEP else 4
KILLS = 20 if IS_DEEP else 2
SOCKETS = 500 if IS_DEEP else 60
REQUESTS = 20_000 if IS_DEEP else 600
SEED = 20_261_129


class System:
    """The nginx of a system, which an update replaces by another file. `builds`: what there is to put there."""

    def __init__(self, daemon: Daemon) -> None:
        self.path = daemon.root / "sbin" / "nginx"
        self.path.parent.mkdir()
        self.builds: list[pathlib.Path] = [binaries.nginx_path(), binaries.nginx_path()]
        daemon.environment["DAEMUN_NGINX"] = str(self.path)
        self.replace(0)

    def replace(self, number: int) -> None:
        new = self.path.with_name("nginx.dpkg-new")
        shutil.copy(self.builds[number % len(self.builds)], new)
        new.replace(self.path)


@pytest.fixture
def system(daemon: Daemon) -> System:
    return System(daemon)


def serving(daemon: Daemon) -> pathlib.Path:
    pid = daemon.nginx_pid()
    assert pid is not None
    return pathlib.Path(f"/proc/{pid}/exe").readlink()


def successor(daemon: Daemon) -> Json | None:
    found: Json | None = daemon.status()["nginx"]["successor"]
    return found


def is_settled(daemon: Daemon) -> bool:
    left = [daemon.state / "run" / name for name in ("nginx.takeover", "nginx.pid.oldbin")]
    masters = process.find_masters(layout.Layout(str(daemon.state)))
    return len(masters) == 1 and not any(path.exists() for path in left)


@contextlib.asynccontextmanager
async def visited(daemon: Daemon) -> collections.abc.AsyncIterator["Visitors"]:
    """A gate with an HTTP server and a chat, the chat by a name that nginx looks up, with visitors on both."""
    with servers.running("html") as html, servers.running("chat") as chat:
        by_name = chat.url.replace("127.0.0.1", "localhost")
        sites = f"sites:\n  chat.test:\n    /: {html.url}\n    /named/: {by_name}/\n    /websocket/: {by_name}/\n"
        sites += signpost("counted.test", "here")
        daemon.preamble += "old_workers: {generations: 1000, memory: 16g}\n"
        daemon.write(sites + signpost("other.test", "start"))
        daemon.start()
        await asyncio.to_thread(daemon.wait_sign, "other.test", "start")
        async with contextlib.AsyncExitStack() as stack:
            sockets = []
            for _ in range(SOCKETS // 20):
                batch = (clients.websocket(daemon.gate, "chat.test", "/websocket/") for _ in range(20))
                sockets += await asyncio.gather(*map(stack.enter_async_context, batch))
            found = Visitors(daemon, sites, sockets)
            for load in found.loads:
                await stack.enter_async_context(load)
            await clients.echo_all(sockets, "before")
            yield found


class Visitors:
    def __init__(self, daemon: Daemon, sites: str, sockets: list[websockets.asyncio.client.ClientConnection]) -> None:
        self._daemon = daemon
        self._sites = sites
        self._sockets = sockets
        self._counted = 0
        self.loads = [
            clients.Load(daemon.gate, "https://chat.test/", visitors=3, pause_s=0.005, patience_s=60),
            clients.Load(daemon.gate, "https://chat.test/named/", visitors=2, pause_s=0.01, patience_s=60),
            clients.Load(
                daemon.gate, "https://chat.test/named/", visitors=1, pause_s=0.05, keep_alive=False, patience_s=60
            ),
            clients.Load(daemon.gate, "https://chat.test/", visitors=2, pause_s=1.5, patience_s=60),
        ]

    async def change(self, sign: str) -> None:
        self._daemon.write(self._sites + signpost("other.test", sign))
        await asyncio.to_thread(self._daemon.wait_sign, "other.test", sign)

    async def assert_well(self, word: str) -> None:
        await clients.echo_all(self._sockets, word)
        for number in range(5):
            answer = await asyncio.to_thread(self._daemon.get, f"https://counted.test/{number}")
            assert answer.status_code == 302
        self._counted += 5
        assert [dict(load.failures) for load in self.loads] == [{}, {}, {}, {}], word

    async def assert_nothing_was_lost(self) -> None:
        for load in self.loads:
            await load.each_asks_anew()
        async with asyncio.timeout(900):
            while sum(load.answered for load in self.loads) < REQUESTS:
                await asyncio.sleep(0.05)
        await self.assert_well("at the end")
        assert all(socket.close_code is None for socket in self._sockets)
        await asyncio.to_thread(self._daemon.wait, lambda: _count(self._daemon) == self._counted, "each counted once")
        answered = sum(load.answered for load in self.loads)
        print(f"\n{len(self._sockets)} sockets open, {answered} requests answered, 0 failed")


def _count(daemon: Daemon) -> int:
    """Requests of `Visitors`, by whichever nginx, as `daemun traffic` has them."""
    found = json.loads(daemon.cli_good("traffic", "--json"))["sites"]
    return sum(one["requests"] for one in found if one["site"] == "counted.test")


@pytest.mark.walk
async def test_back_and_forth_under_load(daemon: Daemon, system: System, request: pytest.FixtureRequest) -> None:
    with contextlib.suppress(pytest.skip.Exception):  # without a mirror two copies of one build must do
        files = request.getfixturevalue("packages")
        system.builds[1] = await asyncio.to_thread(_install, daemon, files)
    async with visited(daemon) as visitors:
        masters = {daemon.nginx_pid()}
        for turn in range(1, TURNS + 1):
            await asyncio.to_thread(system.replace, turn)
            said = await asyncio.to_thread(daemon.cli_good, "nginx", "upgrade")
            assert "took over from nginx 1." in said
            assert serving(daemon) == system.path
            await asyncio.to_thread(daemon.wait, lambda: is_settled(daemon), "one nginx")
            masters.add(daemon.nginx_pid())
            await visitors.assert_well(f"turn {turn}")
            await visitors.change(f"turn-{turn}")
        assert len(masters) == TURNS + 1
        await visitors.assert_nothing_was_lost()
        nginx = (await asyncio.to_thread(daemon.status))["nginx"]
        assert nginx["draining_workers"] >= 1, "old workers live on for their sockets, and are counted"
        assert sum(one["workers"] for one in nginx["old_generations"]) == nginx["draining_workers"]
        assert "is started again" not in daemon.log_text(), "no takeover is a crash to the watchdog"
        assert await asyncio.to_thread(daemon.terminate) == 0
        assert daemon.nginx_processes() == []


def _install(daemon: Daemon, files: tuple[pathlib.Path, ...]) -> pathlib.Path:
    done = daemon.cli("nginx", "install", "--from", *map(str, files), within_s=280)
    assert done.returncode == 0, done.stderr
    (program,) = (daemon.state / "builds").glob("1.*/usr/sbin/nginx")
    return program


@pytest.mark.walk
async def test_killed_in_the_middle_of_each(daemon: Daemon, system: System) -> None:
    """SIGKILL to the daemon at any moment: whichever nginx serves then goes on, and the next takeover works."""
    moments = random.Random(SEED)
    async with visited(daemon) as visitors:
        for turn in range(1, KILLS + 1):
            await asyncio.to_thread(system.replace, turn)
            command = subprocess.Popen(
                daemon.command("nginx", "upgrade"),
                env=daemon.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            took_s = moments.uniform(0.0, 0.5)
            # From when the daemon begins, which may be long after the command was started.
            await asyncio.to_thread(_wait_until_begun, daemon, command)
            with contextlib.suppress(psutil.TimeoutExpired):
                await asyncio.to_thread(psutil.Process(daemon.pid).wait, took_s)
            daemon.kill()
            command.wait(60)
            daemon.start()
            await asyncio.to_thread(daemon.wait_ready)
            await asyncio.to_thread(daemon.wait, lambda: is_settled(daemon), "one nginx")
            await visitors.assert_well(f"turn {turn}")
            await visitors.change(f"turn-{turn}")
            await asyncio.to_thread(daemon.cli_good, "nginx", "upgrade")
            assert serving(daemon) == system.path
        await visitors.assert_nothing_was_lost()


def _wait_until_begun(daemon: Daemon, command: "subprocess.Popen[bytes]") -> None:
    path = daemon.state / "run" / "nginx.takeover"
    wait_for(lambda: path.exists() or command.poll() is not None, "the takeover to begin", every_s=0.001)


def test_a_system_that_was_updated(daemon: Daemon, system: System) -> None:
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    before = daemon.nginx_pid()
    assert successor(daemon) is None
    assert daemon.cli_good("nginx", "upgrade").endswith(f"({system.path}) serves\n")
    assert daemon.nginx_pid() == before

    system.replace(1)
    found = successor(daemon)
    assert found is not None
    assert (found["path"], found["replaced"], found["error"]) == (str(system.path), True, None)
    assert f"takes over with {daemon.named('nginx upgrade')}" in daemon.cli_good("status")
    assert f"{daemon.named('nginx upgrade')} lets that one take over" in daemon.cli("doctor").stdout
    listed = {one["origin"]: one for one in json.loads(daemon.cli_good("nginx", "--json"))["nginx"]}
    assert (listed["replaced"]["serves"], listed["replaced"]["next"]) == (True, False)
    assert (listed["named"]["serves"], listed["named"]["next"]) == (False, True)
    daemon.write("sites:\n" + signpost("a.test", "two"))
    daemon.wait_sign("a.test", "two")
    assert daemon.nginx_pid() == before, "what is changed meanwhile is for the one that serves"

    done = json.loads(daemon.cli_good("nginx", "upgrade", "--json"))["upgrade"]
    assert (done["ok"], done["path"], done["error"]) == (True, str(system.path), None)
    assert done["former"] == done["version"]
    assert daemon.nginx_pid() != before
    assert daemon.sign("a.test") == "two"
    assert successor(daemon) is None


def test_by_itself(daemon: Daemon, system: System) -> None:
    daemon.preamble = "nginx_upgrade: automatic\n"
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    before = daemon.nginx_pid()
    system.replace(1)
    daemon.wait(lambda: daemon.nginx_pid() not in {before, None} and is_settled(daemon), "another nginx")
    assert serving(daemon) == system.path
    assert daemon.sign("a.test") == "one"


def test_one_that_does_not_come_up(daemon: Daemon, system: System) -> None:
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    before = daemon.nginx_pid()
    new = system.path.with_name("new")
    new.write_text(
        f'#!/bin/sh\nfor word; do case $word in -V|-t) exec {binaries.nginx_path()} "$@";; esac; done\nexit 1\n'
    )
    new.chmod(0o755)
    new.replace(system.path)
    done = daemon.cli("nginx", "upgrade")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the new nginx ended by itself; the nginx that served goes on as before" in done.stderr
    assert daemon.nginx_pid() == before
    found = successor(daemon)
    assert found is not None
    assert "ended by itself" in found["error"]
    assert daemon.site("a.test")["state"] == "live"
    assert "the last time that failed: " in daemon.cli_good("status")
    daemon.write("sites:\n" + signpost("a.test", "two"))
    daemon.wait_sign("a.test", "two")
    assert daemon.nginx_pid() == before

    new.write_bytes(b"no program")
    new.chmod(0o755)
    new.replace(system.path)
    done = daemon.cli("nginx", "upgrade")
    assert (done.returncode, f"cannot use {system.path}" in done.stderr) == (1, True)
    assert daemon.nginx_pid() == before


def test_one_that_does_not_take_a_site(daemon: Daemon, system: System) -> None:
    """A directive that only the nginx that serves knows: no site is given up for another nginx."""
    daemon.write(
        "sites:\n"
        + signpost("plain.test", "one")
        + "  a.test: {routes: {/: {redirect: 'https://sign.test/one'}}, nginx: 'add_header X-Is 1;'}\n"
    )
    daemon.start()
    daemon.wait_sign("plain.test", "one")
    before = daemon.nginx_pid()
    new = system.path.with_name("new")
    refuses = "echo 'nginx: [emerg] unknown directive \"add_header\" in '\"$file\"':1' >&2; exit 1"
    new.write_text(
        "#!/bin/sh\nfile=\n"
        "for word; do case $word in */nginx.conf) file=$(dirname $word)/sites/a.test.conf;; esac; done\n"
        f'if [ -f "$file" ] && grep -q X-Is "$file"; then {refuses}; fi\n'
        f'exec {binaries.nginx_path()} "$@"\n'
    )
    new.chmod(0o755)
    new.replace(system.path)
    done = daemon.cli("nginx", "upgrade")
    assert done.returncode == 1
    assert "does not take the configuration: a.test: " in done.stderr
    assert daemon.nginx_pid() == before
    assert daemon.site("a.test")["state"] == "live"
    assert daemon.get("https://a.test/").headers["X-Is"] == "1"


@pytest.mark.timeout(900)
def test_an_installed_one_is_chosen_and_takes_over(
    daemon: Daemon,
    packages: tuple[pathlib.Path, ...],  # noqa: F811
) -> None:
    if find_nginx.find_bundled() is None:
        pytest.skip("the extra daemun[nginx] is not installed")
    del daemon.environment["DAEMUN_NGINX"]
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    done = daemon.cli("nginx", "install", "--from", *map(str, packages), within_s=280)
    assert done.returncode == 0, done.stderr
    assert "goes on serving; to let this one take over: daemun nginx upgrade" in done.stdout
    listed = {one["origin"]: one for one in json.loads(daemon.cli_good("nginx", "--json"))["nginx"]}
    name = listed["installed"]["name"]
    said = daemon.cli_good("nginx", "use", name)
    assert f"nginx {name.partition('-')[0]} ({listed['installed']['path']}) took over from nginx " in said
    assert serving(daemon) == pathlib.Path(listed["installed"]["path"])
    assert daemon.status()["nginx"]["version"] == name.partition("-")[0]
    # Its modules are there from now on, and the bundled one, which lacks them, cannot take over.
    daemon.write(
        "sites:\n  a.test: {routes: {/: {redirect: 'https://sign.test/two', status: 302}}, nginx: brotli on;}\n"
    )
    daemon.wait_sign("a.test", "two")
    refused = daemon.cli("nginx", "rm", name)
    assert (refused.returncode, "it serves now" in refused.stderr) == (1, True)
