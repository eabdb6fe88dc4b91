"""Under Settings: whom every site refuses, who attacked lately, ban and unban."""

from starlette import responses, routing

from daemun.dashboard import api_client, list_view, page_commands, page_frame, pages_app, visit

LIST = "/settings/bans"
_LONGEST_ADDRESS = 64


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(LIST, show_list),
        pages.page(LIST, ban, method="POST"),
        pages.page(f"{LIST}/remove", unban, method="POST"),
        pages.page(f"{LIST}/attacks", show_attacks),
    ]


async def show_list(one: visit.Visit) -> responses.Response:
    return await _show(one)


async def _show(one: visit.Visit, *, address: str = "", error: str = "") -> responses.Response:
    """address, error: what was typed, and why it was refused."""
    listed = list_view.read_list(LIST, one.request.query_params, sorts=(), filters=("q", "reason"))
    wanted, reason = one.query("q")[:200], one.query("reason")[:20]
    found = await one.get("bans", page=listed.page, size=listed.size, q=wanted, reason=reason)
    return one.render(
        "bans.html",
        status=422 if error else 200,
        entry="settings",
        command=page_commands.write("bans", search=wanted.strip(), reason=reason),
        list=listed.with_total(found["total"]),
        columns=_columns(one, "address", "reason", "since", "until", "action"),
        rows=found["rows"],
        reasons=found["reasons"],
        q=wanted,
        reason=reason,
        address=address,
        error=error,
    )


async def show_attacks(one: visit.Visit) -> responses.Response:
    listed = list_view.read_list(f"{LIST}/attacks", one.request.query_params, sorts=(), filters=())
    found = await one.get("attacks", page=listed.page, size=listed.size)
    return one.render(
        "attacks.html",
        entry="settings",
        command="daemun bans --attacks",
        list=listed.with_total(found["total"]),
        columns=_columns(one, "address", "reason", "since", "until"),
        rows=found["rows"],
        kinds=found["kinds"],
    )


async def ban(one: visit.Visit) -> responses.Response:
    address = (await one.field("address")).strip()[:_LONGEST_ADDRESS]
    text = await one.field("seconds")
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None
    if text and not seconds:
        return await _show(one, address=address, error=one.text("bans.ban_failed", reason=text[:20]))
    try:
        made = await one.send("POST", "bans", body={"address": address, "seconds": seconds})
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        return await _show(one, address=address, error=one.text("bans.ban_failed", reason=error.message))
    text = one.text("bans.ban_done", address=made["address"])
    return one.go_to(LIST, page_frame.Message(tone=page_frame.Tone.DONE, text=text))


async def unban(one: visit.Visit) -> responses.Response:
    address = (await one.field("address")).strip()[:_LONGEST_ADDRESS]
    try:
        await one.send("POST", "bans", "remove", body={"address": address})
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        text, tone = one.text("bans.unban_failed", reason=error.message), page_frame.Tone.FAILED
    else:
        text, tone = one.text("bans.unban_done", address=address), page_frame.Tone.DONE
    return one.go_to(LIST, page_frame.Message(tone=tone, text=text))


def _columns(one: visit.Visit, *keys: str) -> tuple[list_view.Column, ...]:
    return tuple(list_view.Column(key=key, label=one.text(f"bans.{key}"), sortable=False) for key in keys)
