"""/sites/HOST: one site, in six parts, with its live log and what can be done with it."""

import asyncio
import datetime
import typing

from starlette import responses, routing

from daemun.dashboard import api_client, page_frame, page_texts, pages_app, site_values, site_view, visit

Json = dict[str, typing.Any]

_EDITS: dict[str, Json] = {
    "close": {"what": "maintenance_on"},
    "open": {"what": "maintenance_off"},
    "enable": {"what": "enable"},
    "disable": {"what": "disable"},
}
_LOG_PARAMETERS = site_values.QUERY


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page("/sites/{host}", show_overview),
        pages.page("/sites/{host}/traffic", show_traffic),
        pages.page("/sites/{host}/log", show_log),
        pages.page("/sites/{host}/log/live", follow_log),
        pages.page("/sites/{host}/certificate", show_certificate),
        pages.page("/sites/{host}/files", show_files),
        pages.page("/sites/{host}/why", show_why),
        pages.page("/sites/{host}/why", find_why, method="POST"),
        pages.page("/sites/{host}/probe", probe, method="POST"),
        pages.page("/sites/{host}/purge", purge, method="POST"),
        pages.page("/sites/{host}/renew", renew, method="POST"),
        pages.page("/sites/{host}/draft", draft, method="POST"),
    ]


async def show_overview(one: visit.Visit) -> responses.Response:
    host = one.part("host")
    names = ("routes", "servers", "access", "certificate")
    site, traffic, *parts = await asyncio.gather(
        one.get("sites", host),
        one.get("sites", host, "traffic", span="day"),
        *(one.get("sites", host, name) for name in names),
    )
    found = {"": site, **dict(zip(names, parts, strict=True)), "traffic": traffic}
    now = datetime.datetime.now(datetime.UTC)
    return _render(one, site, "overview", site_values.of_overview(found, now, _texts(one)))


async def show_traffic(one: visit.Visit) -> responses.Response:
    host, span = one.part("host"), one.query("span", "day")
    span = span if span in site_view.SPANS else "day"
    query = {"span": span, "route": one.request.query_params.get("route")}
    site, fine, coarse, fleet = await asyncio.gather(
        one.get("sites", host),
        one.get("sites", host, "traffic", **query),
        one.get("sites", host, "traffic", steps="coarse", **query),
        one.get("fleet", "traffic", host=host),
    )
    return _render(one, site, "traffic", site_values.of_traffic(fine, coarse, fleet, _texts(one)))


async def show_log(one: visit.Visit) -> responses.Response:
    """A filter that cannot be used is reported above the form, which keeps what was written."""
    host = one.part("host")
    site = await one.get("sites", host)
    found, problem, status = None, None, 200
    try:
        found = await one.get("sites", host, "log", **_log_query(one))
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        problem, status = error.message, error.status
    values = site_values.of_log(found, one.request.query_params, problem, _texts(one))
    return _render(one, site, "log", values, status=status)


async def follow_log(one: visit.Visit) -> responses.Response:
    return await one.pass_events("sites", one.part("host"), "log", "live", **_log_query(one))


async def show_certificate(one: visit.Visit) -> responses.Response:
    host = one.part("host")
    site, found = await asyncio.gather(one.get("sites", host), one.get("sites", host, "certificate"))
    return _render(one, site, "certificate", site_values.of_certificate(found, _texts(one)))


async def show_files(one: visit.Visit) -> responses.Response:
    host = one.part("host")
    site, found = await asyncio.gather(one.get("sites", host), one.get("sites", host, "files"))
    return _render(one, site, "files", {"found": found})


async def show_why(one: visit.Visit) -> responses.Response:
    """The id of a request, which links of the log have, is looked up at once: that reads the log and sends nothing."""
    site, subject = await one.get("sites", one.part("host")), one.query("subject")
    if site_values.is_request_id(subject):
        return await _tell(one, site, subject)
    return _render(one, site, "why", _of_why(subject or one.url_of(site["host"])))


async def find_why(one: visit.Visit) -> responses.Response:
    return await _tell(one, await one.get("sites", one.part("host")), (await one.field("subject")).strip())


async def _tell(one: visit.Visit, site: Json, subject: str) -> responses.Response:
    try:
        story = await one.send("POST", "why", body={"subject": subject})
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        return _render(one, site, "why", _of_why(subject, problem=error.message), status=error.status)
    return _render(one, site, "why", _of_why(subject, story))


def _of_why(subject: str, story: Json | None = None, problem: str | None = None) -> Json:
    return {"subject": subject, "story": story, "error": problem, "weights": site_values.WEIGHTS}


async def probe(one: visit.Visit) -> responses.Response:
    found = await one.send("POST", "sites", one.part("host"), "probe")
    left = int(found["left"])
    text = one.text("site.done_probe_left", n=left) if left else one.text("site.done_probe")
    return _done(one, text, tone=page_frame.Tone.WARNING if left else page_frame.Tone.DONE)


async def purge(one: visit.Visit) -> responses.Response:
    found = await one.send("POST", "sites", one.part("host"), "purge")
    return _done(one, one.text("site.done_purge", n=int(found["purged"])))


async def renew(one: visit.Visit) -> responses.Response:
    """Of the certificate that is named, which may be for several sites."""
    await one.send("POST", "certificates", await one.field("name") or one.part("host"), "renew")
    return _done(one, one.text("site.done_renew"), part="certificate")


async def draft(one: visit.Visit) -> responses.Response:
    edit = _EDITS.get(await one.field("what"))
    if edit is None:
        raise api_client.ApiError(400, "expected one of close, open, enable, disable")
    await one.send("POST", "draft", "edits", body={"edits": [{**edit, "host": one.part("host")}]})
    return one.go_to("/changes", page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("site.done_draft")))


def _done(
    one: visit.Visit, text: str, *, part: str = "", tone: page_frame.Tone = page_frame.Tone.DONE
) -> responses.Response:
    there = api_client.join("sites", one.part("host"), *([part] if part else []))
    return one.go_to(there, page_frame.Message(tone=tone, text=text))


def _log_query(one: visit.Visit) -> dict[str, str]:
    return {name: one.query(name) for name in _LOG_PARAMETERS}


def _render(one: visit.Visit, site: Json, part: str, values: Json, *, status: int = 200) -> responses.Response:
    return one.render(
        f"site_{part}.html",
        entry="sites",
        command=site_values.command_of(part, site["host"], one.request.query_params, values.get("subject", "")),
        status=status,
        as_of=site_values.as_of(site),
        **site_values.of_frame(site, part, _texts(one)),
        **values,
    )


def _texts(one: visit.Visit) -> page_texts.Texts:
    return page_texts.Texts(one.language)
