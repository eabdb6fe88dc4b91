"""What the page of a site makes of the API's answers: the last day of a server, graphs, tables, and commands."""

import datetime
import typing

import pytest

from daemun.core.certificates import certificate_story
from daemun.core.dashboard import access_rules
from daemun.core.traffic import traffic_names, traffic_series
from daemun.dashboard import page_texts, site_values, site_view

NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC)
TEXTS = page_texts.Texts("en")


def _slots(*changes: tuple[float, str], since_h: float = 100) -> list[str]:
    """changes: so many hours ago, and what was found then."""
    made = [
        {"at": (NOW - datetime.timedelta(hours=hours)).isoformat(), "state": state, "cause": None}
        for hours, state in changes
    ]
    since = (NOW - datetime.timedelta(hours=since_h)).isoformat()
    return [state for state, _ in site_view.find_slots({"changes": made}, since, NOW, TEXTS)]


def test_a_server_that_was_always_well() -> None:
    assert _slots() == ["good"] * site_view.SLOTS


def test_what_was_before_somebody_looked_is_not_known() -> None:
    assert _slots(since_h=1) == ["unknown"] * 46 + ["good"] * 2


def test_a_whole_slot_is_bad_and_a_part_of_one_a_warning() -> None:
    found = _slots((2.25, "refused"), (0.75, "answers"))
    assert found[-6:] == ["good", "warning", "bad", "bad", "warning", "good"]


def test_trouble_that_began_before_the_day_goes_on() -> None:
    assert _slots((30, "refused")) == ["bad"] * site_view.SLOTS


def test_times_that_are_none_are_left_out() -> None:
    slots = site_view.find_slots({"changes": [{"at": "soon", "state": "refused", "cause": ""}]}, "", NOW, TEXTS)
    assert {state for state, _ in slots} == {"unknown"}


def _traffic(**columns: typing.Any) -> dict[str, typing.Any]:
    empty: dict[str, typing.Any] = {key: [0, 0] for key in (*traffic_series.COUNTED, *traffic_series.TIMED)}
    empty |= {key: [None, None] for key in traffic_series.TIMED}
    return {"begin": "2026-11-30T10:00:00Z", "step_s": 60, "count": 2, "columns": empty | columns}


def test_graphs_of_rates_and_of_what_there_is() -> None:
    found = site_view.find_graphs(_traffic(**{"2xx": [60, 120], "p50_s": [0.01, None]}), TEXTS)
    assert [one.id for one in found] == ["graph-requests", "graph-times", "graph-bytes"]
    assert found[0].series[0]["values"] == [1, 2]
    assert found[1].series[0]["values"] == [0.01, None]
    more = site_view.find_graphs(_traffic(cache_hit=[1, 0], retries=[0, 1]), TEXTS)
    assert [one.id for one in more][3:] == ["graph-cache", "graph-held"]
    refused = site_view.find_graphs(_traffic(refused=[60, 0]), TEXTS)[3]
    assert (refused.id, refused.series[0]["values"]) == ("graph-refused", [1, 0])


@pytest.mark.parametrize("language", ["en", "ko"])
def test_each_rule_that_refuses_has_words(language: str) -> None:
    rules = (*traffic_names.RULES, traffic_names.OTHER_RULE)
    counted = {"refused_by_rule": {rule: number for number, rule in enumerate(rules)}}
    found = site_view.find_refused(counted, page_texts.Texts(language))
    assert [count for _, count in found] == [*range(len(rules))][::-1]
    words = {word for word, _ in found}
    assert len(words) == len(rules)
    assert not words & set(rules)
    assert site_view.find_refused({"refused_by_rule": {"later": 1}}, TEXTS) == [("later", 1)]


def test_tables_have_sums_the_newest_first() -> None:
    traffic = _traffic(requests=[3, 4], bytes_out=[10, 20], **{"5xx": [0, 1]})
    assert [one["requests"] for one in site_view.find_rows(traffic)] == [4, 3]
    sums = site_view.sum_up(traffic)
    assert (sums["requests"], sums["errors"], sums["bytes_out"]) == (7, 1, 30)
    assert site_view.sum_up(_traffic())["error_share"] is None


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_rule_and_event_has_a_text(language: str) -> None:
    texts = page_texts.Texts(language)
    for kind in access_rules.WORDS:
        assert texts.has(f"site.rule_{kind}")
        rule = {"kind": kind, "values": ["{x}"], "more": 3, "text": "?"}
        assert site_view.rule_text(rule, texts) != "?"
    for kind in certificate_story.KINDS:
        assert texts.has(f"site.story_{kind}")
        event = {"kind": kind, "detail": "{x}", "count": 2, "text": "?"}
        assert site_view.event_text(event, texts) != "?"
    later = {"kind": "later", "values": [], "more": 0, "text": "of a newer daemon"}
    assert site_view.rule_text(later, texts) == "of a newer daemon"


@pytest.mark.parametrize(
    ("part", "host", "query", "command"),
    [
        ("overview", "a.test", {}, "daemun status a.test"),
        ("overview", "*.a.test", {}, "daemun status '*.a.test'"),
        ("traffic", "a.test", {"span": "30d"}, "daemun traffic a.test --since 30d"),
        ("traffic", "a.test", {"span": "$(reboot)"}, "daemun traffic a.test --since 24h"),
        (
            "log",
            "a.test",
            {"status": "4xx,5xx", "method": "POST"},
            "daemun logs a.test -f --status 4xx,5xx --method POST",
        ),
        ("log", "a.test", {"status": "5xx; reboot"}, "daemun logs a.test -f --status '5xx; reboot'"),
    ],
)
def test_commands_are_quoted(part: str, host: str, query: dict[str, str], command: str) -> None:
    assert site_values.command_of(part, host, query) == command


def test_a_subject_is_one_word_of_the_command() -> None:
    found = site_values.command_of("why", "a.test", {}, "https://a.test/'; reboot #")
    assert found == "daemun why 'https://a.test/'\"'\"'; reboot #'"
