"""Under Settings: how long each site was up, what happened to one, and the public status page."""

import datetime
import typing

from starlette import responses, routing

from daemun.dashboard import list_view, page_commands, pages_app, visit

LIST, PAGE = "/settings/uptime", "/settings/status-page"
SPANS = (7, 30, 90)
_LAMPS = {"up": "good", "degraded": "warning", "down": "bad", "maintenance": "warning"}
_LETTERS = {"|": "up", "!": "degraded", "X": "down", "m": "maintenance"}

Json = dict[str, typing.Any]


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(LIST, show_list),
        pages.page(f"{LIST}/{{host}}", show_site),
        pages.page(PAGE, show_page),
    ]


async def show_list(one: visit.Visit) -> responses.Response:
    listed = list_view.read_list(LIST, one.request.query_params, sorts=(), filters=("q", "days"))
    wanted, days = one.query("q")[:200], _read_days(one, 30)
    found = await one.get("uptime", page=listed.page, size=listed.size, q=wanted, days=days)
    keys = ("site", "state", "percent", "down", "longest", "bars")
    return one.render(
        "uptime.html",
        entry="settings",
        command=page_commands.write("uptime", days=str(days), search=wanted.strip()),
        list=listed.with_total(found["total"]),
        columns=_columns(one, *keys, numbers=("percent", "down", "longest")),
        rows=[{**row, "lamp": lamp_of(row["state"]), "drawn": draw(one, row)} for row in found["rows"]],
        seen_at=found["seen_at"],
        spans=SPANS,
        days=days,
        q=wanted,
    )


async def show_site(one: visit.Visit) -> responses.Response:
    host, days = one.part("host"), _read_days(one, 90)
    found = await one.get("uptime", host, days=days)
    return one.render(
        "uptime_site.html",
        entry="settings",
        command=page_commands.write("uptime", found["site"], days=str(days)),
        one=found,
        lamp=lamp_of(found["state"]),
        drawn=draw(one, found),
        columns=_columns(one, "from", "lasted", "what", "cause"),
        incidents=[{**incident, "lamp": lamp_of(incident["state"])} for incident in found["incidents"][:100]],
        seen_at=found["seen_at"],
        spans=SPANS,
        days=days,
    )


async def show_page(one: visit.Visit) -> responses.Response:
    found = await one.get("status-page")
    return one.render(
        "status_page.html",
        entry="settings",
        command="daemun uptime",
        columns=_columns(one, "site", "shown_as", "group"),
        public=found["page"],
        address="" if found["page"] is None else one.url_of(found["page"]["host"]),
        made_at=found["made_at"],
        failure=found["failure"],
    )


def lamp_of(state: str) -> str:
    return _LAMPS.get(state, "unknown")


def draw(one: visit.Visit, row: Json) -> list[tuple[str, str]]:
    """A lamp and a text for each day."""
    try:
        first = datetime.date.fromisoformat(row["from_day"])
    except ValueError:
        return []
    days = []
    for number, letter in enumerate(row["bars"]):
        state = _LETTERS.get(letter, "unwatched")
        day = first + datetime.timedelta(days=number)
        days.append((lamp_of(state), f"{day.isoformat()}: {one.text(f'uptime.state_{state}')}"))
    return days


def _read_days(one: visit.Visit, default: int) -> int:
    text = one.query("days")
    return int(text) if text in {str(span) for span in SPANS} else default


def _columns(one: visit.Visit, *keys: str, numbers: tuple[str, ...] = ()) -> tuple[list_view.Column, ...]:
    return tuple(
        list_view.Column(key=key, label=one.text(f"uptime.{key}"), sortable=False, number=key in numbers)
        for key in keys
    )
