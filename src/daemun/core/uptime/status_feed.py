"""The public status page for programs: JSON, and incidents as an Atom feed (RFC 4287). Pure."""

import datetime
import json
import typing
import xml.sax.saxutils

from daemun.core.render import status_page_locations
from daemun.core.texts import durations
from daemun.core.uptime import status_report, status_words, uptime_sums

Json = dict[str, typing.Any]
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_PRINTED = {
    '"': "&quot;",
}


def as_json(report: status_report.StatusReport) -> str:
    found: Json = {
        "title": report.title,
        "as_of": durations.instant(report.made),
        "state": report.condition.value,
        "notice": report.notice,
        "days": report.days,
        "groups": [{"title": group.title, "sites": [_site(one) for one in group.sites]} for group in report.groups],
        "incidents": [
            {
                "name": one.name,
                "state": one.condition.value,
                "from": durations.instant(one.began),
                "to": None if one.ended is None else durations.instant(one.ended),
            }
            for one in report.incidents
        ],
    }
    return json.dumps(found, ensure_ascii=True, separators=(",", ":"))


def _site(one: status_report.ReportedSite) -> Json:
    return {
        "name": one.name,
        "state": one.condition.value,
        "uptime_percent": one.percent,
        "maintenance_until": None if one.until is None else durations.instant(one.until),
        "from_day": one.days[0].day.isoformat(),
        "bars": "".join(uptime_sums.BARS[day] for day in one.conditions),
    }


def as_atom(report: status_report.StatusReport, words: status_words.StatusWords) -> str:
    updated = max((one.ended or one.began for one in report.incidents), default=_EPOCH)
    base = f"https://{report.host}"
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{words.language}">',
        f"<title>{_text(report.title or words.title)}</title>",
        f"<id>{_text(base)}/</id>",
        f"<updated>{durations.instant(updated)}</updated>",
        f'<link rel="self" href="{_text(base + status_page_locations.FEED)}"/>',
        f'<link href="{_text(base)}/"/>',
        f"<author><name>{_text(report.title or report.host)}</name></author>",
    ]
    for one in report.incidents:
        began = words.show_moment(one.began.astimezone(report.made.tzinfo))
        when = words.goes_on.format(began)
        if one.ended is not None:
            when = words.went_on.format(began, words.show_span((one.ended - one.began).total_seconds()))
        lines += [
            "<entry>",
            f"<title>{_text(f'{one.name}: {words.now[one.condition]}')}</title>",
            f"<id>tag:{_text(report.host)},{one.began:%Y-%m-%d}:incident/{one.number}</id>",
            f"<published>{durations.instant(one.began)}</published>",
            f"<updated>{durations.instant(one.ended or one.began)}</updated>",
            f'<link href="{_text(base)}/"/>',
            f"<content>{_text(f'{words.happened[one.condition]} {when}')}</content>",
            "</entry>",
        ]
    return "\n".join([*lines, "</feed>", ""])


def _text(text: str) -> str:
    """Also in an attribute. XML has no place for control characters (w3.org/TR/xml, section 2.2)."""
    return xml.sax.saxutils.escape("".join(one if one.isprintable() else " " for one in text), _PRINTED)
