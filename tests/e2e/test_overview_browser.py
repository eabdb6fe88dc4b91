"""The first screen and the list of sites in a real browser: at every size, in both colours and languages, and live."""

import collections.abc
import pathlib
import socket
import threading

import pytest
import uvicorn
from starlette import types

from daemun.dashboard import page_application, page_texts, visit
from tests.support import axe, browser, overview_api

pytestmark = pytest.mark.browser

_CUT = """(() => [...document.querySelectorAll("main *, header *, footer *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && getComputedStyle(one).position !== "absolute" && !one.closest(".visually-hidden")
    && (box.right > innerWidth + 1 || box.left < -1) && !one.closest(".code, .scroll, thead, pre");
}).map((one) => one.outerHTML.slice(0, 150)))()"""
"""Elements that reach beyond the screen."""
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

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(signed_in, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


async def _visit(page: browser.Page, url: str, *, width: int = 1280, scheme: str = "light") -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    await page.call("Emulation.setDeviceMetricsOverride", **size)
    await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    await page.call("Page.enable")
    noted = (
        "window.refused = []; document.addEventListener('securitypolicyviolation', (e) => refused.push(e.blockedURI))"
    )
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=noted)
    await page.call("Page.navigate", url=url)
    await page.until(f"location.href === {url!r} && document.readyState === 'complete'")
    await page.until("document.querySelector('as-of')?.innerText.includes(' ') && window.htmx !== undefined")


async def test_pages_at_every_size_and_in_both_colours(address: str, tmp_path: pathlib.Path) -> None:
    async with browser.chromium(tmp_path) as chromium, chromium.open("about:blank") as page:
        for width, scheme, language in ((360, "dark", "ko"), (1280, "light", "en")):
            for path in ("/?", "/sites?", "/sites?group=domain&q=www&sort=-requests&"):
                await _visit(page, f"{address}{path}language={language}", width=width, scheme=scheme)
                assert await page.value("document.documentElement.scrollWidth <= innerWidth"), (width, path)
                assert await page.value(_CUT) == [], (width, path)
                assert await axe.find_faults(page) == [], (width, path)
                assert await page.value("window.refused") == []


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
