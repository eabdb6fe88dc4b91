"""The trouble of one engine is its own, whatever it answers. Real engines answer as they should, so what does not
stands in for them."""

import asyncio
import collections.abc
import contextlib
import json

import pytest

from daemun.core import model
from daemun.sources.docker import (
    containers,
    docker_source,
    engine_client,
    engine_events,
    engine_place,
    engine_state,
    engine_watch,
    own_container,
    swarm_listing,
)
from tests.support import clock
from tests.support.docker_values import container, messages

GOOD = engine_place.EngineEndpoint(url="unix:///good.sock", name="good")
EVIL = engine_place.EngineEndpoint(url="unix:///evil.sock", name="evil")


class Standing:
    """An engine with one container. failure: what querying it raises."""

    is_followed = True

    def __init__(self, name: str) -> None:
        self._name = name
        self.failure: Exception | None = None
        self.happens = asyncio.Event()

    def rename(self, name: str) -> None:
        self._name = name
        self.happens.set()

    async def catch_up(self, seen: engine_state.EngineState) -> None:
        if self.failure is not None:
            raise self.failure
        found = container(self._name, {"daemun.host": f"{self._name}.test"})
        seen.take_rows([containers.ListedContainer(id=found.id, name=found.name)])
        seen.take(found.id, found)
        seen.take_networks([])

    async def fetch_listing(self) -> containers.ContainerListing:
        seen = engine_state.EngineState()
        await self.catch_up(seen)
        return seen.listing

    async def fetch_swarm(self) -> swarm_listing.Absence:
        return swarm_listing.Absence.NO_SWARM

    async def follow(self, _: object) -> collections.abc.AsyncGenerator[tuple[engine_events.EngineEvent, ...], None]:
        while True:
            yield ()
            await self.happens.wait()
            self.happens.clear()


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Standing]:
    found = {GOOD.url: Standing("first"), EVIL.url: Standing("evil")}

    @contextlib.asynccontextmanager
    async def connect(endpoint: engine_place.EngineEndpoint) -> collections.abc.AsyncIterator[Standing]:
        yield found[endpoint.url]

    monkeypatch.setattr(engine_client, "connect", connect)
    monkeypatch.setattr(engine_watch, "FIRST_PAUSE_S", 0.0)
    return found


def _nested() -> Exception:
    try:
        json.loads("[" * 200_000 + "]" * 200_000)
    except RecursionError as error:
        return error
    raise AssertionError("it is not nested too deep")


@pytest.mark.parametrize(
    "failure", [TypeError("unhashable type: 'list'"), ExceptionGroup("unhandled", [ZeroDivisionError()]), _nested()]
)
async def test_an_odd_answer_of_one_engine_ends_no_other(engines: dict[str, Standing], failure: Exception) -> None:
    source = docker_source.DockerSource((GOOD, EVIL), clock.FakeClock(), traces=own_container.Traces())
    changed = asyncio.Event()

    async def until(is_so: collections.abc.Callable[[model.Snapshot], bool]) -> model.Snapshot:
        async with asyncio.timeout(60):
            while not is_so(found := source.latest()):
                changed.clear()
                await changed.wait()
        return found

    following = asyncio.create_task(source.follow(changed.set))
    try:
        await until(lambda found: len(hosts(found)) == 2)
        engines[EVIL.url].failure = failure
        engines[EVIL.url].happens.set()
        odd = await until(lambda found: not all(one.answers for one in found.engines))
        assert hosts(odd) == {"first.test", "evil.test"}
        assert [one.name for one in odd.engines if not one.answers] == ["evil"]
        (told,) = messages(odd, model.Severity.WARNING)
        assert told.startswith("engine evil (unix:///evil.sock): cannot follow the engine evil at unix:///evil.sock: ")
        assert hosts(await source.read()) == hosts(odd)

        engines[GOOD.url].rename("second")
        await until(lambda found: "second.test" in hosts(found))

        engines[EVIL.url].failure = None
        await until(lambda found: all(one.answers for one in found.engines))
    finally:
        following.cancel()
        await asyncio.wait([following])
    assert following.cancelled()


def hosts(found: model.Snapshot) -> set[str]:
    return {site.host for site in found.sites}
