"""Every component of the dashboard's pages on one page, rendered by Jinja alone, and served as the dashboard does."""

import datetime
import json
import math
import pathlib
import secrets
import typing

import jinja2
import starlette.applications
import starlette.requests
import starlette.responses
import starlette.routing
import starlette.staticfiles

from daemun.dashboard import completion, form_body, list_view, page_environment, page_frame, page_texts

HOSTILE = "<img src=x onerror=alert(1)>'\"`{{7*7}}</script>\u202e"
FILE = f"""\
# The sites of this machine. {HOSTILE}
sites:
  wiki.test: localhost
  chat.test:
    routes:
      /: http://127.0.0.1:3000
{"# More than a screen shows." + chr(10) * 60}"""
NOW = datetime.datetime(2026, 11, 30, 9, 10, 11, tzinfo=datetime.UTC)
_SCHEMA = pathlib.Path(__file__).parents[3] / "docs/daemun.schema.json"
TEMPLATE = pathlib.Path(__file__).with_name("gallery.html")
_STATIC = pathlib.Path(page_environment.__file__).with_name("static")


def environment() -> jinja2.Environment:
    found = page_environment.make().overlay()  # the other is of all pages of this process
    assert found.loader is not None
    found.loader = jinja2.ChoiceLoader([found.loader, jinja2.FileSystemLoader(pathlib.Path(__file__).parent)])
    return found


def render(language: str = "en", nonce: str = "n0nce", **changes: typing.Any) -> str:
    """The page. changes: of the frame."""
    page = _frame(language, nonce, changes)
    return page_environment.render(environment(), TEMPLATE.name, page, now=NOW, **_values(page_texts.Texts(language)))


def render_editor(language: str = "en", nonce: str = "n0nce") -> str:
    """The page with the editor of daemun.yaml."""
    page = _frame(language, nonce, {"messages": ()})
    problems = [{"severity": "error", "message": f"target: {HOSTILE}", "line": 3, "column": 14}]
    return page_environment.render(environment(), "editor_page.html", page, now=NOW, text=FILE, problems=problems)


def _frame(language: str, nonce: str, changes: dict[str, typing.Any]) -> page_frame.Frame:
    frame: dict[str, typing.Any] = {
        "language": language,
        "nonce": nonce,
        "path": "/gallery?a=1",
        "entry": "sites",
        "viewer": page_frame.Viewer(name=HOSTILE, role="own"),
        "state": page_frame.State.BAD,
        "needs_you": 2,
        "as_of": NOW - datetime.timedelta(seconds=2),
        "command": "daemun status wiki.example.com --json",
        "messages": (
            page_frame.Message(
                tone=page_frame.Tone.DONE, text="wiki.example.com is live", link="/history/12", link_text="12"
            ),
            page_frame.Message(tone=page_frame.Tone.WARNING, text=HOSTILE),
            page_frame.Message(tone=page_frame.Tone.FAILED, text="nginx refused it", details=f"{HOSTILE}\nline 2"),
        ),
    }
    return page_frame.Frame(**(frame | changes))


def _values(texts: page_texts.Texts) -> dict[str, typing.Any]:
    times = [int(NOW.timestamp()) - 300 * (288 - step) for step in range(288)]
    wave: list[float | None] = [20 + 15 * math.sin(step / 20) + (step * 7919 % 13) / 3 for step in range(288)]
    gap = [*wave[:100], *([None] * 20), *wave[120:]]
    columns = (
        list_view.Column(key="host", label=texts("base.sites")),
        list_view.Column(key="state", label="Settings"),
        list_view.Column(key="certificate", label="Certificate"),
        list_view.Column(key="traffic", label="Traffic", sortable=False),
        list_view.Column(key="requests", label="Requests", number=True),
        list_view.Column(key="p95", label="p95", number=True),
        list_view.Column(key="changed", label="Last change"),
    )
    query = {"q": HOSTILE, "state": "bad", "sort": "-requests", "page": "2"}
    listed = list_view.read_list("/sites", query, sorts=[one.key for one in columns], filters=("q", "state"))
    hosts = (
        "wiki.example.com",
        "a-very-long-name-of-a-site-that-somebody-chose.internal.example.com",
        HOSTILE,
        "chat.test",
    )
    return {
        "earlier": NOW - datetime.timedelta(minutes=4),
        "later": NOW + datetime.timedelta(days=12),
        "hostile": HOSTILE,
        "times": times,
        "series": [
            {"label": "requests", "values": gap},
            {"label": HOSTILE, "values": [value and value / 2 for value in gap]},
            {"label": "5xx", "values": [0 if value is None else value / 40 for value in gap], "colour": "bad"},
        ],
        "days": [
            ("bad" if step == 40 else "warning" if step == 70 else "unknown" if step < 9 else "good", f"day {step}")
            for step in range(90)
        ],
        "columns": columns,
        "list": listed.with_total(4321),
        "sites": [
            {
                "host": host,
                "state": state,
                "values": gap[step * 30 :][:60],
                "requests": 10 ** (step * 2 + 1),
                "p95": 0.01 * 9**step,
            }
            for step, (host, state) in enumerate(zip(hosts, ("good", "warning", "bad", "unknown"), strict=True))
        ],
    }


def app() -> starlette.applications.Starlette:
    """/?language=ko: the page; /part/N: what htmx exchanges; /events: server-sent ones."""

    def page(request: starlette.requests.Request) -> starlette.responses.Response:
        nonce, headers = _nonce()
        return starlette.responses.HTMLResponse(
            render(request.query_params.get("language", "en"), nonce), headers=headers
        )

    def part(request: starlette.requests.Request) -> starlette.responses.Response:
        nonce, headers = _nonce()
        number = int(request.path_params["number"])
        return starlette.responses.HTMLResponse(
            _PART.format(number=number, next=number + 1, nonce=nonce), headers=headers
        )

    def events(request: starlette.requests.Request) -> starlette.responses.Response:
        lines = "".join(f"id: {number}\ndata: event {number}\n\n" for number in (1, 2))
        return starlette.responses.Response(lines, media_type="text/event-stream")

    def editor(request: starlette.requests.Request) -> starlette.responses.Response:
        nonce, headers = _nonce(styles=True)
        html = render_editor(request.query_params.get("language", "en"), nonce)
        return starlette.responses.HTMLResponse(html, headers=headers)

    async def check(request: starlette.requests.Request) -> starlette.responses.Response:
        text = (await form_body.read_form(request))["text"]
        found = [number for number, line in enumerate(text.splitlines(), start=1) if "wrong" in line]
        problems = [{"severity": "warning", "message": f"line {line} is wrong", "line": line} for line in found]
        return starlette.responses.JSONResponse({"problems": problems})

    def schema(request: starlette.requests.Request) -> starlette.responses.Response:
        return starlette.responses.JSONResponse(completion.reduce_schema(json.loads(_SCHEMA.read_text())))

    static = starlette.staticfiles.StaticFiles(directory=_STATIC)
    routes = [
        starlette.routing.Route("/", page),
        starlette.routing.Route("/part/{number:int}", part),
        starlette.routing.Route("/events", events),
        starlette.routing.Route("/editor", editor),
        starlette.routing.Route("/check", check, methods=["POST"]),
        starlette.routing.Route("/schema", schema),
        starlette.routing.Mount(page_environment.STATIC, static),
    ]
    return starlette.applications.Starlette(routes=routes)


_PART = """\
<span id="loaded">part {number}</span>
<button id="again" type="button" hx-get="/part/{next}" hx-target="#loaded" hx-swap="outerHTML"
  hx-nonce="{nonce}">Again</button>
<span id="live-part" hx-get="/events" hx-trigger="load" hx-nonce="{nonce}"></span>
<a hx-swap-oob="true" id="overall" class="overall" href="/#needs-you" data-state="good">All is well</a>
"""


def _nonce(*, styles: bool = False) -> tuple[str, dict[str, str]]:
    nonce = secrets.token_urlsafe(16)
    return nonce, {"Content-Security-Policy": page_frame.content_security_policy(nonce, styles=styles)}
