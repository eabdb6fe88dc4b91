"""The public status page as HTML: readable without a script, and without a style. Pure.

Names and titles are the owner's or a container's: all of them are escaped. No inline style and no inline script: the
page's Content-Security-Policy has neither.
"""

import collections.abc
import datetime
import html

from daemun.core.render import status_page_locations
from daemun.core.uptime import status_report, status_words, uptime_sums
from daemun.core.uptime.site_condition import Condition

LAMPS = {
    Condition.UP: "●",
    Condition.DEGRADED: "◐",
    Condition.DOWN: "▲",
    Condition.MAINTENANCE: "◆",
    Condition.UNWATCHED: "○",
}
"""A shape of its own for each: colour alone says nothing to many."""
_CLASSES = {
    Condition.UP: "up",
    Condition.DEGRADED: "degraded",
    Condition.DOWN: "down",
    Condition.MAINTENANCE: "maintenance",
    Condition.UNWATCHED: "unwatched",
}
_TOPS = {
    Condition.UP: 0,
    Condition.DEGRADED: 8,
    Condition.DOWN: 14,
    Condition.MAINTENANCE: 20,
    Condition.UNWATCHED: 26,
}
"""A bar is as high as the day was good."""
_HEIGHT, _STEP = 30, 4
_PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{headline} - {title}</title>
<link rel="stylesheet" href="{style}">
<link rel="alternate" type="application/atom+xml" href="{feed}" title="{title}">
<script src="{script}" defer></script>
</head>
<body>
<header>
<h1>{title}</h1>
<a href="{other_path}" lang="{other_language}" hreflang="{other_language}">{other}</a>
</header>
<main>
<p class="all {kind}"><span aria-hidden="true">{lamp}</span> {headline}</p>
<p id="made" data-made="{stamp}"><time datetime="{stamp}">{as_of}</time></p>
<p id="late" role="status" hidden>{late}</p>
{notice}{groups}<section>
<h2>{incidents_title}</h2>
{incidents}</section>
</main>
<footer>
<p>{renewed}</p>
<p><a href="{feed}">{feed_word}</a> <a href="{data}">{data_word}</a></p>
</footer>
</body>
</html>
"""


def render(report: status_report.StatusReport, words: status_words.StatusWords) -> str:
    made = report.made
    kind = report.condition
    return _PAGE.format(
        language=words.language,
        title=_text(report.title or words.title),
        headline=_text(_headline(report, words)),
        kind=_CLASSES[kind],
        lamp=LAMPS[kind],
        style=status_page_locations.STYLE,
        script=status_page_locations.SCRIPT,
        feed=status_page_locations.FEED,
        data=status_page_locations.DATA,
        other=words.other,
        other_language=words.other_language,
        other_path=status_page_locations.PAGES[words.other_language],
        stamp=made.isoformat(timespec="seconds"),
        as_of=_text(words.as_of.format(f"{words.show_moment(made)} ({_zone(made)})")),
        late=_text(words.late),
        notice="" if report.notice is None else f'<p class="notice">{_text(report.notice)}</p>\n',
        groups="".join(_group(group, report, words) for group in report.groups),
        incidents_title=_text(words.incidents),
        incidents=_incidents(report, words),
        renewed=_text(words.renewed),
        feed_word=_text(words.feed),
        data_word=_text(words.data),
    )


def _text(text: str) -> str:
    """Also in an attribute. What does not show, and what turns the direction of a text, is left out."""
    return html.escape("".join(one if one.isprintable() else " " for one in text))


def _headline(report: status_report.StatusReport, words: status_words.StatusWords) -> str:
    templates = {
        Condition.DOWN: words.some_down,
        Condition.DEGRADED: words.some_degraded,
        Condition.MAINTENANCE: words.some_maintained,
    }
    condition = report.condition
    if condition in templates:
        names = report.names(condition)
        shown = ", ".join(names[:3]) + (f" (+{len(names) - 3})" if len(names) > 3 else "")
        return templates[condition].format(shown)
    return words.all_up if condition is Condition.UP else words.unknown


def _zone(made: datetime.datetime) -> str:
    offset = made.strftime("%z")
    return "UTC" if offset in {"", "+0000"} else f"UTC{offset[:3]}:{offset[3:5]}"


def _group(
    group: status_report.ReportedGroup, report: status_report.StatusReport, words: status_words.StatusWords
) -> str:
    title = _text(group.title or words.services)
    sites = "".join(_site(one, report, words) for one in group.sites)
    return f"<section>\n<h2>{title}</h2>\n<ul>\n{sites}</ul>\n</section>\n"


def _site(site: status_report.ReportedSite, report: status_report.StatusReport, words: status_words.StatusWords) -> str:
    kind = _CLASSES[site.condition]
    until = "" if site.until is None else f" {words.until.format(_moment(site.until, report, words))}"
    percent = "" if site.percent is None else f'<p class="percent">{_text(_percent(site, report, words))}</p>\n'
    return (
        f'<li>\n<h3>{_text(site.name)}</h3>\n<p class="now {kind}"><span aria-hidden="true">{LAMPS[site.condition]}'
        f"</span> {_text(words.now[site.condition] + until)}</p>\n"
        f"{percent}{draw(site.conditions, _label(site, report, words))}\n"
        f'<p class="ends" aria-hidden="true"><span>{_text(words.first_day.format(report.days - 1))}</span> '
        f"<span>{_text(words.today)}</span></p>\n</li>\n"
    )


def _label(
    site: status_report.ReportedSite, report: status_report.StatusReport, words: status_words.StatusWords
) -> str:
    """What the bars show, for who cannot see them."""
    days = zip(site.days, site.conditions, strict=True)
    bad = [words.day.format(one.day) for one, condition in days if condition is Condition.DOWN]
    shown = words.now[Condition.UNWATCHED] if site.percent is None else _percent(site, report, words)
    return f"{shown}; {words.bad_days.format(', '.join(bad))}" if bad else shown


def _percent(
    site: status_report.ReportedSite, report: status_report.StatusReport, words: status_words.StatusWords
) -> str:
    return words.percent.format(uptime_sums.show_percent(site.percent).replace(" ", words.before_sign), report.days)


def draw(days: collections.abc.Sequence[Condition], label: str) -> str:
    """A bar for each day, all of a kind as one line of an SVG."""
    width = _STEP * len(days)
    lines = []
    for condition, kind in _CLASSES.items():
        places = [index for index, one in enumerate(days) if one is condition]
        if places:
            top = _TOPS[condition]
            path = "".join(f"M{index * _STEP + _STEP // 2} {top}V{_HEIGHT}" for index in places)
            lines.append(f'<path class="{kind}" d="{path}"/>')
    return (
        f'<svg role="img" viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" aria-label="{_text(label)}">'
        f"{''.join(lines)}</svg>"
    )


def _incidents(report: status_report.StatusReport, words: status_words.StatusWords) -> str:
    if not report.incidents:
        return f"<p>{_text(words.none)}</p>\n"
    rows = []
    for one in report.incidents:
        began = _moment(one.began, report, words)
        when = (
            words.goes_on.format(began)
            if one.ended is None
            else words.went_on.format(began, words.show_span((one.ended - one.began).total_seconds()))
        )
        kind = _CLASSES[one.condition]
        what = words.now[one.condition] if one.ended is None else words.happened[one.condition]
        lamp = f'<span aria-hidden="true">{LAMPS[one.condition]}</span>'
        rows.append(
            f'<li>\n<h3>{_text(one.name)}</h3>\n<p class="{kind}">{lamp} {_text(what)}</p>\n'
            f'<p><time datetime="{one.began.isoformat(timespec="seconds")}">{_text(when)}</time></p>\n</li>\n'
        )
    return f"<ol>\n{''.join(rows)}</ol>\n"


def _moment(at: datetime.datetime, report: status_report.StatusReport, words: status_words.StatusWords) -> str:
    return words.show_moment(at.astimezone(report.made.tzinfo))
