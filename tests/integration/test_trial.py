"""A configuration on trial: undone at its time, kept when it is confirmed, also by another daemon than began it."""

import asyncio
import datetime
import pathlib

import pytest

from daemun.control import history_port, supervisor
from daemun.errors import ConfigError
from daemun.sources import last_good_file
from daemun.sources.history import history_recorder, trial
from daemun.store import memory_store
from tests.support.clock import FakeClock

OLD = b"# ours\ncrowdsec: {url: http://x, key: s3cret-one}\nsites: {a.test: http://a:1}\n"
NEW = OLD.replace(b"s3cret-one", b"s3cret-two").replace(b"a:1", b"a:2")
LIVE = history_port.AppliedRound(is_whole=True)


class House:
    """A daemon's trial with its history, the file and what was applied of it."""

    def __init__(self, folder: pathlib.Path, store: memory_store.MemoryStore, clock: FakeClock) -> None:
        self.main = folder / "daemun.yaml"
        self.store, self.clock = store, clock
        self.callers: list[str] = []
        self.recorder = history_recorder.Recorder(store, clock, lambda: {"daemun.yaml": self.main.read_bytes()})
        self.trial = trial.TrialKeeper(store, self.main, self.recorder, self._apply)

    async def _apply(self, caller: history_port.Caller) -> None:
        self.callers.append(caller.command)
        self.trial.note(LIVE)

    async def write(self, content: bytes) -> None:
        """A change of the file that becomes live, too."""
        self.main.write_bytes(content)
        self.trial.note(LIVE)
        await self.recorder.write_noted()
        self.store.write(last_good_file.KEY, content)


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return House(tmp_path, memory_store.MemoryStore(), FakeClock())


async def test_it_is_undone_at_its_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of before, too, which nothing but the daemon's memory has."""
    monkeypatch.setattr(trial, "_LOOK_S", 0.01)
    await house.write(OLD)
    await house.write(NEW)
    begun = await house.trial.begin(60)
    assert (begun.number, begun.taken) == (1, ())
    assert "daemun apply --confirmed" in house.trial.problems()[0].message
    owner = supervisor.Supervisor()
    owner.start("trial", house.trial.run)
    house.clock.advance(datetime.timedelta(seconds=61))
    async with asyncio.timeout(60):
        while house.trial.problems():
            await asyncio.sleep(0.01)
    await owner.stop()
    assert house.main.read_bytes() == OLD
    assert house.callers == ["trial not confirmed, back to 1"]
    assert trial.KEY not in house.store.list("history")


async def test_it_stays_when_it_is_confirmed(house: House) -> None:
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    await house.trial.confirm()
    house.clock.advance(datetime.timedelta(hours=1))
    again = House(house.main.parent, house.store, house.clock)
    again.trial.go_back_if_overdue()
    assert house.main.read_bytes() == NEW
    with pytest.raises(ConfigError, match="nothing is on trial"):
        await house.trial.confirm()


@pytest.mark.parametrize(("later_s", "expected"), [(61, OLD), (10, NEW)])
async def test_another_daemon_ends_it(house: House, later_s: int, expected: bytes) -> None:
    """The first was killed."""
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    house.clock.advance(datetime.timedelta(seconds=later_s))
    again = House(house.main.parent, house.store, house.clock)
    again.trial.go_back_if_overdue()
    assert house.main.read_bytes() == expected
    assert bool(again.trial.problems()) is (expected == NEW)


async def test_what_was_changed_long_ago_is_not_on_trial(house: House) -> None:
    await house.write(OLD)
    await house.write(NEW)
    house.clock.advance(trial.FRESH)
    assert (await house.trial.begin(60)).number == 2


async def test_only_one_at_a_time_and_a_number_that_is_there(house: House) -> None:
    with pytest.raises(ConfigError, match="no files to go back to"):
        await house.trial.begin(60)
    await house.write(OLD)
    with pytest.raises(ConfigError, match="at number 7"):
        await house.trial.begin(60, 7)
    with pytest.raises(ConfigError, match="expected 5 s"):
        await house.trial.begin(1)
    await house.trial.begin(60, 1)
    with pytest.raises(ConfigError, match="is on trial"):
        await house.trial.begin(60)


async def test_what_the_history_cannot_give_back_is_copied(house: House) -> None:
    await house.write(OLD)
    await house.trial.begin(60)
    house.main.write_bytes(b"sites: [")
    house.clock.advance(datetime.timedelta(seconds=61))
    House(house.main.parent, house.store, house.clock).trial.go_back_if_overdue()
    assert house.main.read_bytes() == OLD
    copy = house.main.with_name("daemun.yaml.undone")
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (b"sites: [", 0o600)


def test_a_damaged_note_is_its_own_trouble(house: House) -> None:
    house.main.write_bytes(NEW)
    house.store.write(trial.KEY, b"{")
    house.trial.go_back_if_overdue()
    assert house.main.read_bytes() == NEW
    assert any("trial" in problem.message for problem in house.store.damage.problems())
