"""What `control.ports.Source` promises, shown for everything that implements it."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib
import tempfile
import typing

import pytest

from bench.engine import replayed
from daemun.control import ports
from daemun.core import model
from daemun.core.options import docker_option
from daemun.errors import ConfigError
from daemun.sources import environment_source, last_good_file, yaml_file
from daemun.sources.docker import chosen_engine, docker_source, engine_place, nginx_proxy_mode, own_container
from daemun.store import memory_store
from tests.support.clock import FakeClock

LONGEST_S = 60.0


class World(typing.Protocol):
    """What the source looks at."""

    def add(self, number: int) -> None:
        """Let the source ask for web-NUMBER.test, too."""
        ...

    def damage(self) -> None:
        """Nothing can be learned of it from now on."""
        ...


class File:
    def __init__(self, folder: pathlib.Path) -> None:
        self.path = folder / "daemun.yaml"
        self._sites = ""
        self._write("")

    def add(self, number: int) -> None:
        self._write(f"  web-{number}.test: http://127.0.0.1:{9000 + number}\n")

    def damage(self) -> None:
        self.path.write_text("sites: {")

    def _write(self, more: str) -> None:
        self._sites += more
        self.path.write_text(f"sites:\n{self._sites}" if self._sites else "sites: {}\n")


class Engine:
    """One that is replayed: it tells of containers in recorded words."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._running = contextlib.ExitStack()
        self._engine = self._running.enter_context(replayed.running(folder, 9000))
        self.url = self._engine.url

    def add(self, number: int) -> None:
        self._engine.do(f"appear {number} 1")

    def damage(self) -> None:
        self._running.close()


@dataclasses.dataclass(frozen=True)
class Looking:
    """A source that is followed, as the loop does."""

    source: ports.Source
    world: World
    changed: asyncio.Event

    async def until(self, is_so: collections.abc.Callable[[model.Snapshot], bool]) -> model.Snapshot:
        """The first snapshot that is so: read once, and again after each change that the source reports."""
        async with asyncio.timeout(LONGEST_S):
            while True:
                self.changed.clear()
                with contextlib.suppress(ConfigError):
                    if is_so(found := await self.source.read()):
                        return found
                await self.changed.wait()

    async def until_it_has(self, *numbers: int) -> model.Snapshot:
        return await self.until(lambda found: hosts(found) == {f"web-{number}.test" for number in numbers})


def hosts(found: model.Snapshot) -> set[str]:
    return {site.host for site in found.sites}


def of_file(file: File) -> ports.Source:
    return yaml_file.YamlFile(file.path)


def of_good_file(file: File) -> ports.Source:
    return last_good_file.Remembering(yaml_file.YamlFile(file.path), memory_store.MemoryStore(), file.path)


def of_file_or_environment(file: File) -> ports.Source:
    return environment_source.FileOrEnvironment(yaml_file.YamlFile(file.path), file.path, {}, is_known=False)


def of_completed_file(file: File) -> ports.Source:
    return nginx_proxy_mode.Compatible(yaml_file.YamlFile(file.path), environ={"DAEMUN_COMPAT": "nginx-proxy"})


def of_engine(engine: Engine) -> ports.Source:
    endpoint = engine_place.EngineEndpoint(url=engine.url)
    return docker_source.DockerSource((endpoint,), FakeClock(), traces=own_container.Traces())


def of_chosen_engine(engine: Engine) -> ports.Source:
    chosen = chosen_engine.ChosenEngine(
        FakeClock(), memory_store.MemoryStore(), environ={}, traces=own_container.Traces()
    )
    chosen.configure(docker_option.Docker(endpoint=engine.url))
    return chosen


FILES = (of_file, of_good_file, of_file_or_environment, of_completed_file)
ENGINES = (of_engine, of_chosen_engine)


@pytest.fixture(params=[*FILES, *ENGINES], ids=lambda make: make.__name__)
async def looking(request: pytest.FixtureRequest) -> collections.abc.AsyncIterator[Looking]:
    # A path to a socket may have 107 bytes, which pytest's own folders exceed.
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dm-")))
        world: File | Engine = File(folder) if request.param in FILES else Engine(folder)
        if isinstance(world, Engine):
            stack.callback(world.damage)
        source: ports.Source = request.param(world)
        changed = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_follow(source, changed))]
            if isinstance(source, chosen_engine.ChosenEngine):
                tasks.append(group.create_task(source.run()))
            try:
                yield Looking(source=source, world=world, changed=changed)
            finally:
                for task in tasks:
                    task.cancel()


async def _follow(source: ports.Source, changed: asyncio.Event) -> None:
    async for _ in source.changes():
        changed.set()


async def test_a_snapshot_has_the_source_s_name(looking: Looking) -> None:
    looking.world.add(1)
    found = await looking.until_it_has(1)
    assert found.source == looking.source.name
    assert {site.origin.source for site in found.sites} == {looking.source.name}


async def test_each_change_is_reported_and_read(looking: Looking) -> None:
    for number in (1, 2, 3):
        looking.world.add(number)
        await looking.until_it_has(*range(1, number + 1))


async def test_what_did_not_change_is_read_as_the_same(looking: Looking) -> None:
    looking.world.add(1)
    first = await looking.until_it_has(1)
    assert await looking.source.read() == first


async def test_after_a_cancelled_reading_the_next_one_goes_on(looking: Looking) -> None:
    looking.world.add(1)
    await looking.until_it_has(1)
    for turns in range(4):
        reading = asyncio.create_task(looking.source.read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    looking.world.add(2)
    await looking.until_it_has(1, 2)


async def test_a_source_that_fails_is_not_an_empty_one(looking: Looking) -> None:
    """It raises, or gives what it knew before and says what is wrong."""
    looking.world.add(1)
    await looking.until_it_has(1)
    looking.world.damage()
    async with asyncio.timeout(LONGEST_S):
        while True:
            looking.changed.clear()
            try:
                found = await looking.source.read()
            except ConfigError as error:
                assert str(error)
                return
            assert hosts(found) == {"web-1.test"}
            if found.problems:
                return
            await looking.changed.wait()
