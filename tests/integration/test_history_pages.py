"""The pages of what was applied: the list, one entry, what differs, the way back; without a daemon."""

import pathlib
import re

import pytest

from daemun.core.plan import change_plan, hand_edits
from daemun.dashboard.pages import history_pages
from tests.support import history_house, page_house
from tests.support.history_house import BROKEN, ONE, TWO

HOSTILE, ESCAPED = page_house.HOSTILE, page_house.ESCAPED


class House(history_house.HistoryHouse):
    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.pages = page_house.PageHouse(self.endpoints())


@pytest.fixture
async def house(tmp_path: pathlib.Path) -> House:
    made = House(tmp_path)
    await made.write(ONE)
    made.changes = (f"added {HOSTILE}", "removed b.test", "changed c.test", "changed d.test")
    await made.write(TWO)
    return made


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_list_shows_who_changed_what_and_escapes_it(house: House, language: str) -> None:
    page = await house.pages.get("/changes/history", language=language)
    assert "onerror=alert(1)>" not in page
    assert ESCAPED in page
    assert page.index("/changes/history/2") < page.index("/changes/history/1")
    assert {"en": "edit of daemun.yaml", "ko": "daemun.yaml 편집"}[language] in page
    assert ("added" if language == "en" else "추가됨") in page
    assert "daemun history" in page


async def test_the_list_page_by_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_pages, "_SIZE", 1)
    assert 'href="/changes/history?page=2"' in await house.pages.get("/changes/history")
    assert "/changes/history/1/rollback" in await house.pages.get("/changes/history?page=2")


async def test_who_may_look_alone_is_offered_nothing(house: House) -> None:
    page = await house.pages.get("/changes/history", role="look")
    assert "rollback" not in page
    answer = await house.pages.request("POST", "/changes/history/1/rollback", {}, role="look")
    assert answer.status_code == 403
    assert house.main.read_bytes() == TWO


async def test_one_entry_with_its_files_and_without_secrets(house: House) -> None:
    page = await house.pages.get("/changes/history/1")
    assert "(hidden 1.1)" in page
    assert "s3cret" not in page
    assert "/changes/compare?from=1&amp;to=now" in page
    assert "/changes/compare?from=1&amp;to=2" in await house.pages.get("/changes/history/2")
    for name in ("99", "x", "%3Cscript%3E"):
        assert "<script>x" not in await house.pages.get(f"/changes/history/{name}", status=404)


async def test_what_differs_is_read_without_colours(house: House) -> None:
    page = await house.pages.get("/changes/compare?from=1&to=2")
    removed, added = re.findall(r"<(?:ins|del)>(.*?)</(?:ins|del)>", page)
    assert "removed:" in removed and "http://a:1" in removed
    assert "added:" in added and "http://a:2" in added
    assert "daemun diff 1 2" in page
    assert "No difference" in await house.pages.get("/changes/compare")
    page = await house.pages.get("/changes/compare?from=1&to=2&of=nginx")
    assert "listen 81;" in page and "and 7 more lines" in page and "and 3 more files" in page and "a note" in page
    assert "daemun diff 1 2 --nginx-files" in page


async def test_what_cannot_be_compared_says_why(house: House) -> None:
    page = await house.pages.get("/changes/compare?from=99&to=%3Cb%3E")
    assert "expected a number" in page
    assert "<b>" not in page


async def test_back_on_trial_and_kept(house: House) -> None:
    page = await house.pages.post("/changes/history/1/rollback", {"confirm": "true"})
    assert house.main.read_bytes() == ONE
    assert "as they were at number 1" in page and "<time-left" in page
    assert "<time-left" in await house.pages.get("/changes/history")
    await house.pages.request("POST", "/changes/confirm", {})
    assert "<time-left" not in await house.pages.get("/changes/history/1")
    assert house.main.read_bytes() == ONE


async def test_back_for_good(house: House) -> None:
    page = await house.pages.post("/changes/history/1/rollback")
    assert "as they were at number 1" in page and "<time-left" not in page
    assert "Nothing to do" in await house.pages.post("/changes/history/1/rollback")


async def test_what_cannot_go_live_says_why_and_that_all_is_as_before(house: House) -> None:
    await house.write(BROKEN)
    await house.write(TWO)
    page = await house.pages.post("/changes/history/3/rollback", {"confirm": "true"})
    assert "cannot serve a.test: no" in page and "as they were before" in page
    assert "not live, undone" in page
    assert "<time-left" not in page
    assert house.main.read_bytes() == TWO
    assert "cannot find" in await house.pages.post("/changes/history/99/rollback")


async def test_files_that_were_edited_by_hand(house: House) -> None:
    assert "No file was edited by hand" in await house.pages.get("/changes/drift")
    house.drift = (hand_edits.HandEdit(file=f"sites/{HOSTILE}.conf", kind=change_plan.ChangeKind.CHANGED),)
    page = await house.pages.get("/changes/drift")
    assert ESCAPED in page and "onerror=alert(1)>" not in page
    assert "1 file of nginx was edited by hand" in page
    assert "daemun apply" in page


async def test_nothing_was_applied(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path)
    house.main.write_bytes(ONE)
    assert "Nothing was applied yet" in await house.pages.get("/changes/history")
