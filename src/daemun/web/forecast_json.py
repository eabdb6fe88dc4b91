"""What becomes of certificates in the next days, as JSON values. Pure. Keys may be added, never renamed."""

import datetime
import typing

from daemun.core.certificates import renewal_forecast
from daemun.core.texts import durations
from daemun.web import json_values

Json = dict[str, typing.Any]


def forecast_json(found: renewal_forecast.Forecast, now: datetime.datetime, span: datetime.timedelta) -> Json:
    """The whole of GET /certs/forecast. `days` counts the entries of each day (in UTC) that has some."""
    return {
        "from": json_values.instant_json(now),
        "until": json_values.instant_json(now + span),
        "entries": [_coming_json(entry, now) for entry in found.entries],
        "days": [
            {"day": day.isoformat(), "count": len(entries)}
            for day, entries in renewal_forecast.group_by_day(found.entries).items()
        ],
        "unrenewed": [_coming_json(entry, now) for entry in found.unrenewed],
    }


def _coming_json(entry: renewal_forecast.ForecastEvent, now: datetime.datetime) -> Json:
    """`estimated`: of a certificate that will follow one that does not exist yet."""
    return {
        "at": json_values.instant_json(entry.at),
        "days": durations.count_days(entry.at - now),
        "what": entry.coming.value,
        "host": entry.status.host,
        "name": entry.status.name,
        "names": list(entry.status.names),
        "kind": entry.status.kind.value if entry.status.kind else None,
        "issuer": entry.status.issuer,
        "not_after": json_values.instant_json(entry.status.not_after),
        "estimated": entry.is_estimated,
    }
