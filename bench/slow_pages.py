"""How soon pages of the dashboard are read in Chromium over a slow connection (`tests.support.seen_page.slow_down`)."""

import asyncio
import json
import pathlib
import shutil
import subprocess

from bench import estate
from tests.support import browser, seen_page

PAINTED, LOADED = "first contentful paint", "scripts and all"
_TIMES = """(() => ({
  painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
  loaded: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
}))()"""
_HOST = "daemun.localhost"
_OPTIONS = ("--ignore-certificate-errors", "--host-resolver-rules=MAP * 127.0.0.1")


def measure(one: estate.Estate, folder: pathlib.Path, *, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Title of a page -> milliseconds until each of `PAINTED` and `LOADED`, with nothing in the browser's cache.
    folder: for the browser's profile. Empty: Chromium is not installed."""
    if shutil.which("chromium") is None:
        return {}
    paths = {"Home": "/", "Sites": "/sites", "a site": f"/sites/{next(iter(one.plots.targets))}"}
    return asyncio.run(_visit(one, folder, paths, rounds))


async def _visit(
    one: estate.Estate, folder: pathlib.Path, paths: dict[str, str], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    base = f"https://{_HOST}:{one.https}"
    command = one.command("dashboard", "--json")
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: ASYNC221 - alone here
    link = made["url"].partition("#")[2]
    async with browser.chromium(folder, *_OPTIONS) as chromium, chromium.open(f"{base}/enter#{link}") as page:
        await page.until("document.querySelector('#came')?.hidden === false")
        await page.value("document.querySelector('#enter').requestSubmit()")
        await page.until("location.pathname === '/' && document.readyState === 'complete'")
        await seen_page.slow_down(page)
        for _ in range(rounds):
            for title, path in paths.items():
                await page.value("window.isFormer = true")
                await page.call("Page.navigate", url=base + path)
                is_painted = "performance.getEntriesByName('first-contentful-paint').length"
                await page.until(f"!window.isFormer && document.readyState === 'complete' && {is_painted}")
                times = await page.value(_TIMES)
                found.setdefault(title, []).append((times["painted"], times["loaded"]))
    return found
