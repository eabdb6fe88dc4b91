"""Sums are kept through crashes, renamed files, full disks and damage: no line is counted twice or left out."""

import asyncio
import contextlib
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest
import structlog

from daemun import sqlite_files
from daemun.control import damage_report
from daemun.core import layout
from daemun.core.traffic import error_shares, traffic_sums
from daemun.traffic import live_traffic, traffic_counter, traffic_files, traffic_recorder, traffic_report, traffic_store

SERIES = traffic_sums.Series("a.test", "", "")
DAY_S = 86400


class Gate:
    """A writer of lines, and the reader of a daemon that may be killed at any time."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.paths = layout.Layout(str(folder))
        self.logs = pathlib.Path(self.paths.logs)
        for path in (self.paths.logs, self.paths.store):
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
        self.written = 0
        self._writers = [self._open()]
        self.begin()

    def _open(self) -> pathlib.Path:
        path = self.logs / traffic_files.NAME
        path.touch()
        return path

    def begin(self) -> None:
        """A daemon starts."""
        self.store, self.set_aside = traffic_store.open_store(pathlib.Path(self.paths.traffic_store))
        positions, _ = self.store.read_marks()
        self.files = traffic_files.TrafficFiles(self.logs, positions)
        self.addition = traffic_sums.Addition(self.paths.run)

    def kill(self) -> None:
        self.files.close()
        self.store.close()
        self.begin()

    def write(self, count: int, file: pathlib.Path | None = None) -> None:
        with (file or self.logs / traffic_files.NAME).open("ab") as out:
            out.write(f"a.test 2000.0{count % 10}0{count} 7 |\n".encode() * count)
        self.written += count

    def read(self, most_bytes: int = 1 << 30) -> None:
        for lines in self.files.read(most_bytes):
            self.addition.add(lines, time.time())

    def save(self) -> None:
        self.store.add(self.addition.sums(), self.files.positions(), time.time())
        self.addition.clear()

    def rename(self) -> pathlib.Path:
        """Returns: where a worker that did not open the new file yet goes on writing."""
        self.save()
        self.files.rename()
        self._open()
        return max(self.logs.glob(f"{traffic_files.NAME}.*"), key=lambda one: int(one.suffix[1:]))

    def count(self) -> int:
        """As `daemun traffic` does beside the daemon."""
        now_s = time.time()
        return sum(sums.requests for _, sums in traffic_report.read(self.paths, now_s - DAY_S, now_s))


def test_whatever_happens_each_line_counts_once(tmp_path: pathlib.Path) -> None:
    draw = random.Random(17)
    gate = Gate(tmp_path)
    old: pathlib.Path | None = None
    for _ in range(400):
        match draw.randrange(7):
            case 0 | 1:
                gate.write(draw.randrange(1, 40))
            case 2 if old is not None and old.exists():
                gate.write(draw.randrange(1, 5), old)
            case 3:
                gate.read(draw.choice([1, 200, 1 << 20]))
            case 4:
                gate.save()
            case 5:
                gate.kill()
            case 6 if draw.random() < 0.3:
                gate.read()
                old = gate.rename()
            case _:
                gate.save()
                gate.files.remove_settled(time.time() + (2 * traffic_files.SETTLED_S if draw.random() < 0.2 else 0))
        assert gate.count() == gate.written
    assert gate.written > 1000


def test_a_line_is_counted_when_it_is_whole(tmp_path: pathlib.Path) -> None:
    gate = Gate(tmp_path)
    file = gate.logs / traffic_files.NAME
    file.write_bytes(b"a.test 2000.0015 7 |\na.test 2000.0")
    gate.read()
    gate.save()
    assert gate.count() == 1
    with file.open("ab") as out:
        out.write(b"015 7 |\n")
    assert gate.count() == 2
    gate.read()
    gate.save()
    file.write_bytes(b"a.test 2000.0015 7 |\n")  # somebody emptied it
    gate.read()
    gate.save()
    assert gate.count() == 3


def test_what_was_missed_is_attributed_to_the_time_in_between() -> None:
    backlog = traffic_files.Backlog(100, 1000.0, 2000.0)
    assert [backlog.note(bytes(25)) for _ in range(5)] == [1250.0, 1500.0, 1750.0, 2000.0, None]
    assert traffic_files.Backlog(100, None, 2000.0).note(bytes(50)) == 2000.0
    assert traffic_files.Backlog(100, 3000.0, 2000.0).note(bytes(50)) == 2000.0, "the clock was set back"


def _sums(
    start: int, requests: int = 1, series: traffic_sums.Series = SERIES
) -> dict[traffic_sums.Key, traffic_sums.Sums]:
    return {(start, series): traffic_sums.Sums(requests=requests, bytes_out=10 * requests, counts={"200": requests})}


def _kept(path: pathlib.Path, since_s: float, now_s: float) -> int:
    return sum(sums.requests for _, sums in traffic_store.read(path, since_s, now_s).sums)


def test_minutes_of_a_day_and_hours_of_ninety_days_stay(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_store, "MINUTES", 60)
    monkeypatch.setattr(traffic_store, "HOURS", 5)
    path = tmp_path / "store"
    store = traffic_store.TrafficStore(path)
    for minute in range(600):
        store.add(_sums(minute * 60), (), 0)
    now_s = 600 * 60
    assert _kept(path, now_s - 3600, now_s) == 60
    assert _kept(path, 0, now_s) == 300, "of five hours"
    store.add(_sums(400_000_000), (), 0)  # the clock jumped ahead, and back
    for minute in range(600, 660):
        store.add(_sums(minute * 60), (), 0)
    assert _kept(path, 660 * 60 - 3600, 660 * 60) == 60
    assert _kept(path, 0, 660 * 60) == 240
    store.close()


def test_the_file_does_not_grow_beyond_its_size(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store"
    store = traffic_store.TrafficStore(path, most_bytes=400_000)
    for minute in range(0, 3000, 20):
        many = [_sums(minute * 60, 1, traffic_sums.Series(f"site-{n}.test", "", "")) for n in range(60)]
        store.add({key: sums for one in many for key, sums in one.items()}, (), 0)
    store.close()
    assert path.stat().st_size < 700_000
    assert _kept(path, 0, 3000 * 60) > 60, "the newest stay"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE file SET position = 'x'",
        "UPDATE file SET position = -5",
        "UPDATE file SET head_length = 1 << 62",
        "UPDATE file SET head_length = 'abc'",
        "UPDATE file SET digest = 7",
        "UPDATE file SET read_at = 'x'",
        "UPDATE sums SET counts = '{x'",
        "UPDATE sums SET counts = '[]'",
        'UPDATE sums SET counts = \'{"200":"a"}\'',
        "UPDATE sums SET requests = 'abc'",
        "UPDATE series SET site = x'00'",
    ],
)
def test_values_that_there_cannot_be_are_damage(tmp_path: pathlib.Path, change: str) -> None:
    gate = Gate(tmp_path)
    gate.write(50)
    gate.read()
    gate.save()
    gate.store.close()
    path = pathlib.Path(gate.paths.traffic_store)
    database = sqlite3.connect(path)
    with database:
        database.execute(change)
    database.close()
    with pytest.raises(sqlite3.DatabaseError) as found:
        traffic_store.read(path, 0, time.time())
    assert sqlite_files.is_damage(found.value)
    if "file" not in change:  # what only those meet who read all of it
        gate.begin()
        assert gate.set_aside is not None
        gate.read()
        gate.save()
        assert gate.count() == 50


def test_a_state_directory_that_was_copied_counts_once(tmp_path: pathlib.Path) -> None:
    first = tmp_path / "first"
    gate = Gate(first)
    gate.write(40)
    gate.read()
    gate.rename()
    gate.write(30)
    gate.read()
    gate.save()
    gate.write(7)  # while no daemon ran
    gate.files.close()
    gate.store.close()
    second = shutil.copytree(first, tmp_path / "second")
    there = Gate(second)
    assert there.count() == 77
    there.read()
    there.save()
    assert there.count() == 77
    there.write(5)
    there.kill()
    there.read()
    there.save()
    assert there.count() == 82


def test_another_file_that_begins_alike_is_read_from_its_beginning(tmp_path: pathlib.Path) -> None:
    gate = Gate(tmp_path)
    path = gate.logs / traffic_files.NAME
    gate.write(50)
    gate.write(3)
    gate.read()
    gate.save()
    gate.files.close()
    gate.store.close()
    kept = path.rename(tmp_path / "elsewhere")
    gate.write(50)
    gate.write(4)
    gate.begin()
    gate.read()
    gate.save()
    assert gate.count() == 107
    assert kept.exists()


@pytest.mark.parametrize("kind", ["garbage", "cut", "empty tables", "folder", "newer"])
def test_a_damaged_file_is_set_aside(tmp_path: pathlib.Path, kind: str) -> None:
    gate = Gate(tmp_path)
    gate.write(500)
    gate.read()
    gate.save()
    gate.store.close()
    path = pathlib.Path(gate.paths.traffic_store)
    match kind:
        case "garbage":
            path.write_bytes(b"garbage" * 1000)
        case "cut":
            path.write_bytes(path.read_bytes()[:5000])
        case "folder":
            path.unlink()
            path.mkdir()
        case "newer" | "empty tables":
            database = sqlite3.connect(path)
            database.executescript("PRAGMA user_version = 99" if kind == "newer" else "DROP TABLE file")
            database.close()
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    try:
        gate.begin()
    except sqlite3.Error as error:  # found when it is read; the counter sets it aside, too
        assert sqlite_files.is_damage(error)
        sqlite_files.set_aside(path)
        gate.begin()
    assert path.with_name(f"{path.name}.damaged").exists()
    gate.read()
    gate.save()
    assert gate.count() == 500, "what nginx wrote is counted again"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_stored_is_stored_later(tmp_path: pathlib.Path) -> None:
    gate = Gate(tmp_path)
    gate.write(20)
    gate.read()
    gate.store._database.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError) as raised:
        gate.save()
    assert not sqlite_files.is_damage(raised.value)
    gate.store._database.execute("PRAGMA query_only = OFF")
    gate.save()
    assert gate.count() == 20


def test_series_of_no_sums_are_deleted_once_a_day(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic_store, "MINUTES", 5)
    monkeypatch.setattr(traffic_store, "HOURS", 5)
    store = traffic_store.TrafficStore(tmp_path / "store")
    for number in range(60):  # never at midnight
        hour = number // 4 * 24 + 9 + number % 4
        store.add(_sums(hour * 3600, series=traffic_sums.Series(f"{number}.test", "", "")), (), 0)
    rows = store._database.execute("SELECT COUNT(*) FROM series").fetchone()[0]
    assert 5 <= rows <= 10
    store.close()


def test_a_number_that_no_request_has_is_stored_as_a_bounded_one(tmp_path: pathlib.Path) -> None:
    store = traffic_store.TrafficStore(tmp_path / "store")
    store.add({(60, SERIES): traffic_sums.Sums(requests=1, bytes_out=10**30)}, (), 0)
    store.close()
    assert _kept(tmp_path / "store", 0, 120) == 1


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("is_forgotten", [True, False])
def test_a_file_that_is_deleted_while_numbers_are_read_counts_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *, is_before: bool, is_forgotten: bool
) -> None:
    gate = Gate(tmp_path)
    gate.write(20)
    gate.read()
    old = gate.rename()
    gate.write(5, old)
    gate.write(7)
    read = traffic_store.read

    def go_on() -> None:
        gate.read()
        gate.save()
        gate.files.remove_settled(time.time() + 2 * traffic_files.SETTLED_S)
        assert not old.exists()
        if is_forgotten:
            gate.save()
        gate.rename()
        gate.write(3)
        gate.read()
        if is_before:
            gate.save()

    def read_meanwhile(path: pathlib.Path, since_s: float, now_s: float) -> traffic_store.StoredTraffic:
        if is_before:
            go_on()
        kept = read(path, since_s, now_s)
        if not is_before:
            go_on()
        return kept

    monkeypatch.setattr(traffic_store, "read", read_meanwhile)
    assert gate.count() == gate.written == 35


def test_a_new_store_that_is_damaged_again_is_tried_later(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store"
    path.write_bytes(b"garbage" * 1000)
    monkeypatch.setattr(sqlite_files, "set_aside", lambda path: None)
    with pytest.raises(OSError, match="cannot be used either"):
        traffic_store.open_store(path)


def _names(gate: Gate) -> dict[str, int]:
    return {one.name: one.stat().st_size for one in gate.logs.iterdir()}


@pytest.mark.parametrize("is_opened", [True, False])
def test_what_cannot_be_stored_for_long_does_not_fill_the_disk(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *, is_opened: bool
) -> None:
    monkeypatch.setattr(traffic_files, "MOST_BYTES", 1000)
    monkeypatch.setattr(traffic_files, "_MOST_EMPTY", 3)
    monkeypatch.setattr(traffic_recorder, "WAITING_BYTES", 4000)
    monkeypatch.setattr(traffic_recorder, "REOPENED_EVERY_S", 0.0)
    gate = Gate(tmp_path)
    gate.store.close()
    counter = _recorder(gate)
    path = pathlib.Path(gate.paths.traffic_store)
    if is_opened:
        counter.work()
        assert counter._store is not None
        counter._store._database.execute("PRAGMA query_only = ON")
        gate.write(50)
        counter.work()
        assert counter._failure is not None
        gate._open()
        monkeypatch.setattr(traffic_recorder, "_MOST_ROWS", 0)  # nothing more is read into memory
    else:
        store = path.rename(path.with_name("away"))
        monkeypatch.setattr(traffic_store, "open_store", _refuse)
    with structlog.testing.capture_logs() as logged:
        for _ in range(20):
            gate.write(50)
            _, reopens = counter.work()
            assert reopens
            gate._open()  # as nginx does
            assert sum(_names(gate).values()) <= 6000
    left_out = sum(one["bytes"] for one in logged if "left out" in one["event"])
    assert left_out > 10_000
    assert len(_names(gate)) <= 3 + 6
    monkeypatch.undo()
    if is_opened:
        assert counter._store is not None
        counter._store._database.execute("PRAGMA query_only = OFF")
    else:
        store.rename(path)
    counter.work()
    counter.end()
    each = len("a.test 2000.00050 7 |\n")
    assert gate.count() * each == gate.written * each - left_out, "the rest is counted, as soon as it can be stored"


def _refuse(path: pathlib.Path) -> tuple[traffic_store.TrafficStore, str | None]:
    raise PermissionError(13, "Permission denied", str(path))


def test_errors_of_the_last_minutes(tmp_path: pathlib.Path) -> None:
    """By site, over its routes and servers; older minutes are left out. What cannot be read is not known."""
    gate = Gate(tmp_path)

    def sums(requests: int, **statuses: int) -> traffic_sums.Sums:
        counts = {name.removeprefix("s"): count for name, count in statuses.items()}
        return traffic_sums.Sums(requests=requests, counts={**counts, "t502": 1, "TLSv1.3": requests})

    api, pool = traffic_sums.Series("a.test", "/api/", "192.0.2.1:80"), traffic_sums.Series("b.test", "", "")
    now_s = 1_800_000_000
    found = {
        (now_s - 600, SERIES): sums(50, s500=50),
        (now_s - 120, SERIES): sums(10, s200=8, s502=1, s504=1),
        (now_s - 60, api): sums(30, s502=4, s404=26),
        (now_s, pool): sums(7, s200=6, s499=1),
    }
    assert traffic_report.count_errors(layout.Layout("/nowhere"), now_s - 300, now_s) == {}
    gate.store.add(found, (), now_s)
    expected = {"a.test": error_shares.ErrorShare(requests=40, errors=6, status=502)}
    assert traffic_report.count_errors(gate.paths, now_s - 300, now_s) == expected
    assert traffic_report.count_errors(gate.paths, now_s - 30, now_s) == {}
    path = pathlib.Path(gate.paths.traffic_store)
    gate.store.close()
    path.write_bytes(b"no database")
    assert traffic_report.count_errors(gate.paths, now_s - 300, now_s) is None


def _recorder(gate: Gate) -> traffic_recorder.TrafficRecorder:
    return traffic_recorder.TrafficRecorder(gate.paths, damage_report.DamageReport(), find_totals=lambda: None)


def _age(gate: Gate) -> None:
    for one in gate.logs.iterdir():
        os.utime(one, (0, 0))


def test_files_are_counted_and_deleted_when_counting_is_switched_off(tmp_path: pathlib.Path) -> None:
    gate = Gate(tmp_path)
    gate.write(20)
    gate.read()
    gate.rename()
    gate.write(7)
    gate.files.close()
    gate.store.close()
    recorder = _recorder(gate)
    assert recorder.finish() == (True, False), "nginx may write a little longer"
    assert gate.count() == gate.written == 27
    _age(gate)
    assert recorder.finish() == (True, True)
    assert not _names(gate)
    gate._open()  # nginx has a site that is counted still
    gate.write(3)
    _age(gate)
    assert recorder.finish() == (True, False)
    assert set(_names(gate)) == {traffic_files.NAME}
    assert gate.count() == gate.written
    (gate.logs / traffic_files.NAME).unlink()
    recorder.finish()
    assert recorder.finish()[0] is False
    gate.write(4)  # switched on again
    recorder.work()
    recorder.end()
    assert gate.count() == gate.written == 34


def test_a_gate_that_counts_nothing_loads_no_database(tmp_path: pathlib.Path) -> None:
    code = """
import asyncio, sys
from daemun.control import damage_report
from daemun.core import layout
from daemun.traffic import traffic_counter
async def reopen(): pass
async def run():
    counter = traffic_counter.TrafficCounter(layout.Layout(sys.argv[1]), damage_report.DamageReport(), reopen=reopen)
    counter.switch(is_on=False)
    assert counter._clean_up() == (False, False)
    assert counter.with_totals(lambda found: found) is None
asyncio.run(run())
sys.exit("sqlite3" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)


def test_the_task_cleans_up_and_counts_again(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic_counter, "FINISHED_EVERY_S", 0.01)
    monkeypatch.setattr(traffic_counter, "EVERY_S", 0.01)
    gate = Gate(tmp_path)
    gate.files.close()
    gate.store.close()
    gate.write(5)
    _age(gate)

    async def run() -> None:
        reopened = asyncio.Event()

        async def reopen() -> None:
            assert not _names(gate)
            reopened.set()

        counter = traffic_counter.TrafficCounter(gate.paths, damage_report.DamageReport(), reopen=reopen)
        counter.switch(is_on=False)
        task = asyncio.create_task(counter.run())
        async with asyncio.timeout(120):
            await reopened.wait()
            counter.switch(is_on=True)
            counter.keep_totals(is_on=True)
            gate.write(6)
            while counter.with_totals(lambda found: len(found.rows) if found is not None else 0) == 0:
                await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert gate.count() == gate.written == 11


def test_a_store_that_is_being_made_is_empty(tmp_path: pathlib.Path) -> None:
    gate = Gate(tmp_path)
    gate.kill()
    gate.store.close()
    path = pathlib.Path(gate.paths.traffic_store)
    path.write_bytes(b"")
    gate.write(3)
    assert gate.count() == 3
    now_s = time.time()
    assert traffic_report.count_errors(gate.paths, now_s - DAY_S, now_s) == {}


def test_who_looks_sees_each_line_once(tmp_path: pathlib.Path) -> None:
    """What was stored, what was not yet, and what comes, through renamed and removed files."""
    gate = Gate(tmp_path)
    gate.write(5)
    gate.read()
    gate.save()
    gate.write(7)
    with contextlib.closing(live_traffic.LiveTraffic(gate.paths)) as live:

        def count() -> int:
            live.read()
            found, span_s = live.within(60)
            assert span_s >= 60
            return sum(sums.requests for _, sums in found)

        assert count() == gate.written == 12
        gate.write(3)
        assert count() == gate.written
        gate.read()
        old = gate.rename()
        gate.write(2, old)
        gate.write(4)
        assert count() == gate.written
        gate.read()
        gate.save()
        gate.files.remove_settled(time.time() + 2 * traffic_files.SETTLED_S)
        assert not old.exists()
        assert count() == gate.written == 21
        assert not [one for one in _open_files() if one.startswith(str(tmp_path)) and one.endswith("(deleted)")]


def _open_files() -> list[str]:
    found = []
    for link in pathlib.Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the folder itself
            found.append(str(link.readlink()))
    return found


def test_who_looks_before_nginx_was_ever_started(tmp_path: pathlib.Path) -> None:
    paths = layout.Layout(str(tmp_path))
    with contextlib.closing(live_traffic.LiveTraffic(paths)) as live:
        live.read()
        assert live.within(10)[0] == ()
        gate = Gate(tmp_path)
        gate.write(3)
        live.read()
        (series, sums) = live.within(10)[0][0]
        assert (series, sums.requests) == (SERIES, 3)
