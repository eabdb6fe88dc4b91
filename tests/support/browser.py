"""Headless Chromium, driven over its DevTools protocol (chromedevtools.github.io/devtools-protocol)."""

import asyncio
import base64
import collections.abc
import contextlib
import itertools
import json
import pathlib
import re
import typing

import websockets.asyncio.client

from tests.support import binaries

WAIT_S = 60
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
"""For `WebAuthn.addVirtualAuthenticator`: a device with a fingerprint reader, whose owner is there."""
_MOVING = re.compile("execution context|navigated|Cannot find context")


class Page:
    """One tab."""

    def __init__(self, socket: websockets.asyncio.client.ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def call(self, method: str, **parameters: typing.Any) -> dict[str, typing.Any]:
        """One DevTools command and its result. Raises: AssertionError with the browser's words when it is refused."""
        number = next(self._numbers)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        async with asyncio.timeout(WAIT_S):
            while (answer := json.loads(await self._socket.recv())).get("id") != number:
                pass
        assert "error" not in answer, answer
        result: dict[str, typing.Any] = answer["result"]
        return result

    async def value(self, expression: str) -> typing.Any:
        """What a JavaScript expression gives in the page."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str) -> None:
        """Return when the expression is true, at most WAIT_S later. A page that is on its way to another has none."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not await self._holds(expression):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            shown = await self.value("`${location.href}: ${document.body?.innerText}`")
            raise AssertionError(f"{expression} did not become true; the page is {shown}") from None

    async def _holds(self, expression: str) -> bool:
        try:
            return bool(await self.value(expression))
        except AssertionError as error:
            if not _MOVING.search(str(error)):
                raise
            return False

    async def fill(self, selector: str, text: str) -> None:
        """Replace the text of an input as a person would: by focusing it and typing."""
        await self.value(f"document.querySelector({json.dumps(selector)}).select()")
        await self.call("Input.insertText", text=text)

    async def press_enter(self) -> None:
        # Keys that come before a page was painted are dropped: its visitor could not know what they are for.
        await self.until("performance.getEntriesByType('paint').length > 0")
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
            )

    async def screenshot(self) -> bytes:
        """PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


class Browser:
    """A running Chromium."""

    def __init__(self, address: str) -> None:
        self._address = address

    @contextlib.asynccontextmanager
    async def open(self, url: str) -> collections.abc.AsyncIterator[Page]:
        """A tab that was sent to url, in a profile of its own: two tabs are two visitors."""
        async with websockets.asyncio.client.connect(self._address, proxy=None, open_timeout=60) as socket:
            browser = Page(socket)
            context = (await browser.call("Target.createBrowserContext"))["browserContextId"]
            target = (await browser.call("Target.createTarget", url=url, browserContextId=context))["targetId"]
        host = self._address.split("/devtools/")[0]
        async with websockets.asyncio.client.connect(
            f"{host}/devtools/page/{target}", proxy=None, max_size=None, open_timeout=60
        ) as socket:
            yield Page(socket)


@contextlib.asynccontextmanager
async def chromium(profile: pathlib.Path, *arguments: str) -> collections.abc.AsyncIterator[Browser]:
    """Chromium with a new profile in that folder. Skips the test when it is not installed."""
    process = await asyncio.create_subprocess_exec(
        binaries.program("chromium", "chromium"),
        "--headless=new",
        "--no-sandbox",  # tests run as root in containers, where Chromium's sandbox cannot start
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        *arguments,
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Browser(await _address(process))
    finally:
        process.terminate()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    """The DevTools address, which Chromium prints on standard error."""
    assert process.stderr is not None
    said = b""
    async with asyncio.timeout(WAIT_S):
        async for line in process.stderr:
            said += line
            if line.startswith(b"DevTools listening on "):
                return line.split()[-1].decode()
    raise AssertionError(f"chromium did not start: {said.decode(errors='replace')}")
