"""The API of what was applied: the list, what differs, and the way back; with a gate that the test controls."""

import json
import pathlib

import httpx
import pytest
from starlette import applications

from daemun.core.plan import change_plan, hand_edits
from daemun.sources.history import history_store, rollback_plan
from daemun.web import trial_api
from tests.support import history_house, operator_client
from tests.support.history_house import BROKEN, ONE, TWO


class House(history_house.HistoryHouse):
    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.client = operator_client.OperatorClient(self.endpoints())


@pytest.fixture
async def house(tmp_path: pathlib.Path) -> House:
    made = House(tmp_path)
    await made.write(ONE)
    await made.write(TWO)
    return made


async def test_the_list_has_the_newest_first_page_by_page(house: House) -> None:
    found = await house.client.get("/history")
    assert (found["total"], [row["number"] for row in found["rows"]]) == (2, [2, 1])
    newest = found["rows"][0]
    assert (newest["by"], newest["state"], newest["changes"]) == ("edit of daemun.yaml", "live", ["changed a.test"])
    assert newest["at"].endswith("Z")
    second = await house.client.get("/history?page=2&size=1")
    assert (second["page"], [row["number"] for row in second["rows"]]) == (2, [1])
    assert (await house.client.get("/history?page=3"))["rows"] == []
    for query in ("page=0", "page=x", "size=501", "size=-1", f"page={'9' * 30}"):
        status, words = await house.client.fail("GET", f"/history?{query}")
        assert (status, "from 1 to" in words) == (400, True)


async def test_one_is_shown_without_its_secrets(house: House) -> None:
    found = await house.client.get("/history/1")
    assert found["content"]["daemun.yaml"] == ONE.decode().replace("s3cret-one", "(hidden 1.1)")
    assert (await house.client.get("/history/now"))["number"] == 2
    for name in ("7", "x", "-1", "1" * 40, "%3Cscript%3E"):
        assert (await house.client.fail("GET", f"/history/{name}"))[0] == 404


async def test_what_differs(house: House) -> None:
    found = await house.client.get("/diff?from=1&to=2")
    assert (found["from"], found["to"]) == ("number 1", "number 2")
    assert found["changes"] == [
        {
            "host": "a.test",
            "kind": "changed",
            "file": "daemun.yaml",
            "lines": ["-   a.test: http://a:1", "+   a.test: http://a:2"],
        }
    ]
    assert (await house.client.get("/diff"))["changes"] == []
    assert "nginx_files" in await house.client.get("/diff?from=1&to=now&nginx=true")
    status, words = await house.client.fail("GET", "/diff?from=9")
    assert (status, 'cannot find "9"' in words) == (404, True)
    assert "openapi.json" in (await house.client.fail("GET", "/nothing"))[1]


async def test_back_in_one_step(house: House) -> None:
    answer = await house.client.request("POST", "/history/1/rollback", {})
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["live"], report["changed"], report["trial"], report["number"]) == (True, True, None, 1)
    assert house.main.read_bytes() == ONE
    newest = (await house.client.get("/history"))["rows"][0]
    assert (newest["number"], newest["by"]) == (3, "dashboard: rollback 1")
    assert newest["user"] == f"ann, {operator_client.ADDRESS}"
    assert house.client.noted == [("/history/1/rollback", "number 1", 200)]
    noted = house.client.operators.noted[0]
    assert (noted.before, noted.after) == ("number 2", "number 3")
    again = (await house.client.request("POST", "/history/1/rollback", {})).json()
    assert again["changed"] is False


async def test_a_way_back_on_trial(house: House) -> None:
    report = (await house.client.request("POST", "/history/1/rollback", {"confirm_s": 60})).json()
    assert report["trial"]["number"] == 2
    assert house.main.read_bytes() == ONE
    assert house.trials.problems()
    assert (await house.client.fail("POST", "/history/2/rollback", {"confirm_s": 60}))[0] == 409
    await house.trials.confirm()


async def test_what_cannot_go_live_is_put_back_and_not_on_trial(house: House) -> None:
    await house.write(BROKEN)
    await house.write(TWO)
    for body in ({}, {"confirm_s": 60}):
        status, words = await house.client.fail("POST", "/history/3/rollback", body)
        assert (status, "cannot serve a.test: no" in words, "as they were before" in words) == (422, True, True)
        assert house.main.read_bytes() == TWO
        assert house.trials.problems() == ()
    rows = (await house.client.get("/history"))["rows"]
    assert [row["state"] for row in rows] == [
        "not live, undone",
        "not live, undone",
        "live",
        "partly live",
        "live",
        "live",
    ]


async def test_what_would_be_lost_is_not_replaced(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback_plan, "RECORDED_WITHIN_S", 0.0)
    house.main.write_bytes(TWO.replace(b"a:2", b"a:3"))
    status, words = await house.client.fail("POST", "/history/1/rollback", {})
    assert (status, "this would be lost" in words) == (409, True)
    assert (await house.client.request("POST", "/history/1/rollback", {"force": True})).status_code == 200
    assert house.main.read_bytes() == ONE


NO_SECONDS = ("60", True, [1], -1, -0.5, -int("9" * 401), int("9" * 401))


@pytest.mark.parametrize("body", [{"force": "yes"}, *({"confirm_s": one} for one in NO_SECONDS)])
async def test_bodies_of_another_form_are_refused(house: House, body: operator_client.Json) -> None:
    assert (await house.client.fail("POST", "/history/1/rollback", body))[0] == 400
    assert house.main.read_bytes() == TWO


@pytest.mark.parametrize(
    "seconds", [*NO_SECONDS, float("nan"), float("inf"), -float("inf")], ids=lambda one: str(one)[:6]
)
async def test_a_trial_on_the_socket_has_as_few_forms(house: House, seconds: object) -> None:
    app = applications.Starlette(routes=trial_api.routes(house.trials))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gate", timeout=60) as client:
        answer = await client.post("/trial", content=json.dumps({"seconds": seconds}))
    assert (answer.status_code, house.trials.find()) == (400, None)


async def test_who_may_look_alone_goes_nowhere(house: House) -> None:
    assert (await house.client.fail("POST", "/history/1/rollback", {}, role="look"))[0] == 403
    assert (await house.client.fail("POST", "/history/99/rollback", {}))[0] == 404
    assert (await house.client.fail("POST", "/history/now/rollback", {}))[0] == 404
    assert house.main.read_bytes() == TWO


async def test_files_that_were_edited_by_hand(house: House) -> None:
    assert await house.client.get("/drift") == {"files": [], "message": None, "cure": None}
    house.drift = (hand_edits.HandEdit(file="sites/a.test.conf", kind=change_plan.ChangeKind.CHANGED),)
    found = await house.client.get("/drift")
    assert found["files"] == [{"file": "sites/a.test.conf", "kind": "changed"}]
    assert "sites/a.test.conf (changed)" in found["message"]
    assert "daemun apply" in found["cure"]


async def test_a_damaged_entry_is_missing_alone(house: House) -> None:
    house.store.write(f"{history_store.PREFIX}/1", b"damaged")
    found = await house.client.get("/history")
    assert (found["total"], [row["number"] for row in found["rows"]]) == (2, [2])


async def test_only_an_owner_brings_back_who_was_an_operator(house: House) -> None:
    await house.write(ONE + b"dashboard: {host: gate.test, own: [bob]}\n")
    await house.write(TWO)
    status, words = await house.client.fail("POST", "/history/3/rollback", {})
    assert (status, "needs the role `own`" in words, house.main.read_bytes()) == (403, True, TWO)
    assert (await house.client.request("POST", "/history/3/rollback", {}, role="own")).status_code == 200
    assert b"own: [bob]" in house.main.read_bytes()
