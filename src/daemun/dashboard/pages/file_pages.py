"""Under Changes: the files of the configuration as texts, with the editor, or a plain field where no script runs."""

import typing

from starlette import responses, routing

from daemun.dashboard import api_client, completion, form_body, page_frame, pages_app, visit

Json = dict[str, typing.Any]

FILE = "/changes/file"
_LARGEST_FORM_BYTES = 13 << 20
"""A file may have 4 MB, and a form has three bytes for some of them."""


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(FILE, show),
        pages.page(FILE, save, method="POST"),
        pages.page(f"{FILE}/check", check, method="POST"),
        pages.page(f"{FILE}/schema.json", show_schema),
    ]


async def show(one: visit.Visit) -> responses.Response:
    return await _show(one, one.query("name"), one.query("line"))


async def _show(
    one: visit.Visit,
    name: str,
    line: str = "",
    *,
    text: str | None = None,
    version: str = "",
    refused: api_client.ApiError | None = None,
) -> responses.Response:
    """text: that was sent and is not kept. version: of what it was made of."""
    draft = await one.get("draft")
    file = next((one for one in draft["files"] if one["name"] == name), None) or next(iter(draft["files"]), None)
    if file is None:
        return one.render(
            "file_none.html", entry="changes", command="daemun add shop.example.com http://127.0.0.1:3000"
        )
    return one.render(
        "file.html",
        entry="changes",
        command="daemun check",
        status=200 if refused is None else refused.status,
        has_editor=True,
        files=draft["files"],
        file=file,
        text=(file["text"] or "") if text is None else text,
        version=version or file["version"],
        line=int(line) if line.isascii() and line.isdecimal() and len(line) < 8 else 0,
        refusal="" if refused is None else refused.message,
        is_stale=refused is not None and bool(refused.values.get("is_stale")),
        problems=[] if refused is None else refused.values.get("problems", []),
    )


async def save(one: visit.Visit) -> responses.Response:
    """Into the draft. Where that is refused the text is shown again, so that nothing is lost."""
    form = await _read_form(one)
    name, text, version = (form.get(key, "") for key in ("name", "text", "version"))
    try:
        await one.send("PUT", "draft", "file", body={"file": name, "text": text, "version": version or None})
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        return await _show(one, name, text=text, version=version, refused=refused)
    return one.go_to("/changes", page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("file.saved")))


async def check(one: visit.Visit) -> responses.Response:
    """For the editor: what is wrong with a text as it is typed."""
    form = await _read_form(one)
    name, text = form.get("name", ""), form.get("text", "")
    try:
        found = await one.send("POST", "draft", "check", body={"file": name, "text": text})
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        place = {"severity": "error", "message": refused.message, "line": 1, "column": 1}
        return responses.JSONResponse({"problems": [place]})
    return responses.JSONResponse({"problems": [problem for problem in found["problems"] if problem["file"] == name]})


async def _read_form(one: visit.Visit) -> dict[str, str]:
    """A text of a file is longer than what other forms have."""
    return await form_body.read_form(one.request, largest=_LARGEST_FORM_BYTES)


async def show_schema(one: visit.Visit) -> responses.Response:
    return responses.JSONResponse(completion.reduce_schema(await one.get("schema"), one.declared))
