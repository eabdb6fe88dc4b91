"""The pages of changes: the draft with its review, the countdown, files, forms of every key; without a daemon."""

import dataclasses
import html
import pathlib
import re
import typing

import pytest

from daemun.core.access import dashboard_roles
from daemun.web import edit_endpoints, endpoint
from tests.support import docker_values, draft_house, fake_gate, page_house

Json = dict[str, typing.Any]
HOSTILE, ESCAPED = page_house.HOSTILE, page_house.ESCAPED


class House(draft_house.DraftHouse):
    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.pages = page_house.PageHouse((*self.endpoints(), *_stand_ins()))

    async def draft(self) -> str:
        """What the files are to hold."""
        report = await self.desk.show("token:ann", shows_secrets=True)
        return "\n".join(str(file.text) for file in report.files)


def _stand_ins() -> tuple[endpoint.ApiEndpoint, ...]:
    """Of what other pages show: the history, and lamps of sites."""

    async def history(_: endpoint.Call) -> Json:
        row = {"number": 2, "state": "live", "reason": None, "changes": ["added new.test", f"changed {HOSTILE}"]}
        return {"total": 1, "page": 1, "rows": [row]}

    async def sites(call: endpoint.Call) -> Json:
        lamps = {name: {"lamp": "good", "why": None} for name in ("settings", "server")}
        row = {"name": call.query("q"), "lamps": {**lamps, "certificate": {"lamp": "warning", "why": HOSTILE}}}
        return {"total": 1, "page": 1, "rows": [row]}

    look = dashboard_roles.Role.LOOK
    return (
        endpoint.ApiEndpoint(method="GET", path="/history", needs=look, summary="List", handler=history),
        endpoint.ApiEndpoint(method="GET", path="/sites", needs=look, summary="List", handler=sites),
    )


@pytest.fixture
async def house(tmp_path: pathlib.Path) -> House:
    made = House(tmp_path)
    await made.start()
    return made


def read_form(page: str, address: str) -> dict[str, str]:
    """What a browser would send of the form that is posted there, as it is."""
    found = re.findall(rf'<form[^>]*action="{re.escape(address)}"[^>]*>(.*?)</form>', page, re.S)[-1]
    values: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", found):
        named = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if named.get("type") != "checkbox" or " checked" in tag:
            values[named["name"]] = html.unescape(named.get("value", ""))
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\n(.*?)</textarea>', found, re.S):
        values[name] = html.unescape(text).replace("\n", "\r\n")
    for name, inner in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', found, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', inner) or re.search(r'<option value="([^"]*)"', inner)
        assert chosen is not None
        values[name] = html.unescape(chosen[1])
    return values


async def add(house: House, **given: str) -> str:
    form = {"host": "new.test", "target": "http://127.0.0.1:9", "path": "/", "file": "", "do": "add", **given}
    return await house.pages.post("/changes/add", form)


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_from_a_new_site_to_what_is_live(house: House, language: str) -> None:
    empty = await house.pages.get("/changes", language=language)
    assert ("changes nothing" in empty) is (language == "en")
    assert "new.test" in await add(house)
    page = await house.pages.get("/changes", language=language)
    assert "http://127.0.0.1:9" in page
    assert house.main.read_text() == draft_house.MAIN
    form = read_form(page, "/changes/apply")
    assert form["confirm"] == "true"
    applied = await house.pages.request("POST", "/changes/apply", {**form, "message": "a shop"})
    assert applied.headers["location"] == "/changes/trial"
    trial = await house.pages.get("/changes/trial", language=language)
    assert 'href="/sites/new.test"' in trial
    assert ESCAPED in trial
    assert "onerror=alert(1)>" not in trial
    assert "<time-left" in await house.pages.get("/changes")
    await house.pages.post("/changes/undo")
    assert house.main.read_text() == draft_house.MAIN
    assert (await house.pages.request("GET", "/changes/trial")).status_code == 303


async def test_it_stays_when_it_is_kept_or_applied_for_good(house: House) -> None:
    await add(house)
    form = read_form(await house.pages.get("/changes"), "/changes/apply")
    await house.pages.request("POST", "/changes/apply", form)
    assert "stays" in await house.pages.post("/changes/confirm")
    await add(house, host="other.test")
    form = read_form(await house.pages.get("/changes"), "/changes/apply")
    del form["confirm"]  # a box that is not checked is not sent
    assert "Live." in await house.pages.post("/changes/apply", form)
    assert "other.test" in house.main.read_text()
    assert "nothing is on trial" in await house.pages.post("/changes/undo")


async def test_what_cannot_go_live_is_shown_with_its_reason(house: House) -> None:
    await house.pages.post(
        "/changes/form", {"host": "a.test", "path": "/", "key.to": "http://127.0.0.1:666", "before.to": "x"}
    )
    form = read_form(await house.pages.get("/changes"), "/changes/apply")
    answer = await house.pages.request("POST", "/changes/apply", form)
    assert (answer.status_code, "cannot serve a.test: no" in answer.text) == (422, True)
    assert "as they were before" in answer.text
    assert "666" in await house.draft()
    await house.pages.post("/changes/discard")
    assert "666" not in await house.draft()


async def test_a_mistake_leads_to_its_line(house: House) -> None:
    text = (await house.draft()).split("\nsites:\n  c.test")[0].replace("http://127.0.0.1:2", "htp://x")
    await house.pages.post("/changes/file", {"name": "daemun.yaml", "text": text, "version": ""})
    page = await house.pages.get("/changes")
    assert 'href="/changes/file?name=daemun.yaml&amp;line=6"' in page
    assert 'action="/changes/apply"' not in page
    assert 'line="6"' in await house.pages.get("/changes/file?name=daemun.yaml&line=6")


async def test_what_others_changed_is_put_together_or_decided(house: House) -> None:
    await add(house)
    house.main.write_text(draft_house.MAIN.replace("127.0.0.1:1 ", "127.0.0.1:5 "))
    page = await house.pages.get("/changes")
    assert 'action="/changes/rebase"' in page
    assert 'action="/changes/apply"' not in page
    assert "Look at it again" in await house.pages.post("/changes/rebase")
    house.main.write_text("sites: {}\n")
    page = await house.pages.get("/changes")
    assert 'action="/changes/rebase"' not in page
    form = read_form(page, "/changes/discard")
    assert (await house.pages.request("POST", "/changes/rebase", {})).status_code == 409
    assert form == {}  # the last one is of the whole draft
    assert "Discarded" in await house.pages.post("/changes/discard", {"file": "daemun.yaml"})


async def test_a_draft_that_is_not_what_was_reviewed_is_not_applied(house: House) -> None:
    await add(house)
    form = read_form(await house.pages.get("/changes"), "/changes/apply")
    await add(house, host="other.test")
    answer = await house.pages.request("POST", "/changes/apply", form)
    assert (answer.status_code, "look at it again" in answer.text) == (409, True)
    assert house.main.read_text() == draft_house.MAIN


# --- files ---------------------------------------------------------------------------------------------------------


async def test_the_file_as_a_text_without_scripts(house: House) -> None:
    page = await house.pages.get("/changes/file")
    form = read_form(page, "/changes/file")
    assert form["text"].replace("\r\n", "\n") == draft_house.MAIN
    await house.pages.post("/changes/file", {**form, "text": form["text"].replace(":2\r\n", ":7\r\n")})
    assert "127.0.0.1:7\n" in await house.draft()
    answer = await house.pages.request("POST", "/changes/file", {**form, "text": f"# {HOSTILE}"})
    assert (answer.status_code, "changed since you opened it" in answer.text) == (409, True)
    assert f"# {ESCAPED}" in answer.text  # what was written is not lost
    assert "style-src &#39;self" not in answer.text
    assert "nonce-" in answer.headers["content-security-policy"].partition("style-src")[2]


async def test_who_does_not_own_the_gate_sees_no_secret(house: House) -> None:
    for role in ("look", "change"):
        page = await house.pages.get("/changes/file", role=role)
        assert "(hidden 1)" in page
        assert "s3cret" not in page
    assert "readonly" in await house.pages.get("/changes/file", role="look")
    assert "s3cret" not in await house.pages.get("/changes/form", role="change")


async def test_the_editor_gets_what_is_wrong_and_what_completes(house: House) -> None:
    answer = await house.pages.request("POST", "/changes/file/check", {"name": "daemun.yaml", "text": "sites: {\n"})
    (problem,) = answer.json()["problems"]
    assert (problem["severity"], problem["line"]) == ("error", 2)
    answer = await house.pages.request("POST", "/changes/file/check", {"name": "../x", "text": ""})
    assert "none of the files" in answer.json()["problems"][0]["message"]
    schema = (await house.pages.request("GET", "/changes/file/schema.json")).json()
    assert "sites" in schema["nodes"][schema["root"]]["keys"]


# --- forms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/changes/form", "/changes/form?host=a.test", "/changes/form?host=a.test&path=/"])
async def test_a_form_that_is_sent_as_it_came_changes_nothing(house: House, address: str) -> None:
    form = read_form(await house.pages.get(address), "/changes/form")
    assert len([key for key in form if key.startswith("key.")]) > 20
    assert "Nothing was changed" in await house.pages.post("/changes/form", form)
    assert await house.draft() == f"{draft_house.MAIN}\n{draft_house.MORE}"


async def test_keys_are_set_and_unset_by_forms(house: House) -> None:
    form = read_form(await house.pages.get("/changes/form?host=a.test"), "/changes/form")
    form |= {"key.hsts": "max_age: 1d\r\n", "key.http": "serve", "key.aliases": "www.a.test\r\nshop.test"}
    page = await house.pages.post("/changes/form", form)
    assert "aliases, hsts, http" in page
    text = await house.draft()
    assert "    aliases: [www.a.test, shop.test]\n" in text
    assert "# the first" in text
    form = read_form(page, "/changes/form")
    assert (form["key.hsts"], form["key.http"]) == ("max_age: 1d", "serve")
    await house.pages.post("/changes/form", {**form, "key.hsts": "", "key.http": ""})
    assert "hsts" not in await house.draft()


async def test_a_form_that_is_refused_keeps_what_was_written(house: House) -> None:
    form = read_form(await house.pages.get("/changes/form?host=a.test"), "/changes/form")
    written = f"max_age: '{HOSTILE}'"
    answer = await house.pages.request("POST", "/changes/form", {**form, "key.hsts": written})
    assert answer.status_code == 422
    assert ESCAPED in answer.text
    assert "onerror=alert(1)>" not in answer.text
    assert read_form(answer.text, "/changes/form")["key.hsts"].replace("\r\n", "\n") == written.replace("''", "'")
    for place in ("host=nowhere.test", "host=a.test&path=/no", f"host={HOSTILE}"):
        answer = await house.pages.request("GET", f"/changes/form?{place}")
        assert (answer.status_code, "onerror=alert(1)>" in answer.text) == (404, False)


async def test_sites_are_switched_and_removed_in_the_draft(house: House) -> None:
    page = await house.pages.get("/changes/form?host=c.test")
    assert 'action="/changes/switch"' in page
    await house.pages.post("/changes/switch", {"host": "a.test", "what": "disable"})
    await house.pages.post("/changes/switch", {"host": "b.test", "what": "remove"})
    text = await house.draft()
    assert "enabled: false" in text
    assert "b.test" not in text
    assert "cannot edit" in await house.pages.post("/changes/switch", {"host": "a.test", "what": "format"})


async def test_a_target_is_tried_from_the_form(house: House) -> None:
    form = {"host": "new.test", "target": "http://127.0.0.1:1", "path": "/", "do": "try"}
    answer = await house.pages.request("POST", "/changes/add", form)
    assert (answer.status_code, "127.0.0.1:1" in answer.text) == (200, True)
    assert "new.test" not in await house.draft()
    for target in (HOSTILE, "file:///etc/passwd"):
        answer = await house.pages.request("POST", "/changes/add", {**form, "target": target})
        assert (answer.status_code, "onerror=alert(1)>" in answer.text) == (422, False)
    assert HOSTILE[:10] not in await house.pages.get(f"/changes/add?host={HOSTILE}")


async def test_others_are_named_with_their_drafts(house: House) -> None:
    edit = edit_endpoints._read_edit({"what": "disable", "host": "a.test"})
    await house.desk.edit(f"login:{HOSTILE}", [edit], shows_secrets=False)
    page = await house.pages.get("/changes")
    assert ESCAPED in page
    assert "onerror=alert(1)>" not in page


async def test_the_address_of_a_form_shows_nothing_by_itself(house: House) -> None:
    answer = await house.pages.request("GET", "/changes/apply")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "takes what a form sends" in answer.text and answer.text.count("<h1") == 1


async def test_who_may_look_is_offered_nothing(house: House) -> None:
    await add(house)
    for address in ("/changes", "/changes/form", "/changes/form?host=a.test", "/changes/file"):
        page = await house.pages.get(address, role="look")
        assert not re.search(r'type="submit" class="main"|class="main" type="submit"', page)
    for address in ("apply", "discard", "rebase", "confirm", "undo", "file", "form", "switch", "add"):
        form = {"host": "x.test", "target": "http://x", "key.hsts": "true", "do": "add", "what": "remove"}
        assert (await house.pages.request("POST", f"/changes/{address}", form, role="look")).status_code == 403
    assert house.main.read_text() == draft_house.MAIN


async def test_servers_of_containers_are_shown_and_not_offered_as_targets(house: House) -> None:
    """Under the name by which nginx queries them they were in the form, and what was added to it came into the file."""
    snapshot = docker_values.run(docker_values.container("chat-1", {"daemun.host": "chat.test"})).snapshot
    sites = tuple(fake_gate.live(site) for site in snapshot.sites)
    house.told = dataclasses.replace(house.told, sites=(*house.told.sites, *sites), pools=snapshot.pools)
    (end,) = snapshot.pools[0].endpoints
    page = await house.pages.get("/changes/form?host=chat.test&path=/")
    assert f"<code>http://{end.address}</code>" in page
    assert read_form(page, "/changes/form")["key.to"] == ""
    for address in ("/changes/form?host=chat.test", "/changes/form?host=chat.test&path=/"):
        assert snapshot.pools[0].name not in await house.pages.get(address)
    form = read_form(page, "/changes/form")
    answer = await house.pages.request(
        "POST", "/changes/form", {**form, "key.to": f"http://{snapshot.pools[0].name}/x/"}
    )
    assert "is a name that daemun itself makes" in answer.text
    assert snapshot.pools[0].name not in await house.draft()


async def test_a_change_of_a_site_of_containers_is_written_over_it(house: House) -> None:
    labels = {"daemun.host": "chat.test", "daemun.max_body": "1m", "daemun.http": "serve"}
    snapshot = docker_values.run(docker_values.container("chat-1", labels)).snapshot
    sites = tuple(fake_gate.live(site) for site in snapshot.sites)
    house.told = dataclasses.replace(house.told, sites=(*house.told.sites, *sites))
    page = await house.pages.get("/changes/form?host=chat.test")
    assert "Labels of container chat-1 set this site" in page
    form = read_form(page, "/changes/form")
    await house.pages.post("/changes/form", {**form, "key.hsts": "true"})
    form = read_form(await house.pages.get("/changes/form?host=chat.test&path=/"), "/changes/form")
    await house.pages.post("/changes/form", {**form, "key.max_body": "9m"})
    written = "\n  chat.test:\n    hsts: true\n    from: docker\n    routes:\n      /:\n        max_body: 9m\n"
    assert written in await house.draft()
    assert "What the file sets holds over their labels" in await house.pages.get("/changes/form?host=chat.test")
    # It is a site of the draft by now.
    await house.pages.post("/changes/switch", {"host": "chat.test", "what": "disable"})
    assert "enabled: false" in await house.draft()
