"""The editor of daemun.yaml in a real browser, under the policy of its page."""

import collections.abc
import contextlib
import json
import pathlib

import pytest

from tests.support import axe, browser, gallery, page_looks, seen_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> collections.abc.Iterator[str]:
    with page_looks.serving(gallery.app()) as url:
        yield f"{url}/editor"


@contextlib.asynccontextmanager
async def _editor(url: str, folder: pathlib.Path) -> collections.abc.AsyncIterator[browser.Page]:
    async with browser.chromium(folder) as chromium, chromium.open("about:blank") as page:
        await page.call("Page.enable")
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=seen_page.NOTE_REFUSED)
        await page.call("Page.navigate", url=url)
        await page.until("document.querySelector('.cm-content') !== null && document.readyState === 'complete'")
        yield page


async def _press(page: browser.Page, key: str, *, code: int, modifiers: int = 0) -> None:
    for kind in ("rawKeyDown", "keyUp"):
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        await page.call("Input.dispatchKeyEvent", type=kind, **named)


async def _write(page: browser.Page, text: str) -> None:
    """The whole text of the editor, with the cursor at its end."""
    view = "document.querySelector('yaml-editor').view"
    change = f"changes: {{from: 0, to: view.state.doc.length, insert: {json.dumps(text)}}}"
    change = f"{{{change}, selection: {{anchor: {len(text)}}}}}"
    await page.value(f"(() => {{ const view = {view}; view.dispatch({change}); view.focus(); }})()")


async def _offered(page: browser.Page, text: str) -> set[str]:
    """What is offered behind a text when somebody presses Ctrl-Space."""
    await _write(page, text)
    await _press(page, "Space", code=32, modifiers=2)
    await page.until("document.querySelector('.cm-tooltip-autocomplete li') !== null")
    found = await page.value("[...document.querySelectorAll('.cm-completionLabel')].map((one) => one.innerText)")
    await _press(page, "Escape", code=27)
    await page.until("document.querySelector('.cm-tooltip-autocomplete') === null")
    return set(found)


async def test_the_editor_of_the_file(address: str, tmp_path: pathlib.Path) -> None:
    async with _editor(address, tmp_path) as page:
        # What was known when the page was made: at its line, as text.
        await page.until("document.querySelector('.cm-lintRange-error')?.innerText === 'localhost'")
        assert await page.value("document.querySelector('textarea').hidden")
        assert await page.value("document.querySelectorAll('.cm-lintRange img').length") == 0
        # The style of the editor is there: without the nonce it would have none.
        assert await page.value("getComputedStyle(document.querySelector('.cm-gutters')).display") == "flex"
        assert await axe.find_faults(page) == []

        offered = await _offered(page, "si")
        assert "sites" in offered
        assert {"routes", "hsts", "aliases"} <= await _offered(page, "sites:\n  a.test:\n    ")
        assert {"redirect", "serve", "off"} <= await _offered(page, "sites:\n  a.test:\n    http: ")
        assert {"max_age", "preload"} <= await _offered(page, "sites:\n  a.test:\n    hsts: {max_age: 1d, ")
        assert {"true", "false"} <= await _offered(page, "sites:\n  a.test: {hsts: {preload: ")
        assert {"url", "weight"} <= await _offered(
            page, "sites:\n  a.test:\n    routes:\n      /:\n        to:\n          - "
        )

        # What the server finds of the text stands at its line, soon after it was written.
        await _write(page, "sites:\n  a.test: http://127.0.0.1:1\n  b.test: wrong\n")
        await page.until("document.querySelector('.cm-lintRange-warning')?.innerText.includes('wrong') === true")
        assert await page.value("document.querySelector('textarea').value") == await page.value(
            "document.querySelector('yaml-editor').view.state.doc.toString()"
        )
        # Ctrl-F finds; Ctrl-S sends the form.
        await _press(page, "f", code=70, modifiers=2)
        await page.until("document.querySelector('.cm-search input') !== null")
        assert await axe.find_faults(page) == []
        assert await page.value("window.refused") == []
        heard = "(event) => { event.preventDefault(); window.sent = 1; }"
        await page.value(f"document.querySelector('textarea').form.addEventListener('submit', {heard})")
        await page.value("document.querySelector('yaml-editor').view.focus()")
        await _press(page, "s", code=83, modifiers=2)
        await page.until("window.sent === 1")


async def test_the_words_of_the_editor_are_translated(address: str, tmp_path: pathlib.Path) -> None:
    async with _editor(f"{address}?language=ko", tmp_path) as page:
        await page.value("document.querySelector('yaml-editor').view.focus()")
        await _press(page, "f", code=70, modifiers=2)
        await page.until("document.querySelector('.cm-search')?.innerText.includes('대소문자 구분') === true")
        # Without a script there is a textarea with the same text.
        await page.value("document.querySelector('yaml-editor').remove()")
    html = gallery.render_editor()
    assert html.count("<textarea") == 1 and "sites:\n  wiki.test: localhost" in html
