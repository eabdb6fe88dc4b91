"""Background tasks are started again when they fail, and end when they are told to."""

import asyncio

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
    async with asyncio.timeout(10):
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
    async with asyncio.timeout(10):
        await owner.stop()


async def test_a_name_is_taken_once() -> None:
    owner = supervisor.Supervisor()

    async def run() -> None:
        await asyncio.Event().wait()

    owner.start("one", run)
    with pytest.raises(ValueError, match="it runs already"):
        owner.start("one", run)
    await owner.stop()
