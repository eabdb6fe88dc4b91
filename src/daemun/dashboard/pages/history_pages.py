"""Under Changes: what was applied, what differs, the way back, and files of nginx that were edited by hand."""

import typing

from starlette import responses, routing

from daemun.dashboard import (
    api_client,
    change_authors,
    diff_parts,
    list_view,
    page_commands,
    page_frame,
    page_texts,
    pages_app,
    visit,
)

Json = dict[str, typing.Any]

LIST, TRIAL = "/changes/history", "/changes/trial"
TRIAL_S = 60
_SIZE = 25
_MOST_CHOICES = 100
_MOST_PARTS = 200
_MOST_LINES = 1000


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(LIST, show_list),
        pages.page(f"{LIST}/{{number}}", show_entry),
        pages.page(f"{LIST}/{{number}}/rollback", roll_back, method="POST"),
        pages.page("/changes/compare", compare),
        pages.page("/changes/drift", show_drift),
    ]


async def show_list(one: visit.Visit) -> responses.Response:
    listed = list_view.read_list(LIST, one.request.query_params, sorts=(), filters=(), size=_SIZE)
    found = await one.get("history", page=listed.page, size=listed.size)
    columns = tuple(
        list_view.Column(key=key, label=one.text(f"history.{key}"), sortable=False)
        for key in ("number", "when", "state", "changed", "by", "action")
    )
    return one.render(
        "history.html",
        entry="changes",
        command="daemun history",
        list=listed.with_total(found["total"]),
        columns=columns,
        entries_shown=found["rows"],
        trial=await _find_trial(one),
    )


async def show_entry(one: visit.Visit) -> responses.Response:
    found = await one.get("history", one.part("number"))
    number = found["number"]
    return one.render(
        "history_entry.html",
        entry="changes",
        command=f"daemun history {number}",
        found=found,
        before=await _find_before(one, number),
        trial=await _find_trial(one),
    )


async def compare(one: visit.Visit) -> responses.Response:
    before, after = one.query("from", "now"), one.query("to", "file")
    of = "nginx" if one.query("of") == "nginx" else "yaml"
    error = ""
    try:
        found = await one.get("diff", **{"from": before, "to": after}, nginx="true" if of == "nginx" else "")
        shown = arrange(found)
    except api_client.ApiError as refusal:
        if not refusal.is_refusal:
            raise
        shown, error = None, refusal.message
    rows = (await one.get("history", size=_MOST_CHOICES))["rows"]
    named = {"now": one.text("history.now"), "file": one.text("history.file")}
    choices = [*named.items(), *((str(row["number"]), _name(one, row)) for row in rows)]
    for word in (before, after):
        if word not in dict(choices):
            choices.append((word[:50], word[:50]))
    return one.render(
        "history_compare.html",
        entry="changes",
        command=page_commands.write("diff", before, after, nginx_files=of == "nginx")
        if shown is not None
        else page_commands.write("diff"),
        found=shown,
        one=before,
        other=after,
        of=of,
        choices=choices,
        error=error,
    )


async def show_drift(one: visit.Visit) -> responses.Response:
    return one.render("history_drift.html", entry="changes", command="daemun status", found=await one.get("drift"))


async def roll_back(one: visit.Visit) -> responses.Response:
    number = one.part("number")
    trial_s = TRIAL_S if await one.field("confirm") == "true" else None
    body = {"confirm_s": trial_s, "force": await one.field("force") == "true"}
    try:
        report = await one.send("POST", "history", number, "rollback", body=body)
    except api_client.ApiError as error:
        if not error.is_refusal:
            raise
        cause, _, details = error.message.partition("\n")
        text = one.text("history.back_failed", reason=cause)
        return one.go_to(LIST, page_frame.Message(tone=page_frame.Tone.FAILED, text=text, details=details))
    return one.go_to(TRIAL if report["trial"] else LIST, _describe_way(one, report))


def _describe_way(one: visit.Visit, report: Json) -> page_frame.Message:
    """How a rollback ended, and what was not as it was then."""
    number = report["number"]
    if not report["changed"]:
        return page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("history.back_same", number=number))
    more = (
        ("history.back_taken", "places", [*report["taken"], *report["blanks"]]),
        ("history.back_deleted", "files", report["deleted"]),
        ("history.back_apart", "what", report["not_undone"]),
    )
    details = "\n".join(one.text(key, **{name: ", ".join(values[:20])}) for key, name, values in more if values)
    text = (
        one.text("history.back_done", number=number)
        if report["live"]
        else one.text("history.back_waits", reason=report["waits"])
    )
    tone = page_frame.Tone.DONE if report["live"] else page_frame.Tone.WARNING
    return page_frame.Message(tone=tone, text=text, details=details)


async def _find_trial(one: visit.Visit) -> Json | None:
    found: Json | None = (await one.get("trial"))["trial"]
    return found


async def _find_before(one: visit.Visit, number: int) -> int | None:
    """The number of the entry before one; None: it is the first that is kept."""
    rows = (await one.get("history", size=200))["rows"]
    return next((row["number"] for row in rows if row["number"] < number), None)


def _name(one: visit.Visit, row: Json) -> str:
    by = change_authors.describe(row["by"], page_texts.Texts(one.language))
    return f"{one.text('history.entry', number=row['number'])}, {row['at'][:16].replace('T', ' ')}, {by[:60]}"


def arrange(found: Json) -> Json:
    """A difference of the API as its page shows it, of daemun.yaml or of nginx's files. Pure."""
    is_of_nginx = "nginx_files" in found
    every = found["nginx_files"] if is_of_nginx else found["changes"]
    return {
        "from": found["from"],
        "to": found["to"],
        "parts": [diff_parts.arrange(part, _MOST_LINES) for part in every[:_MOST_PARTS]],
        "more": max(len(every) - _MOST_PARTS, 0) + found.get("more_nginx_files", 0),
        "containers": [] if is_of_nginx else found["containers"],
        "notes": found.get("notes", []),
    }
