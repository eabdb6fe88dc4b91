"""Pages of the dashboard in a real browser: served on loopback, at a size, in colours, and what is wrong with how they
look."""

import collections.abc
import contextlib
import socket
import threading

import uvicorn
from starlette import types

from tests.support import axe, browser

CUT = """(() => [...document.querySelectorAll("main *, header *, footer *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && getComputedStyle(one).position !== "absolute" && !one.closest(".visually-hidden")
    && (box.right > innerWidth + 1 || box.left < -1)
    && !one.closest(".code, .tabs, .scroll, thead, pre, .u-wrap, .cm-scroller");
}).map((one) => one.outerHTML.slice(0, 150)))()"""
"""Elements that reach beyond the screen, but for those in parts that scroll by themselves."""

COVERED = """(() => [...document.querySelectorAll("main :is(a, button, input, select, summary), header a")]
  .filter((one) => {
    const closed = "details:not([open]) > :not(summary)";
    if (!one.checkVisibility() || one.closest(`.visually-hidden, .tabs, thead, ${closed}`)) return false;
    one.scrollIntoView({ block: "center" });
    const box = one.getClientRects()[0];
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return !(top && (one.contains(top) || top.contains(one) || one.closest("label")?.contains(top)));
  }).map((one) => one.outerHTML.slice(0, 150)))()"""
"""What can be pressed, and has something else in front of it."""

SIZES = ((360, "dark"), (1280, "light"), (360, "light"), (1280, "dark"))
"""Width and colours."""


@contextlib.contextmanager
def serving(app: types.ASGIApp) -> collections.abc.Iterator[str]:
    """The address of an application on a server of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


async def visit(page: browser.Page, url: str, *, width: int = 1280, scheme: str = "light", ready: str = "true") -> None:
    """ready: what must hold beside that it is loaded."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    await page.call("Emulation.setDeviceMetricsOverride", **size)
    colours = [{"name": "prefers-color-scheme", "value": scheme}]
    await page.call("Emulation.setEmulatedMedia", features=colours)
    await page.call("Page.enable")
    noted = (
        "window.refused = []; document.addEventListener('securitypolicyviolation', (e) => refused.push(e.blockedURI))"
    )
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=noted)
    await page.call("Page.navigate", url=url)
    there = url.partition("#")[0].replace("'", "%27")
    await page.until(f"location.href.startsWith('{there}') && document.readyState === 'complete' && {ready}")


async def find_faults(page: browser.Page) -> list[str]:
    """What is cut, covered, refused by the policy, or not usable by everybody."""
    wide = [] if await page.value("document.documentElement.scrollWidth <= innerWidth") else ["wider than the screen"]
    found = [*wide, *await page.value(CUT), *await page.value(COVERED), *await page.value("window.refused")]
    await page.value("window.scrollTo(0, 0)")
    return [*found, *await axe.find_faults(page)]
