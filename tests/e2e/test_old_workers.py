"""Old generations of workers: counted, bounded, and drained gently only when a change cannot wait any longer."""

import asyncio
import collections.abc
import contextlib
import itertools
import os

import httpx
import pytest
import websockets.asyncio.client

from tests.e2e import servers
from tests.support import clients
from tests.support.daemon import Daemon, Json, signpost, without_rights

pytestmark = pytest.mark.nginx

Socket = websockets.asyncio.client.ClientConnection

SOCKETS = 500
CHANGES = 200
HOLDING = 6
"""So many of the generations get sockets; fewer than the budget, so that nothing ever has to be drained."""
_RIGHTS = "-sys_ptrace,-sys_admin,-perfmon"
AS_IN_A_CONTAINER = ("setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}")
"""Its root may not look into processes of another account, such as nginx's workers."""


class Stage:
    """A daemon with a site of WebSockets, and a signpost that every change turns."""

    def __init__(self, daemon: Daemon, chat: str, stack: contextlib.AsyncExitStack) -> None:
        self.daemon = daemon
        self._visited = f"sites:\n  chat.test: {chat}\n"
        self._stack = stack
        self._numbers = itertools.count()

    def write(self) -> str:
        """The next version of the file. Returns: what the signpost will show."""
        sign = f"v{next(self._numbers)}"
        self.daemon.write(self._visited + signpost("sign.test", sign))
        return sign

    async def change(self) -> str:
        """The next version, live."""
        sign = self.write()
        await asyncio.to_thread(self.daemon.wait_sign, "sign.test", sign)
        return sign

    async def apply(self) -> int:
        """As `daemun apply` does, without the start of a process. Returns: the status of the answer."""
        path = str(self.daemon.state / "run" / "control.sock")
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path), timeout=60) as control:
            return (await control.post("http://daemun/apply")).status_code

    async def wait_applied(self) -> None:
        """Apply until nothing waits."""
        async with asyncio.timeout(60):
            while (status := await self.apply()) == httpx.codes.ACCEPTED:
                await asyncio.sleep(0.1)
        assert status == httpx.codes.OK

    async def open(self, count: int) -> list[Socket]:
        opened = (
            self._stack.enter_async_context(clients.websocket(self.daemon.gate, "chat.test", "/")) for _ in range(count)
        )
        return list(await asyncio.gather(*opened))

    async def status(self) -> Json:
        return await asyncio.to_thread(self.daemon.status)

    async def old(self) -> list[Json]:
        return list((await self.status())["nginx"]["old_generations"])

    async def wait(self, look: collections.abc.Callable[[Json], object], what: str, *, within_s: float = 60) -> Json:
        """Wait until the status is so, and return it."""

        seen: list[Json] = []

        def ask() -> Json | None:
            seen[:] = [self.daemon.look()]
            return seen[0] if "nginx" in seen[0] and look(seen[0]) else None

        try:
            return await asyncio.to_thread(self.daemon.wait, ask, what, within_s=within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\nlast status: {seen}") from None

    async def wait_old(self, *sockets: int) -> Json:
        """Wait until exactly these numbers of sockets are in old generations: those without any end by themselves."""
        return await self.wait(
            lambda status: [one["sockets"] for one in status["nginx"]["old_generations"]] == list(sockets),
            f"old generations with {sockets} sockets",
        )


@contextlib.asynccontextmanager
async def staged(daemon: Daemon, *, budget: str = "") -> collections.abc.AsyncIterator[Stage]:
    daemon.preamble = f"old_workers: {{{budget}}}\n"
    with servers.running("chat") as chat:
        async with contextlib.AsyncExitStack() as stack:
            stage = Stage(daemon, chat.url, stack)
            sign = stage.write()
            daemon.start()
            await asyncio.to_thread(daemon.wait_sign, "sign.test", sign)
            yield stage


def open_ones(sockets: collections.abc.Iterable[Socket]) -> list[Socket]:
    return [socket for socket in sockets if socket.close_code is None]


async def first_closed(sockets: collections.abc.Collection[Socket]) -> None:
    """Wait until the gate closed one of them."""
    tasks = [asyncio.ensure_future(socket.wait_closed()) for socket in sockets]
    try:
        async with asyncio.timeout(60):
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def messages(daemon: Daemon) -> list[str]:
    return [line["event"] for line in daemon.log_lines()]


def logged(daemon: Daemon, words: str) -> list[Json]:
    return [line for line in daemon.log_lines() if words in line["event"]]


async def test_old_generations_are_counted_also_after_a_restart(daemon: Daemon) -> None:
    async with staged(daemon) as stage:
        assert (await stage.status())["nginx"]["old_workers"]["generations"] == 0
        first = (await stage.status())["generation"]
        sockets = await stage.open(30)
        await stage.change()
        second = (await stage.status())["generation"]
        sockets += await stage.open(20)
        await stage.change()
        status = await stage.wait_old(30, 20)

        nginx = status["nginx"]
        old = nginx["old_generations"]
        assert [one["number"] for one in old] == [first, second]
        pids = {pid for one in old for pid in one["pids"]}
        assert pids == daemon.worker_pids(draining=True)
        assert nginx["draining_workers"] == len(pids) == sum(one["workers"] for one in old)
        assert all(one["memory"] == "shared" and 0 < one["memory_bytes"] < 200 << 20 for one in old)
        assert old[0]["age_s"] >= old[1]["age_s"] >= 0
        assert nginx["old_workers"] == {
            "generations": 2,
            "workers": len(pids),
            "sockets": 50,
            "memory_bytes": sum(one["memory_bytes"] for one in old),
            "most_generations": 8,
            "most_memory_bytes": 512 << 20,
        }
        assert status["waiting_change"] is None
        shown = await asyncio.to_thread(daemon.cli_good, "status")
        assert "old workers: 2 generations of 8" in shown
        assert "sockets: 50" in shown

        daemon.kill()
        daemon.start()
        await asyncio.to_thread(daemon.wait_ready)
        status = await stage.wait_old(30, 20)
        assert [one["number"] for one in status["nginx"]["old_generations"]] == [first, second]
        assert {pid for one in status["nginx"]["old_generations"] for pid in one["pids"]} == pids

        # An nginx of a daemun that wrote nothing down: its workers are told apart by their starts.
        await asyncio.to_thread(daemon.cli_good, "stop", "--keep-traffic")
        daemon.wait_exit()
        (daemon.state / "run" / "nginx.workers").unlink()
        daemon.start()
        await asyncio.to_thread(daemon.wait_ready)
        status = await stage.wait_old(30, 20)
        assert [one["number"] for one in status["nginx"]["old_generations"]] == [None, None]
        await stage.change()
        await stage.wait_old(30, 20)
        await clients.echo_all(sockets, "still here")


async def test_workers_of_a_killed_nginx_are_counted(daemon: Daemon) -> None:
    async with staged(daemon) as stage:
        sockets = await stage.open(10)
        number = (await stage.status())["generation"]
        master = daemon.nginx_pid()
        assert master is not None
        os.kill(master, 9)
        status = await stage.wait(
            lambda status: (
                [one["sockets"] for one in status["nginx"]["old_generations"]] == [10]
                and status["nginx"]["pid"] not in {None, master}
            ),
            "the workers that were left",
        )
        assert status["nginx"]["old_generations"][0]["number"] == number
        await clients.echo_all(sockets, "still here")


@pytest.mark.timeout(600)
async def test_many_changes_drop_no_socket_and_keep_the_budget(daemon: Daemon) -> None:
    async with staged(daemon) as stage:
        sockets: list[Socket] = []
        for number in range(CHANGES):
            if number % (CHANGES // HOLDING) == 0 and len(sockets) < SOCKETS:
                sockets += await stage.open(min(-(-SOCKETS // HOLDING), SOCKETS - len(sockets)))
            sign = stage.write()
            await stage.wait_applied()
            if number % 10 == 0:
                old = (await stage.status())["nginx"]["old_workers"]
                assert old["generations"] <= old["most_generations"]
                assert old["memory_bytes"] <= old["most_memory_bytes"]
        await asyncio.to_thread(daemon.wait_sign, "sign.test", sign)

        assert len(sockets) == SOCKETS
        assert len(open_ones(sockets)) == SOCKETS, "not one was dropped"
        await clients.echo_all(sockets, "after all")
        status = await stage.wait(
            lambda status: status["nginx"]["old_workers"]["generations"] <= HOLDING, "idle old workers to end"
        )
        old = status["nginx"]["old_workers"]
        assert old["sockets"] == SOCKETS
        assert old["memory_bytes"] <= old["most_memory_bytes"]
        assert not logged(daemon, "is drained, because")
        reloads = status["nginx"]["reloads"]
        cost = f"{old['generations']} old generations, {old['memory_bytes'] >> 20} MB"
        print(f"\n{CHANGES} changes, {reloads} reloads, {cost}")


async def test_changes_are_merged_while_the_budget_is_used_up(daemon: Daemon) -> None:
    async with staged(daemon, budget="generations: 1, wait: 1h") as stage:
        (socket,) = await stage.open(1)
        live = await stage.change()
        await stage.wait_old(1)
        before = (await stage.status())["nginx"]["reloads"]

        stage.write()
        status = await stage.wait(lambda status: status["waiting_change"], "the change to wait")
        assert [site["state"] for site in status["sites"]] == ["live", "pending"]
        assert "waits until old workers are within their budget" in status["sites"][1]["reason"]
        assert "1 old generation with open connections" in status["waiting_change"]["reason"]
        done = await asyncio.to_thread(daemon.cli, "status")
        assert done.returncode == 3
        assert "a change waits since" in done.stdout
        for _ in range(3):
            last = stage.write()
        assert daemon.sign("sign.test") == live
        # What needs no reload does not wait: another certificate.
        chain = daemon.state / "live" / "chat.test" / "fullchain.pem"
        old_chain = chain.read_bytes()
        await asyncio.to_thread(daemon.cli_good, "certs", "renew", "chat.test")
        await asyncio.to_thread(daemon.wait, lambda: chain.read_bytes() != old_chain, "another certificate")
        await clients.echo(socket, "still here")
        assert daemon.sign("sign.test") == live

        await socket.close()
        await asyncio.to_thread(daemon.wait_sign, "sign.test", last)
        status = await stage.wait(lambda status: status["waiting_change"] is None, "no change to wait")
        assert status["nginx"]["reloads"] == before + 1, "one for all that waited"
        assert not logged(daemon, "is drained, because")
        assert len(logged(daemon, "a change that needs a reload waits")) == 1


async def test_a_change_that_is_taken_back_does_not_wait(daemon: Daemon) -> None:
    async with staged(daemon, budget="generations: 1, wait: 1h") as stage:
        await stage.open(1)
        await stage.change()
        await stage.wait_old(1)
        good = daemon.config.read_text()
        stage.write()
        await stage.wait(lambda status: status["waiting_change"], "the change to wait")
        daemon.write_raw(good)
        status = await stage.wait(lambda status: status["waiting_change"] is None, "no change to wait")
        assert [site["state"] for site in status["sites"]] == ["live", "live"]


async def test_one_who_asks_goes_first_once(daemon: Daemon) -> None:
    async with staged(daemon, budget="generations: 1, wait: 1h") as stage:
        sockets = await stage.open(1)
        await stage.change()
        sockets += await stage.open(1)
        await stage.wait_old(1)

        sign = stage.write()
        assert "live: generation" in await asyncio.to_thread(daemon.cli_good, "apply")
        await asyncio.to_thread(daemon.wait_sign, "sign.test", sign)
        await stage.wait_old(1, 1)
        await stage.open(1)

        applying = asyncio.create_task(asyncio.to_thread(daemon.cli, "add", "new.test", "http://127.0.0.1:9"))
        await stage.wait(lambda status: status["waiting_change"], "the edit to wait")
        assert not applying.done()
        await sockets[0].close()
        done = await applying
        assert done.returncode == 0
        assert "waiting: 2 old generations with open connections" in done.stderr
        await asyncio.to_thread(daemon.wait_state, "new.test", "unreachable")  # live, and its server is not there
        await clients.echo(sockets[1], "still here")


@pytest.mark.parametrize("is_root", [True, False], ids=["as root", "without rights"])
async def test_the_oldest_is_drained_gradually(daemon: Daemon, *, is_root: bool) -> None:
    if not is_root:
        daemon.run_by = without_rights()
    async with staged(daemon, budget="generations: 2, wait: 0, per_second: 1") as stage:
        number = (await stage.status())["generation"]
        oldest = await stage.open(20)
        await stage.change()
        younger = await stage.open(5)
        await stage.change()
        newest = await stage.open(5)
        await stage.wait_old(20, 5)

        sign = stage.write()
        await first_closed(oldest)
        status = await stage.status()
        left = open_ones(oldest)
        assert left, "some are still open after the first was closed"
        await clients.echo_all(left[-5:], "still here")
        first, second = status["nginx"]["old_generations"]
        assert first["number"] == number
        assert first["drained"]
        assert not second["drained"]
        assert 1 <= first["sockets_closed"] < 20
        (began,) = logged(daemon, "the oldest generation of workers is drained")
        assert (began["generation"], began["sockets"], began["closed_per_second"]) == (number, 20, 1)
        assert "drained (" in (await asyncio.to_thread(daemon.cli, "status")).stdout

        # Most clients leave by themselves; the last ones are told.
        await asyncio.gather(*(socket.close() for socket in left[:-3]))
        await asyncio.gather(*(socket.wait_closed() for socket in left))
        assert {socket.close_code for socket in left[-3:]} <= {1005, 1006}
        await asyncio.to_thread(daemon.wait_sign, "sign.test", sign)
        await stage.wait_old(5, 5)
        await clients.echo_all([*younger, *newest], "not touched")
        await asyncio.to_thread(daemon.wait, lambda: logged(daemon, "was drained"), "the end of it in the log")
        (ended,) = logged(daemon, "an old generation of workers was drained")
        assert ended["generation"] == number
        assert 1 <= ended["sockets_closed"] <= 20


async def test_without_the_right_to_close_single_sockets(daemon: Daemon) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has an account of its own for nginx's workers")
    daemon.run_by = AS_IN_A_CONTAINER
    async with staged(daemon, budget="generations: 1, wait: 0") as stage:
        oldest = await stage.open(10)
        await stage.change()
        newest = await stage.open(2)
        status = await stage.wait(lambda status: len(status["nginx"]["old_generations"]) == 1, "an old generation")
        (old,) = status["nginx"]["old_generations"]
        assert old["sockets"] is None
        assert status["nginx"]["old_workers"]["sockets"] is None
        assert old["memory"] == "anonymous"
        assert old["memory_bytes"] > 0
        sign = stage.write()
        await asyncio.to_thread(daemon.wait_sign, "sign.test", sign)
        await asyncio.gather(*(socket.wait_closed() for socket in oldest))
        await clients.echo_all(newest, "not touched")
        (refusal,) = logged(daemon, "cannot close single connections")
        assert "CAP_SYS_PTRACE" in refusal["event"]
        assert logged(daemon, "an old worker was ended with all its connections")
