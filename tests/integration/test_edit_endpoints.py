"""Drafts by the API: edits, reviews, two operators at once, edits by hand meanwhile, and going live; with a gate that
the test controls."""

import asyncio
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import threading
import typing

import pytest

from daemun.control import draft_port, history_port, stored_values
from daemun.core import model
from daemun.core.options import catalogue, robots_option
from daemun.sources import shielded_work
from daemun.sources.drafts import draft_store, review_turns
from daemun.sources.history import history_store
from daemun.store import memory_store, mirrored_store
from daemun.web import edit_endpoints
from daemun.wiring import target_tries
from tests.support import draft_house, fake_gate, operator_client

Json = dict[str, typing.Any]
MAIN, MORE, REFUSED = draft_house.MAIN, draft_house.MORE, draft_house.REFUSED
House = draft_house.DraftHouse
ADD = {"what": "add", "host": "new.test", "target": "http://127.0.0.1:9"}


@pytest.fixture
async def house(tmp_path: pathlib.Path) -> House:
    made = House(tmp_path)
    await made.start()
    return made


# --- a draft -------------------------------------------------------------------------------------------------------


async def test_edits_are_in_the_draft_alone_until_it_is_applied(house: House) -> None:
    report = await house.edit(
        ADD,
        {"what": "disable", "host": "a.test"},
        {"what": "set", "host": "c.test", "path": "/", "values": {"max_body": "2m"}},
        {"what": "set", "values": {"max_header": "16k"}},
    )
    assert [(one["name"], one["is_changed"]) for one in report["files"]] == [
        ("daemun.yaml", True),
        ("sites/c.yaml", True),
    ]
    assert (house.main.read_text(), house.more.read_text()) == (MAIN, MORE)
    house.begin()  # another daemon has it, too
    text = await house.text()
    assert "  new.test: http://127.0.0.1:9\n" in text
    assert "max_header: 16k\n" in text
    assert "# the first" in text
    assert "# another" in await house.text("sites/c.yaml")
    status, applied = await house.apply_draft(message="a new shop", confirm_s=0)
    assert (status, applied["live"], applied["trial"]) == (200, True, None)
    assert house.main.read_text() == text
    assert "max_body: 2m" in house.more.read_text()
    await house.recorder.write_noted()
    newest = next(iter(history_store.HistoryStore(house.store).newest()))
    assert str(newest.author) == f"dashboard: draft (ann, {operator_client.ADDRESS}): a new shop"
    assert (await house.client.get("/draft"))["began_at"] is None
    assert house.client.noted[-1] == ("/draft/apply", "draft", 200)
    noted = house.client.operators.noted[-1]
    assert (noted.before, noted.after) == (f"number {newest.number - 1}", f"number {newest.number}")


async def test_a_list_of_edits_is_done_as_a_whole_or_not_at_all(house: House) -> None:
    status, words = await house.client.fail(
        "POST", "/draft/edits", {"edits": [ADD, {"what": "remove", "host": "nowhere.test"}]}
    )
    assert (status, "there is no such site" in words) == (422, True)
    assert "new.test" not in await house.text()


@pytest.mark.parametrize(
    "edit",
    [
        {"what": "add", "host": "x.test\n  evil.test: http://e", "target": "http://x"},
        {"what": "add", "host": "x.test", "target": "http://x\n  evil.test: http://e"},
        {"what": "add", "host": "x.test", "target": "http://x", "path": "/a\n/b: http://e"},
        {"what": "add", "host": "x.test", "target": "sites"},
        {"what": "add", "host": "x.test", "target": "./sites"},
        {"what": "add", "host": "x.test", "target": "http://x", "file": "../../etc/x.yaml"},
        {"what": "set", "host": "a.test", "values": {"nginx": "return 200;\n}\nserver {"}},
        {"what": "set", "host": "a.test", "values": {"evil\nkey": 1}},
        {"what": "set", "host": "a.test", "values": {"sites": {}}},
        {"what": "set", "values": {"include": "/etc/*"}},
        {"what": "set", "values": {"max_header": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}},
        {"what": "remove"},
        {"what": "format", "host": "a.test"},
    ],
)
async def test_hostile_edits_change_nothing(house: House, edit: Json) -> None:
    answer = await house.client.request("POST", "/draft/edits", {"edits": [edit]})
    assert answer.status_code == 422, answer.text
    assert await house.text() == MAIN


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"edits": []},
        {"edits": {}},
        {"edits": [1]},
        {"edits": [{"what": "set", "x": 1}]},
        {"edits": [{"what": "set", "values": []}]},
        {"edits": [{"what": "set", "index": True}]},
        {"edits": [{"what": "set", "unset": "a"}]},
        {"edits": [{"what": "set", "host": 1}]},
    ],
)
async def test_bodies_of_another_form_are_refused(house: House, body: Json) -> None:
    assert (await house.client.fail("POST", "/draft/edits", body))[0] == 400


async def test_a_text_is_kept_byte_for_byte_but_for_what_browsers_do_to_lines(house: House) -> None:
    text = MAIN.replace("127.0.0.1:2", "127.0.0.1:7")
    shown = (await house.client.get("/draft", role="own"))["files"][0]
    body = {"file": "daemun.yaml", "text": text.replace("\n", "\r\n"), "version": shown["version"]}
    report = await house.send("PUT", "/draft/file", body, "own")
    assert report["files"][0]["text"] == text
    status, words = await house.client.fail("PUT", "/draft/file", body, role="own")
    assert (status, "changed since you opened it" in words) == (409, True)
    back = await house.send("PUT", "/draft/file", {"file": "daemun.yaml", "text": MAIN}, "own")
    assert (back["files"][0]["is_changed"], back["began_at"]) == (False, None)


async def test_a_text_is_checked_while_it_is_typed(house: House) -> None:
    text = (await house.text(role="change")).replace("http://127.0.0.1:2", "htp://x")
    found = await house.send("POST", "/draft/check", {"file": "daemun.yaml", "text": text})
    assert [(one["line"], one["column"], one["host"]) for one in found["problems"]] == [(6, 11, "b.test")]
    assert await house.text() == MAIN
    assert house.client.noted == []
    assert (await house.client.get("/schema"))["title"] == "daemun.yaml"


async def test_who_does_not_own_the_gate_sees_no_secret_and_loses_none(house: House) -> None:
    shown = await house.text(role="look")
    assert "key: (hidden 1)" in shown
    assert "s3cret" not in shown
    await house.send("PUT", "/draft/file", {"file": "daemun.yaml", "text": shown.replace(":2\n", ":7\n")})
    assert await house.client.request("POST", "/draft/review", {}) is not None
    assert "s3cret" not in (await house.client.request("POST", "/draft/review", {})).text
    assert (await house.apply_draft(confirm_s=0))[0] == 200
    assert house.main.read_text() == MAIN.replace(":2\n", ":7\n")
    for moved in ("x-own: (hidden 1)\n", "# (hidden 1)\n", "x-own: (hidden 2)\n"):
        body = {"file": "daemun.yaml", "text": moved + shown}
        status, words = await house.client.fail("PUT", "/draft/file", body)
        assert (status, "hidden" in words) == (422, True)


async def test_a_new_file_begins_where_include_names_it(house: House) -> None:
    await house.edit({**ADD, "file": "sites/new.yaml"})
    review = await house.send("POST", "/draft/review")
    assert (review["problems"], [one["host"] for one in review["changes"]]) == ([], ["new.test"])
    assert (await house.apply_draft())[0] == 200
    assert (house.main.parent / "sites/new.yaml").read_text() == "sites:\n  new.test: http://127.0.0.1:9\n"
    await house.send("POST", "/trial/undo")
    assert not (house.main.parent / "sites/new.yaml").exists()


async def test_a_file_beside_the_configuration_cannot_be_written(house: House) -> None:
    for name in ("other.yaml", "../x.yaml", "/etc/passwd", "sites/../../x", "", "sites/c.yaml\0"):
        status, _ = await house.client.fail("PUT", "/draft/file", {"file": name, "text": "sites: {}\n"})
        assert status == 422


@pytest.mark.parametrize(
    "text",
    [
        "include: [sites/*.yaml, secret.yaml]",
        "include: secret.*",
        '"include": [sites/*.yaml, secret.yaml]',
        "x-all: &all {include: secret.yaml}\n<<: *all",
        "? include\n: secret.yaml",
    ],
)
async def test_who_does_not_own_the_gate_chooses_no_files(house: House, text: str) -> None:
    """`include` would show any file of the machine, and have it written over."""
    secret = house.main.parent / "secret.yaml"
    secret.write_text("top-s3cret")
    body = {"file": "daemun.yaml", "text": (await house.text(role="look")).replace("include: sites/*.yaml", text)}
    for path, method in (("/draft/file", "PUT"), ("/draft/check", "POST")):
        status, words = await house.client.fail(method, path, body)
        assert (status, "needs the role `own`" in words, "top-s3cret" in words) == (403, True, False)
    edit = {**ADD, "file": "secret.yaml"}
    assert (await house.client.fail("POST", "/draft/edits", {"edits": [edit]}))[0] == 422
    assert "secret.yaml" not in [one["name"] for one in (await house.client.get("/draft"))["files"]]
    await house.send("PUT", "/draft/file", body, role="own")
    assert "top-s3cret" in await house.text("secret.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "dashboard: {host: gate.test, own: [bob]}\n",
        "login: {host: auth.test, users: {bob: x}}\n",
        "metrics: {listen: 127.0.0.1:9999}\n",
        "user: root\n",
        "x-all: &all {dashboard: {host: gate.test, own: [bob]}}\n<<: *all\n",
        '"dash\\u0062oard": {host: gate.test, own: [bob]}\n',
    ],
)
async def test_who_does_not_own_the_gate_makes_no_owner(house: House, text: str) -> None:
    body = {"file": "daemun.yaml", "text": text + await house.text(role="look")}
    typed = (await house.send("POST", "/draft/check", body))["problems"]
    assert any("needs the role `own`" in one["message"] for one in typed)
    await house.send("PUT", "/draft/file", body)
    review = await house.send("POST", "/draft/review")
    assert any(one["is_new"] and "needs the role `own`" in one["message"] for one in review["problems"])
    status, refused = await house.apply_draft(confirm_s=0)
    assert (status, "needs the role `own`" in refused["error"]) == (403, True)
    assert house.main.read_text() == MAIN


async def test_what_only_owners_change_may_be_there(house: House) -> None:
    """All else of the file can be changed, and an owner changes that, too."""
    owned = "dashboard: {host: gate.test, own: [ann]}\nmetrics: {listen: '127.0.0.1:${PORT_OF_METRICS:-9}'}\n"
    house.main.write_text(owned + MAIN)
    await house.edit({"what": "disable", "host": "a.test"}, ADD)
    assert (await house.apply_draft(confirm_s=0))[0] == 200
    gone = {"file": "daemun.yaml", "text": (await house.text(role="look")).replace(owned, "")}
    await house.send("PUT", "/draft/file", gone)
    assert (await house.apply_draft(confirm_s=0))[0] == 403
    await house.send("DELETE", "/draft")
    await house.send("PUT", "/draft/file", {**gone, "text": house.main.read_text().replace(owned, "")}, role="own")
    answer = await house.client.request("POST", "/draft/apply", {"confirm_s": 0}, role="own")
    assert (answer.status_code, "dashboard" in house.main.read_text()) == (200, False)


async def test_edits_of_one_operator_at_two_machines_are_all_in_the_draft(tmp_path: pathlib.Path) -> None:
    """Behind a balancer, before either machine has learned what the other changed."""
    shared, houses = memory_store.MemoryStore(), []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made = House(tmp_path / name)
        made.store = mirrored_store.MirroredStore(memory_store.MemoryStore(), shared)
        made.begin()
        await made.start()
        houses.append(made)
    a, b = houses
    await a.edit({"what": "disable", "host": "a.test"})
    await b.edit(ADD)
    await a.edit({"what": "disable", "host": "b.test"})
    text = await a.text()
    assert text.count("enabled: false") == 2
    assert "new.test" in text
    drafts = draft_store.DraftStore(b.store)
    (operator,) = (one.operator for one in drafts.list_all())
    seen, revision = drafts.read_newest(operator)
    assert seen is not None
    await a.edit({"what": "enable", "host": "a.test"})
    with pytest.raises(draft_port.StaleDraftError, match="load it again"):
        drafts.write(dataclasses.replace(seen, revision=revision))
    with pytest.raises(draft_port.StaleDraftError):
        drafts.delete(operator, revision)
    await b.send("DELETE", "/draft")
    assert drafts.read_newest(operator) == (None, stored_values.ABSENT)


async def test_drafts_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"file": "daemun.yaml", "text": "#" * ((4 << 20) + 1)}
    assert (await house.client.fail("PUT", "/draft/file", body))[0] == 422
    monkeypatch.setattr(draft_store, "MOST_DRAFTS", 1)
    await house.edit(ADD)
    await house.desk.discard("token:ann", None, shows_secrets=False)
    await house.desk.edit("login:bob", [edit_endpoints._read_edit(ADD)], shows_secrets=False)
    status, words = await house.client.fail("POST", "/draft/edits", {"edits": [ADD]})
    assert (status, "apply or discard" in words) == (422, True)
    # Nobody comes back to what was forgotten, and the owner of the gate need not wait for that.
    house.clock.advance(draft_store.FORGOTTEN)
    await house.edit(ADD)
    assert (await house.client.get("/draft"))["others"] == []
    status, _ = await house.client.fail("DELETE", "/draft?of=token:ann")
    assert status == 403
    assert await house.send("DELETE", "/draft?of=token:ann", role="own") == {}
    assert "new.test" not in await house.text()


async def test_the_first_site_of_all_makes_the_file(house: House) -> None:
    house.main.unlink()
    house.more.unlink()
    await house.edit(ADD)
    review = await house.send("POST", "/draft/review")
    assert [one["host"] for one in review["changes"]] == ["new.test"]
    assert (await house.apply_draft())[0] == 200
    assert "new.test" in house.main.read_text()
    await house.send("POST", "/trial/undo")
    assert house.main.read_text() == "sites: {}\n"


# --- forms ---------------------------------------------------------------------------------------------------------


def of_key(found: Json, key: str) -> Json:
    return next(one for one in found["options"] if one["key"] == key)


async def test_every_key_has_a_form(house: House) -> None:
    await house.edit(
        {"what": "set", "host": "a.test", "values": {"hsts": {"max_age": "1d"}, "aliases": ["www.a.test"]}},
        {"what": "set", "values": {"defaults": {"trailing_slash": "add"}}},
    )
    gate = await house.client.get("/options")
    listen = of_key(gate, "listen")
    assert (listen["control"], listen["source"], listen["value"]) == ("yaml", None, None)
    assert [one["key"] for one in listen["keys"]] == ["http", "https", "proxy_protocol"]
    secret = of_key(gate, "crowdsec")
    assert (secret["text"], secret["holds_secret"]) == ('url: http://127.0.0.1:1\nkey: "(hidden 1)"', True)
    assert (secret["file"], secret["line"]) == ("daemun.yaml", 2)
    site = await house.client.get("/options?host=a.test", role="change")
    assert (site["file"], site["line"], site["containers"]) == ("daemun.yaml", 7, [])
    assert [(one["path"], one["to"]) for one in site["routes"]] == [("/", "http://127.0.0.1:1")]
    hsts = of_key(site, "hsts")
    assert (hsts["text"], hsts["source"], hsts["line"]) == ("max_age: 1d", "file", 9)
    assert of_key(site, "aliases")["text"] == "www.a.test"
    slash = of_key(site, "trailing_slash")
    assert (slash["source"], slash["text"], slash["choices"]) == ("defaults", "add", ["add", "remove", "keep"])
    assert all(one["help"] and one["control"] for one in site["options"])
    route = await house.client.get("/options?host=c.test&path=/")
    target = of_key(route, "to")
    assert (target["text"], target["file"], target["line"]) == ("http://127.0.0.1:3", "sites/c.yaml", 2)
    for query in ("host=nowhere.test", "host=a.test&path=/no", "host=a.test%0Ab"):
        assert (await house.client.fail("GET", f"/options?{query}"))[0] == 404
    assert (await house.client.fail("GET", "/options?host=a.test&index=x"))[0] == 400


async def test_forms_of_a_long_file_without_further_ones(house: House) -> None:
    """Most of its sites are not read; lines are those of the file all the same."""
    many = "".join(f"  s{number}.test: http://127.0.0.1:1\n" for number in range(600))
    house.main.write_text("logs: {keep: 3}\nsites:\n" + many)
    await house.edit({"what": "set", "host": "s444.test", "values": {"robots": "none"}})
    found = await house.client.get("/options?host=s444.test", role="change")
    assert (found["file"], found["line"], of_key(found, "robots")["line"]) == ("daemun.yaml", 447, 448)
    assert of_key(await house.client.get("/options", role="change"), "logs")["text"] == "keep: 3"


async def test_what_somebody_wrote_into_a_form(house: House) -> None:
    inputs = {
        "aliases": "www.a.test\r\n\r\n shop.test ",
        "hsts": "max_age: 1d\r\npreload: false\r\n",
        "redirect_status": "307",
        "http": "serve",
        "underscores_in_headers": "true",
        "nginx": "add_header X-A b;\r\nadd_header X-C d;\r\n",
        "trailing_slash": "",
    }
    await house.edit(
        {"what": "set", "host": "a.test", "inputs": inputs},
        {"what": "set", "host": "b.test", "path": "/", "inputs": {"to": "http://127.0.0.1:7", "max_body": "3m"}},
    )
    text = await house.text()
    for line in (
        "    aliases: [www.a.test, shop.test]\n",
        "    hsts:\n      max_age: 1d\n      preload: false\n",
        "    redirect_status: 307\n",
        "    underscores_in_headers: true\n",
        "    nginx: |\n      add_header X-A b;\n      add_header X-C d;\n",
        "      to: http://127.0.0.1:7\n      max_body: 3m\n",
    ):
        assert line in text
    await house.edit({"what": "set", "host": "a.test", "inputs": {"hsts": " ", "nginx": "", "aliases": ""}})
    assert not {"hsts", "nginx", "aliases"} & {
        line.strip().partition(":")[0] for line in (await house.text()).split("\n")
    }


@pytest.mark.parametrize(
    ("inputs", "cause"),
    [
        ({"hsts": "max_age: [1"}, "cannot read"),
        ({"hsts": "max_age: 1d\n}\nsites: {evil.test: http://e}"}, "hsts"),
        ({"hsts": "---\na: 1\n---\nb: 2"}, "cannot read"),
        ({"request_headers": "X-A: &a [*a]"}, "request_headers"),
        ({"request_headers": "X-A: (hidden 1)"}, "(hidden)"),
        ({"request_headers": "x" * 200_000}, "more than"),
        ({"redirect_status": "9"}, "redirect_status"),
    ],
)
async def test_forms_that_are_filled_in_wrong_change_nothing(house: House, inputs: Json, cause: str) -> None:
    edit = {"what": "set", "host": "a.test", "inputs": inputs}
    status, words = await house.client.fail("POST", "/draft/edits", {"edits": [edit]})
    assert (status, cause in words) == (422, True), words
    assert await house.text() == MAIN


async def test_variables_stay_as_they_are_written(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a form nor the file gets what the daemon's environment holds."""
    monkeypatch.setenv("OWN_HOST", "value-of-the-environment")
    header = {"request_headers": "X-Own: ${OWN_HOST}"}
    await house.edit({"what": "set", "host": "a.test", "inputs": header})
    assert 'X-Own: "${OWN_HOST}"' in await house.text()
    found = await house.client.get("/options?host=a.test", role="change")
    assert of_key(found, "request_headers")["value"] == {"X-Own": "${OWN_HOST}"}
    assert "value-of-the-environment" not in str(found)


async def test_a_site_of_a_container_is_shown_with_it(house: House) -> None:
    origin = model.Origin(source="docker", place="container web-1")
    site = fake_gate.proxy_site("web.test")
    route = dataclasses.replace(
        site.routes[0], origin=origin, options=catalogue.values(robots_option.OPTION.set(robots_option.Robots.NONE))
    )
    house.told = dataclasses.replace(
        house.told, sites=(fake_gate.live(dataclasses.replace(site, origin=origin, routes=(route,))),)
    )
    found = await house.client.get("/options?host=web.test")
    assert (found["file"], found["containers"]) == (None, ["container web-1"])
    assert [(one["path"], one["container"]) for one in found["routes"]] == [("/", "container web-1")]
    found = await house.client.get("/options?host=web.test&path=/")
    assert (of_key(found, "to")["source"], of_key(found, "to")["value"]) == ("container web-1", None)
    assert (await house.client.fail("GET", "/options?host=web.test&path=/no"))[0] == 404


async def test_what_is_added_to_a_site_of_containers_lies_over_it(house: House) -> None:
    """In the file that was chosen for it."""
    origin = model.Origin(source="docker", place="container web-1")
    made = dataclasses.replace(fake_gate.proxy_site("web.test"), origin=origin)
    house.told = dataclasses.replace(house.told, sites=(fake_gate.live(made),))
    added = {"what": "add", "host": "web.test", "target": "http://127.0.0.1:7", "path": "/api/"}
    report = await house.edit(added)
    assert [one["name"] for one in report["files"] if one["is_changed"]] == ["daemun.yaml"]
    assert "  web.test:\n    from: docker\n    routes:\n      /api/: http://127.0.0.1:7\n" in await house.text()
    await house.send("DELETE", "/draft")
    report = await house.edit({**added, "file": "sites/c.yaml"})
    assert [one["name"] for one in report["files"] if one["is_changed"]] == ["sites/c.yaml"]


async def test_secrets_of_a_container_are_in_no_form(house: House) -> None:
    origin = model.Origin(source="docker", place="container web-1")
    target = model.Target(scheme=model.Scheme.HTTP, host="h", port=80, path="/a?api_key=s3cret")
    route = model.Route(path="/", action=model.Proxy(targets=(target,)), origin=origin)
    made = dataclasses.replace(fake_gate.proxy_site("web.test"), origin=origin, routes=(route,))
    house.told = dataclasses.replace(house.told, sites=(fake_gate.live(made),))
    for role in ("look", "own"):
        found = await house.client.get("/options?host=web.test&path=/", role=role)
        assert [one["to"] for one in found["routes"]] == ["http://h/a?api_key=(hidden)"]
        # What stands in a form is written into the file when it comes back.
        assert (of_key(found, "to")["source"], of_key(found, "to")["text"]) == ("container web-1", "")


# --- trying a target -----------------------------------------------------------------------------------------------


async def test_a_target_is_tried(house: House) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HEAD /")
            writer.write(b"HTTP/1.1 204 No Content\r\nX-Secret: s3cret\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    body = {"target": f"http://127.0.0.1:{port}", "host": "a.test"}
    found = await house.send("POST", "/targets/try", body)
    assert found["works"] is True
    assert [(one["server"], one["status"]) for one in found["servers"]] == [(f"127.0.0.1:{port}", 204)]
    assert "s3cret" not in str(found)
    server.close()
    await server.wait_closed()
    found = await house.send("POST", "/targets/try", body)
    (one,) = found["servers"]
    assert (found["works"], one["works"], one["status"]) == (False, False, None)
    assert one["cause"]
    assert one["cure"]


_METACHARACTERS_OF_TARGETS = (
    "http://10.0.0.1:80@127.0.0.1:1", "http://a.test;b", "http://a.test%00", "http://a%2f@b.test", "http://$host",
    "http://{a}", "http://a.test\\@b.test", "http://[::1", "http://[::1]x:80", "http://a.test:", "http://:80",
    "http://a b", "http://a.test#b", "//a.test", "http:///a.test", "unix:/run/x;y",
)  # fmt: skip
_METACHARACTERS_OF_HOSTS = (
    "a.test;", "a.test/../b", "a@b.test", "a.test:1", "{a}.test", "$host", "a.test%00", "a test", "a.test\\b", "",
    "`id`.test", "a.test\x00", "a.test'",
)  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"target": "file:///etc/passwd", "host": "a.test"},
        {"target": "http://x\r\nX-Evil: 1", "host": "a.test"},
        {"target": "http://127.0.0.1:1", "host": "a.test\r\nX-Evil: 1"},
        {"target": "http://127.0.0.1:99999", "host": "a.test"},
        {"target": "/etc/passwd", "host": "a.test"},
        {"target": "http://127.0.0.1:1", "host": "a.test", "path": "/" * 2000},
        {"target": "gopher://x", "host": "a.test"},
        *({"target": target, "host": "a.test"} for target in _METACHARACTERS_OF_TARGETS),
        *({"target": "http://127.0.0.1:1", "host": host} for host in _METACHARACTERS_OF_HOSTS),
    ],
)
async def test_what_no_file_could_have_is_not_tried(house: House, body: Json) -> None:
    """BunkerWeb sent requests to instances whose names it had not looked through (1.6.12, GHSA-rwch-jhxx-cx5f)."""
    assert (await house.client.fail("POST", "/targets/try", body))[0] == 422


async def test_tries_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_tries, "MOST_AT_ONCE", 0)
    status, words = await house.client.fail("POST", "/targets/try", {"target": "http://127.0.0.1:1", "host": "a.test"})
    assert (status, "try again" in words) == (429, True)


# --- review --------------------------------------------------------------------------------------------------------


async def test_a_review_has_what_would_change(house: House) -> None:
    await house.edit({"what": "set", "host": "a.test", "path": "/", "values": {"to": "http://127.0.0.1:8"}}, ADD)
    review = await house.send("POST", "/draft/review")
    assert review["problems"] == []
    assert review["changes"] == [
        {
            "host": "a.test",
            "kind": "changed",
            "file": "daemun.yaml",
            "lines": [
                "-   a.test: http://127.0.0.1:1   # the first",
                "+   a.test:   # the first",
                "+     /:",
                "+       to: http://127.0.0.1:8",
            ],
        },
        {"host": "new.test", "kind": "added", "file": "daemun.yaml", "lines": ["+   new.test: http://127.0.0.1:9"]},
    ]
    assert review["plan"]["sites"] == [{"host": "a.test,b.test,new.test,c.test", "kind": "changed"}]
    assert (review["plan"]["reload"], review["plan"]["steps"]) == (True, ["reload nginx"])
    assert review["notes"] == ["2 and 2 files"]
    assert house.main.read_text() == MAIN


async def test_a_review_names_the_line_of_what_is_wrong(house: House) -> None:
    text = (await house.text(role="change")).replace("http://127.0.0.1:2", "htp://x")
    await house.send("PUT", "/draft/file", {"file": "daemun.yaml", "text": text})
    review = await house.send("POST", "/draft/review")
    (problem,) = review["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["is_new"]) == ("daemun.yaml", 6, 11, True)
    assert "htp" in problem["message"]
    assert "corrected" in review["plan_error"]
    status, refused = await house.apply_draft()
    assert (status, refused["problems"][0]["line"]) == (422, 6)
    assert house.main.read_text() == MAIN


async def test_a_mistake_that_was_there_before_keeps_nothing_else_from_going_live(house: House) -> None:
    house.main.write_text(MAIN.replace("http://127.0.0.1:2", "htp://x"))
    await house.edit(ADD)
    review = await house.send("POST", "/draft/review")
    assert [one["is_new"] for one in review["problems"]] == [False]
    assert review["plan"] is not None
    assert (await house.apply_draft(confirm_s=0))[0] == 200
    assert "new.test" in house.main.read_text()


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in ("ab", "bc", "cd", "de", "ef")
)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {b: *a}\n",
        "[" * 300,
        "sites: {a: !!python/object/apply:os.system [id]}\n",
        "\0",
        "sites: {\n",
        "- " * 300,
    ],
)
async def test_no_text_takes_the_daemon_down(house: House, text: str) -> None:
    await house.send("PUT", "/draft/file", {"file": "daemun.yaml", "text": text})
    review = await house.send("POST", "/draft/review")
    assert [one for one in review["problems"] if one["severity"] == "error"]
    assert (await house.apply_draft())[0] in {403, 422}  # it may take `include` away, too
    assert house.main.read_text() == MAIN
    await house.send("DELETE", "/draft")


async def test_aliases_of_aliases_end(house: House) -> None:
    found = await house.send("POST", "/draft/check", {"file": "daemun.yaml", "text": BOMB})
    assert "values after its aliases are followed" in found["problems"][0]["message"]


async def test_reviews_wait_for_each_other_and_not_without_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_turns, "_MOST_WAITING", 0)
    answer = await house.client.request("POST", "/draft/review", {})
    assert (answer.status_code, "try again" in answer.json()["error"]) == (429, True)
    assert int(answer.headers["Retry-After"]) > 0
    monkeypatch.undo()
    monkeypatch.setattr(review_turns, "LONGEST_S", 0.0)
    status, words = await house.client.fail("POST", "/draft/review", {})
    assert (status, "took longer" in words) == (422, True)


async def test_the_thread_of_a_review_that_nobody_waits_for_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nginx never ends its test; the next review waits for that."""
    is_testing = threading.Event()

    def hang(_: model.Snapshot, thread: shielded_work.WorkingThread) -> tuple[model.Problem, ...]:
        is_testing.set()
        thread.run_apart(asyncio.Event().wait())
        raise AssertionError

    with monkeypatch.context() as hanging:
        hanging.setattr(house.parts, "test", hang)
        task = asyncio.ensure_future(house.desk.review("token:ann", shows_secrets=False))
        assert await asyncio.to_thread(is_testing.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await house.send("POST", "/draft/review"))["plan"] is not None


async def test_what_is_misspelled_is_not_applied(house: House) -> None:
    """A trial that nobody begins, for one."""
    await house.edit(ADD)
    status, words = await house.client.fail("POST", "/draft/apply", {"confirm": 60})
    assert (status, '"confirm" is not known; expected "message"' in words) == (400, True)
    assert words.endswith('did you mean "confirm_s"?')
    status, words = await house.client.fail("POST", "/trial/confirm", {"x": 1})
    assert (status, '"x" is not known; expected nothing' in words) == (400, True)
    status, words = await house.client.fail("POST", "/draft/edits", {"edits": [{"what": "set", "to": "http://a"}]})
    assert (status, words.startswith('cannot edit: "to" is no key of an edit')) == (400, True)
    assert house.main.read_text() == MAIN


# --- others meanwhile ----------------------------------------------------------------------------------------------


async def test_an_edit_by_hand_meanwhile_is_not_overwritten(house: House) -> None:
    await house.edit(ADD)
    house.main.write_text(MAIN.replace("  a.test: http://127.0.0.1:1 ", "  a.test: http://127.0.0.1:5 "))
    status, refused = await house.apply_draft()
    assert (status, "changed meanwhile" in refused["error"]) == (409, True)
    (conflict,) = refused["conflicts"]
    assert conflict["can_be_merged"] is True
    assert [one["host"] for one in conflict["mine"]] == ["new.test"]
    assert [one["host"] for one in conflict["theirs"]] == ["a.test"]
    assert (await house.client.get("/draft"))["files"][0]["is_changed_by_others"] is True
    await house.send("POST", "/draft/rebase")
    assert (await house.apply_draft(confirm_s=0))[0] == 200
    text = house.main.read_text()
    assert "127.0.0.1:5" in text
    assert "new.test" in text


async def test_two_operators_who_change_the_same_line(house: House) -> None:
    change = {"what": "set", "host": "b.test", "path": "/"}
    await house.edit({**change, "values": {"to": "http://127.0.0.1:20"}})
    await house.desk.edit(
        "login:bob",
        [edit_endpoints._read_edit({**change, "values": {"to": "http://127.0.0.1:30"}})],
        shows_secrets=False,
    )
    assert [one["operator"] for one in (await house.client.get("/draft"))["others"]] == ["login:bob"]
    caller = history_port.Caller(command="dashboard: draft", user="bob")
    await house.desk.apply("login:bob", shows_secrets=False, caller=caller, trial_s=None, version=None)
    bobs = house.main.read_text()
    status, refused = await house.apply_draft()
    assert (status, refused["conflicts"][0]["can_be_merged"]) == (409, False)
    assert (await house.client.fail("POST", "/draft/rebase", {}))[0] == 409
    assert house.main.read_text() == bobs
    await house.send("DELETE", "/draft")
    assert await house.text() == bobs


async def test_a_file_that_the_draft_does_not_touch_may_change(house: House) -> None:
    await house.edit(ADD)
    version = (await house.send("POST", "/draft/review"))["version"]
    house.more.write_text(MORE.replace(":3", ":4"))
    status, refused = await house.apply_draft(version=version)
    assert (status, refused["is_stale"]) == (409, True)
    version = (await house.send("POST", "/draft/review"))["version"]
    assert (await house.apply_draft(version=version, confirm_s=0))[0] == 200
    assert ":4" in house.more.read_text()


async def test_one_draft_is_applied_at_a_time(house: House) -> None:
    await house.edit(ADD)
    async with house.changes._busy:
        status, refused = await house.apply_draft()
    assert (status, "another change is being applied" in refused["error"]) == (429, True)


# --- live ----------------------------------------------------------------------------------------------------------


async def test_it_is_undone_unless_it_is_kept(house: House) -> None:
    assert await house.client.get("/trial") == {"trial": None}
    await house.edit(ADD)
    status, applied = await house.apply_draft()
    assert (status, applied["trial"]["number"]) == (200, 1)
    until = house.clock.now() + datetime.timedelta(seconds=60)
    assert applied["trial"]["until"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    assert (await house.client.get("/trial"))["trial"] == applied["trial"]
    await house.edit({**ADD, "host": "other.test"})
    status, refused = await house.apply_draft()
    assert (status, "on trial" in refused["error"]) == (409, True)
    await house.send("POST", "/trial/undo")
    assert house.main.read_text() == MAIN
    assert (await house.client.fail("POST", "/trial/confirm", {}))[0] == 409
    assert (await house.client.fail("POST", "/trial/undo", {}))[0] == 409
    assert (await house.client.fail("POST", "/draft/rebase", {}))[0] == 409  # it began with what was undone
    await house.send("DELETE", "/draft")
    await house.edit({**ADD, "host": "other.test"})
    assert (await house.apply_draft())[0] == 200
    await house.send("POST", "/trial/confirm")
    assert "other.test" in house.main.read_text()


async def test_what_an_owner_puts_on_trial_ends_by_an_owner_or_its_time(house: House) -> None:
    with_metrics = f"metrics: {{listen: '127.0.0.1:9180'}}\n{MAIN}"
    for before, after in ((MAIN, with_metrics), (with_metrics, MAIN)):
        assert house.main.read_text() == before
        await house.send("PUT", "/draft/file", {"file": "daemun.yaml", "text": after}, role="own")
        await house.send("POST", "/draft/apply", {"confirm_s": 60}, role="own")
        for end in ("undo", "confirm"):
            status, words = await house.client.fail("POST", f"/trial/{end}", {})
            assert (status, f"cannot {end} what is on trial" in words, "role `own`" in words) == (403, True, True)
            assert house.main.read_text() == after
        await house.send("POST", "/trial/confirm", role="own")
    await house.edit(ADD)
    assert (await house.apply_draft())[0] == 200
    await house.send("POST", "/trial/confirm")


async def test_what_was_not_applied_before_comes_back_too(house: House) -> None:
    """An edit by hand that no round has seen yet is not lost with the draft."""
    house.main.write_text(MAIN.replace(":2\n", ":5\n"))
    await house.edit(ADD)
    assert (await house.apply_draft())[0] == 200
    await house.send("POST", "/trial/undo")
    assert house.main.read_text() == MAIN.replace(":2\n", ":5\n")


async def test_what_cannot_go_live_is_put_back_and_the_draft_stays(house: House) -> None:
    await house.edit({"what": "set", "host": "a.test", "path": "/", "values": {"to": "http://127.0.0.1:666"}})
    for confirm_s in (0, 60):
        status, refused = await house.apply_draft(confirm_s=confirm_s)
        assert (status, refused["problems"][0]["host"]) == (422, "a.test")
        assert "as they were before" in refused["error"]
        assert house.main.read_text() == MAIN
        assert house.trials.problems() == ()
    assert "666" in await house.text()
    rows = list(history_store.HistoryStore(house.store).newest())
    assert [one.state.value for one in rows] == ["not live, undone", "not live, undone", "live"]


async def test_no_refusal_quotes_a_secret(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    quoting = dataclasses.replace(REFUSED, message="cannot serve a.test: s3cret-of-crowdsec is no port")
    monkeypatch.setattr(draft_house, "REFUSED", quoting)
    await house.edit({"what": "set", "host": "a.test", "path": "/", "values": {"to": "http://127.0.0.1:666"}})
    status, refused = await house.apply_draft()
    assert (status, refused["problems"][0]["message"]) == (422, "cannot serve a.test: (hidden) is no port")
    assert "s3cret" not in str(refused)


async def test_a_file_that_daemun_may_not_write(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.edit(ADD)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    shown = (await house.client.get("/draft"))["files"][0]
    assert "permission denied" in shown["refusal"]
    status, refused = await house.apply_draft()
    assert (status, "write it by hand" in refused["error"]) == (422, True)
    monkeypatch.undo()
    assert house.main.read_text() == MAIN


async def test_a_link_stays_and_so_does_the_mode(house: House) -> None:
    real = house.main.with_name("real.yaml")
    house.main.rename(real)
    real.chmod(0o640)
    house.main.symlink_to(real.name)
    await house.edit(ADD)
    assert (await house.apply_draft(confirm_s=0))[0] == 200
    assert house.main.is_symlink()
    assert "new.test" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


async def test_who_may_look_changes_nothing(house: House) -> None:
    for method, path in (
        ("PUT", "/draft/file"),
        ("POST", "/draft/edits"),
        ("POST", "/draft/check"),
        ("DELETE", "/draft"),
        ("POST", "/draft/review"),
        ("POST", "/draft/rebase"),
        ("POST", "/targets/try"),
        ("POST", "/draft/apply"),
        ("POST", "/trial/confirm"),
        ("POST", "/trial/undo"),
    ):
        assert (await house.client.fail(method, path, {}, role="look"))[0] == 403
    for body in ({"confirm_s": "60"}, {"confirm_s": True}, {"confirm_s": -1}, {"confirm_s": 10**400}, {"message": 1}):
        assert (await house.client.fail("POST", "/draft/apply", body))[0] == 400


async def test_an_owner_edits_what_it_was_shown_and_loses_no_secret(house: House) -> None:
    """Who sees secrets sees them in each answer: a text with marks in their place would be kept as it is."""
    house.main.write_text(f"login: {{host: auth.test}}\nmetrics: {{listen: 9180, token: very-secret}}\n{MAIN}")
    edited = await house.edit(ADD, role="own")
    (file,) = (one for one in edited["files"] if one["name"] == "daemun.yaml")
    assert "very-secret" in file["text"]
    sent = {"file": "daemun.yaml", "text": f"{file['text']}# more\n", "version": file["version"]}
    await house.send("PUT", "/draft/file", sent, role="own")
    assert "token: very-secret" in await house.text()
    rebased = await house.send("POST", "/draft/rebase", role="own")
    assert any("very-secret" in one["text"] for one in rebased["files"])


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        ({"host": "new test", "target": "http://127.0.0.1:9"}, "host"),
        ({"host": "new.test", "target": "htp://127.0.0.1:9"}, "target"),
        ({"host": "new.test", "target": "file:www"}, "target"),
        ({"host": "new.test", "target": "/nowhere/at/all"}, "target"),
        ({"host": "new.test", "target": "http://127.0.0.1:9", "path": "a b"}, "path"),
        ({"host": "a.test", "target": "http://127.0.0.1:9"}, "path"),
        ({"host": "new.test", "target": "http://127.0.0.1:9", "file": "../etc/x.yaml"}, "file"),
    ],
)
async def test_a_refusal_names_the_field(house: House, edit: Json, field: str) -> None:
    answer = await house.client.request("POST", "/draft/edits", {"edits": [{"what": "add", **edit}]})
    assert (answer.status_code, answer.json().get("field")) == (422, field), answer.text


async def test_routes_are_listed_in_words_of_the_file(house: House) -> None:
    routes = {
        "/": ["http://127.0.0.1:1", "http://127.0.0.1:2"],
        "/a": {"to": ["http://127.0.0.1:1", "http://127.0.0.1:2"]},
        "/b": {"respond": {"status": 200, "text": "it is fine"}},
        "/c": {"deny": True},
        "/d": {"redirect": "https://a.test"},
    }
    house.main.write_text(f"sites: {json.dumps({'r.test': {'routes': routes}})}\n")
    found = await house.client.get("/options?host=r.test")
    assert {one["path"]: one["to"] for one in found["routes"] if one["path"] != "/"} == {
        "/a": "http://127.0.0.1:1, http://127.0.0.1:2",
        "/b": 'respond: {status: 200, text: "it is fine"}',
        "/c": "deny: true",
        "/d": "redirect: https://a.test",
    }


# --- many at once ---------------------------------------------------------------------------------------------------


def many(count: int) -> str:
    """Sites as people write them."""
    forms = (
        "  {0}: http://127.0.0.1:1   # the {1}th",
        "  # of {0}\n  {0}: {{/: http://127.0.0.1:1, /a: http://127.0.0.1:2}}",
        "  {0}:\n    routes:\n      /: http://127.0.0.1:1\n\n  # below",
        "  '{0}':\n    maintenance: {{on: false, page: /srv/closed.html}}\n    routes: {{/: http://127.0.0.1:1}}",
    )
    return "".join(forms[number % 4].format(f"m{number}.test", number) + "\n" for number in range(count))


async def test_many_sites_are_switched_at_once(house: House) -> None:
    """In several files, and everything else stays as it is written."""
    house.main.write_text(MAIN + many(60))
    house.more.write_text(MORE + many(64).replace(" m", " n").replace("'m", "'n").replace(" naint", " maint"))
    before = house.main.read_text()
    hosts = [*(f"m{number}.test" for number in range(60)), *(f"n{number}.test" for number in range(64))]
    report = await house.edit({"what": "disable", "hosts": [*hosts, "c.test", "A.test"]})
    assert report["edited"] == 126
    again = {"what": "disable", "hosts": hosts[:3]}
    assert (await house.edit(again))["edited"] == 0
    assert (await house.edit({"what": "enable", "host": "m3.test"}))["edited"] == 1
    assert (await house.edit(again))["edited"] == 0
    assert (await house.edit({"what": "disable", "hosts": hosts[:5]}))["edited"] == 1
    assert (await house.edit({"what": "disable", "host": "m3.test"}))["edited"] == 0
    assert [one["name"] for one in report["files"] if one["is_changed"]] == ["daemun.yaml", "sites/c.yaml"]
    text = await house.text()
    assert text.count("enabled: false") == 61
    assert "  # of m1.test\n" in text
    assert "# the 0th" in text
    assert "# the owner's own words" in text
    await house.edit({"what": "enable", "hosts": [*hosts, "c.test", "a.test"]})
    assert "enabled: false" not in await house.text()
    await house.send("DELETE", "/draft")
    await house.edit({"what": "maintenance_on", "hosts": hosts})
    text = await house.text()
    assert text.count("maintenance: true") + text.count("{on: true, page: /srv/closed.html}") == 60
    await house.edit({"what": "maintenance_off", "hosts": hosts})
    assert "on: true" not in await house.text()
    review = await house.send("POST", "/draft/review")
    assert review["plan"] is not None
    assert house.main.read_text() == before


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        ({"what": "disable", "hosts": ["a.test", "no.test"]}, 'cannot edit "no.test": daemun.yaml and the files'),
        ({"what": "remove", "hosts": ["a.test"]}, "cannot remove many sites at once"),
        ({"what": "disable", "hosts": ["a.test"], "host": "b.test"}, "found both"),
        ({"what": "disable", "hosts": "a.test"}, "must be a list of hosts"),
        ({"what": "disable", "hosts": [f"x{number}.test" for number in range(10_001)]}, "expected 10000 at most"),
    ],
)
async def test_many_at_once_are_done_as_a_whole(house: House, edit: Json, cause: str) -> None:
    answer = await house.client.request("POST", "/draft/edits", {"edits": [edit]})
    assert (answer.status_code in {400, 404, 422}, cause in answer.json()["error"]) == (True, True), answer.text
    assert await house.text() == MAIN


async def test_sites_that_only_a_person_can_change_are_changed_one_by_one(house: House) -> None:
    """With anchors, or in braces; not too many of them."""
    flow = ", ".join(f"f{number}.test: http://127.0.0.1:1" for number in range(60))
    house.main.write_text(f"sites: {{{flow}, one.test: &one http://127.0.0.1:1, other.test: *one}}\n")
    hosts = [f"f{number}.test" for number in range(60)]
    _, words = await house.client.fail("POST", "/draft/edits", {"edits": [{"what": "disable", "hosts": hosts}]})
    assert "one by one; choose 50 at most" in words
    await house.edit({"what": "disable", "hosts": hosts[:2]})
    assert (await house.text()).count("enabled: false") == 2
