"""Pages of the dashboard in a real browser: served on loopback, and all that is wrong with how they look."""

import collections.abc
import contextlib
import socket

from starlette import types

from tests.support import axe, browser, seen_page, threaded_server

SIZES = ((360, "dark"), (1280, "light"), (360, "light"), (1280, "dark"))
"""Width and colours."""


@contextlib.contextmanager
def serving(app: types.ASGIApp) -> collections.abc.Iterator[str]:
    """The address of an application on a server of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener, threaded_server.serving(app, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def visit(page: browser.Page, url: str, *, width: int = 1280, scheme: str = "light", ready: str = "true") -> None:
    """ready: what must hold beside that it is loaded."""
    await seen_page.resize(page, width, scheme)
    await page.call("Page.enable")
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=seen_page.NOTE_REFUSED)
    await page.call("Page.navigate", url=url)
    there = url.partition("#")[0].replace("'", "%27")
    await page.until(f"location.href.startsWith('{there}') && document.readyState === 'complete' && {ready}")


async def find_faults(page: browser.Page) -> list[str]:
    """What is cut, covered, refused by the policy, or not usable by everybody."""
    found = [*await seen_page.find_faults(page), *await page.value("window.refused")]
    await page.value("window.scrollTo(0, 0)")
    return [*found, *await axe.find_faults(page)]
