"""Who follows an engine can be ended at any moment, also in the very turn of the event loop in which the engine fails.
A real engine cannot be made to fail in a given turn, so what fails here stands in for it."""

import asyncio

import pytest

from daemun import errors
from daemun.sources.docker import engine_client, engine_events, engine_place, engine_state


class Failing:
    """Answers no query; all of them fail once `fails` is set."""

    def __init__(self) -> None:
        self.queried = asyncio.Event()
        self.fails = asyncio.Event()
        self.events = None
        self.containers = self

    def container(self, _: str) -> "Failing":
        return self

    async def show(self) -> None:
        self.queried.set()
        await self.fails.wait()
        raise OSError("the engine is gone")


def begin(engine: Failing) -> asyncio.Task[None]:
    seen = engine_state.EngineState()
    seen.doubts_all = seen.doubts_networks = False
    seen.note([engine_events.EngineEvent(action="start", container=id_) for id_ in ("a", "b")])
    endpoint = engine_place.EngineEndpoint(url="unix:///nowhere.sock")
    found = engine_client.Engine(engine, endpoint)  # type: ignore[arg-type]
    return asyncio.create_task(found.catch_up(seen))


async def test_cancelled_as_the_engine_fails() -> None:
    engine = Failing()
    looking = begin(engine)
    await engine.queried.wait()
    engine.fails.set()
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


async def test_the_engine_fails_and_nothing_is_cancelled() -> None:
    engine = Failing()
    looking = begin(engine)
    await engine.queried.wait()
    engine.fails.set()
    with pytest.raises(errors.RetryableError, match="the engine is gone"):
        await looking
