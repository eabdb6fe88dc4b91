"""/search: what a word stands in: names, targets and origins of sites, names of certificates, parts of the settings."""

import typing
import urllib.parse

from starlette import responses, routing

from daemun.dashboard import api_client, figures, page_commands, pages_app, visit
from daemun.dashboard.pages import option_pages, settings_pages

PATH = "/search"
_MOST = 10
_LONGEST = 200


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [pages.page(PATH, show)]


async def show(one: visit.Visit) -> responses.Response:
    """Who writes a whole name is at once on the page of that site."""
    query = one.query("q").strip()[:_LONGEST]
    if not query:
        return one.go_to("/sites")
    sites = await one.get("sites", q=query, size=_MOST)
    exact = [row["name"] for row in sites["rows"] if row["kind"] == "site" and query.lower() == row["name"]]
    if exact and sites["total"] == 1:
        return one.go_to(api_client.join("sites", exact[0]))
    certificates = await one.get("certificates", q=query, size=_MOST)
    options = await one.get("options", "search", q=query)
    return one.render(
        "search.html",
        entry="sites",
        search=query,
        command=page_commands.of_sites({"q": query}),
        as_of=figures.moment(sites["as_of"]),
        query=query,
        sites=sites,
        certificates=certificates,
        options=[{**row, "href": _form_of(row)} for row in options["rows"]],
        parts_of_settings=[part for part in settings_pages.PARTS if _is_about(one, part.key, query)],
    )


def _form_of(row: typing.Any) -> str:
    """The form of the gate, at the option; "": it is one of sites or routes, each of which has a form."""
    if "gate" not in row["levels"]:
        return ""
    key = row["key"]
    return f"{option_pages.FORM}?{urllib.parse.urlencode({'key': key})}#field-key-{urllib.parse.quote(key)}"


def _is_about(one: visit.Visit, key: str, query: str) -> bool:
    text = f"{one.text(f'settings.{key}')} {one.text(f'settings.{key}_text')}".lower()
    return all(word in text for word in query.lower().split())
