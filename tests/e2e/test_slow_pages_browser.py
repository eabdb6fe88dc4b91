"""Pages over a slow connection: what is read stays where it is while styles, scripts and graphs come."""

import pathlib

import pytest
from starlette import types
from starlette.middleware import gzip

from daemun.dashboard import page_application, page_texts, visit
from tests.support import browser, overview_api, page_house, page_looks, seen_page, site_scene

pytestmark = pytest.mark.browser

_READY = {
    "/": "document.querySelector('as-of')?.innerText.includes(' ')",
    "/sites": "document.querySelector('as-of')?.innerText.includes(' ')",
    f"/sites/{site_scene.HOST}": "document.querySelector('as-of')?.innerText.includes(' ')",
    f"/sites/{site_scene.HOST}/traffic": "document.querySelector('traffic-graph canvas')",
    f"/sites/{site_scene.HOST}/log": "document.querySelector('live-log:defined')",
}
"""Of each path what the last script to come brings."""


def _sign_in() -> types.ASGIApp:
    """The first screen and the list of sites, signed in."""
    pages = page_application.create_app(overview_api.OverviewApi())

    async def signed_in(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        cookies = f"{visit.SESSION_COOKIE}=s; {page_texts.COOKIE}=en".encode()
        kept = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        await pages({**scope, "headers": [*kept, (b"cookie", cookies)]}, receive, send)

    return signed_in


async def test_nothing_moves_while_a_page_loads(tmp_path: pathlib.Path) -> None:
    scene, moved = site_scene.SiteScene(tmp_path), list[str]()
    of_site = page_house.signed_in(page_house.PageHouse(scene.endpoints))
    # Compressed, as nginx sends them.
    apps = [gzip.GZipMiddleware(app) for app in (_sign_in(), of_site)]
    with page_looks.serving(apps[0]) as overview, page_looks.serving(apps[1]) as site:
        # Ended before they are: a page with a live log waits for the end of its server otherwise.
        async with browser.chromium(tmp_path / "profile") as chromium, chromium.open("about:blank") as page:
            await page.call("Page.enable")
            await page.call("Page.addScriptToEvaluateOnNewDocument", source=seen_page.NOTE_SHIFTS)
            await seen_page.slow_down(page)
            for width, scheme in page_looks.SIZES[:2]:
                for path, ready in _READY.items():
                    url = f"{site if 'sites/' in path else overview}{path}"
                    await page_looks.visit(page, url, width=width, scheme=scheme, ready=f"!!{ready}")
                    moved += [f"{path} at {width}: {one}" for one in await seen_page.find_shifts(page)]
    assert "\n".join(moved) == ""
