"""Every page of the dashboard that links lead to, in a browser: on a phone and a screen, by axe-core."""

import collections.abc
import json
import os
import pathlib
import re

import pytest

from tests.support import axe, browser, seen_page
from tests.support import daemon as daemon_support

# Some thirty pages, each looked at twice and by axe-core, beside other browsers.
pytestmark = [pytest.mark.nginx, pytest.mark.browser, pytest.mark.timeout(900)]

HOST = "daemun.localhost"
MOST = 60
"""Pages that are looked at."""

_FIRST = ("/search?q=chat", "/", "/sites", "/certificates", "/changes", "/settings")

_LINKS = """[...document.querySelectorAll("a[href]")].map((one) => new URL(one.href))
  .filter((one) => one.origin === location.origin && !one.pathname.startsWith("/api/")).map((one) => one.pathname)"""

_SITES = """
  sites:
    chat.test: {routes: {/: {respond: {body: hello}}, /ws: 'http://127.0.0.1:9'}}
    a-long-name-that-somebody-chose-for-a-site.internal.test:
      access: {allow: [10.0.0.0/8]}
      routes: {/: 'http://127.0.0.1:9'}
    blog.test: {routes: {/: {redirect: 'https://chat.test/'}}, aliases: [www.blog.test]}
"""


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[daemon_support.Daemon]:
    with daemon_support.new_daemon() as new:
        new.write(_SITES)
        new.up("https://chat.test/")
        yield new


async def test_every_page(gate: daemon_support.Daemon, tmp_path: pathlib.Path) -> None:
    link = json.loads(gate.cli_good("dashboard", "--json"))["url"].partition("#")[2]
    base = f"https://{HOST}:{gate.gate.https}"
    options = ("--ignore-certificate-errors", "--host-resolver-rules=MAP * 127.0.0.1")
    faults: list[str] = []
    async with browser.chromium(tmp_path, *options) as chromium, chromium.open("about:blank") as page:
        await page.call("Page.enable")
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=seen_page.NOTE_REFUSED)
        await page.call("Page.navigate", url=f"{base}/enter#{link}")
        await page.until("document.querySelector('#came')?.hidden === false")
        await page.value("document.querySelector('#enter').requestSubmit()")
        await page.until("location.pathname === '/' && document.readyState === 'complete'")
        waiting, seen = list(_FIRST), set[str]()
        while waiting and len(seen) < MOST:
            path = waiting.pop(0)
            if _kind(path) in seen:
                continue
            seen.add(_kind(path))
            # Every second page in the other language: the words differ in length.
            language = ("en", "ko")[len(seen) % 2]
            await page.value(f"document.cookie = '__Host-daemun-language={language}; Secure; Path=/'")
            await seen_page.resize(page, 360, "dark")
            await page.call("Page.navigate", url=base + path)
            there = f"location.pathname + location.search === {json.dumps(path)}"
            shown = f"{there} && document.querySelector('#content') !== null"
            await page.until(f"{shown} && document.readyState === 'complete'")
            found = [f"on a phone: {one}" for one in await seen_page.find_faults(page)]
            found += await axe.find_faults(page)
            await _keep(page, f"{path}-360")
            await seen_page.resize(page, 1280, "light")
            found += await seen_page.find_faults(page)
            await _keep(page, f"{path}-1280")
            if (status := await page.value("performance.getEntriesByType('navigation')[0].responseStatus")) != 200:
                found.append(f"there is no such page: {status}")
            found += [f"refused: {one}" for one in await page.value("window.refused")]
            faults += [f"{path}: {one}" for one in found]
            waiting += await page.value(_LINKS)
    assert faults == []
    assert {_kind(path) for path in _FIRST} | {"/sites/*", "/certificates/*"} <= seen


def _kind(path: str) -> str:
    """One for all sites, all numbers of the history, and so on: /sites/*."""
    return re.sub(r"/[^/]*[.0-9][^/]*", "/*", path.partition("?")[0])


async def _keep(page: browser.Page, name: str) -> None:
    """A picture for people, when they name a folder for them."""
    if folder := os.environ.get("DAEMUN_PICTURES"):
        await page.value("scrollTo(0, 0)")
        path = pathlib.Path(folder, name.strip("/").replace("/", "_") + ".png")
        path.write_bytes(await page.screenshot())
