"""A5: what nginx logs of a route's servers, and what follows from it."""

import datetime

import pytest

from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_rules
from daemun.core.served import served_judgement, upstream_errors
from daemun.core.texts import names
from daemun.probing import observations
from tests.support.sites import site

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
LASTING = "upstream sent too big header while reading response header from upstream"
OTHER_LASTING = "upstream SSL certificate verify error: (18:self-signed certificate) while SSL handshaking to upstream"
PASSING = "connect() failed (111: Connection refused) while connecting to upstream"
SITE = site("a.test", "http://127.0.0.1:9000")


def _line(words: str) -> upstream_errors.UpstreamErrorLine:
    upstream = names.upstream_name("a.test", "/")
    found = upstream_errors.read_line(
        f"2026/03/01 12:00:00 [error] 7#7: *5 {words}, client: 127.0.0.1, server: a.test, "
        f'request: "GET / HTTP/1.1", upstream: "http://{upstream}/", host: "a.test"'
    )
    assert found is not None
    return found


def _judge(*errors: tuple[int, str], at: int) -> tuple[model.SiteStatus, alert_ledger.AlertLedger]:
    """errors: minutes from the start, and nginx's words. at: the minute of the look."""
    known = observations.Looks(lambda _: ())
    known.put(SITE)
    for minute, words in errors:
        known.note_error(_line(words), NOW + minute * MINUTE, left_out=False)
    now = NOW + at * MINUTE
    status = served_judgement.judge(
        model.SiteStatus(site=SITE, state=model.SiteState.LIVE), known.look("a.test"), None, now
    )
    troubles = (status,) if status.state in served_judgement.STATES else ()
    return status, alert_rules.judge_dangers(alert_ledger.AlertLedger(), (), now, troubles)


@pytest.mark.parametrize(
    "errors",
    [
        [(minute, LASTING) for minute in range(7)],
        [(0, LASTING), (4, LASTING), (6, LASTING)],
        [(minute, (LASTING, OTHER_LASTING)[minute % 2]) for minute in range(7)],
    ],
    ids=["each minute", "now and then", "one cause after the other"],
)
def test_errors_that_go_on_raise_an_alarm(errors: list[tuple[int, str]]) -> None:
    status, found = _judge(*errors, at=6)
    assert status.state is model.SiteState.DEGRADED
    assert status.since == NOW
    assert [(alert.danger, alert.host) for alert in found.alerts] == [(alert_ledger.Danger.UNSERVED, "a.test")]


@pytest.mark.parametrize(
    ("errors", "since"),
    [
        ([(6, LASTING)], 6),
        ([(0, LASTING), (5, LASTING), (6, LASTING)], 5),
        ([(0, LASTING), (2, PASSING), (6, LASTING)], 6),
        ([(0, PASSING), (3, PASSING), (6, LASTING)], 6),
    ],
    ids=["one alone", "after a pause", "after another trouble", "after what passed"],
)
def test_errors_that_began_just_now_raise_none(errors: list[tuple[int, str]], since: int) -> None:
    status, found = _judge(*errors, at=6)
    assert status.state is model.SiteState.DEGRADED
    assert status.since == NOW + since * MINUTE
    assert found.alerts == ()


def test_one_error_is_forgotten_before_it_raises_an_alarm() -> None:
    status, found = _judge((0, LASTING), at=5)
    assert status.state is model.SiteState.LIVE
    assert found.alerts == ()
