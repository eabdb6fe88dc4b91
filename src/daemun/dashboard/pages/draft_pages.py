"""Under Changes: one's draft with what it would do, applying it, the countdown, and what others changed meanwhile."""

import typing

from starlette import responses, routing

from daemun.dashboard import api_client, diff_parts, form_body, page_frame, pages_app, visit

Json = dict[str, typing.Any]

HOME = "/changes"
TRIAL_S = 60
_MOST_LINES = 400
"""Of one part of a diff."""


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(HOME, show),
        pages.page(f"{HOME}/apply", apply, method="POST"),
        pages.page(f"{HOME}/discard", discard, method="POST"),
        pages.page(f"{HOME}/rebase", rebase, method="POST"),
        pages.page(f"{HOME}/trial", show_trial),
        pages.page(f"{HOME}/confirm", confirm, method="POST"),
        pages.page(f"{HOME}/undo", undo, method="POST"),
    ]


async def show(one: visit.Visit) -> responses.Response:
    """The draft, and its review where there is something to review."""
    return await show_draft(one)


async def show_draft(one: visit.Visit, *, refused: api_client.ApiError | None = None) -> responses.Response:
    """refused: why it could not be applied."""
    draft = await one.get("draft")
    changed = [file for file in draft["files"] if file["is_changed"]]
    review, error = None, refused.message if refused is not None else ""
    if changed and one.role != "look":
        try:
            review = await one.send("POST", "draft", "review")
        except api_client.ApiError as failure:
            if not failure.is_refusal:
                raise
            error = error or failure.message
    return one.render(
        "draft.html",
        entry="changes",
        command="daemun diff" if changed else "daemun plan",
        status=200 if refused is None else refused.status,
        draft=draft,
        changed=changed,
        review=None if review is None else arrange(review),
        conflicts=[arrange_conflict(conflict) for conflict in (review or {}).get("conflicts", [])],
        refusals=[] if refused is None else refused.values.get("problems", []),
        error=error,
        trial=(await one.get("trial"))["trial"],
        trial_s=TRIAL_S,
    )


def arrange(review: Json) -> Json:
    """For the template: lines as (sign, text), bounded. Pure."""
    plan = review["plan"]
    return {
        **review,
        "errors": [found for found in review["problems"] if found["severity"] == "error" and found["is_new"]],
        "known": [found for found in review["problems"] if found["severity"] == "error" and not found["is_new"]],
        "warnings": [found for found in review["problems"] if found["severity"] != "error"],
        "parts": [diff_parts.arrange(part, _MOST_LINES) for part in review["changes"]],
        "nginx": [diff_parts.arrange(part, _MOST_LINES) for part in review["nginx_files"]],
        "sites": [] if plan is None else plan["sites"],
        "streams": [] if plan is None else plan["streams"],
        "reload": plan is not None and plan["reload"],
        "can_be_applied": plan is not None
        and not any(found["is_new"] for found in review["problems"] if found["severity"] == "error"),
    }


def arrange_conflict(conflict: Json) -> Json:
    """Pure."""
    return {
        **conflict,
        **{side: [diff_parts.arrange(part, _MOST_LINES) for part in conflict[side]] for side in ("mine", "theirs")},
    }


async def apply(one: visit.Visit) -> responses.Response:
    body: Json = {"message": (await one.field("message"))[:500], "version": await one.field("version")}
    body["confirm_s"] = TRIAL_S if await one.field("confirm") == "true" else 0
    try:
        applied = await one.send("POST", "draft", "apply", body=body)
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        return await show_draft(one, refused=refused)
    if applied["trial"] is not None:
        return one.go_to(f"{HOME}/trial")
    if not applied["live"]:
        text = one.text("draft.waits", reason=(applied["waits"] or {}).get("reason", ""))
        return one.go_to(HOME, page_frame.Message(tone=page_frame.Tone.WARNING, text=text))
    return one.go_to(HOME, page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("draft.live")))


async def discard(one: visit.Visit) -> responses.Response:
    await one.send("DELETE", "draft", file=await one.field("file"), of=await one.field("of"))
    return one.go_to(HOME, page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("draft.discarded")))


async def rebase(one: visit.Visit) -> responses.Response:
    try:
        await one.send("POST", "draft", "rebase")
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        return await show_draft(one, refused=refused)
    return one.go_to(HOME, page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("draft.rebased")))


async def show_trial(one: visit.Visit) -> responses.Response:
    """What is on trial, how long it has, and each site with its lamps."""
    trial = (await one.get("trial"))["trial"]
    if trial is None:
        return one.go_to(HOME)
    newest = (await one.get("history", size=1))["rows"]
    hosts = [change.partition(" ")[2] for change in (newest[0]["changes"] if newest else [])][:20]
    sites = []
    for host in hosts:
        try:
            found = await one.get("sites", q=host, size=20)
        except api_client.ApiError as error:
            if not error.is_refusal:
                raise
            continue
        sites += [row for row in found["rows"] if row["name"] == host]
    return one.render(
        "draft_trial.html",
        entry="changes",
        command="daemun apply --confirmed",
        trial=trial,
        newest=newest[0] if newest else None,
        sites=sites,
    )


async def confirm(one: visit.Visit) -> responses.Response:
    return await _end(one, "confirm", "draft.kept")


async def undo(one: visit.Visit) -> responses.Response:
    return await _end(one, "undo", "draft.undone")


async def _end(one: visit.Visit, what: str, done: str) -> responses.Response:
    back = form_body.local_path(await one.field("back"), HOME)
    try:
        await one.send("POST", "trial", what)
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        return one.go_to(back, page_frame.Message(tone=page_frame.Tone.WARNING, text=refused.message))
    return one.go_to(back, page_frame.Message(tone=page_frame.Tone.DONE, text=one.text(done)))
