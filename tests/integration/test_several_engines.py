"""Two engines at once, a real Docker and a real Podman: one site of both, and the trouble of one is its own."""

import asyncio
import collections.abc
import contextlib
import pathlib

import pytest

from daemun.core import model
from daemun.core.options import docker_option
from daemun.sources.docker import chosen_engine, engine_client, engine_watch, own_container
from daemun.store import memory_store
from tests.support import clock
from tests.support import docker_engine as dockers
from tests.support import podman_engine as podmans
from tests.support.docker_values import endpoints, messages
from tests.support.followed import SERVE

pytestmark = [pytest.mark.docker, pytest.mark.podman]

LONGEST_S = 60.0
A, B = {"daemun.host": "a.test"}, {"daemun.host": "b.test"}
PUBLISHED = ("--publish=127.0.0.1::80",)


class Chosen:
    """The source as the daemon has it."""

    def __init__(self, store: memory_store.MemoryStore, *engines: docker_option.EngineChoice) -> None:
        self.source = chosen_engine.ChosenEngine(clock.FakeClock(), store, environ={}, traces=own_container.Traces())
        self._engines = engines

    @contextlib.asynccontextmanager
    async def running(self) -> collections.abc.AsyncIterator["Chosen"]:
        task = asyncio.create_task(self.source.run())
        await asyncio.sleep(0)
        self.source.configure(docker_option.Docker(engines=self._engines))
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, is_so: collections.abc.Callable[[model.Snapshot], bool]) -> model.Snapshot:
        """The first snapshot that is so, read again whenever the source reports a change."""
        async with asyncio.timeout(LONGEST_S), contextlib.aclosing(_changes(self.source)) as changes:
            while not is_so(found := await self.source.read()):
                await anext(changes)
        return found

    async def until_serving(self, host: str, *expected: str) -> model.Snapshot:
        return await self.until(
            lambda found: (
                any(site.host == host for site in found.sites) and set(endpoints(found, host)) == set(expected)
            )
        )


async def _changes(source: chosen_engine.ChosenEngine) -> collections.abc.AsyncGenerator[None, None]:
    async for _ in source.changes():
        yield


def choices(
    docker: dockers.DockerEngine, podman: podmans.PodmanEngine
) -> tuple[docker_option.EngineChoice, docker_option.EngineChoice]:
    """Podman's containers are as those of another machine, whose address is loopback here."""
    nas = docker_option.EngineChoice(name="nas", endpoint=podman.url, address="127.0.0.1")
    return docker_option.EngineChoice(name="local", endpoint=docker.url), nas


async def test_one_site_of_both_and_the_trouble_of_one_is_its_own(
    docker_engine: dockers.DockerEngine, podman_engine: podmans.PodmanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_watch, "LOOK_AGAIN_S", 0.5)
    store = memory_store.MemoryStore()
    both = choices(docker_engine, podman_engine)
    docker_engine.run("web-1", *SERVE, labels=A)
    podman_engine.run("web-1", *SERVE, labels=A, options=PUBLISHED)
    podman_engine.run("bad-1", *SERVE, labels={"daemun.host": "../x", "daemun.port": "1; return 200"})
    here, there = f"{docker_engine.address('web-1')}:80", podman_engine.cli("port", "web-1", "80/tcp")

    async with Chosen(store, *both).running() as chosen:
        found = await chosen.until_serving("a.test", here, there)
        assert [site.host for site in found.sites] == ["a.test"]
        assert all(one.startswith('cannot serve container "bad-1@nas"') for one in messages(found))

        # It hangs: its containers stay, the problem names it, and what the other reports is live at once.
        podman_engine.freeze()
        with monkeypatch.context() as impatient:
            impatient.setattr(engine_client, "ANSWER_S", 1.0)
            hanging = await chosen.until(lambda found: bool(of_engine(found)))
            await asyncio.to_thread(docker_engine.run, "web-2", *SERVE, labels=A)
            second = f"{docker_engine.address('web-2')}:80"
            await chosen.until_serving("a.test", here, second, there)
        podman_engine.thaw()
        await chosen.until(lambda found: not of_engine(found))

        # It ends, and comes back.
        podman_engine.stop()
        gone = await chosen.until(lambda found: bool(of_engine(found)))
        assert set(endpoints(gone, "a.test")) == {here, second, there}
        async with asyncio.timeout(LONGEST_S):
            while not store.list("history"):
                await asyncio.sleep(0.01)

    for told in (*of_engine(hanging), *of_engine(gone)):
        assert told.startswith(f"engine nas ({podman_engine.url}): cannot make the engine nas at {podman_engine.url} ")
        assert "the containers that it listed last are taken as unchanged" in told

    # Without it at the start: what it listed last is served, and the other one's is as it is now.
    await asyncio.to_thread(docker_engine.remove, "web-2")
    async with Chosen(store, *both).running() as chosen:
        found = await chosen.until(lambda found: bool(of_engine(found)))
        await chosen.until_serving("a.test", here, there)
        podman_engine.start()
        await chosen.until(lambda found: not of_engine(found))
        await asyncio.to_thread(podman_engine.remove, "web-1")
        await chosen.until_serving("a.test", here)


async def test_an_engine_that_was_never_seen_keeps_no_other_from_being_served(
    docker_engine: dockers.DockerEngine, tmp_path: pathlib.Path
) -> None:
    docker_engine.run("web-1", *SERVE, labels=A)
    here = docker_option.EngineChoice(name="local", endpoint=docker_engine.url)
    missing = docker_option.EngineChoice(name="nas", endpoint=f"unix://{tmp_path}/none.sock")
    (tmp_path / "twin.sock").symlink_to(docker_engine.url.removeprefix("unix://"))
    again = docker_option.EngineChoice(name="twin", endpoint=f"unix://{tmp_path}/twin.sock")
    async with Chosen(memory_store.MemoryStore(), here, missing, again).running() as chosen:
        found = await chosen.until(lambda found: bool(repeated(found) and messages(found)))
        await chosen.until_serving("a.test", f"{docker_engine.address('web-1')}:80")

    (never,) = messages(found)
    assert never.startswith("engine nas (") and "start it, and let daemun's account use it" in never
    (twice,) = repeated(found)
    assert 'has containers of the engine "local": it is the same one, and counts once' in twice


def of_engine(found: model.Snapshot) -> list[str]:
    """What is wrong with the engine of Podman itself. The other one may be slow for a moment, too."""
    return [one for one in messages(found, model.Severity.WARNING) if one.startswith("engine nas ")]


def repeated(found: model.Snapshot) -> list[str]:
    return [one for one in messages(found, model.Severity.WARNING) if "counts once" in one]
