"""When an endpoint is taken out and in, and who is used."""

import datetime

import pytest

from daemun.core.options import health_option
from daemun.discovery import check_results

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
HEALTH = health_option.Health(threshold=3, recover=2)


def after(*results: bool) -> check_results.CheckStreak:
    """The standing after these checks, one a second; True: it succeeded."""
    standing = check_results.UNKNOWN
    for second, succeeded in enumerate(results):
        now = NOON + datetime.timedelta(seconds=second)
        standing = check_results.judge(standing, None if succeeded else "status 500", HEALTH, now=now)
    return standing


@pytest.mark.parametrize(
    ("results", "is_well"),
    [
        ((), None),
        ((True,), True),
        ((False,), False),
        ((True, False, False), True),
        ((True, False, False, False), False),
        ((True, False, False, True, False, False), True),
        ((False, True), False),
        ((False, True, True), True),
        ((False, True, False, True), False),
    ],
)
def test_checks_in_a_row_decide(results: tuple[bool, ...], is_well: bool | None) -> None:
    assert after(*results).is_well is is_well


def test_reason_and_since() -> None:
    out = after(True, False, False, False, False)
    assert (out.reason, out.since) == ("status 500", NOON + datetime.timedelta(seconds=3))
    assert after(False, True, True) == check_results.CheckStreak(is_well=True)


@pytest.mark.parametrize(
    ("known", "used"),
    [
        ({}, "abc"),
        ({"a": True}, "a"),
        ({"a": False}, "bc"),
        ({"a": True, "b": True, "c": False}, "ab"),
        ({"a": False, "b": False, "c": False}, ""),
    ],
)
def test_who_is_used(known: dict[str, bool], used: str) -> None:
    found = check_results.choose("abc", lambda name: check_results.CheckStreak(is_well=known.get(name)))
    assert "".join(found) == used
