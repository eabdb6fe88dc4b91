"""The components of the dashboard's pages in a real browser, under the policy of the dashboard."""

import collections.abc
import json
import pathlib

import pytest

from tests.support import axe, browser, gallery, page_looks, seen_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> collections.abc.Iterator[str]:
    """Of the gallery on a server of its own."""
    with page_looks.serving(gallery.app()) as url:
        yield f"{url}/"


async def _visit(page: browser.Page, url: str, *, width: int = 1280, scheme: str = "light") -> None:
    await seen_page.resize(page, width, scheme)
    await page.call("Page.enable")
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=seen_page.NOTE_REFUSED)
    await page.call("Page.navigate", url=url)
    await page.until("document.readyState === 'complete' && document.querySelector('traffic-graph canvas') !== null")


async def test_components_at_every_size_and_in_both_colours(address: str, tmp_path: pathlib.Path) -> None:
    async with browser.chromium(tmp_path) as chromium, chromium.open("about:blank") as page:
        for width, scheme, language in (
            (360, "dark", "ko"),
            (1280, "light", "en"),
            (360, "light", "en"),
            (1280, "dark", "ko"),
        ):
            await _visit(page, f"{address}?language={language}", width=width, scheme=scheme)
            assert await seen_page.find_faults(page) == []
            await page.value("document.querySelector('.menu').open = true")
            assert await axe.find_faults(page) == []
            assert await page.value("window.refused") == []
        # It does look.
        await page.value("document.querySelector('main').append(document.createElement('img')), 1")
        assert "image-alt" in str(await axe.find_faults(page))


async def test_what_scripts_add(address: str, tmp_path: pathlib.Path) -> None:
    async with browser.chromium(tmp_path) as chromium, chromium.open("about:blank") as page:
        await _visit(page, address)

        async def press(key: str) -> None:
            for kind in ("keyDown", "keyUp"):
                text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
                await page.call("Input.dispatchKeyEvent", type=kind, key=key, **text)

        # "/" leads to the search, and is a sign like others in it.
        await page.value("document.activeElement.blur()")
        await press("/")
        await page.until("document.activeElement.id === 'search'")
        await press("/")
        await page.until("document.activeElement.value === '/'")

        # htmx works on what has the nonce, and strips its attributes from what has none.
        await page.value("document.querySelector('#load').click()")
        await page.until("document.querySelector('#loaded')?.innerText === 'part 1'")
        assert await page.value("document.querySelector('#injected').getAttribute('hx-get')") is None
        # What an answer brings is worked on, too, with the nonce of that answer's own header.
        await page.value("document.querySelector('#again').click()")
        await page.until("document.querySelector('#loaded').innerText === 'part 2'")
        await page.until("document.querySelector('#live-part').innerText === 'event 2'")

        # The icon of the tab follows what htmx exchanged.
        await page.until("document.querySelector('[rel=icon]').href.includes('favicon-good')")

        # A graph by keys.
        before = await page.value("document.querySelector('.plot-values').innerText")
        await page.value("document.querySelector('.plot').focus()")
        await press("Home")
        await page.until(f"document.querySelector('.plot-values').innerText !== {json.dumps(before)}")
        await press("End")
        await page.until(f"document.querySelector('.plot-values').innerText === {json.dumps(before)}")

        # Colours that were chosen are there on the next page.
        ground = await page.value("getComputedStyle(document.body).backgroundColor")
        await page.value("document.querySelector('.menu').open = true")
        await page.value("document.querySelector('theme-switch [value=dark]').click()")
        await page.until(f"getComputedStyle(document.body).backgroundColor !== {json.dumps(ground)}")
        await page.call("Page.navigate", url=f"{address}?again")
        await page.until("location.search === '?again' && document.documentElement?.dataset.theme === 'dark'")

        # Figures that grow old are grey, and say so.
        await page.until("customElements.get('as-of') !== undefined && document.querySelector('as-of') !== null")
        await page.value("document.querySelector('as-of').setAttribute('age', 31)")
        await page.until("document.documentElement.classList.contains('is-stale')")
        assert "stale" in await page.value("document.querySelector('as-of').innerText")
        assert await page.value("window.refused") == []


async def test_everything_is_readable_without_scripts(address: str, tmp_path: pathlib.Path) -> None:
    async with browser.chromium(tmp_path) as chromium, chromium.open("about:blank") as page:
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        await page.call("Page.navigate", url=address)
        await page.until("document.readyState === 'complete' && document.querySelector('.foot') !== null")
        shown = await page.value("document.body.innerText")
        assert "as of 2026-11-30T09:10:09Z" in shown and "Copy" not in shown
        # The question of a button, and the figures of a graph, open without one.
        assert await page.value("document.querySelectorAll('details').length >= 5")
        assert await page.value("document.querySelector('theme-switch').hidden")
