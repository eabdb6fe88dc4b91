"""How a page looks in a real browser: what reaches beyond the screen, and what lies over what can be pressed."""

from tests.support import browser

NOTE_REFUSED = """window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => {
  refused.push(`${event.violatedDirective} ${event.blockedURI}`);
});"""
"""A script for a browser's tab: what the policy refused is in `refused`."""

NOTE_SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) {
    if (one.hadRecentInput) continue;
    for (const { node, previousRect, currentRect } of one.sources) {
      const [before, after] = [previousRect, currentRect].map((box) => `${box.x},${box.y} ${box.width}x${box.height}`);
      shifts.push(`${(node?.outerHTML ?? node?.textContent ?? "gone").slice(0, 150)}: ${before} became ${after}`);
    }
  }
}).observe({ type: "layout-shift", buffered: true });"""
"""The same: what moved without anybody's doing (w3.org/TR: Layout Instability) is in `shifts`."""

_PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"

_CUT = """(() => [...document.querySelectorAll("main *, header *, footer *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && one.checkVisibility() && getComputedStyle(one).position !== "absolute"
    && !one.closest(".visually-hidden") && (box.right > innerWidth + 1 || box.left < -1)
    && !one.closest(".code, .scroll, thead, pre, .u-wrap, .cm-editor");
}).map((one) => one.outerHTML.slice(0, 150)))()"""
"""Elements that reach beyond the screen, but for those in parts that scroll by themselves."""

_COVERED = """(() => [...document.querySelectorAll("main :is(a, button, input, select, summary), header a")]
  .filter((one) => {
    const closed = "details:not([open]) > :not(summary)";
    if (!one.checkVisibility() || one.closest(`.visually-hidden, thead, .cm-editor, ${closed}`)) return false;
    one.scrollIntoView({ block: "center" });
    const box = one.getClientRects()[0];
    if (!box) return false;
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return !(top && (one.contains(top) || top.contains(one) || one.closest("label")?.contains(top)));
  }).map((one) => one.outerHTML.slice(0, 150)))()"""
"""What can be pressed, and has something else in front of it."""

_UNSTYLED = """(() => [...document.querySelectorAll("main svg :is(rect, circle, ellipse, polygon, text)")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).fill === "rgb(0, 0, 0)")
  .map((one) => one.outerHTML.slice(0, 150)))()"""
"""What is drawn and no style is for: black, which no colour of the pages is."""


async def resize(page: browser.Page, width: int, scheme: str) -> None:
    """width: of the screen in pixels; a phone below 500. scheme: light or dark."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    await page.call("Emulation.setDeviceMetricsOverride", **size)
    await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


async def slow_down(page: browser.Page) -> None:
    """As a phone far from a mast: 1.6 Mbit/s down, 0.75 up, 150 ms for the way there and back (Chrome's "Fast 3G")."""
    await page.call("Network.enable")
    bytes_per_s = {"downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
    await page.call("Network.emulateNetworkConditions", offline=False, latency=150, **bytes_per_s)
    await page.call("Network.setCacheDisabled", cacheDisabled=True)


async def find_shifts(page: browser.Page) -> list[str]:
    """What moved until now, in a tab with `NOTE_SHIFTS`."""
    await page.value(_PAINTED)
    found: list[str] = await page.value("window.shifts")
    return found


async def find_faults(page: browser.Page) -> list[str]:
    """What nobody wants to see, in the page as it is now."""
    found = [f"beyond the screen: {one}" for one in await page.value(_CUT)]
    found += [f"covered: {one}" for one in await page.value(_COVERED)]
    found += [f"without a colour of its own: {one}" for one in await page.value(_UNSTYLED)]
    if await page.value("document.documentElement.scrollWidth > innerWidth"):
        found.append("the page scrolls sideways")
    return found
