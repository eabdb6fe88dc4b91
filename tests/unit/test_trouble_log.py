"""The log tells which servers do not answer, once, and not without end."""

import datetime

from structlog import testing

from daemun.core import model
from daemun.probing import trouble_log

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def _look(server: str, *, is_bad: bool) -> model.ServerLook:
    trouble = next(iter(model.Trouble)) if is_bad else None
    return model.ServerLook(server=server, at=NOW, trouble=trouble, cause=f"{server} refuses", cure="start it")


def test_once_and_when_it_is_over() -> None:
    log = trouble_log.TroubleLog(lambda: 0.0)
    with testing.capture_logs() as lines:
        for is_bad in (False, True, True, False):
            log.note(("a.test", "/", 0), [_look("x:1", is_bad=is_bad)])
        log.note(("a.test", "/api", 0), [_look("x:1", is_bad=True), _look("y:1", is_bad=False)])
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "a.test: x:1 refuses; start it"),
        ("info", "a.test: x:1 answers again"),
        ("warning", "a.test/api: x:1 refuses; start it"),
    ]


def test_ten_thousand_dead_sites_are_a_few_lines_and_gone_ones_none() -> None:
    now_s = 0.0
    log = trouble_log.TroubleLog(lambda: now_s)
    with testing.capture_logs() as lines:
        for number in range(10_000):
            log.note((f"{number}.test", "/", 0), [_look("x:1", is_bad=True)])
        assert len(lines) == trouble_log.LINES_A_MINUTE
        log.forget(lambda key: key[0] == "1.test")
        now_s = 61.0
        for number in range(3):
            log.note((f"{number}.test", "/", 0), [_look("x:1", is_bad=False)])
    assert lines[-2]["event"].startswith("9980 more servers")
    assert lines[-1]["event"] == "1.test: x:1 answers again"
