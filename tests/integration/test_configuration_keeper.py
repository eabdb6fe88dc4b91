"""Whoever applies in a fleet waits for it as long as it goes on, and learns when it does not."""

import asyncio
import time
import typing

import pytest

from daemun.fleet import configuration_keeper, configuration_values, member_ports

States = member_ports.EditState
REPORT = configuration_values.report_key("b")


class Record:
    def list_copies(self) -> tuple[configuration_values.FileCopy, ...]:
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
    def wake(self) -> None:
        pass


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
