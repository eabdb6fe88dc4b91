"""Changes of several files: all of them live, or none of them there, whatever happens in the middle."""

import asyncio
import collections.abc
import pathlib
import threading
import typing

import pytest

from daemun.control import gate_port, history_port
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.sources import edited_file
from daemun.sources.history import applied_configurations, guarded_apply, live_changes, trial_record, written_files
from tests.support.draft_house import MAIN, MORE, DraftHouse

CALLER = history_port.Caller(command="dashboard: draft")
NEW, NEW_MORE = MAIN.replace(":2\n", ":20\n"), MORE.replace(":3", ":30")
WANTED: dict[str, bytes | None] = {"daemun.yaml": NEW.encode(), "sites/c.yaml": NEW_MORE.encode()}


@pytest.fixture
async def house(tmp_path: pathlib.Path) -> DraftHouse:
    made = DraftHouse(tmp_path)
    await made.start()
    return made


def make(
    house: DraftHouse, trial_s: float | None = None
) -> collections.abc.Coroutine[typing.Any, typing.Any, live_changes.LiveChange | None]:
    return house.changes.make(lambda: WANTED, trial_s=trial_s, caller=CALLER)


def read(house: DraftHouse) -> tuple[str, str]:
    return house.main.read_text(), house.more.read_text()


def watch_applied(house: DraftHouse, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What daemun.yaml held each time that the files were let become live, from now on."""
    apply, applied = house.apply, list[str]()

    async def note(**given: typing.Any) -> gate_port.ApplyReport:
        applied.append(house.main.read_text())
        return await apply(**given)

    monkeypatch.setattr(house, "apply", note)
    return applied


def check_nothing_is_left(house: DraftHouse) -> None:
    assert read(house) == (MAIN, MORE)
    assert (house.trials.find(), house.trials.problems()) == (None, ())
    assert trial_record.KEY not in house.store.list("history")


@pytest.mark.parametrize("trial_s", [None, 60.0])
async def test_who_leaves_while_files_are_written_leaves_none_of_them(
    house: DraftHouse, monkeypatch: pytest.MonkeyPatch, trial_s: float | None
) -> None:
    """The thread that writes knows nothing of it, and ends all the same."""
    restore, is_written, may_go_on = edited_file.restore, threading.Event(), threading.Event()

    def write(path: edited_file.StrPath, content: bytes | None, *, mode: int) -> None:
        restore(path, content, mode=mode)
        is_written.set()
        assert may_go_on.wait(60)

    monkeypatch.setattr(edited_file, "restore", write)
    task = asyncio.ensure_future(make(house, trial_s))
    assert await asyncio.to_thread(is_written.wait, 60)
    assert read(house) == (MAIN, NEW_MORE)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    check_nothing_is_left(house)
    assert await make(house) is not None
    assert read(house) == (NEW, NEW_MORE)


@pytest.mark.parametrize("trial_s", [None, 60.0])
async def test_who_leaves_before_it_is_live_leaves_nothing(
    house: DraftHouse, monkeypatch: pytest.MonkeyPatch, trial_s: float | None
) -> None:
    """The gate may have begun with the new files, so it gets those of before once more."""
    is_applying = asyncio.Event()

    async def wait(**_: object) -> gate_port.ApplyReport:
        is_applying.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(house, "apply", wait)
    task = asyncio.ensure_future(make(house, trial_s))
    await is_applying.wait()
    assert read(house) == (NEW, NEW_MORE)
    assert (house.trials.find(), trial_record.KEY in house.store.list("history")) == (None, True)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (read(house), trial_record.KEY in house.store.list("history")) == ((MAIN, MORE), False)
    monkeypatch.undo()
    applied = watch_applied(house, monkeypatch)
    assert await house.trials._undo() is None
    assert applied == [MAIN]
    check_nothing_is_left(house)


@pytest.mark.parametrize("trial_s", [None, 60.0])
async def test_what_is_live_is_undone_when_it_cannot_be_settled(
    house: DraftHouse, monkeypatch: pytest.MonkeyPatch, trial_s: float | None
) -> None:
    async def fail(*_: object) -> None:
        raise EnvironmentProblemError("cannot write: no space left on device")

    monkeypatch.setattr(house.trials, "begin_prepared", fail)
    applied = watch_applied(house, monkeypatch)
    with pytest.raises(EnvironmentProblemError, match=r"no space left.*\n.*the files are as they were before$"):
        await make(house, trial_s)
    assert applied == [NEW, MAIN]
    check_nothing_is_left(house)


async def test_what_may_be_live_is_said_when_the_gate_fails_twice(
    house: DraftHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is applied again by itself."""

    async def fail(**_: object) -> gate_port.ApplyReport:
        raise EnvironmentProblemError("cannot start a process")

    monkeypatch.setattr(house, "apply", fail)
    with pytest.raises(EnvironmentProblemError, match="are as they were before, but what is live may not be"):
        await make(house)
    monkeypatch.undo()
    applied = watch_applied(house, monkeypatch)
    assert await house.trials._undo() is None
    assert applied == [MAIN]
    check_nothing_is_left(house)


async def test_files_that_could_only_be_put_back_later_are_live_again(
    house: DraftHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    undo, failures = written_files.undo, [EnvironmentProblemError("no space left on device")]

    def fail_once(*given: typing.Any) -> dict[str, pathlib.Path]:
        if failures:
            raise failures.pop()
        return undo(*given)

    async def refuse(**_: object) -> gate_port.ApplyReport:
        return gate_port.ApplyReport(ok=False, generation=1, error="nginx: [emerg] no")

    with monkeypatch.context() as refusing:
        refusing.setattr(house, "apply", refuse)
        refusing.setattr(written_files, "undo", fail_once)
        with pytest.raises(guarded_apply.NotUndoneError):
            await make(house)
    assert read(house) == (MAIN, MORE)
    applied = watch_applied(house, monkeypatch)
    assert await house.trials._undo() is None
    assert applied == [MAIN]
    check_nothing_is_left(house)


@pytest.mark.parametrize("trial_s", [None, 60.0])
async def test_a_daemon_that_is_killed_in_the_middle(
    house: DraftHouse, monkeypatch: pytest.MonkeyPatch, trial_s: float | None
) -> None:
    """The next one goes back at once, though a trial would have had its time: half of the files may be written."""

    class _KilledError(BaseException):
        pass

    async def die(**_: object) -> gate_port.ApplyReport:
        raise _KilledError

    async def leave(**_: object) -> None: ...

    monkeypatch.setattr(house, "apply", die)
    monkeypatch.setattr(written_files, "undo", lambda *_: {})
    monkeypatch.setattr(house.trials, "drop_prepared", leave)
    with pytest.raises(_KilledError):
        await make(house, trial_s)
    monkeypatch.undo()
    house.more.write_text(MORE)
    assert read(house) == (NEW, MORE)
    house.begin()
    house.trials.go_back_if_overdue()
    check_nothing_is_left(house)


async def test_files_that_cannot_be_put_back_are_tried_again(
    house: DraftHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then nothing else is applied, and `daemun status` has it."""
    restore = edited_file.restore

    def fail(path: edited_file.StrPath, content: bytes | None, *, mode: int) -> None:
        if content == MORE.encode():
            raise EnvironmentProblemError(f"cannot edit {path}: no space left on device")
        restore(path, content, mode=mode)

    async def refuse(**_: object) -> gate_port.ApplyReport:
        return gate_port.ApplyReport(ok=False, generation=1, error="nginx: [emerg] no")

    monkeypatch.setattr(edited_file, "restore", fail)
    with monkeypatch.context() as refusing:
        refusing.setattr(house, "apply", refuse)
        with pytest.raises(guarded_apply.NotUndoneError, match="no space left"):
            await make(house, 60.0)
    assert read(house) == (MAIN, NEW_MORE)
    (problem,) = house.trials.problems()
    assert "tried again" in problem.message
    assert house.trials.find() is None
    with pytest.raises(ConfigError, match="tried again"):
        await make(house)
    monkeypatch.undo()
    assert await house.trials._undo() is None
    check_nothing_is_left(house)


async def test_what_others_write_meanwhile_stays_when_it_cannot_go_live(
    house: DraftHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merged where that can be told from the change, beside the file where it cannot."""
    apply = house.apply

    async def refuse(**given: typing.Any) -> gate_port.ApplyReport:
        monkeypatch.setattr(house, "apply", apply)
        house.main.write_text(NEW.replace("# the owner's own words", "# others' words"))
        house.more.write_text(NEW_MORE.replace(":30", ":31"))
        return gate_port.ApplyReport(ok=False, generation=1, error="nginx: [emerg] no")

    monkeypatch.setattr(house, "apply", refuse)
    with pytest.raises(guarded_apply.NotLiveError, match=r"sites/c\.yaml meanwhile is in") as caught:
        await make(house)
    assert "nginx: [emerg] no" in str(caught.value)
    assert read(house) == (MAIN.replace("# the owner's own words", "# others' words"), MORE)
    copy = house.more.with_name("c.yaml.undone")
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == (NEW_MORE.replace(":30", ":31"), 0o600)


async def test_nothing_to_write_is_no_change(house: DraftHouse) -> None:
    assert await house.changes.make(lambda: {"daemun.yaml": MAIN.encode()}, trial_s=60.0, caller=CALLER) is None
    check_nothing_is_left(house)


async def test_a_way_back_on_trial_is_undone_file_by_file(tmp_path: pathlib.Path) -> None:
    """Also what it deleted, and with what others wrote meanwhile."""
    house = DraftHouse(tmp_path)
    await house.start()
    house.more.write_text(NEW_MORE)
    new = house.more.with_name("new.yaml")
    new.write_text("sites:\n  n.test: http://127.0.0.1:9\n")
    await house.apply()
    await house.recorder.write_noted()
    applied = applied_configurations.AppliedHistory(
        house.store, house.main, house.trials, house.changes, compare_nginx=lambda *_: {}, find_drift=lambda: ()
    )
    report = await applied.roll_back(1, is_owner=True, force=False, trial_s=60.0, caller=CALLER)
    assert (report["trial"]["number"], report["deleted"]) == (2, ["sites/new.yaml"])
    assert (read(house), new.exists()) == ((MAIN, MORE), False)
    house.main.write_text(MAIN.replace("# the first", "# others' words"))
    await house.trials.undo()
    assert read(house) == (MAIN.replace("# the first", "# others' words"), NEW_MORE)
    assert "n.test" in new.read_text()
    assert sorted(one.name for one in new.parent.iterdir()) == ["c.yaml", "new.yaml"]
