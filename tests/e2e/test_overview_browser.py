"""The first screen and the list of sites in a real browser: at every size, in both colours and languages, and live."""

import collections.abc
import pathlib

import pytest
from starlette import types

from daemun.dashboard import page_application, page_texts, visit
from tests.support import browser, overview_api, page_looks

pytestmark = pytest.mark.browser

_LOOKED = "document.dispatchEvent(new Event('visibilitychange')), 1"
"""As a tab that is seen again."""


@pytest.fixture(scope="module")
def address() -> collections.abc.Iterator[str]:
    """Of the pages, signed in, over plain HTTP, which a browser takes no cookie of this kind from."""
    pages = page_application.create_app(overview_api.OverviewApi())

    async def signed_in(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        language = "ko" if b"language=ko" in scope["query_string"] else "en"
        cookies = f"{visit.SESSION_COOKIE}=s; {page_texts.COOKIE}={language}".encode()
        kept = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        await pages({**scope, "headers": [*kept, (b"cookie", cookies)]}, receive, send)

    with page_looks.serving(signed_in) as found:
        yield found


async def _visit(page: browser.Page, url: str, *, width: int = 1280, scheme: str = "light") -> None:
    is_ready = "document.querySelector('as-of')?.innerText.includes(' ') && window.htmx !== undefined"
    await page_looks.visit(page, url, width=width, scheme=scheme, ready=is_ready)


async def test_pages_at_every_size_and_in_both_colours(address: str, tmp_path: pathlib.Path) -> None:
    async with browser.chromium(tmp_path) as chromium, chromium.open("about:blank") as page:
        for width, scheme, language in ((360, "dark", "ko"), (1280, "light", "en")):
            for path in ("/?", "/sites?group=domain&q=www&sort=-requests&", "/search?q=example&"):
                await _visit(page, f"{address}{path}language={language}", width=width, scheme=scheme)
                assert await page_looks.find_faults(page) == [], (width, path)


async def test_search_as_one_types_and_the_way_back(address: str, tmp_path: pathlib.Path) -> None:
    async with browser.chromium(tmp_path) as chromium, chromium.open("about:blank") as page:
        await _visit(page, f"{address}/sites")
        await page.value("document.querySelector('#q').focus()")
        await page.call("Input.insertText", text="s00042")
        await page.until("document.querySelectorAll('#rows tbody tr').length === 1")
        await page.until("location.search.includes('q=s00042')")
        assert await page.value("document.activeElement.id") == "q"
        await page.value("document.querySelector('.brand').click()")
        await page.until("document.querySelector('#needs-you') !== null")
        await page.value("history.back()")
        await page.until("document.querySelectorAll('#rows tbody tr').length === 1")
        assert await page.value("document.querySelector('#q').value") == "s00042"
        assert await page.value("window.refused") == []


async def test_what_is_seen_is_looked_at_again(address: str, tmp_path: pathlib.Path) -> None:
    async with browser.chromium(tmp_path) as chromium, chromium.open("about:blank") as page:
        for path, part in (("/", "#home"), ("/sites", "#rows")):
            await _visit(page, f"{address}{path}")
            await page.value(f"document.querySelector('{part}').dataset.former = 1, document.activeElement.blur(), 1")
            await page.value(_LOOKED)
            await page.until(f"document.querySelector('{part}')?.dataset.former === undefined")
            await page.until("document.querySelector('#as-of as-of') !== null")
            # A row that somebody marked stays.
            if part == "#rows":
                await page.value("document.querySelector('#rows [type=checkbox]').click(), 1")
                await page.value(
                    f"document.querySelector('{part}').dataset.former = 1, document.activeElement.blur(), 1"
                )
                await page.value(_LOOKED)
                await page.until("document.querySelector('as-of').innerText.match(/[2-9] s/) !== null")
                assert await page.value(f"document.querySelector('{part}').dataset.former") == "1"
            assert await page.value("window.refused") == []
