"""Services of compose files that are recreated under load, behind a daemun on the host: what their visitors notice."""

import asyncio
import collections
import collections.abc
import contextlib
import pathlib

import pytest

from tests.support import clients, compose
from tests.support import daemon as daemons
from tests.support.container_engine import python_command
from tests.support.docker_engine import DockerEngine

pytestmark = [pytest.mark.nginx, pytest.mark.docker, pytest.mark.timeout(900)]

ROUNDS = 10
URL = "https://chat.test/"
BODY = b"x" * 50_000


@pytest.fixture
def gate(daemon: daemons.Daemon, docker_engine: DockerEngine) -> daemons.Daemon:
    daemon.preamble = f"docker: {{endpoint: '{docker_engine.url}'}}\n"
    daemon.write("sites:\n" + daemons.signpost("file.test", "file"))
    daemon.start()
    daemon.wait_sign("file.test", "file")
    return daemon


@pytest.fixture
def folder(gate: daemons.Daemon) -> pathlib.Path:
    """A folder that containers may have mounted."""
    made = gate.root / "compose"
    made.mkdir()
    return made


class Chat:
    """The service `chat` of a compose file, which is known by its containers' ids."""

    def __init__(self, gate: daemons.Daemon, engine: DockerEngine, folder: pathlib.Path, *options: str) -> None:
        self._gate = gate
        self._compose = compose.Compose(engine)
        self._deliveries = folder / "deliveries"
        self._deliveries.touch()
        command = python_command("tests.support.container_server", f"--deliveries={self._deliveries}", *options)
        volumes = [f"{folder}:{folder}"]
        service = compose.python_service(*command, volumes=volumes, labels={"daemun.host": "chat.test"})
        self._file = compose.write(folder / "compose.yaml", chat=service)

    def up(self, *options: str) -> set[str]:
        """Returns: its containers, once each of them has answered."""
        self._compose(self._file, "up", "--detach", *options)
        found = set(self._compose.ids(self._file, "chat"))
        for container in found:
            self._gate.wait_answer(URL, lambda answer, name=container: answer.text == f"{name} 0")  # type: ignore[misc]
        return found

    def deliveries(self, method: str) -> collections.Counter[str]:
        """How often each path came whole to a server."""
        lines = (line.split(" ") for line in self._deliveries.read_text().splitlines())
        return collections.Counter(path for found, path in lines if found == method)


@contextlib.asynccontextmanager
async def visited(gate: daemons.Daemon) -> collections.abc.AsyncIterator[tuple[clients.Load, clients.Load]]:
    """Those who get and those who post, each request with a path of its own, and for both an answer after the last
    change."""
    gets = clients.Load(gate.gate, f"{URL}get/", visitors=4, pause_s=0.02, patience_s=60, is_numbered=True)
    posts = clients.Load(gate.gate, f"{URL}post/", visitors=3, pause_s=0.05, patience_s=60, is_numbered=True, body=BODY)
    async with gets, posts:
        yield gets, posts
        await gets.answer(8)
        await posts.answer(6)


def report(what: str, gets: clients.Load, posts: clients.Load) -> None:
    longest_s = max(gets.longest_s, posts.longest_s)
    print(
        f"\n{what}: {gets.answered} GETs and {posts.answered} POSTs answered, "
        f"{gets.failures.total()} and {posts.failures.total()} failed, longest wait {longest_s:.2f} s"
    )


async def test_a_server_that_ends_in_order_loses_nothing(
    gate: daemons.Daemon, docker_engine: DockerEngine, folder: pathlib.Path
) -> None:
    chat = Chat(gate, docker_engine, folder, "--takes=0.05")
    before = await asyncio.to_thread(chat.up)
    reloads = (await asyncio.to_thread(gate.status))["nginx"]["reloads"]

    async with visited(gate) as (gets, posts):
        for _ in range(ROUNDS):
            after = await asyncio.to_thread(chat.up, "--force-recreate")
            assert after.isdisjoint(before)
            before = after

    report(f"{ROUNDS} times recreated, ends in order", gets, posts)
    assert (dict(gets.failures), dict(posts.failures)) == ({}, {})
    assert set(chat.deliveries("POST").values()) == {1}
    assert (await asyncio.to_thread(gate.status))["nginx"]["reloads"] == reloads


async def test_a_server_that_ends_at_once_loses_only_what_nobody_may_repeat(
    gate: daemons.Daemon, docker_engine: DockerEngine, folder: pathlib.Path
) -> None:
    chat = Chat(gate, docker_engine, folder, "--at-once", "--takes=0.05")
    await asyncio.to_thread(chat.up)

    async with visited(gate) as (gets, posts):
        for _ in range(ROUNDS):
            await asyncio.to_thread(chat.up, "--force-recreate")
            # What two servers lost in a row is not repeated: nothing that the last one lost may still be under way.
            await asyncio.gather(gets.each_asks_anew(), posts.each_asks_anew())

    report(f"{ROUNDS} times recreated, ends at once", gets, posts)
    assert dict(gets.failures) == {}
    assert set(posts.failures) <= {"HTTP 502"}
    assert set(chat.deliveries("POST").values()) == {1}
    again = chat.deliveries("GET")
    del again["/"]
    assert set(again.values()) == {1, 2}, "with an answer under way at each of the recreations, some came twice"


async def test_a_scaled_service_is_recreated_as_a_whole(
    gate: daemons.Daemon, docker_engine: DockerEngine, folder: pathlib.Path
) -> None:
    chat = Chat(gate, docker_engine, folder, "--takes=0.05")
    before = await asyncio.to_thread(chat.up, "--scale=chat=3")
    assert len(before) == 3
    reloads = (await asyncio.to_thread(gate.status))["nginx"]["reloads"]

    async with visited(gate) as (gets, posts):
        after = await asyncio.to_thread(chat.up, "--scale=chat=3", "--force-recreate")
        assert len(after) == 3
        assert after.isdisjoint(before)

    report("three containers recreated", gets, posts)
    assert (dict(gets.failures), dict(posts.failures)) == ({}, {})
    assert set(chat.deliveries("POST").values()) == {1}
    assert (await asyncio.to_thread(gate.status))["nginx"]["reloads"] == reloads
