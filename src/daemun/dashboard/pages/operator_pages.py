"""Under Settings: who is signed in, tokens of the API, and who changed what."""

import typing

from starlette import responses, routing

from daemun.core.texts import browser_names
from daemun.dashboard import api_client, list_view, page_commands, page_frame, pages_app, visit

SESSIONS, TOKENS, AUDIT = "/settings/sessions", "/settings/tokens", "/settings/audit"
_DAY_S = 86400


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(SESSIONS, show_sessions),
        pages.page(f"{SESSIONS}/end", end_session, method="POST"),
        pages.page(TOKENS, show_tokens),
        pages.page(TOKENS, add_token, method="POST"),
        pages.page(f"{TOKENS}/remove", remove_token, method="POST"),
        pages.page(AUDIT, show_audit),
    ]


# --- who is signed in ------------------------------------------------------------------------------------------------


async def show_sessions(one: visit.Visit) -> responses.Response:
    """Those of links, and page by page those of users of the sign-in."""
    listed = list_view.read_list(SESSIONS, one.request.query_params, sorts=(), filters=("user",))
    user = one.query("user")[:200]
    by_link = await one.get("operators", "sessions", size=100)
    by_login = await one.get("people", "sessions", page=listed.page, size=listed.size, user=user)
    return one.render(
        "sessions.html",
        entry="settings",
        command=page_commands.of_sessions(user),
        browser_name=browser_names.find_name,
        list=listed.with_total(by_login["total"]),
        links=by_link["rows"],
        rows=by_login["rows"],
        names={"user": one.text("operators.user")},
        link_columns=columns(one, "operators", "name", "browser", "address", "since", "used", "action"),
        columns=columns(one, "operators", "user", "browser", "address", "since", "used", "sites", "action"),
    )


async def end_session(one: visit.Visit) -> responses.Response:
    """kind: "link" or "login". number: of one session; without it all others of links, or all of a user."""
    form = await one.form()
    number, user = form.get("number", "")[:100], form.get("user", "")[:200]
    area = "people" if form.get("kind") == "login" else "operators"
    body = {"user": user} if area == "people" and user else {"number": number} if number else {}
    return await change(one, SESSIONS, one.text("operators.ended"), area, "sessions", "end", body=body)


# --- tokens ----------------------------------------------------------------------------------------------------------


async def show_tokens(one: visit.Visit) -> responses.Response:
    return await _show_tokens(one, {})


async def _show_tokens(
    one: visit.Visit, typed: dict[str, str], *, error: str = "", made: dict[str, typing.Any] | None = None
) -> responses.Response:
    """typed, error: of the form, and why it was refused. made: with its secret, this once."""
    listed = list_view.read_list(TOKENS, one.request.query_params, sorts=(), filters=())
    found = await one.get("operators", "tokens", page=listed.page, size=listed.size)
    return one.render(
        "tokens.html",
        status=422 if error else 200,
        entry="settings",
        command="daemun dashboard tokens",
        list=listed.with_total(found["total"]),
        rows=found["rows"],
        columns=columns(one, "operators", "token", "role", "from", "since", "used", "until", "action"),
        typed={"name": "", "networks": "", "role": "look", "days": "90", **typed},
        error=error,
        made=made,
    )


async def add_token(one: visit.Visit) -> responses.Response:
    form = {name: value[:1000] for name, value in (await one.form()).items()}
    days = form.get("days", "")
    number = int(days) if days.isascii() and days.isdecimal() and len(days) <= 5 else 0
    body = {
        "name": form.get("name", "").strip(),
        "role": form.get("role", ""),
        "lifetime_s": number * _DAY_S if number else None,
        "networks": form.get("networks", "").replace(",", " ").split(),
    }
    if days and not number:
        return await _show_tokens(one, form, error=one.text("operators.bad_days"))
    try:
        made = await one.send("POST", "operators", "tokens", body=body)
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        return await _show_tokens(one, form, error=error.message)
    return await _show_tokens(one, {}, made=made)


async def remove_token(one: visit.Visit) -> responses.Response:
    name = (await one.field("name"))[:200]
    done = one.text("operators.withdrawn", name=name)
    return await change(one, TOKENS, done, "operators", "tokens", "remove", body={"name": name})


# --- who changed what ------------------------------------------------------------------------------------------------


async def show_audit(one: visit.Visit) -> responses.Response:
    listed = list_view.read_list(AUDIT, one.request.query_params, sorts=(), filters=("q", "who", "since"))
    wanted = {name: one.query(name)[:200] for name in ("q", "who", "since")}
    error = ""
    found: dict[str, typing.Any] = {"total": 0, "rows": []}
    try:
        found = await one.get("audit", page=listed.page, size=listed.size, **wanted)
    except api_client.ApiError as failure:
        if not failure.is_refusal:
            raise
        error = failure.message
    return one.render(
        "audit.html",
        status=422 if error else 200,
        entry="settings",
        command=page_commands.write("audit", since=wanted["since"], who=wanted["who"], search=wanted["q"].strip()),
        list=listed.with_total(found["total"]),
        rows=found["rows"],
        columns=columns(one, "operators", "when", "who", "what", "result"),
        names={name: one.text(f"operators.filter_{name}") for name in wanted},
        wanted=wanted,
        error=error,
    )


# --- shared with `people_pages` --------------------------------------------------------------------------------------


async def change(
    one: visit.Visit, there: str, success: str, *parts: str, body: dict[str, typing.Any]
) -> responses.Response:
    """Request a change, and lead to a page with a message of what came of it. success: what it is then."""
    tone, text = page_frame.Tone.DONE, success
    try:
        found = await one.send("POST", *parts, body=body)
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        tone, text = page_frame.Tone.FAILED, error.message
    else:
        if found.get("is_saved") is False:
            tone, text = page_frame.Tone.WARNING, one.text("operators.unsaved")
    return one.go_to(there, page_frame.Message(tone=tone, text=text))


def done(text: str) -> page_frame.Message:
    return page_frame.Message(tone=page_frame.Tone.DONE, text=text)


def columns(one: visit.Visit, area: str, *keys: str) -> tuple[list_view.Column, ...]:
    return tuple(list_view.Column(key=key, label=one.text(f"{area}.{key}"), sortable=False) for key in keys)
