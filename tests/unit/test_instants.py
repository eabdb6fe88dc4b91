"""Times for programs: one form, of one function."""

import datetime
import pathlib

from daemun.core.texts import durations

SOURCES = pathlib.Path(__file__).parents[2] / "src" / "daemun"


def test_in_utc_and_whole_seconds() -> None:
    seoul = datetime.timezone(datetime.timedelta(hours=9))
    at = datetime.datetime(2026, 11, 30, 18, 10, 11, 999_999, tzinfo=seoul)
    assert durations.instant(at) == "2026-11-30T09:10:11Z"
    assert durations.instant_of(at.timestamp()) == "2026-11-30T09:10:11Z"


def test_nothing_else_writes_that_form() -> None:
    found = {path.name for path in SOURCES.rglob("*.py") if "%dT%H:%M" in path.read_text()}
    assert found == {"durations.py"}
