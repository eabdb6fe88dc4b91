"""The engine that `docker:` chooses: found, changed, switched off, away at the start, hanging at the start."""

import asyncio
import collections.abc
import contextlib
import pathlib

import pytest

from daemun.control import ports
from daemun.core import model
from daemun.core.options import docker_option
from daemun.sources.docker import (
    chosen_engine,
    containers,
    docker_source,
    engine_place,
    listing_store,
    own_container,
)
from daemun.store import memory_store
from tests.support import docker_engine as engines
from tests.support.clock import FakeClock
from tests.support.docker_values import endpoints, messages

LONGEST_S = 60.0


@contextlib.asynccontextmanager
async def following(
    docker: docker_option.Docker, store: ports.Store | None = None, **environ: str
) -> collections.abc.AsyncIterator[chosen_engine.ChosenEngine]:
    """A source whose task runs, configured as the first round does."""
    source = chosen_engine.ChosenEngine(
        FakeClock(), store or memory_store.MemoryStore(), environ=environ, traces=own_container.Traces()
    )
    task = asyncio.create_task(source.run())
    await asyncio.sleep(0)
    source.configure(docker)
    try:
        yield source
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(
    source: chosen_engine.ChosenEngine, is_so: collections.abc.Callable[[model.Snapshot], bool]
) -> model.Snapshot:
    """The first snapshot that is so, read again whenever the source says that it changed."""
    async with asyncio.timeout(LONGEST_S), contextlib.aclosing(_changes(source)) as changes:
        while not is_so(found := await source.read()):
            await anext(changes)
    return found


async def _changes(source: chosen_engine.ChosenEngine) -> collections.abc.AsyncGenerator[None, None]:
    async for _ in source.changes():
        yield


def hosts(found: model.Snapshot) -> list[str]:
    return [site.host for site in found.sites]


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """Where a socket is looked for, and where none is yet."""
    path = tmp_path / "docker.sock"
    monkeypatch.setattr(engine_place, "SOCKETS", (str(path),))
    monkeypatch.setattr(chosen_engine, "LOOK_FOR_S", 0.05)
    return path


# --- no engine -------------------------------------------------------------------------------------------------


async def test_without_a_socket_there_is_nothing_and_nothing_to_tell(no_socket: pathlib.Path) -> None:
    async with following(docker_option.Docker()) as source:
        assert await source.read() == model.Snapshot(source="docker")


async def test_an_engine_that_was_named_and_is_not_there_is_an_error(no_socket: pathlib.Path) -> None:
    async with following(docker_option.Docker(), DOCKER_HOST=f"unix://{no_socket}") as source:
        found = await source.read()
        assert found.sites == ()
        (told,) = messages(found)
        assert "`docker: off` in daemun.yaml asks none" in told
        source.configure(docker_option.Docker(is_on=False))
        assert await source.read() == model.Snapshot(source="docker")


async def test_one_that_was_only_found_is_a_warning(no_socket: pathlib.Path) -> None:
    server = await asyncio.start_unix_server(lambda _, writer: writer.close(), no_socket)
    try:
        async with following(docker_option.Docker()) as source:
            found = await source.read()
    finally:
        server.close()
    assert messages(found) == []
    assert len(messages(found, model.Severity.WARNING)) == 1


async def test_an_engine_that_hangs_does_not_hold_the_first_round_up_for_good(no_socket: pathlib.Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(hang, no_socket)
    try:
        async with following(docker_option.Docker(endpoint=f"unix://{no_socket}")) as source:
            first = await source.read()
            for _ in range(20):
                await source.read()
    finally:
        server.close()
    (told,) = messages(first)
    assert "did not answer" in told


async def test_engines_change_again_while_the_first_ones_end_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with an ssh that ignores its signal to end."""
    begun: asyncio.Queue[str] = asyncio.Queue()
    ending, may_end = asyncio.Event(), asyncio.Event()

    async def follow(source: docker_source.DockerSource, announce: collections.abc.Callable[[], None]) -> None:
        begun.put_nowait(source.explain_silence().engines[0].place)
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await may_end.wait()

    monkeypatch.setattr(docker_source.DockerSource, "follow", follow)
    urls = [f"unix:///nowhere/{one}.sock" for one in "abc"]
    first, second, third = (docker_option.Docker(endpoint=one) for one in urls)
    async with asyncio.timeout(LONGEST_S), following(first) as source:
        assert await begun.get() == urls[0]
        source.configure(second)
        await ending.wait()
        source.configure(third)
        may_end.set()
        assert await begun.get() == urls[2]
        source.configure(docker_option.Docker(is_on=False))
        source.configure(first)
        assert await begun.get() == urls[0]


# --- an engine -------------------------------------------------------------------------------------------------


@pytest.mark.docker
async def test_a_socket_that_comes_later_is_found(docker_engine: engines.DockerEngine, no_socket: pathlib.Path) -> None:
    docker_engine.run("web-1", labels={"daemun.host": "a.test"})
    async with following(docker_option.Docker()) as source:
        assert hosts(await source.read()) == []
        no_socket.symlink_to(docker_engine.socket)
        found = await until(source, lambda found: hosts(found) == ["a.test"])
    assert found.problems == ()


@pytest.mark.docker
async def test_the_file_changes_which_engine_is_asked(
    docker_engine: engines.DockerEngine, no_socket: pathlib.Path
) -> None:
    docker_engine.run("web-1", labels={"daemun.host": "a.test"})
    there = docker_option.Docker(endpoint=docker_engine.url)
    async with following(there) as source:
        await until(source, lambda found: hosts(found) == ["a.test"])
        source.configure(docker_option.Docker(endpoint=f"unix://{no_socket}"))
        typo = await source.read()
        source.configure(there)
        again = await until(source, lambda found: found.problems == ())
        source.configure(docker_option.Docker(is_on=False))
        off = await source.read()

    assert hosts(typo) == hosts(again) == ["a.test"]
    assert "are taken as unchanged" in messages(typo, model.Severity.WARNING)[0]
    assert off == model.Snapshot(source="docker")


@pytest.mark.docker
async def test_hosts_are_reserved_at_once(docker_engine: engines.DockerEngine) -> None:
    docker_engine.run("web-1", labels={"daemun.host": "a.test"})
    async with following(docker_option.Docker(endpoint=docker_engine.url)) as source:
        assert hosts(await source.read()) == ["a.test"]
        source.configure(docker_option.Docker(endpoint=docker_engine.url, reserved=("a.test",)))
        found = await source.read()
    assert hosts(found) == []
    async with following(docker_option.Docker(), DOCKER_HOST=docker_engine.url) as source:
        assert hosts(await source.read()) == ["a.test"]
        source.configure(
            docker_option.Docker(endpoint=docker_engine.url, reserved=("a.test",))
        )  # the same engine, as it is
        assert hosts(await source.read()) == []
    assert "reserved by `docker.reserve`" in messages(found)[0]


def test_what_is_off_from_the_start_is_forgotten() -> None:
    store = memory_store.MemoryStore()
    listing_store.write_stored(
        store,
        listing_store.encode(listing_store.StoredListing(url="unix:///d.sock", listing=containers.ContainerListing())),
    )
    source = chosen_engine.ChosenEngine(FakeClock(), store, environ={}, traces=own_container.Traces())
    source.configure(docker_option.Docker(is_on=False))
    assert store.list("history") == []


# --- a start without the engine --------------------------------------------------------------------------------


@pytest.mark.docker
async def test_a_start_while_the_engine_is_away_knows_the_containers(
    docker_engine: engines.DockerEngine, no_socket: pathlib.Path
) -> None:
    store = memory_store.MemoryStore()
    docker_engine.run("web-1", labels={"daemun.host": "a.test"})
    docker_engine.run("web-2", labels={"daemun.host": "b.test"})
    at = f"{docker_engine.address('web-1')}:80"
    no_socket.symlink_to(docker_engine.socket)
    named = docker_option.Docker(endpoint=f"unix://{no_socket}")
    async with following(docker_option.Docker(), store) as source:
        before = await until(source, lambda found: len(found.sites) == 2)
        async with asyncio.timeout(LONGEST_S):
            while not store.list("history"):
                await asyncio.sleep(0.01)

    docker_engine.cli("rm", "--force", "web-2")
    docker_engine.stop()
    no_socket.unlink()
    try:
        async with following(named, store) as source:
            away = await source.read()
        async with following(docker_option.Docker(), store) as source:
            unnamed = await source.read()
    finally:
        docker_engine.start()
    no_socket.symlink_to(docker_engine.socket)
    docker_engine.cli("start", "web-1")
    async with following(named, store) as source:
        back = await until(source, lambda found: found.problems == ())
        source.configure(docker_option.Docker(is_on=False))

    assert before.sites == away.sites == unnamed.sites
    assert endpoints(away, "a.test") == endpoints(unnamed, "a.test") == [at]
    assert "are taken as unchanged" in messages(away, model.Severity.WARNING)[0]
    # What was removed meanwhile is remembered for a while, as if daemun had seen it.
    assert hosts(back) == ["a.test", "b.test"]
    assert endpoints(back, "b.test") == []
    assert store.list("history") == []
