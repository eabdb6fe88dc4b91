"""Holding reloads back, and draining: in a world where time moves when the test moves it."""

import asyncio
import collections.abc
import contextlib
import dataclasses

import pytest

from daemun.control import reload_limiter
from daemun.core import model, worker_generations
from daemun.core.options import old_workers_option
from daemun.core.worker_generations import Urgency
from tests.support import clock
from tests.support import world as worlds

LIMITS = old_workers_option.OldWorkersBudget(generations=2, wait_s=60.0, sockets_per_s=5)


def old(number: int, sockets: int, *, workers: int = 1) -> model.OldGeneration:
    members = tuple(model.OldWorker(pid=number * 100 + one, started=number) for one in range(workers))
    return model.OldGeneration(number=number, age_s=0.0, workers=members, memory_bytes=1 << 20, sockets=sockets)


@dataclasses.dataclass(slots=True)
class Stage:
    """woken: how often the loop was told to try again."""

    reload_limits: reload_limiter.ReloadLimiter
    old: worlds.OldWorkers
    seconds: float = 0.0
    woken: int = 0

    async def pass_time(self, seconds: float) -> None:
        """Second by second, each with the keeper's steps at it."""
        for _ in range(int(seconds)):
            self.seconds += 1
            looks = self.old.looks
            async with asyncio.timeout(30):
                while self.old.looks < looks + 2:
                    await asyncio.sleep(0)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> collections.abc.AsyncIterator[Stage]:
    monkeypatch.setattr(reload_limiter, "LOOK_EVERY_S", 0)
    workers = worlds.OldWorkers(old(1, 12), old(2, 3))

    def wake() -> None:
        made.woken += 1

    made = Stage(
        reload_limits=reload_limiter.ReloadLimiter(workers, clock.FakeClock(), wake=wake, now=lambda: made.seconds),
        old=workers,
    )
    running = asyncio.create_task(made.reload_limits.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_nothing_is_looked_at_while_nothing_waits(stage: Stage) -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    assert stage.old.looks == 0


async def test_a_change_waits_and_goes_live_when_a_generation_ends(stage: Stage) -> None:
    held = await stage.reload_limits.admit(LIMITS, Urgency.CHANGED)
    assert held is not None
    await stage.pass_time(59)
    assert stage.woken == 0
    assert (await stage.reload_limits.look()).drains is None
    stage.old.generations = stage.old.generations[1:]
    await stage.pass_time(1)
    assert stage.woken == 1
    assert await stage.reload_limits.admit(LIMITS, Urgency.CHANGED) is None
    stage.reload_limits.withdraw()
    assert (await stage.reload_limits.look()).held is None


async def test_those_that_join_do_not_begin_anew(stage: Stage) -> None:
    first = await stage.reload_limits.admit(LIMITS, Urgency.CHANGED)
    await stage.pass_time(50)
    second = await stage.reload_limits.admit(LIMITS, Urgency.CHANGED)
    assert first is not None
    assert second is not None
    await stage.pass_time(11)
    assert (await stage.reload_limits.look()).drains == 0


async def test_one_who_asked_is_not_forgotten_when_a_source_tells_of_a_change(stage: Stage) -> None:
    stage.old.generations = (old(1, 12), old(2, 3), old(3, 3))
    assert await stage.reload_limits.admit(LIMITS, Urgency.REQUESTED) is not None
    stage.old.generations = stage.old.generations[1:]
    await stage.pass_time(1)
    assert stage.woken == 1
    assert await stage.reload_limits.admit(LIMITS, Urgency.CHANGED) is None


async def test_the_oldest_is_drained_a_few_sockets_a_second(stage: Stage) -> None:
    await stage.reload_limits.admit(LIMITS, Urgency.CHANGED)
    await stage.pass_time(61)
    seen = await stage.reload_limits.look()
    assert seen.drains == 0
    left = seen.old[0].sockets
    assert left is not None
    assert 0 < left < 12
    assert seen.closed == 12 - left
    await stage.pass_time(5)
    assert [one.number for one in stage.old.generations] == [2]
    assert [one.sockets for one in stage.old.generations] == [3]
    assert stage.woken == 1
    assert stage.old.ended == []


async def test_draining_ends_when_nothing_waits_any_more(stage: Stage) -> None:
    stage.old.generations = (old(1, 500), old(2, 3))
    await stage.reload_limits.admit(LIMITS, Urgency.CHANGED)
    await stage.pass_time(62)
    stage.reload_limits.withdraw()
    for _ in range(20):
        await asyncio.sleep(0)
    seen = await stage.reload_limits.look()
    assert seen.drains is None
    left = stage.old.generations[0].sockets
    for _ in range(20):
        await asyncio.sleep(0)
    assert stage.old.generations[0].sockets == left


async def test_workers_end_one_after_another_where_sockets_cannot_be_closed(stage: Stage) -> None:
    stage.old.generations = (old(1, 12, workers=3), old(2, 3))
    stage.old.refuses = True
    await stage.reload_limits.admit(LIMITS, Urgency.CHANGED)
    await stage.pass_time(62)
    assert stage.old.ended == [100]
    await stage.pass_time(11)
    assert stage.old.ended == [100, 101]
    await stage.pass_time(11)
    assert stage.old.ended == [100, 101, 102]
    assert stage.woken == 1


async def test_what_never_ends_is_gone_past_in_the_end(stage: Stage) -> None:
    stage.old.is_immortal = True
    await stage.reload_limits.admit(LIMITS, Urgency.CHANGED)
    await stage.pass_time(60 + worker_generations.DRAIN_S - 1)
    assert stage.woken == 0
    assert set(stage.old.ended) == {100}
    await stage.pass_time(2)
    assert stage.woken == 1
    assert await stage.reload_limits.admit(LIMITS, Urgency.CHANGED) is None
