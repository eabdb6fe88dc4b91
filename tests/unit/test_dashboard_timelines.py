"""Where things stand in pictures of what comes."""

import datetime

from daemun.dashboard import timelines

DAY = datetime.date(2026, 11, 30)
NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
KINDS = ("end", "renew")


def day(number: int) -> datetime.date:
    return DAY + datetime.timedelta(days=number)


def test_days_are_bars_with_the_most_important_kind() -> None:
    events = [(day(0), "renew", 1), (day(3), "renew", 4), (day(3), "end", 1), (day(99), "end", 1)]
    found = [bar for bar in timelines.draw_days(DAY, 30, events, KINDS) if bar.count]
    assert [(bar.day, bar.count, bar.kind) for bar in found] == [(day(0), 1, "renew"), (day(3), 5, "end")]
    assert found[0].height < found[1].height
    assert all(bar.x + bar.width <= timelines.WIDTH and bar.y >= 0 for bar in found)


def test_a_few_dates_are_written_below() -> None:
    labels = [bar.label for bar in timelines.draw_days(DAY, 31, [], KINDS) if bar.label]
    assert labels[0] == "11-30"
    assert 4 <= len(labels) <= 6
    assert timelines.draw_days(DAY, 0, [], KINDS) == ()


def test_a_line_has_its_marks_in_order_within_the_picture() -> None:
    moments = ["2026-11-01T00:00:00Z", None, "2026-11-30T13:00:00Z", "2027-02-01T00:00:00Z"]
    marks, now = timelines.draw_line(moments, NOON)
    assert [(mark.number, mark.is_past) for mark in marks] == [(1, True), (2, True), (3, False), (4, False)]
    assert marks[0].x == 15 and marks[-1].x == timelines.WIDTH - 15
    assert marks[1].x == now
    assert marks[1].y != marks[2].y, "an hour apart they would stand upon each other"


def test_a_line_of_nothing_and_of_one_moment() -> None:
    assert timelines.draw_line([], NOON) == ((), timelines.WIDTH / 2)
    marks, now = timelines.draw_line([None], NOON)
    assert (len(marks), marks[0].x) == (1, now)
    assert timelines.draw_line(["no time"], NOON)[0][0].x == now
