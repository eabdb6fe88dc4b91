"""Certificates: trouble first, what comes as a timeline, and a renewal."""

import datetime
import typing

from starlette import responses, routing

from daemun.dashboard import api_client, figures, list_view, page_commands, page_frame, pages_app, timelines, visit

Json = dict[str, typing.Any]

LIST = "/certificates"
DAYS = (30, 90, 365)
_KINDS = ("end", "retry", "issue", "renew")
"""Of a forecast, the most important first."""
_MOST_TROUBLES = 20
_MOST_SHOWN = 100
"""Entries of a forecast in words: the picture has all."""


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(LIST, show_list),
        pages.page(f"{LIST}/{{host}}", show_one),
        pages.page(f"{LIST}/{{host}}/renew", renew, method="POST"),
    ]


async def show_list(one: visit.Visit) -> responses.Response:
    listed = list_view.read_list(LIST, one.request.query_params, sorts=(), filters=("q", "lamp", "days"))
    wanted, lamp, days = one.query("q")[:200], one.query("lamp")[:20], read_days(one.query("days"))
    found = await one.get("certificates", page=listed.page, size=listed.size, q=wanted, lamp=lamp)
    is_first = listed.page == 1 and not wanted and not lamp
    rows = found["rows"] if is_first else (await one.get("certificates", size=_MOST_TROUBLES))["rows"]
    troubles = [row for row in rows if row["lamp"] != "good"][:_MOST_TROUBLES]
    columns = tuple(
        list_view.Column(key=key, label=one.text(f"certificates.{key}"), sortable=False)
        for key in ("host", "state", "issuer", "left", "next")
    )
    forecast = await one.get("certificates", "forecast", days=days) if is_first else None
    return one.render(
        "certificates.html",
        entry="certificates",
        command=page_commands.of_certificates(text=wanted, lamp=lamp, days=None if days == DAYS[0] else days),
        list=listed.with_total(found["total"]),
        columns=columns,
        rows=found["rows"],
        lamps=found["lamps"],
        troubles=troubles if is_first else [],
        forecast=None if forecast is None else arrange(forecast, days),
        days=days,
        q=wanted,
        lamp=lamp,
    )


async def show_one(one: visit.Visit) -> responses.Response:
    host = one.part("host")
    try:
        rows = (await one.get("certificates", host))["certificates"]
    except api_client.ApiError as error:
        if error.status != 404:
            raise
        rows = []
    now = datetime.datetime.now(datetime.UTC)
    return one.render(
        "certificate.html",
        status=200 if rows else 404,
        entry="certificates",
        command=page_commands.write("certs", "show", host) if rows else page_commands.write("certs"),
        host=host,
        rows=rows,
        drawn=[timelines.draw_line([step["at"] for step in row["story"]], now) for row in rows],
    )


async def renew(one: visit.Visit) -> responses.Response:
    host = one.part("host")
    try:
        await one.send("POST", "certificates", host, "renew", body={"force": await one.field("force") == "true"})
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        text = one.text("certificates.renew_failed", reason=error.message)
        message = page_frame.Message(tone=page_frame.Tone.FAILED, text=text)
    else:
        message = page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("certificates.renew_done"))
    return one.go_to(api_client.join("certificates", host), message)


def read_days(text: str) -> int:
    return next((days for days in DAYS if text == str(days)), DAYS[0])


def arrange(found: Json, days: int) -> Json:
    """A forecast of the API as its page shows it: bars for days, the next entries in words. Pure."""
    first = _day_of(found["from"])
    kinds: dict[datetime.date, str] = {}
    for entry in found["entries"]:
        day = _day_of(entry["at"])
        kinds[day] = min(kinds.get(day, entry["what"]), entry["what"], key=_KINDS.index)
    counted = [(datetime.date.fromisoformat(day["day"]), day["count"]) for day in found["days"]]
    events = [(day, kinds.get(day, "renew"), count) for day, count in counted]
    shown = found["entries"][:_MOST_SHOWN]
    count = sum(number for _, number in counted)
    return {
        "count": count,
        "bars": timelines.draw_days(first, days + 1, events, _KINDS),
        "entries": shown,
        "more": count - len(shown),
        "until": _day_of(found["until"]),
        "unrenewed": found["unrenewed"][:_MOST_SHOWN],
    }


def _day_of(text: str) -> datetime.date:
    at = figures.moment(text)
    assert at is not None  # the API writes it
    return at.astimezone(datetime.UTC).date()
