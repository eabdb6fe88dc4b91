"""Whoever applies in a fleet waits for it as long as it goes on, and learns when it does not."""

import asyncio
import time
import typing

import pytest

from daemun.fleet import configuration_keeper, configuration_values, member_ports

States = member_ports.EditState


class Record:
    def list_copies(self) -> tuple[configuration_values.FileCopy, ...]:
        return ()


class Member:
    """Its steps end as waiting, `goes_on` of them with something new, and then as agreed; None: never."""

    def __init__(self, goes_on: int | None) -> None:
        self.record = Record()
        self.refused = self.current = self.caller = self.serving = None
        self.progress: object = 0
        self._goes_on = goes_on

    def step(self) -> member_ports.StepReport:
        time.sleep(0.1)
        if self._goes_on is None:
            return member_ports.StepReport(state=States.WAITING, pause_s=0.0)
        assert isinstance(self.progress, int)
        self.progress += 1
        is_over = self.progress > self._goes_on
        return member_ports.StepReport(state=States.AGREED if is_over else States.WAITING, pause_s=0.0)

    def close(self) -> None:
        pass


class Front:
    def wake(self) -> None:
        pass


class Texts:
    note_difference: object = None


def settle(member: Member) -> configuration_keeper.ConfigurationKeeper:
    async def run() -> configuration_keeper.ConfigurationKeeper:
        parts: list[typing.Any] = [Texts(), Front(), None, member]
        keeper = configuration_keeper.ConfigurationKeeper(*parts)
        task = asyncio.ensure_future(keeper.run())
        await keeper.settle(None)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return keeper

    return asyncio.run(run())


def test_what_is_under_way_when_nobody_waits_any_more_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_keeper, "LONGEST_WAIT_S", 0.5)
    found = settle(Member(goes_on=None)).find_problems()
    assert ["the file is not live as it is" in one.message for one in found] == [True]
