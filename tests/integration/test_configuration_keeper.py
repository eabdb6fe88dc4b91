"""Whoever applies in a fleet waits for it as long as it goes on, and learns when it does not."""

import asyncio
import time
import typing

import pytest

from daemun.fleet import configuration_keeper, configuration_values, member_ports

States = member_ports.EditState
REPORT = configuration_values.report_key("b")


class Record:
    def list_copies(self, _: object) -> tuple[configuration_values.FileCopy, ...]:
        return ()


class Member:
    """is_over: what the files hold is part of what the fleet serves."""

    is_coordinating = False

    def __init__(self) -> None:
        self.record = Record()
        self.refused = self.current = self.caller = self.serving = None
        self.is_over = False

    def step(self) -> member_ports.StepReport:
        time.sleep(0.05)
        return member_ports.StepReport(state=States.AGREED if self.is_over else States.WAITING, pause_s=0.0)

    def close(self) -> None:
        pass


class Front:
    def __init__(self) -> None:
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1


class Texts:
    note_difference: object = None


class Changes:
    take: typing.Any

    def follow(self, _: str, *, take: object) -> None:
        self.take = take


def settle(count: int) -> configuration_keeper.ConfigurationKeeper:
    """count: so often another node reports something, and then it is over; 0: it never is."""
    member, changes = Member(), Changes()

    async def report() -> None:
        for _ in range(count):
            await asyncio.sleep(0.1)
            await changes.take([REPORT])
        member.is_over = count > 0

    async def run() -> configuration_keeper.ConfigurationKeeper:
        parts: list[typing.Any] = [Texts(), Front(), None, member]
        keeper = configuration_keeper.ConfigurationKeeper(*parts)
        keeper.follow(typing.cast("typing.Any", changes))
        tasks = [asyncio.ensure_future(keeper.run()), asyncio.ensure_future(report())]
        await keeper.settle(None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return keeper

    return asyncio.run(run())


def test_what_is_under_way_when_nobody_waits_any_more_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_keeper, "LONGEST_WAIT_S", 0.5)
    found = settle(0).find_problems()
    assert ["the file is not live as it is" in one.message for one in found] == [True]


def test_it_is_waited_for_as_long_as_nodes_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_keeper, "LONGEST_WAIT_S", 3.0)
    assert settle(50).find_problems() == ()


class Alone(Member):
    """Without its database. steps: so often it looked."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.steps = 0
        self.kind = kind

    def step(self) -> member_ports.StepReport:
        self.steps += 1
        cause = f"its fleet cannot be asked: cannot {self.kind} the fleet's database: host {self.steps}"
        return member_ports.StepReport(state=States.UNREACHABLE, pause_s=0.0, cause=cause, digest="1")


def test_the_details_of_a_database_that_is_not_reached_are_one_problem() -> None:
    member, front = Alone("reach"), Front()

    async def run() -> tuple[str, ...]:
        parts: list[typing.Any] = [Texts(), front, None, member]
        keeper = configuration_keeper.ConfigurationKeeper(*parts)
        task = asyncio.ensure_future(keeper.run())
        while member.steps < 5:
            await asyncio.sleep(0.01)
        first, member.kind, seen = keeper.find_problems(), "use", member.steps
        while member.steps < seen + 5:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return tuple(one.message for one in (*first, *keeper.find_problems()))

    first, other = asyncio.run(run())
    assert "cannot reach the fleet's database: host 1" in first
    assert "cannot use the fleet's database" in other
    assert front.wakes == 2
