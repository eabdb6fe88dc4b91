"""Uptime is kept through restarts, damage, full disks and clocks that jump; what was not watched is never an outage."""

import asyncio
import contextlib
import dataclasses
import datetime
import pathlib
import random
import sqlite3

import pytest

from daemun import errors
from daemun.control import damage_report
from daemun.core import layout, model
from daemun.core.traffic import error_shares
from daemun.core.uptime import site_condition, uptime_sums, watch_account
from daemun.core.uptime.site_condition import Condition
from daemun.uptime import uptime_reader, uptime_recorder, uptime_store
from tests.support.clock import FakeClock

NOON = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC)


class House:
    """The sites of a gate that daemons watch, one after the other."""

    def __init__(self, folder: pathlib.Path, *hosts: str) -> None:
        self.paths = layout.Layout(str(folder))
        pathlib.Path(self.paths.store).mkdir(parents=True, exist_ok=True)
        self.file = pathlib.Path(self.paths.uptime_store)
        self.clock = FakeClock(NOON)
        self.monotonic_s = 1000.0
        self.damage = damage_report.DamageReport()
        self.troubles: dict[str, model.SiteState] = {}
        self.shares: dict[str, error_shares.ErrorShare] = {}
        self.unseen: set[str] = set()
        self.changes = 0
        self.is_known = True
        self.list(*hosts)
        self.start()

    def list(self, *hosts: str, state: model.SiteState = model.SiteState.LIVE) -> None:
        self.statuses = tuple(model.SiteStatus(site=model.Site(host=host, routes=()), state=state) for host in hosts)

    # --- uptime_recorder.LookAtSites

    def find_sites(self) -> tuple[model.SiteStatus, ...] | None:
        return self.statuses if self.is_known else None

    def find_troubles(self) -> tuple[model.SiteStatus, ...]:
        return tuple(
            dataclasses.replace(one, state=self.troubles[one.site.host], reason="10.0.0.1:80 refuses connections")
            for one in self.statuses
            if one.site.host in self.troubles
        )

    def find_unseen(self) -> frozenset[str]:
        return frozenset(self.unseen)

    def look(self, host: str) -> model.SiteLook | None:
        return None

    # --- a daemon

    def start(self) -> None:
        self.recorder = uptime_recorder.UptimeRecorder(
            self.paths,
            self.clock,
            self.damage,
            self,
            count_errors=lambda since, now: self.shares,
            changed=self._note_change,
            zone=datetime.UTC,
            monotonic=lambda: self.monotonic_s,
        )

    def _note_change(self) -> None:
        self.changes += 1

    def look_at_all(self) -> None:
        asyncio.run(self.recorder.look())

    def watch(self, seconds: float, *, jump: datetime.timedelta = datetime.timedelta()) -> None:
        """Time goes on, and the recorder looks each minute."""
        self.look_at_all()
        while seconds > 0:
            step_s = min(seconds, uptime_recorder.EVERY_S)
            self.monotonic_s += step_s
            self.clock.advance(datetime.timedelta(seconds=step_s) + jump)
            jump = datetime.timedelta()
            self.look_at_all()
            seconds -= step_s

    def sleep(self, seconds: float) -> None:
        """Nothing watches."""
        self.monotonic_s += seconds
        self.clock.advance(datetime.timedelta(seconds=seconds))

    def end(self) -> None:
        """As on SIGTERM."""
        self.recorder._end()

    def read(self, *sites: str, days: int = 90) -> uptime_sums.Uptime:
        return uptime_reader.read(self.paths, self.clock.now().date(), days, sites=sites or None)

    def one(self, site: str) -> uptime_sums.SiteUptime:
        found = self.read(site).sites
        assert len(found) == 1
        return found[0]


def rounded(day: uptime_sums.DayUptime) -> tuple[int, ...]:
    return tuple(round(one) for one in (day.watched_s, day.up_s, day.down_s, day.degraded_s, day.maintenance_s))


def test_an_outage_has_its_time_and_cause(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test", "b.test")
    house.watch(600)
    house.troubles = {"a.test": model.SiteState.UNREACHABLE}
    house.watch(180)
    house.troubles = {}
    house.watch(420)
    house.end()
    found = house.one("a.test")
    assert found.condition is Condition.UP
    assert rounded(found.total) == (1200, 1020, 180, 0, 0)
    assert round(found.total.longest_outage_s) == 180
    (incident,) = found.incidents
    assert incident.cause == "10.0.0.1:80 refuses connections"
    assert incident.condition is Condition.DOWN
    assert incident.began == NOON + datetime.timedelta(seconds=600)
    assert incident.ended == NOON + datetime.timedelta(seconds=780)
    assert rounded(house.one("b.test").total) == (1200, 1200, 0, 0, 0)
    assert house.changes == 3  # the first look was one


def test_while_no_daemon_runs_nothing_is_an_outage(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test", "b.test")
    house.troubles = {"a.test": model.SiteState.UNREACHABLE, "b.test": model.SiteState.UNREACHABLE}
    house.watch(300)
    house.end()
    house.sleep(7200)
    house.troubles = {"b.test": model.SiteState.UNREACHABLE}
    house.start()
    house.watch(300)
    house.end()
    found = house.one("a.test")
    assert rounded(found.total) == (600, 300, 300, 0, 0)
    assert found.incidents[0].ended == NOON + datetime.timedelta(seconds=300)
    (incident,) = house.one("b.test").incidents
    assert incident.ended is None
    assert round(incident.seconds) == 600
    assert round(house.one("b.test").total.longest_outage_s) == 600


def test_a_killed_daemon_loses_minutes_at_most(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.watch(3600)
    house.start()  # another one, while the first said nothing of its end
    house.watch(60)
    house.end()
    assert 3600 + 60 - uptime_recorder.SAVED_EVERY_S <= house.one("a.test").total.watched_s <= 3660


def test_a_machine_that_sleeps_is_not_watched(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.watch(60)
    house.clock.advance(datetime.timedelta(hours=8))  # the other clock stands still
    house.watch(60)
    house.sleep(uptime_recorder.LONGEST_GAP_S + 1)  # the process did not get its turn
    house.watch(60)
    house.end()
    assert rounded(house.one("a.test").total) == (180, 180, 0, 0, 0)


@pytest.mark.parametrize("days", [-400, -1, 1, 4000, 20000])
def test_a_clock_that_jumps_does_no_harm(tmp_path: pathlib.Path, days: int) -> None:
    house = House(tmp_path, "a.test", "b.test")
    house.watch(600)
    house.troubles = {"a.test": model.SiteState.UNREACHABLE}
    house.watch(120, jump=datetime.timedelta(days=days))
    house.troubles = {}
    house.watch(600, jump=-datetime.timedelta(days=days))
    house.end()
    assert rounded(house.one("b.test").total)[1:] == (house.one("b.test").total.watched_s, 0, 0, 0)
    found = house.one("a.test")
    assert found.total.down_s <= 120
    assert all(one.ended is None or one.ended >= one.began for one in found.incidents)
    assert found.condition is Condition.UP


def test_errors_of_visitors_disturb(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.shares = {
        "a.test": error_shares.ErrorShare(requests=100, errors=90, status=500),
        "no.test": error_shares.ErrorShare(requests=100, errors=90, status=500),
    }
    house.watch(120)
    house.end()
    found = house.one("a.test")
    assert rounded(found.total) == (120, 120, 0, 120, 0)
    assert found.incidents[0].cause == "90 of its last 100 requests (90 %) got a 5xx, most of them 500"
    assert house.read("no.test").sites == ()


def test_a_site_counts_while_it_is_there(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.watch(300)
    house.list("a.test", "new.test")
    house.watch(300)
    house.list("new.test")
    house.troubles = {"a.test": model.SiteState.UNREACHABLE}
    house.watch(300)
    assert [one.site for one in house.read().sites] == ["new.test"]
    assert house.one("a.test").condition is Condition.UNWATCHED
    assert rounded(house.one("a.test").total)[:3] == (600, 600, 0)
    house.list("a.test", "new.test")
    house.troubles = {}
    house.watch(300)
    house.end()
    assert rounded(house.one("a.test").total)[:3] == (900, 900, 0)
    assert rounded(house.one("new.test").total)[:3] == (900, 900, 0)


def test_a_site_that_is_disabled_for_days_has_no_outage(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test", "b.test")
    house.watch(120)
    house.list("b.test")
    for _ in range(3):
        house.sleep(86400)
        house.watch(120)
    house.list("a.test", "b.test")
    house.watch(120)
    house.end()
    found = house.one("a.test")
    assert [round(one.watched_s) for one in found.days[-4:]] == [120, 0, 0, 120]
    assert found.total.down_s == 0


def test_pending_sites_are_not_watched(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.list("a.test", state=model.SiteState.PENDING)
    house.watch(120)
    house.list("a.test")
    house.watch(60)
    house.end()
    assert rounded(house.one("a.test").total)[:3] == (60, 60, 0)


def test_a_new_site_is_not_watched_before_its_first_look(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.watch(120)
    house.list("a.test", "new.test")
    house.unseen = {"new.test", "gone.test"}
    house.watch(60)
    house.unseen = set()
    house.troubles = {"new.test": model.SiteState.UNREACHABLE}
    house.watch(120)
    house.end()
    assert rounded(house.one("a.test").total) == (300, 300, 0, 0, 0)
    assert rounded(house.one("new.test").total) == (120, 0, 120, 0, 0)


def test_nothing_is_known_before_all_were_looked_at(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    assert house.read().seen_at is None
    house.is_known = False
    house.watch(600)
    assert not house.file.exists()


def test_an_outage_that_comes_back_within_a_minute_is_one(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    for _ in range(5):
        house.troubles = {"a.test": model.SiteState.UNREACHABLE}
        house.watch(30)
        house.troubles = {}
        house.watch(30)
    house.watch(120)
    house.troubles = {"a.test": model.SiteState.UNREACHABLE}
    house.watch(30)
    house.end()
    found = house.one("a.test")
    assert [one.ended is None for one in found.incidents] == [True, False]
    assert round(found.total.down_s) == 180


def test_days_and_incidents_are_bounded(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uptime_store, "MOST_OF_A_SITE", 5)
    monkeypatch.setattr(uptime_store, "MOST_INCIDENTS", 8)
    monkeypatch.setattr(uptime_store, "MOST_GONE", 3)
    house = House(tmp_path, "a.test", "b.test", *(f"old-{number}.test" for number in range(6)))
    house.watch(60)
    house.list("a.test", "b.test")
    for _ in range(uptime_store.DAYS + 10):
        house.sleep(86400)
        house.troubles = {"a.test": model.SiteState.UNREACHABLE, "b.test": model.SiteState.DEGRADED}
        house.watch(60)
        house.troubles = {}
        house.watch(60)
    house.end()
    with contextlib.closing(sqlite3.connect(house.file)) as database:
        counts = [
            database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("day", "part", "incident", "site")
        ]
    assert counts[0] == uptime_store.DAYS
    assert counts[1] <= 2 * uptime_store.DAYS
    assert counts[2] <= 9
    assert counts[3] == 2  # those that left before all days that are kept
    assert len(house.one("a.test").incidents) <= 6


def test_a_file_beyond_its_size_loses_the_oldest_days(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, *(f"site-{number}.example.test" for number in range(300)))
    house.troubles = {one.site.host: model.SiteState.DEGRADED for one in house.statuses}
    for _ in range(6):
        house.watch(60)
        house.sleep(86400)
    house.end()
    size = house.file.stat().st_size
    store = uptime_store.UptimeStore(house.file, most_bytes=size // 2)
    monday = watch_account.WatchAccount()
    store.add(monday, now_s=0.0, today=1, seen={}, served=None)
    store.close()
    assert 0 < sum(one.watched_s > 0 for one in house.one("site-1.example.test").days) < 6


def test_the_store_agrees_with_a_simple_count(tmp_path: pathlib.Path) -> None:
    draw = random.Random(7)
    hosts = ("a.test", "b.test", "c.test")
    house = House(tmp_path, *hosts)
    expected = dict.fromkeys(hosts, 0.0)
    down = dict.fromkeys(hosts, 0.0)
    served: tuple[str, ...] = hosts
    house.look_at_all()
    for _ in range(150):
        seconds = draw.choice([5.0, 60.0])
        house.monotonic_s += seconds
        house.clock.advance(datetime.timedelta(seconds=seconds))
        for host in served:
            expected[host] += seconds
            down[host] += seconds * (host in house.troubles)
        match draw.randrange(6):
            case 0:
                served = tuple(host for host in hosts if draw.random() < 0.7)
                house.list(*served)
            case 1 | 2:
                house.troubles = {host: model.SiteState.UNREACHABLE for host in hosts if draw.random() < 0.4}
            case 3:
                house.end()
                house.sleep(draw.choice([1.0, 90000.0]))
                house.start()
        house.look_at_all()
    house.end()
    for host in hosts:
        total = house.one(host).total
        assert (round(total.watched_s, 3), round(total.down_s, 3)) == (expected[host], down[host])


DAMAGES = [
    b"",
    b"no database" * 1000,
    "UPDATE day SET watched = 'x'",
    "UPDATE day SET day = -5",
    "UPDATE site SET condition = 'on fire'",
    "UPDATE part SET down = NULL",
    "UPDATE seen SET at = 'x'",
    "DROP TABLE incident",
    "PRAGMA user_version = 9",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside(tmp_path: pathlib.Path, damage: bytes | str) -> None:
    house = House(tmp_path, "a.test")
    house.troubles = {"a.test": model.SiteState.UNREACHABLE}
    house.watch(120)
    house.end()
    if isinstance(damage, bytes):
        house.file.write_bytes(damage)
    else:
        with contextlib.closing(sqlite3.connect(house.file)) as database, database:
            database.execute("PRAGMA ignore_check_constraints = 1")
            with contextlib.suppress(sqlite3.IntegrityError):
                database.execute(damage)
                database.execute("DELETE FROM part WHERE down IS NOT NULL AND 0")
    house.start()
    house.watch(60)
    house.end()
    assert house.one("a.test").total.watched_s >= 60


def test_what_is_no_file_is_set_aside_or_reported(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.file.mkdir()
    house.watch(60)
    house.end()
    assert house.file.is_file()
    assert "uptime" in house.damage.problems()[0].message
    house.file.unlink()
    house.watch(120)  # the file was deleted while nothing watched it
    house.end()
    assert house.one("a.test").total.watched_s > 0


def test_a_deleted_file_is_made_again(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.watch(60)
    for ending in ("", "-wal", "-shm"):
        house.file.with_name(f"{house.file.name}{ending}").unlink()
    house.watch(600)
    house.end()
    assert house.one("a.test").condition is Condition.UP


def test_what_cannot_be_stored_waits(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.watch(60)
    with contextlib.closing(sqlite3.connect(house.file, isolation_level=None)) as other:
        house.recorder._store._database.execute("PRAGMA busy_timeout = 1")  # type: ignore[union-attr]
        other.execute("BEGIN EXCLUSIVE")
        house.troubles = {"a.test": model.SiteState.UNREACHABLE}
        house.look_at_all()
        other.execute("ROLLBACK")
    house.watch(60)
    house.end()
    assert rounded(house.one("a.test").total)[:3] == (120, 60, 60)


def test_a_damaged_file_is_reported_by_who_reads_it(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, "a.test")
    house.file.write_bytes(b"no database" * 1000)
    with pytest.raises(
        errors.EnvironmentProblemError, match="a damaged file is set aside when `daemun up` starts anew"
    ):
        house.read()


def test_many_parts_are_given_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_account, "MOST_PARTS", 10)
    account = watch_account.WatchAccount()
    seen = {
        f"{number}.test": site_condition.SiteVerdict(condition=Condition.DOWN)
        for number in range(watch_account.MOST_PARTS + 1)
    }
    account.add(seen, NOON, 60.0)
    assert (account.days, account.parts) == ({}, {})
