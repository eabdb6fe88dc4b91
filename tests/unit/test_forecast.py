"""The coming renewals."""

import datetime

from daemun.core.certificates import renewal_forecast
from daemun.core.certificates.renewal_forecast import ForecastKind
from daemun.core.model import CertificateKind as Kind
from daemun.core.model import CertificateState as State
from tests.support.standings import DAY, HOUR, NOW, failing, served


def events(found: renewal_forecast.Forecast) -> list[tuple[str, ForecastKind, datetime.timedelta]]:
    return [(entry.status.host, entry.coming, entry.at - NOW) for entry in found.entries]


def test_in_order_of_time() -> None:
    statuses = [
        served("later.test", left=50 * DAY),
        served("soon.test", left=40 * DAY),
        served("beyond.test", left=89 * DAY),
        served("overdue.test", left=29 * DAY),
        failing("failing.test", attempt=NOW + HOUR),
        served("new.test", kind=Kind.LOCAL, state=State.PENDING),
        served("local.test", kind=Kind.LOCAL, state=State.LOCAL, left=31 * DAY),
    ]
    assert events(renewal_forecast.make_forecast(statuses, NOW, 30 * DAY)) == [
        ("new.test", ForecastKind.ISSUE, 0 * DAY),
        ("overdue.test", ForecastKind.RENEW, 0 * DAY),
        ("failing.test", ForecastKind.RETRY, HOUR),
        ("local.test", ForecastKind.RENEW, DAY),
        ("soon.test", ForecastKind.RENEW, 10 * DAY),
        ("later.test", ForecastKind.RENEW, 20 * DAY),
    ]


def test_short_lives_are_renewed_again_and_again() -> None:
    found = renewal_forecast.make_forecast([served(life=6 * DAY, left=3 * DAY)], NOW, 10 * DAY)
    assert [(entry.at - NOW, entry.is_estimated) for entry in found.entries] == [
        (DAY, False),
        (5 * DAY, True),
        (9 * DAY, True),
    ]


def test_what_is_not_renewed_is_told_whenever_it_ends() -> None:
    own = served("own.test", kind=Kind.OWN, left=300 * DAY)
    found = renewal_forecast.make_forecast([own], NOW, 30 * DAY)
    assert found.entries == ()
    assert [(entry.coming, entry.at - NOW) for entry in found.unrenewed] == [(ForecastKind.END, 300 * DAY)]


def test_a_list_ends() -> None:
    minutes = served(life=datetime.timedelta(seconds=3), left=datetime.timedelta(seconds=2))
    assert len(renewal_forecast.make_forecast([minutes], NOW, 3650 * DAY).entries) == 500
