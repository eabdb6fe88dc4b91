"""When a certificate is renewed by its CA's word, and when the CA is asked again."""

import dataclasses
import datetime

import hypothesis
import pytest
from hypothesis import strategies

from daemun.certs.acme import renewal_info
from daemun.core.issuance import renewal_advice, renewal_time

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
MINUTE, HOUR, DAY = datetime.timedelta(minutes=1), datetime.timedelta(hours=1), datetime.timedelta(days=1)
END = NOW + 90 * DAY
WINDOW = renewal_advice.Window(start=NOW + 60 * DAY, end=NOW + 62 * DAY)


def told(
    window: renewal_advice.Window | None, before: renewal_advice.RenewalAdvice | None = None, at: float = 0.25
) -> renewal_advice.RenewalAdvice:
    return renewal_advice.update(before, "1", window, now=NOW, poll_s=None, at=at)


def test_a_moment_in_the_window_is_chosen_and_stays_while_the_window_does() -> None:
    first = told(WINDOW)
    assert first.chosen == NOW + 60.5 * DAY
    assert told(dataclasses.replace(WINDOW, explanation_url="https://ca.test"), first, at=0.9).chosen == first.chosen
    moved = renewal_advice.Window(start=NOW - DAY, end=NOW - HOUR)
    assert told(moved, first, at=0.5).chosen == NOW - 12.5 * HOUR
    assert told(None, first).chosen is None


def test_no_word_of_a_ca_puts_renewal_off_too_long() -> None:
    late = told(renewal_advice.Window(start=END - 2 * HOUR, end=END - HOUR))
    assert renewal_advice.renew_at(late, NOW, END) == renewal_time.last_moment(NOW, END) == END - 15 * DAY
    assert renewal_time.last_moment(NOW, NOW + 6 * DAY) == NOW + 4.5 * DAY


def test_without_advice_renewal_is_as_usual() -> None:
    assert renewal_advice.renew_at(None, NOW, END) == renewal_advice.renew_at(told(None), NOW, END) == NOW + 60 * DAY


def test_a_ca_that_wants_each_new_one_renewed_at_once_is_asked_once_a_day() -> None:
    past = renewal_advice.Window(start=NOW - 2 * DAY, end=NOW - DAY)
    first = renewal_advice.update(None, "1", past, now=NOW, poll_s=None, at=0.5)
    second = renewal_advice.update(first, "2", past, now=NOW, poll_s=None, at=0.5)
    assert first.chosen == NOW - 1.5 * DAY
    assert second.chosen == NOW + DAY
    assert renewal_advice.update(second, "2", past, now=NOW + HOUR, poll_s=None, at=0.5).chosen == second.chosen


@pytest.mark.parametrize(
    ("poll_s", "wait"), [(None, 6 * HOUR), (0, MINUTE), (-1, MINUTE), (7200, 2 * HOUR), (1e12, DAY)]
)
def test_asked_again_when_the_ca_wants_within_reason(poll_s: float | None, wait: datetime.timedelta) -> None:
    assert renewal_advice.update(None, "1", WINDOW, now=NOW, poll_s=poll_s, at=0).poll_at == NOW + wait
    assert renewal_advice.postpone(None, "1", now=NOW, poll_s=poll_s).poll_at == NOW + wait


def test_a_ca_that_cannot_be_asked_changes_nothing() -> None:
    first = told(WINDOW)
    later = renewal_advice.postpone(first, "1", now=NOW + DAY, poll_s=None)
    assert later == dataclasses.replace(first, poll_at=NOW + DAY + 6 * HOUR)
    assert renewal_advice.postpone(first, "2", now=NOW, poll_s=None).window is None, "it was of another certificate"


@hypothesis.given(start=strategies.integers(-100, 100), length=strategies.integers(1, 100), at=strategies.floats(0, 1))
def test_always_before_it_expires(start: int, length: int, at: float) -> None:
    window = renewal_advice.Window(start=NOW + start * DAY, end=NOW + (start + length) * DAY)
    assert renewal_advice.renew_at(told(window, at=at), NOW, END) <= END - 15 * DAY


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"suggestedWindow": None},
        {"suggestedWindow": {"start": "2026-05-01T00:00:00Z"}},
        {"suggestedWindow": {"start": "2026-05-01T00:00:00", "end": "2026-05-02T00:00:00"}},
        {"suggestedWindow": {"start": "2026-05-02T00:00:00Z", "end": "2026-05-01T00:00:00Z"}},
        {"suggestedWindow": {"start": 1, "end": 2}},
    ],
)
def test_answers_that_are_none(body: object) -> None:
    with pytest.raises(ValueError, match=r"window|moment|isoformat"):
        renewal_info.parse(body)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ca.test/why", "https://ca.test/why"),
        ("javascript:x", None),
        ("https://ca.test/\x1b[2J", None),
        (5, None),
    ],
)
def test_what_is_shown_of_the_explanation(url: object, shown: str | None) -> None:
    window = {"start": "2026-05-01T00:00:00.123456789Z", "end": "2026-05-02T00:00:00+02:00"}
    found = renewal_info.parse({"suggestedWindow": window, "explanationURL": url})
    assert found.explanation_url == shown
    assert found.end == datetime.datetime(2026, 5, 1, 22, tzinfo=datetime.UTC)
