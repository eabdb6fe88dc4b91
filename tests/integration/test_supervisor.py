"""Background tasks are started again when they fail, and end when they are told to."""

import asyncio
import collections.abc

import pytest

from daemun.control import supervisor


async def test_a_failing_task_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.0)
    runs = 0
    third = asyncio.Event()

    async def fail() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            third.set()
        raise RuntimeError("broken")

    owner = supervisor.Supervisor()
    owner.start("failing", fail)
    async with asyncio.timeout(60):
        await third.wait()
    await owner.stop()


async def test_stop_ends_every_task_in_reverse_order() -> None:
    owner = supervisor.Supervisor()
    ended: list[str] = []
    running = asyncio.Semaphore(0)

    def forever(name: str) -> None:
        async def run() -> None:
            running.release()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        owner.start(name, run)

    forever("first")
    forever("second")
    for _ in range(2):
        await running.acquire()
    await owner.stop()
    assert ended == ["second", "first"]


async def fail_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(60))
        group.create_task(fail_soon())


async def fail_soon() -> None:
    await asyncio.sleep(0)
    raise RuntimeError("broken")


async def await_what_was_cancelled() -> None:
    cancelled = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    await cancelled


@pytest.mark.parametrize("fail", [fail_in_a_group, await_what_was_cancelled])
async def test_what_only_looks_like_a_stop_is_a_failure(
    fail: collections.abc.Callable[[], collections.abc.Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.0)
    runs = 0
    third = asyncio.Event()

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            third.set()
        await fail()

    owner = supervisor.Supervisor()
    owner.start("failing", run)
    async with asyncio.timeout(60):
        await third.wait()
    await owner.stop()


@pytest.mark.parametrize("fails", [True, False])
async def test_a_task_whose_end_goes_wrong_ends_all_the_same(fails: bool) -> None:
    owner = supervisor.Supervisor()
    running = asyncio.Event()

    async def run() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if fails:
                raise OSError("the socket cannot be removed") from None

    owner.start("stubborn", run)
    await running.wait()
    async with asyncio.timeout(60):
        await owner.stop()


async def test_a_name_is_taken_once() -> None:
    owner = supervisor.Supervisor()

    async def run() -> None:
        await asyncio.Event().wait()

    owner.start("one", run)
    with pytest.raises(ValueError, match="it runs already"):
        owner.start("one", run)
    await owner.stop()


class _Slow:
    """A task that is told to end, and ends when it may."""

    def __init__(self) -> None:
        self.running, self.told, self.may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.told.set()
            await self.may_end.wait()


async def test_a_task_that_restarts_another_ends_with_the_daemon() -> None:
    owner, slow = supervisor.Supervisor(), _Slow()
    ended = asyncio.Event()

    async def restart_slow() -> None:
        try:
            await owner.restart("slow")
            await asyncio.Event().wait()
        finally:
            ended.set()

    owner.start("slow", slow.run)
    await slow.running.wait()
    owner.start("restarts", restart_slow)
    await slow.told.wait()
    stopping = asyncio.create_task(owner.stop())
    async with asyncio.timeout(60):
        # While the other has not ended: `restart` does not take its own end for that of the other.
        await ended.wait()
        slow.may_end.set()
        await stopping


async def test_who_waits_for_the_end_of_all_can_be_cancelled() -> None:
    owner, slow = supervisor.Supervisor(), _Slow()
    owner.start("slow", slow.run)
    await slow.running.wait()
    stopping = asyncio.create_task(owner.stop())
    await slow.told.wait()
    stopping.cancel()
    await asyncio.wait([stopping])
    assert stopping.cancelled()
    slow.may_end.set()
