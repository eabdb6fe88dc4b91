"""Under Settings: the users of the sign-in, invite, change, keep out, remove."""

import typing
import urllib.parse

from starlette import responses, routing

from daemun.dashboard import api_client, list_view, page_commands, pages_app, visit
from daemun.dashboard.pages import operator_pages

PEOPLE = "/settings/people"
PERSON = f"{PEOPLE}/edit"
_DAY_S = 86400
_SWITCHES: dict[str, dict[str, typing.Any]] = {
    "disable": {"is_disabled": True},
    "enable": {"is_disabled": False},
    "codes": {"removes_codes": True},
    "passkeys": {"removes_passkeys": True},
}
"""Buttons of a person's page -> what is requested."""


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(PEOPLE, show_list),
        pages.page(PEOPLE, invite, method="POST"),
        pages.page(PERSON, show_person),
        pages.page(PERSON, save, method="POST"),
        pages.page(f"{PERSON}/switch", switch, method="POST"),
        pages.page(f"{PEOPLE}/remove", remove, method="POST"),
    ]


async def show_list(one: visit.Visit) -> responses.Response:
    return await _show_list(one, {})


async def _show_list(
    one: visit.Visit, typed: dict[str, str], *, error: str = "", made: dict[str, typing.Any] | None = None
) -> responses.Response:
    """typed, error: of the form of an invitation, and why it was refused. made: its link, this once."""
    listed = list_view.read_list(PEOPLE, one.request.query_params, sorts=(), filters=("q",))
    wanted = one.query("q")[:200].strip()
    found = await one.get("people", page=listed.page, size=listed.size, q=wanted)
    rights = await one.get("operators")
    return one.render(
        "people.html",
        status=422 if error else 200,
        entry="settings",
        command=page_commands.write("users", *(["list"] if wanted else []), search=wanted),
        list=listed.with_total(found["total"]),
        rows=found["rows"],
        rights=rights["rows"],
        host=rights["host"],
        columns=operator_pages.columns(one, "people", "user", "groups", "second", "state", "role"),
        q=one.query("q")[:200],
        typed={"name": "", "display": "", "email": "", "groups": "", "days": "3", **typed},
        error=error,
        made=made,
        person_url=person_url,
    )


async def invite(one: visit.Visit) -> responses.Response:
    form = {name: value[:1000] for name, value in (await one.form()).items()}
    days = form.get("days", "")
    if not (days.isascii() and days.isdecimal() and 0 < len(days) <= 4 and int(days)):
        return await _show_list(one, form, error=one.text("people.bad_days"))
    body = {"name": form.get("name", "").strip(), "lifetime_s": int(days) * _DAY_S, **_facts(form)}
    try:
        made = await one.send("POST", "people", body=body)
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        return await _show_list(one, form, error=error.message)
    return await _show_list(one, {}, made=made)


async def show_person(one: visit.Visit) -> responses.Response:
    return await _show_person(one, one.query("name")[:1000], {})


async def _show_person(one: visit.Visit, name: str, typed: dict[str, str], *, error: str = "") -> responses.Response:
    """Raises: ApiError 404."""
    person = await _find(one, name)
    sessions = await one.get("people", "sessions", user=name, size=1)
    known = {"groups": " ".join(person["groups"]), "email": person["email"], "display": person["display"]}
    return one.render(
        "person.html",
        status=422 if error else 200,
        entry="settings",
        command=page_commands.write("users", "set", name),
        person=person,
        sessions=sessions["total"],
        typed={**known, **typed},
        error=error,
    )


async def _find(one: visit.Visit, name: str) -> dict[str, typing.Any]:
    """Raises: ApiError 404. The API searches for a part of the name, too."""
    page = 1
    while True:
        found = await one.get("people", q=name, page=page, size=500)
        for row in found["rows"]:
            if row["name"] == name:
                person: dict[str, typing.Any] = row
                return person
        if page * 500 >= found["total"]:
            raise api_client.ApiError(404, one.text("people.gone", name=name[:100]))
        page += 1


async def save(one: visit.Visit) -> responses.Response:
    form = {name: value[:1000] for name, value in (await one.form()).items()}
    name = form.get("name", "")
    try:
        await one.send("POST", "people", "change", body={"name": name, **_facts(form)})
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        return await _show_person(one, name, form, error=error.message)
    return one.go_to(person_url(name), operator_pages.done(one.text("people.changed", name=name)))


async def switch(one: visit.Visit) -> responses.Response:
    name, wanted = (await one.field("name"))[:1000], _SWITCHES.get(await one.field("what"))
    if wanted is None:
        raise api_client.ApiError(400, one.text("people.gone", name=name[:100]))
    text = one.text("people.changed", name=name)
    return await operator_pages.change(one, person_url(name), text, "people", "change", body={"name": name, **wanted})


async def remove(one: visit.Visit) -> responses.Response:
    name = (await one.field("name"))[:1000]
    text = one.text("people.removed", name=name)
    return await operator_pages.change(one, PEOPLE, text, "people", "remove", body={"name": name})


def person_url(name: str) -> str:
    return f"{PERSON}?{urllib.parse.urlencode({'name': name})}"


def _facts(form: dict[str, str]) -> dict[str, typing.Any]:
    return {
        "groups": form.get("groups", "").replace(",", " ").split(),
        "email": form.get("email", "").strip(),
        "display": form.get("display", "").strip(),
    }
