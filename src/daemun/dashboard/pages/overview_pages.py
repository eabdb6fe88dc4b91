"""/ and /sites: what needs a person, all sites at a glance, and the list of sites and streams; with what one request
does about a trouble."""

import collections.abc
import typing

from starlette import exceptions, responses, routing

from daemun.dashboard import api_client, figures, form_body, list_view, page_commands, page_frame, pages_app, visit

Json = typing.Any

_GLANCE = 12
_FILTERS = {"q": "find", "state": "state", "origin": "origin", "kind": "kind", "group": "by_domain"}
_STATES = (
    "trouble",
    "not-live",
    "live",
    "unreachable",
    "wrong certificate",
    "degraded",
    "held back",
    "pending",
    "waiting",
    "disabled",
    "maintenance",
)
_COLUMNS = (
    ("name", "name", False),
    ("worst", "state", False),
    ("servers", "servers", True),
    ("requests", "requests_per_s", True),
    ("p95", "p95", True),
    ("errors", "errors", True),
    ("bytes", "bytes", True),
    ("certificate", "renewal", False),
    ("changed", "changed", False),
)
"""What it is sorted by, its text, and whether it is a number."""
_GLANCE_COLUMNS = (
    ("name", "name", False),
    ("state", "state", False),
    ("lamps", "lamps", False),
    ("minutes", "traffic", False),
    ("requests", "requests_per_s", True),
    ("errors", "errors", True),
)
_FLEET_COLUMNS = (
    ("node", "fleet_node", False),
    ("state", "state", False),
    ("since", "fleet_since", False),
    ("version", "fleet_version", False),
    ("revision", "fleet_revision", True),
    ("problems", "fleet_problems", True),
    ("requests", "fleet_requests", True),
    ("failed", "fleet_failed", True),
)
_SWITCHES = ("maintenance_on", "maintenance_off", "enable", "disable")
_MOST_SELECTED = 500
"""Of one page; without a bound of their own are all that match the filter."""


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page("/", show_home),
        pages.page("/sites", show_sites),
        pages.page("/sites/selected", edit_selected, method="POST"),
        pages.page("/do/{action}", do, method="POST"),
    ]


async def show_home(one: visit.Visit) -> responses.Response:
    overview = await one.get("overview")
    sites = await one.get("sites", size=_GLANCE)
    traffic = await one.get("fleet", "traffic") if overview["fleet"] else None
    return one.render(
        "overview_home.html",
        entry="home",
        command="daemun status",
        as_of=figures.moment(overview["as_of"]),
        overview=overview,
        trial=(await one.get("trial"))["trial"],
        sites=sites,
        glance_columns=_columns(one, _GLANCE_COLUMNS, sortable=False),
        fleet_columns=_columns(one, _FLEET_COLUMNS, sortable=False),
        fleet_traffic=traffic and traffic["traffic"],
        fleet_traffic_error=traffic and traffic["error"],
    )


async def show_sites(one: visit.Visit) -> responses.Response:
    query = one.request.query_params
    shown = list_view.read_list(
        "/sites", query, sorts=[key for key, _, _ in _COLUMNS], filters=tuple(_FILTERS), default=""
    )
    kept = dict(shown.kept)
    found = await one.get(
        "sites", **kept, sort=shown.sort, order="desc" if shown.descending else "", page=shown.page, size=shown.size
    )
    return one.render(
        "overview_sites.html",
        entry="sites",
        command=page_commands.of_sites(kept, sort=shown.sort, descending=shown.descending),
        as_of=figures.moment(found["as_of"]),
        sites=found,
        list=list_view.read_list(
            "/sites",
            {**query, "page": str(found["page"])},
            sorts=[key for key, _, _ in _COLUMNS],
            filters=tuple(_FILTERS),
        ).with_total(found["total"]),
        columns=_columns(one, _COLUMNS),
        filters=kept,
        switches=_SWITCHES,
        states=_STATES,
        filter_names={name: one.text(f"overview.{key}") for name, key in _FILTERS.items()},
    )


def _columns(
    one: visit.Visit, columns: collections.abc.Iterable[tuple[str, str, bool]], *, sortable: bool = True
) -> tuple[list_view.Column, ...]:
    return tuple(
        list_view.Column(key=key, label=one.text(f"overview.{text}"), sortable=sortable, number=is_number)
        for key, text, is_number in columns
    )


async def do(one: visit.Visit) -> responses.Response:
    """What one request does about a trouble; back to where the button was."""
    back, host = form_body.local_path(await one.field("back")), await one.field("host")
    action = one.part("action")
    match action:
        case "probe" if host:
            await one.send("POST", "sites", host, "probe")
            return one.go_to(back, _done(one.text("overview.probed", host=host)))
        case "renew" if host:
            await one.send("POST", "certificates", host, "renew")
            return one.go_to(back, _done(one.text("overview.renewing", host=host)))
        case "maintenance" if host:
            return await _edit(one, "maintenance_on", [host], back)
        case "apply":
            return one.go_to(back, _applied(one, await _apply(one)))
    raise exceptions.HTTPException(404, one.text("base.no_page", path=one.request.url.path))


async def _apply(one: visit.Visit) -> Json:
    """The report, also of what was refused. Raises: ApiError."""
    try:
        return await one.send("POST", "apply")
    except api_client.ApiError as error:
        if "ok" not in error.values:
            raise
        return error.values


def _done(text: str) -> page_frame.Message:
    return page_frame.Message(tone=page_frame.Tone.DONE, text=text)


def _applied(one: visit.Visit, report: Json) -> page_frame.Message:
    """Nothing is reported as live that is not."""
    problems = [problem["message"] for problem in report["problems"] if problem["severity"] == "error"]
    if report["ok"]:
        return _done(one.text("overview.applied"))
    reason = report["error"] or (report["waits"] or {}).get("reason") or one.text("overview.not_applied")
    return page_frame.Message(tone=page_frame.Tone.WARNING, text=reason, details="\n".join(problems))


async def edit_selected(one: visit.Visit) -> responses.Response:
    """Of the sites that were marked: into the draft, which is reviewed before it goes live."""
    back = form_body.local_path(await one.field("back"), "/sites")
    what = await one.field("what")
    if what not in _SWITCHES:
        raise exceptions.HTTPException(404, one.text("base.no_page", path=one.request.url.path))
    if await one.field("all") == "true":
        hosts = await _find_matching(one)
    else:
        hosts = [value for name, value in await one.pairs() if name == "host"][:_MOST_SELECTED]
    if not hosts:
        return one.go_to(
            back, page_frame.Message(tone=page_frame.Tone.WARNING, text=one.text("overview.none_selected"))
        )
    try:
        return await _edit(one, what, hosts, back)
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        return one.go_to(back, page_frame.Message(tone=page_frame.Tone.FAILED, text=refused.message))


async def _find_matching(one: visit.Visit) -> list[str]:
    """The sites of files that match the filter, of all pages."""
    wanted = {name: await one.field(f"filter.{name}") for name in _FILTERS if name != "group"}
    found = await one.get("sites", **{name: value for name, value in wanted.items() if value}, only="names")
    return [row["name"] for row in found["rows"] if row["source"] == "file"]


async def _edit(one: visit.Visit, what: str, hosts: list[str], back: str) -> responses.Response:
    """Some may be so already: what is said is how many are others by it."""
    edit: Json = {"what": what, **({"host": hosts[0]} if len(hosts) == 1 else {"hosts": hosts})}
    count = int((await one.send("POST", "draft", "edits", body={"edits": [edit]}))["edited"])
    if not count:
        return one.go_to(back, _done(one.text("overview.are_so", n=len(hosts))))
    return one.go_to("/changes", _done(one.text("overview.in_draft", n=count)))
