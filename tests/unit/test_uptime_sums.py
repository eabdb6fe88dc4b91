"""What counts for the uptime of a site, and how its days are added up and drawn."""

import dataclasses
import datetime

import pytest

from daemun.cli import uptime_lines
from daemun.core import model
from daemun.core.options import catalogue, maintenance_option
from daemun.core.traffic import error_shares
from daemun.core.uptime import site_condition, uptime_sums, watch_account
from daemun.core.uptime.site_condition import Condition, SiteVerdict
from tests.support import standings

NOON = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC)
DAY = datetime.date(2026, 11, 30)
TODAY = DAY.toordinal()
SITE = model.Site(host="a.test", routes=())


def status(state: model.SiteState, *, reason: str | None = None, has_page: bool = False) -> model.SiteStatus:
    return model.SiteStatus(site=SITE, state=state, reason=reason, has_page=has_page)


def closed(until: datetime.datetime | None) -> model.SiteStatus:
    held = maintenance_option.Maintenance(until=until)
    site = dataclasses.replace(SITE, options=catalogue.values(maintenance_option.OPTION.set(held)))
    return model.SiteStatus(site=site, state=model.SiteState.LIVE)


def server(*, is_down: bool) -> model.ServerLook:
    trouble = model.Trouble.REFUSED if is_down else None
    return model.ServerLook(server="10.0.0.1:80", at=NOON, trouble=trouble, cause="refuses" if is_down else None)


def look(*routes: tuple[bool, ...]) -> model.SiteLook:
    """Of each route, whether its servers are down."""
    found = (
        model.RouteLook(path=f"/{index}", servers=tuple(server(is_down=one) for one in servers))
        for index, servers in enumerate(routes)
    )
    return model.SiteLook(routes=tuple(found))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (status(model.SiteState.LIVE), Condition.UP),
        (status(model.SiteState.QUARANTINED), Condition.UP),
        (status(model.SiteState.QUARANTINED, has_page=True), Condition.DOWN),
        (status(model.SiteState.PENDING), Condition.UNWATCHED),
        (closed(None), Condition.MAINTENANCE),
        (closed(NOON + datetime.timedelta(seconds=1)), Condition.MAINTENANCE),
        (closed(NOON), Condition.UP),
    ],
)
def test_what_the_configuration_alone_shows(given: model.SiteStatus, expected: Condition) -> None:
    found = site_condition.find_listed(given, NOON)
    assert found is not None
    assert found.condition is expected


def test_a_disabled_site_has_no_uptime() -> None:
    assert site_condition.find_listed(status(model.SiteState.DISABLED), NOON) is None


@pytest.mark.parametrize(
    ("state", "routes", "expected"),
    [
        (model.SiteState.UNREACHABLE, ((True,),), Condition.DOWN),
        (model.SiteState.WRONG_CERTIFICATE, ((False,),), Condition.DOWN),
        (model.SiteState.DEGRADED, ((True, False), (False,)), Condition.UP),
        (model.SiteState.DEGRADED, ((True, True), (False,)), Condition.DEGRADED),
        (model.SiteState.DEGRADED, ((False,),), Condition.DEGRADED),
    ],
)
def test_what_a_look_shows(state: model.SiteState, routes: tuple[tuple[bool, ...], ...], expected: Condition) -> None:
    found = site_condition.judge_trouble(status(state, reason="it\n refuses\x1b[0m"), look(*routes))
    assert found.condition is expected
    assert found.cause == (None if expected is Condition.UP else "it refuses [0m")


def test_errors_disturb_and_never_bring_down() -> None:
    share = error_shares.ErrorShare(requests=20, errors=20, status=503)
    found = site_condition.judge_errors(share)
    assert found == SiteVerdict(
        condition=Condition.DEGRADED, cause="20 of its last 20 requests (100 %) got a 5xx, most of them 503"
    )
    assert site_condition.judge_errors(dataclasses.replace(share, requests=19, errors=19)) is None
    assert site_condition.judge_errors(dataclasses.replace(share, requests=100, errors=24)) is None


@pytest.mark.parametrize(
    ("state", "left", "is_visible"),
    [
        (model.CertificateState.INVALID, standings.DAY, True),
        (model.CertificateState.INCOMPLETE, standings.DAY, True),
        (model.CertificateState.FAILING, standings.DAY, False),
        (model.CertificateState.FAILING, -standings.DAY, True),
        (model.CertificateState.VALID, standings.DAY, False),
    ],
)
def test_a_late_renewal_is_no_outage(
    state: model.CertificateState, left: datetime.timedelta, *, is_visible: bool
) -> None:
    one = standings.served(state=state, now=NOON, left=left, attempt=NOON, reason="it is so")
    assert site_condition.find_visible((one,), NOON) == ((one,) if is_visible else ())


def test_a_span_over_midnight_belongs_to_two_days() -> None:
    midnight = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    assert watch_account.split(midnight + datetime.timedelta(seconds=20), 60.0) == ((TODAY - 1, 40.0), (TODAY, 20.0))
    assert watch_account.split(NOON, 60.0) == ((TODAY, 60.0),)
    assert watch_account.split(midnight, 60.0) == ((TODAY - 1, 60.0),)
    assert watch_account.split(NOON, 0.0) == ()
    assert watch_account.split(datetime.datetime.min.replace(tzinfo=datetime.UTC), 60.0) == ((1, 0.0),)


def test_only_what_is_not_up_is_noted_by_site() -> None:
    account = watch_account.WatchAccount()
    account.add({"a.test": SiteVerdict(condition=Condition.DOWN)}, NOON, 60.0)
    account.add({"a.test": SiteVerdict(condition=Condition.DEGRADED)}, NOON, 30.0)
    account.add({}, NOON, 10.0)
    assert account.days == {TODAY: 100.0}
    assert account.parts == {(TODAY, "a.test"): watch_account.SiteSeconds(down=60.0, degraded=30.0)}


def day(watched_s: float, **seconds: float) -> uptime_sums.DayUptime:
    return uptime_sums.make_day(DAY, watched_s, **seconds)


@pytest.mark.parametrize(
    ("given", "percent", "shown", "condition"),
    [
        (day(watched_s=0.0), None, "-", Condition.UNWATCHED),
        (day(watched_s=86400.0), 100.0, "100 %", Condition.UP),
        (day(watched_s=86400.0, down_s=0.5), 99.99, "99.99 %", Condition.UP),
        (day(watched_s=86400.0, down_s=864.0), 99.0, "99.00 %", Condition.DOWN),
        (day(watched_s=86400.0, maintenance_s=43200.0, down_s=432.0), 99.0, "99.00 %", Condition.DOWN),
        (day(watched_s=86400.0, maintenance_s=86400.0), None, "-", Condition.MAINTENANCE),
        (day(watched_s=86400.0, degraded_s=90.0), 100.0, "100 %", Condition.DEGRADED),
        (day(watched_s=30.0, down_s=30.0), 0.0, "0.00 %", Condition.DOWN),
        (day(watched_s=10.0, down_s=30.0), 0.0, "0.00 %", Condition.DOWN),
    ],
)
def test_a_day(given: uptime_sums.DayUptime, percent: float | None, shown: str, condition: Condition) -> None:
    assert uptime_sums.percent_up(given) == percent
    assert uptime_sums.show_percent(percent) == shown
    assert given.condition is condition


def test_a_day_that_passed_twice_has_one_days_seconds() -> None:
    found = day(watched_s=172800.0, down_s=17280.0, degraded_s=8640.0)
    assert (found.watched_s, found.down_s, found.degraded_s) == (86400.0, 8640.0, 4320.0)


def test_bars_show_the_worst_of_their_days() -> None:
    up, down, unknown = day(watched_s=86400.0), day(watched_s=86400.0, down_s=999.0), day(watched_s=0.0)
    maintenance = day(watched_s=86400.0, maintenance_s=999.0)
    days = (unknown, unknown, up, down, maintenance, up, up)
    assert uptime_sums.draw_bars(days, 90) == "..|Xm||"
    assert uptime_sums.draw_bars(days, 4) == ".|X|"
    assert uptime_sums.draw_bars((up,) * 90, 30) == "|" * 30


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.2, "0"), (59.4, "59s"), (60, "1m"), (7500, "2h 5m"), (7200, "2h"), (86400 * 4 + 7300, "4d 2h"), (86400, "1d")],
)
def test_spans_as_words(seconds: float, expected: str) -> None:
    assert uptime_lines.span(seconds) == expected


def test_lines_fit_80_columns_and_the_worst_comes_first() -> None:
    good = uptime_sums.SiteUptime(site="good.test", condition=Condition.UP, days=(day(watched_s=86400.0),) * 90)
    bad = dataclasses.replace(good, site="bad.test", days=(day(watched_s=86400.0, down_s=864.0),) * 90)
    new = dataclasses.replace(good, site="new.test", days=(uptime_sums.DayUptime(day=DAY),) * 90)
    rows = uptime_lines.rows_of((good, new, bad))
    assert [row[0] for row in rows] == ["bad.test", "good.test", "new.test"]
    assert rows[0] == ("bad.test", "99.00 %", "21h 36m", "X" * 30)
    lines = list(uptime_lines.details_of(bad))
    assert lines[0] == "bad.test: 99.00 % up"
    assert max(map(len, lines)) <= uptime_lines.WIDTH
    assert lines[1].endswith("X" * 60)
    assert lines[2].endswith("X" * 30)
