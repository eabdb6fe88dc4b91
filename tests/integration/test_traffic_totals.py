"""Counters for Prometheus: each line once, whatever happens to the store; they become less only by beginning anew."""

import pathlib

import pytest

from daemun.control import damage_report
from daemun.core import layout
from daemun.core.traffic import traffic_totals
from daemun.traffic import traffic_counter, traffic_files
from tests.support import until

LINE = b"a.test 2000.0031000 100 10.0.0.1:80|0.002\n"


class Counted:
    """Lines as nginx writes them, and a counter that is read as a scrape does it. Its task does not run."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.paths = layout.Layout(str(folder))
        for path in (self.paths.logs, self.paths.store):
            pathlib.Path(path).mkdir(parents=True)
        self.file = pathlib.Path(self.paths.logs) / traffic_files.NAME
        self.file.touch()
        self.begin()

    def begin(self) -> None:
        self.counter = traffic_counter.TrafficCounter(self.paths, damage_report.DamageReport(), reopen=_reopen)
        self.counter.switch(is_on=True)
        self.counter.keep_totals(is_on=True)

    def write(self, count: int) -> None:
        with self.file.open("ab") as file:
            file.write(LINE * count)

    def read(self) -> int | None:
        return self.counter.with_totals(_count)


async def _reopen() -> None:
    pass


def _count(totals: traffic_totals.Totals | None) -> int | None:
    return None if totals is None else sum(sum(row.codes.values()) for row in totals.rows.values())


@pytest.fixture
def counted(tmp_path: pathlib.Path) -> Counted:
    return Counted(tmp_path / "state")


def test_each_line_counts_once(counted: Counted) -> None:
    counted.write(3)
    assert counted.read() == 3, "what was written just now is there at once"
    counted.write(4)
    until.true(lambda: counted.read() == 7)
    counted.counter.keep_totals(is_on=True)
    counted.counter.switch(is_on=False)
    assert counted.read() is None
    counted.counter.switch(is_on=True)
    assert counted.read() == 7
    counted.begin()
    counted.write(2)
    assert counted.read() == 2, "since the start, with what came while nobody counted"


def test_a_store_that_is_gone_begins_the_counters_anew(counted: Counted) -> None:
    counted.write(3)
    assert counted.read() == 3
    pathlib.Path(counted.paths.traffic_store).unlink()
    counted.write(2)
    until.true(lambda: counted.read() == 5)
    counted.write(1)
    until.true(lambda: counted.read() == 6)
