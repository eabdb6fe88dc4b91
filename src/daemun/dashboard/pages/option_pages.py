"""Under Changes: forms of every key of the gate, a site or a route, made of what the API knows of it; a new site."""

import typing
import urllib.parse

from starlette import responses, routing

from daemun.dashboard import api_client, page_commands, page_frame, pages_app, visit

Json = dict[str, typing.Any]

ADD, FORM, SWITCH = "/changes/add", "/changes/form", "/changes/switch"
_KEY, _BEFORE = "key.", "before."
"""How the names of fields begin: a key, and what stood in its form when the page was made."""


def routes(pages: pages_app.PagesApp) -> list[routing.Route]:
    return [
        pages.page(ADD, show_new),
        pages.page(ADD, add, method="POST"),
        pages.page(FORM, show_form),
        pages.page(FORM, save, method="POST"),
        pages.page(SWITCH, switch, method="POST"),
    ]


# --- a new site ----------------------------------------------------------------------------------------------------


async def show_new(one: visit.Visit) -> responses.Response:
    given = {key: one.query(key)[:500] for key in ("host", "target", "path", "file")}
    return await _show_new(one, given)


async def _show_new(
    one: visit.Visit,
    given: dict[str, str],
    *,
    tried: Json | None = None,
    refused: api_client.ApiError | None = None,
    is_try: bool = False,
) -> responses.Response:
    draft = await one.get("draft")
    return one.render(
        "site_new.html",
        entry="changes",
        command=page_commands.write(
            "add",
            given["host"] or "shop.example.com",
            given["target"] or "http://127.0.0.1:3000",
            path=given["path"] if given["path"] != "/" else None,
            file=given["file"],
        ),
        status=200 if refused is None else refused.status,
        given=given,
        files=[file["name"] for file in draft["files"]],
        tried=tried,
        error="" if refused is None else refused.message,
        wrong="" if refused is None else "target" if is_try else _find_wrong(refused, given),
    )


def _find_wrong(refused: api_client.ApiError, given: dict[str, str]) -> str:
    """The field that a refusal is about; "": no one."""
    field = refused.values.get("field")
    return field if isinstance(field, str) and field in given else ""


async def add(one: visit.Visit) -> responses.Response:
    """Tries the target, or adds the site to the draft."""
    given = {key: (await one.field(key)).strip() for key in ("host", "target", "path", "file")}
    is_try = await one.field("do") == "try"
    try:
        if is_try:
            body = {"target": given["target"], "host": given["host"] or "example.com", "path": given["path"] or "/"}
            return await _show_new(one, given, tried=await one.send("POST", "targets", "try", body=body))
        edit = {"what": "add", **{key: value for key, value in given.items() if value}}
        await one.send("POST", "draft", "edits", body={"edits": [edit]})
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        return await _show_new(one, given, refused=refused, is_try=is_try)
    text = one.text("option.added", host=given["host"])
    return one.go_to("/changes", page_frame.Message(tone=page_frame.Tone.DONE, text=text))


# --- forms ---------------------------------------------------------------------------------------------------------


async def show_form(one: visit.Visit) -> responses.Response:
    return await _show_form(one, {key: one.query(key) for key in ("host", "path", "index")})


async def _show_form(
    one: visit.Visit,
    place: dict[str, str],
    *,
    inputs: dict[str, str] | None = None,
    refused: api_client.ApiError | None = None,
) -> responses.Response:
    """inputs: what was written into the form and is not kept."""
    found = await one.get("options", **place)
    rows = [
        {
            **_in_words(one, field),
            "text": (inputs or {}).get(field["key"], field["text"]),
            "before": field["text"],
            **_find_form(one, field),
        }
        for field in found["options"]
    ]
    of_route = {row["key"] for row in rows if row["source"] is not None}
    shown = [row for row in rows if row["source"] is not None or (inputs or {}).get(row["key"])]
    return one.render(
        "option_form.html",
        entry="changes",
        command=page_commands.write("sites", place["host"]) if place["host"] else page_commands.write("check"),
        status=200 if refused is None else refused.status,
        found=found,
        place=place,
        is_set=shown,
        others=[row for row in rows if row not in shown],
        set_keys=of_route,
        sought=one.query("key"),
        route_links=[{**route, "href": _address(place["host"], route)} for route in found.get("routes", [])],
        error="" if refused is None else refused.message,
    )


def _in_words(one: visit.Visit, field: Json) -> Json:
    """In the visitor's language. Pure."""
    keys = [{**inner, "help": one.declared(inner["help"])} for inner in field["keys"]]
    return {**field, **{name: one.declared(field[name]) for name in ("help", "kind", "default")}, "keys": keys}


def _find_form(one: visit.Visit, field: Json) -> Json:
    """Which kind of field it is. Pure but for its texts."""
    if field["control"] in {"flag", "choice"}:
        words = [str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in field["choices"]]
        if field["text"] and field["text"] not in words:
            words.append(field["text"])
        return {"form": "select", "words": [("", one.text("option.not_set")), *((word, word) for word in words)]}
    return {"form": "text" if field["control"] == "text" else "textarea", "words": []}


def _address(host: str, route: Json) -> str:
    query = {"host": host, "path": route["path"]}
    if route["index"] is not None:
        query["index"] = str(route["index"])
    return f"{FORM}?{urllib.parse.urlencode(query)}"


async def save(one: visit.Visit) -> responses.Response:
    """What differs from what stood in the form goes into the draft."""
    form = await one.form()
    place = {key: form.get(key, "") for key in ("host", "path", "index")}
    written = {key.removeprefix(_KEY): _unified(text) for key, text in form.items() if key.startswith(_KEY)}
    changed = {key: text for key, text in written.items() if text != _unified(form.get(_BEFORE + key, ""))}
    back = f"{FORM}?{urllib.parse.urlencode({key: value for key, value in place.items() if value})}"
    if not changed:
        return one.go_to(back, page_frame.Message(tone=page_frame.Tone.WARNING, text=one.text("option.nothing")))
    edit: Json = {"what": "set", "inputs": changed, **{key: place[key] for key in ("host", "path") if place[key]}}
    if place["index"].isascii() and place["index"].isdecimal() and len(place["index"]) < 6:
        edit["index"] = int(place["index"])
    try:
        await one.send("POST", "draft", "edits", body={"edits": [edit]})
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        return await _show_form(one, place, inputs=written, refused=refused)
    message = page_frame.Message(
        tone=page_frame.Tone.DONE,
        text=one.text("option.saved", keys=", ".join(sorted(changed))[:200]),
        link="/changes",
        link_text=one.text("option.review"),
    )
    return one.go_to(back, message)


def _unified(text: str) -> str:
    """Browsers end lines otherwise than they got them."""
    return text.replace("\r\n", "\n").rstrip("\n")


async def switch(one: visit.Visit) -> responses.Response:
    """A site on, off or away, in the draft."""
    host, what = await one.field("host"), await one.field("what")
    edit = {"what": what if what in {"enable", "disable", "remove", "remove_route"} else "", "host": host}
    if what == "remove_route":
        edit["path"] = await one.field("path")
    try:
        await one.send("POST", "draft", "edits", body={"edits": [edit]})
    except api_client.ApiError as refused:
        if not refused.is_refusal:
            raise
        return one.go_to("/changes", page_frame.Message(tone=page_frame.Tone.FAILED, text=refused.message))
    return one.go_to(
        "/changes", page_frame.Message(tone=page_frame.Tone.DONE, text=one.text("option.switched", host=host))
    )
