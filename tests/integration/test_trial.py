"""A configuration on trial: undone at its time, kept when it is confirmed, also by another daemon than began it."""

import asyncio
import dataclasses
import datetime
import pathlib
import threading
import typing

import pytest
import structlog.testing

from daemun import settings
from daemun.cli import control_client
from daemun.cli.commands import apply
from daemun.control import gate_port, history_port, ports, supervisor
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.sources import edited_file, last_good_file, yaml_holder
from daemun.sources.history import history_recorder, history_store, trial, trial_base, trial_record, written_files
from daemun.store import memory_store
from tests.support.clock import FakeClock

OLD = b"# ours\ncrowdsec: {url: http://x, key: s3cret-one}\nsites: {a.test: http://a:1}\n"
NEW = OLD.replace(b"s3cret-one", b"s3cret-two").replace(b"a:1", b"a:2")
LIVE = history_port.AppliedRound(is_complete=True)


class House:
    """A daemon's trial with its history, the file and what was applied of it."""

    def __init__(self, folder: pathlib.Path, store: memory_store.MemoryStore, clock: FakeClock) -> None:
        self.main = folder / "daemun.yaml"
        self.store, self.clock = store, clock
        self.callers: list[str] = []
        self.report = gate_port.ApplyReport(ok=True, generation=1)
        self.passed_s = 0.0
        self.recorder = history_recorder.Recorder(store, clock, lambda: {"daemun.yaml": self.main.read_bytes()})
        self.trial = trial.TrialManager(store, self.main, self.recorder, self._apply, lambda: self.passed_s)

    async def _apply(self, caller: history_port.Caller) -> gate_port.ApplyReport:
        self.callers.append(caller.command)
        self.trial.note(dataclasses.replace(LIVE, callers=(caller,)))
        return self.report

    async def run_until_undone(self) -> list[str]:
        """Returns: what was logged of that, with its reason. It is the last that is done."""
        owner, found = supervisor.Supervisor(), list[str]()
        with structlog.testing.capture_logs() as lines:
            owner.start("trial", self.trial.run)
            async with asyncio.timeout(60):
                while not found:
                    await asyncio.sleep(0.01)
                    logged = [(one["event"], one.get("reason", "")) for one in lines]
                    found = [f"{event}: {reason}" for event, reason in logged if "nobody confirmed" in event]
            await owner.stop()
        assert not self.trial.problems()
        return found

    async def begin_from_present(self, contents: dict[str, bytes]) -> trial.Trial:
        """A trial of what is written as a whole after it."""
        await self.trial.prepare(written_files.plan(self.main, contents), 60)
        begun = await self.trial.begin_prepared(60)
        assert begun is not None
        return begun

    async def write(self, content: bytes) -> None:
        """A change of the file that becomes live, too."""
        self.main.write_bytes(content)
        self.trial.note(LIVE)
        await self.recorder.write_noted()
        self.store.write(last_good_file.KEY, content)


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return House(tmp_path, memory_store.MemoryStore(), FakeClock())


async def test_it_is_undone_at_its_time(house: House) -> None:
    """The secret of before, too, which nothing but the daemon's memory has; whatever the time of day is then."""
    await house.write(OLD)
    await house.write(NEW)
    begun = await house.trial.begin(60)
    assert (begun.number, begun.taken) == (1, ())
    assert "daemun apply --confirmed" in house.trial.problems()[0].message
    house.clock.advance(datetime.timedelta(hours=-3))
    house.passed_s += 60
    await house.run_until_undone()
    assert house.main.read_bytes() == OLD
    assert house.callers == ["trial not confirmed, back to 1"]
    assert trial_record.KEY not in house.store.list("history")


async def test_a_clock_that_is_set_ahead_ends_nothing(house: House) -> None:
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    house.clock.advance(datetime.timedelta(hours=3))
    task = asyncio.ensure_future(house.trial.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert (house.main.read_bytes(), house.callers, task.done()) == (NEW, [], False)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_was_not_applied_yet_is_undone(house: House) -> None:
    """`daemun apply --confirm` records what to go back to before it applies anything, so that it is undone also where
    the command ended in between."""
    await house.write(OLD.replace(b"a:1", b"a:0"))
    await house.write(OLD)
    house.main.write_bytes(NEW)
    assert (await house.trial.begin(60)).number == 2
    house.passed_s += 60
    await house.run_until_undone()
    assert house.main.read_bytes() == OLD


async def test_what_was_confirmed_is_not_on_trial_again(house: House) -> None:
    await house.write(OLD)
    await house.write(NEW)
    assert (await house.trial.begin(60)).number == 1
    await house.trial.confirm()
    assert (await house.trial.begin(60)).number == 2
    await house.trial.confirm()
    await house.write(OLD.replace(b"a:1", b"a:3"))
    assert (await house.trial.begin(60)).number == 2
    house.passed_s += 60
    await house.run_until_undone()
    assert house.main.read_bytes() == NEW


def test_the_command_records_what_to_go_back_to_before_it_applies(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its terminal is gone while it waits."""
    calls: list[str] = []

    def begin(client: control_client.ControlClient, seconds: float, number: int | None) -> dict[str, typing.Any]:
        calls.append(f"trial of {seconds:g} s")
        return {}

    def end(client: control_client.ControlClient, *, file: str = "") -> dict[str, typing.Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(control_client.ControlClient, "begin_trial", begin)
    monkeypatch.setattr(control_client.ControlClient, "apply", end)
    with pytest.raises(KeyboardInterrupt):
        apply.put_live(
            control_client.ControlClient(settings.Settings(config=house.main, state=house.main.parent)), 60, None
        )
    assert calls == ["trial of 60 s"]


async def test_what_never_came_live_is_nothing_to_go_back_to(house: House) -> None:
    await house.write(OLD)
    house.main.write_bytes(OLD.replace(b"a:1", b"a:x"))
    house.trial.note(history_port.AppliedRound(is_complete=False, failure="nginx: host not found"))
    await house.write(NEW)
    assert (await house.trial.begin(60)).number == 1


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (gate_port.ApplyReport(ok=True, generation=2), "so its files are as they were"),
        (gate_port.ApplyReport(ok=False, generation=1, error="nginx: [emerg] no"), "nginx: [emerg] no"),
    ],
)
async def test_whether_it_is_live_again_is_logged(house: House, report: gate_port.ApplyReport, expected: str) -> None:
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    house.report, house.passed_s = report, 60
    (line,) = await house.run_until_undone()
    assert expected in line
    assert ("so its files are as they were" in line) is report.ok
    assert house.main.read_bytes() == OLD


async def test_nothing_keeps_the_gate_from_starting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that edits the file, and what nobody thought of; the task tries again."""
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    house.clock.advance(datetime.timedelta(seconds=61))
    again = House(house.main.parent, house.store, house.clock)
    monkeypatch.setattr(trial, "_LONGEST_LOCK_S", 0.0)
    with edited_file.alone(house.main):
        again.trial.go_back_if_overdue()
    assert (house.main.read_bytes(), bool(again.trial.problems())) == (NEW, True)

    def fail(main: pathlib.Path) -> dict[str, bytes]:
        raise RuntimeError(f"cannot think of {main}")

    with monkeypatch.context() as broken:
        broken.setattr(yaml_holder, "read_all", fail)
        again.trial.go_back_if_overdue()
    assert (house.main.read_bytes(), bool(again.trial.problems())) == (NEW, True)
    await again.run_until_undone()
    assert house.main.read_bytes() == OLD


async def test_it_is_undone_at_once(house: House) -> None:
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    assert house.trial.find() is not None
    with structlog.testing.capture_logs() as logged:
        undone = await house.trial.undo(history_port.Caller(command="daemun apply --undo", user="ann"))
    assert undone.number == 1
    assert (house.main.read_bytes(), house.trial.find()) == (OLD, None)
    await house.recorder.write_noted()
    newest = next(history_store.HistoryStore(house.store).newest())
    assert str(newest.author) == "daemun apply --undo, back to 1 (ann)"
    assert "undone by daemun apply --undo (ann)" in logged[-1]["event"]
    for end in (house.trial.undo, house.trial.confirm):
        with pytest.raises(ConfigError, match="nothing is on trial"):
            await end()


async def test_what_is_there_is_what_it_goes_back_to(house: House) -> None:
    """For a change that comes after it, whatever was applied of what is there."""
    await house.write(OLD)
    house.main.write_bytes(NEW)
    written = {"daemun.yaml": b"sites: {}\n"}
    begun = await house.begin_from_present(written)
    assert begun.number == 1
    house.main.write_bytes(b"sites: {}\n")
    with pytest.raises(ConfigError, match="on trial"):
        await house.begin_from_present(written)
    await house.trial.undo()
    assert house.main.read_bytes() == NEW


async def test_files_of_others_stay_when_it_is_undone(house: House, tmp_path: pathlib.Path) -> None:
    """Those that `include` came to name are as they were, also what was written over; what is new goes."""
    wiki, mail, new = (tmp_path / f"{name}.yaml" for name in ("wiki", "mail", "new"))
    for one in (wiki, mail):
        one.write_bytes(b"\xff# the owner's own\n")
    await house.write(OLD)
    written = {"daemun.yaml": b"include: '*.yaml'\n" + OLD, "wiki.yaml": b"sites: {}\n", "new.yaml": b"sites: {}\n"}
    await house.begin_from_present(written)
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    again = House(tmp_path, house.store, house.clock)
    house.clock.advance(datetime.timedelta(seconds=61))
    again.trial.go_back_if_overdue()
    assert (house.main.read_bytes(), new.exists()) == (OLD, False)
    assert {one.read_bytes() for one in (wiki, mail)} == {b"\xff# the owner's own\n"}


async def test_a_file_that_is_not_included_then_stays(house: House, tmp_path: pathlib.Path) -> None:
    """As for a way back to any number of the history."""
    wiki = tmp_path / "wiki.yaml"
    wiki.write_bytes(b"sites: {w.test: http://w:1}\n")
    await house.write(OLD)
    await house.write(b"include: wiki.yaml\n" + OLD)
    await house.trial.begin(60, 1)
    await house.trial.undo()
    assert (house.main.read_bytes(), wiki.exists()) == (OLD, True)


@pytest.mark.parametrize(
    ("pattern", "copy"), [("sites/*.yaml", "sites/wiki.yaml.undone"), ("sites/*", "sites/.wiki.yaml.undone")]
)
async def test_a_file_that_was_not_there_then_goes_and_a_copy_stays(
    house: House, tmp_path: pathlib.Path, pattern: str, copy: str
) -> None:
    """`include` does not name the copy."""
    old = f"include: {pattern}\n".encode() + OLD
    await house.write(old)
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/wiki.yaml").write_bytes(b"sites: {w.test: http://w:1}\n")
    await house.write(old.replace(b"a:1", b"a:2"))
    await house.trial.begin(60, 1)
    await house.trial.undo()
    assert [*yaml_holder.read_all(house.main).values()] == [old]
    assert (tmp_path / copy).read_bytes() == b"sites: {w.test: http://w:1}\n"


async def test_what_was_never_applied_is_copied(house: House) -> None:
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    house.main.write_bytes(NEW.replace(b"a:2", b"a:7"))
    await house.trial.undo()
    assert house.main.read_bytes() == OLD
    assert b"a:7" in house.main.with_name("daemun.yaml.undone").read_bytes()


async def test_what_others_write_meanwhile_stays(house: House, tmp_path: pathlib.Path) -> None:
    lines = b"sites:\n  a.test: http://a:1\n\n  b.test: http://b:1\n\n  c.test: http://c:1\n"
    drafted = lines.replace(b"a:1", b"a:2")
    files = {"daemun.yaml": drafted, "both.yaml": drafted, "new.yaml": b"sites: {}\n"}
    for name in ("daemun.yaml", "both.yaml"):
        (tmp_path / name).write_bytes(lines)
    await house.begin_from_present(files)
    await house.write(drafted)
    (tmp_path / "daemun.yaml").write_bytes(drafted + b"  d.test: http://d:1\n")
    (tmp_path / "both.yaml").write_bytes(drafted.replace(b"a:2", b"a:3"))
    (tmp_path / "new.yaml").write_bytes(b"sites: {e.test: http://e:1}\n")
    with structlog.testing.capture_logs() as logged:
        await house.trial.undo()
    assert house.main.read_bytes() == lines + b"  d.test: http://d:1\n"
    assert (tmp_path / "both.yaml").read_bytes() == lines
    assert not (tmp_path / "new.yaml").exists()
    assert b"a:3" in (tmp_path / "both.yaml.undone").read_bytes()
    assert b"e.test" in (tmp_path / "new.yaml.undone").read_bytes()
    assert sum("changed on trial" in one["event"] for one in logged) == 2
    assert not (tmp_path / "daemun.yaml.undone").exists()


async def test_what_edits_the_files_does_not_wait_for_an_undo(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may need the trial itself, while it holds the folder."""
    await house.write(OLD)
    await house.begin_from_present({"daemun.yaml": NEW})
    house.main.write_bytes(NEW)
    monkeypatch.setattr(trial, "_LONGEST_LOCK_S", 0.0)
    with edited_file.alone(house.main), pytest.raises(ConfigError, match="tried again"):
        await house.trial.undo()
    await house.trial.undo()
    assert house.main.read_bytes() == OLD


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


async def test_what_was_confirmed_is_not_on_trial_by_another_daemon(house: House) -> None:
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    await house.trial.confirm()
    again = House(house.main.parent, house.store, house.clock)
    assert (await again.trial.begin(60)).number == 2
    await again.trial.confirm()


async def test_numbers_of_another_history_are_not_confirmed(house: House) -> None:
    """Its entries were deleted, and begin with 1 again."""
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    await house.trial.confirm()
    for key in house.store.list(history_store.PREFIX):
        house.store.delete(key)
    house.clock.advance(datetime.timedelta(seconds=1))
    again = House(house.main.parent, house.store, house.clock)
    await again.write(OLD)
    await again.write(NEW)
    assert (await again.trial.begin(60)).number == 1


async def test_who_leaves_while_it_begins_leaves_no_trial(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.write(OLD)
    await house.write(NEW)
    write, is_written, may_go_on = trial_record.write, threading.Event(), threading.Event()

    def write_slowly(store: ports.Store, one: trial.Trial) -> None:
        write(store, one)
        is_written.set()
        assert may_go_on.wait(60)

    monkeypatch.setattr(trial_record, "write", write_slowly)
    task = asyncio.ensure_future(house.trial.begin(60))
    assert await asyncio.to_thread(is_written.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (trial_record.KEY in house.store.list("history"), house.trial.problems()) == (False, ())
    monkeypatch.undo()
    assert (await house.trial.begin(60)).number == 1


async def test_an_undo_that_cannot_be_written_down_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends at its time, and then by nobody."""
    await house.write(OLD)
    await house.write(NEW)
    begun = await house.trial.begin(60)

    def fail(*_: object) -> None:
        raise EnvironmentProblemError("cannot write: no space left on device")

    with monkeypatch.context() as full:
        full.setattr(trial_record, "write", fail)
        with pytest.raises(EnvironmentProblemError):
            await house.trial.undo(history_port.Caller(command="daemun apply --undo", user="ann"))
    assert house.trial.find() == begun
    house.passed_s += 60
    await house.run_until_undone()
    assert house.callers == ["trial not confirmed, back to 1"]


async def test_who_leaves_an_undo_leaves_it_to_the_daemon(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.write(OLD)
    await house.write(NEW)
    await house.trial.begin(60)
    owner, is_applying = supervisor.Supervisor(), asyncio.Event()

    async def wait(_: history_port.Caller) -> gate_port.ApplyReport:
        is_applying.set()
        await asyncio.Event().wait()
        raise AssertionError

    owner.start("trial", house.trial.run)
    with monkeypatch.context() as slow:
        slow.setattr(house.trial, "_apply", wait)
        task = asyncio.ensure_future(house.trial.undo(history_port.Caller(command="daemun apply --undo")))
        await is_applying.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(60):
        while house.trial.find() is not None:
            await asyncio.sleep(0.01)
    await owner.stop()
    assert (house.main.read_bytes(), house.callers) == (OLD, ["daemun apply --undo, back to 1"])


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
    again.trial.note(LIVE)
    await again.recorder.write_noted()
    newest = next(history_store.HistoryStore(house.store).newest())
    assert (newest.author.what == "trial not confirmed, back to 1") is (expected == OLD)


async def test_what_was_changed_long_ago_is_not_on_trial(house: House) -> None:
    await house.write(OLD)
    await house.write(NEW)
    house.clock.advance(trial_base.FRESH)
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
    house.store.write(trial_record.KEY, b"{")
    house.trial.go_back_if_overdue()
    assert house.main.read_bytes() == NEW
    assert any("trial" in problem.message for problem in house.store.damage.problems())
