"""The page of one site in a real browser: nothing is cut, covered or unusable, and new lines of the log come."""

import asyncio
import base64
import collections.abc
import os
import pathlib

import pytest

from tests.support import browser, page_elements, page_house, page_looks, site_scene

pytestmark = pytest.mark.browser

PARTS = ("", "/traffic", "/log", "/certificate", "/files", "/why?subject=7-1")
SEEN = {360: "ko", 1280: "en"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> site_scene.SiteScene:
    return site_scene.SiteScene(tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize("role", ["look", "own"])
@pytest.mark.parametrize("language", ["en", "ko"])
async def test_no_part_runs_what_others_wrote(scene: site_scene.SiteScene, language: str, role: str) -> None:
    house = page_house.PageHouse(scene.endpoints)
    for part in PARTS:
        text = await house.get(f"/sites/{site_scene.HOST}{part}", language=language, role=role)
        page = page_elements.Elements(text)
        assert page.faults() == [], part
        assert site_scene.HOSTILE not in text
        assert (site_scene.SECRET in text) is (role == "own" and part in {"/log", "/files", PARTS[-1]}), part
        # Who may only look is offered nothing else.
        forms = [attributes["action"] for tag, attributes in page.found if tag == "form" and attributes.get("method")]
        changes = [one for one in forms if str(one).rpartition("/")[2] in {"probe", "purge", "renew", "draft"}]
        assert bool(changes) is (role == "own" and part in {"", "/certificate"}), part


@pytest.fixture
def address(scene: site_scene.SiteScene) -> collections.abc.Iterator[str]:
    with page_looks.serving(page_house.signed_in(page_house.PageHouse(scene.endpoints))) as found:
        yield found


async def test_every_part_is_seen_and_lines_come(
    scene: site_scene.SiteScene, address: str, tmp_path: pathlib.Path
) -> None:
    """DAEMUN_PICTURES: a folder for pictures of what is looked at."""
    async with (
        browser.chromium(tmp_path / "profile") as chromium,
        chromium.open("about:blank") as page,
    ):
        for width, scheme in page_looks.SIZES[:2]:
            for part in PARTS:
                url = f"{address}/sites/{site_scene.HOST}{part}{'&' if '?' in part else '?'}language={SEEN[width]}"
                ready = "document.querySelector('traffic-graph canvas')" if part == "/traffic" else "true"
                await page_looks.visit(page, url, width=width, scheme=scheme, ready=f"!!{ready}")
                if width < 500:
                    await page.value("document.querySelectorAll('main details').forEach((one) => one.open = true)")
                faults = await page_looks.find_faults(page)
                await _picture(page, f"site{part.partition('?')[0].replace('/', '-')}-{width}-{scheme}")
                assert faults == [], (width, scheme, part)
        await page_looks.visit(page, f"{address}/sites/{site_scene.HOST}/log?status=2xx")
        await page.until("document.querySelector('live-log:defined .log-state output').textContent.startsWith('Live')")
        await _wait_for_stream(scene, page)
        first = "document.querySelector('.lines tbody tr td:nth-child(3)').textContent"
        assert (await page.value(first)).endswith(f"/new/{site_scene.HOSTILE}")
        assert await page.value("document.querySelectorAll('.lines tbody tr').length") <= 200
        await page.value("document.querySelector('.log-state button').click()")
        scene.write_lines(1, "/paused")
        # A line of before may be among those that wait, so their number says nothing.
        waiting = "document.querySelector('live-log').waiting"
        await page.until(f"{waiting}.some((row) => JSON.stringify(row).includes('/paused'))")
        assert not (await page.value(first)).endswith("/paused")
        await page.value("document.querySelector('.log-state button').click()")
        assert (await page.value(first)).endswith("/paused")


async def _wait_for_stream(scene: site_scene.SiteScene, page: browser.Page) -> None:
    """Lines from before the stream was open do not come."""
    async with asyncio.timeout(60):
        while True:
            scene.write_lines(1, f"/new/{site_scene.HOSTILE}")
            if await page.value("document.querySelector('.lines tbody').textContent.includes('/new/')"):
                return
            await asyncio.sleep(0.1)


async def _picture(page: browser.Page, name: str) -> None:
    folder = os.environ.get("DAEMUN_PICTURES")
    if folder:
        size = await page.value("[innerWidth, Math.min(document.documentElement.scrollHeight, 6000)]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        found = await page.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        pathlib.Path(folder, f"{name}.png").write_bytes(base64.b64decode(found["data"]))
