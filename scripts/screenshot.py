"""The README's picture of the chat page: two people talk in the demo, which must run. Needs Chromium.

.venv/bin/python -m scripts.screenshot docs/images/chat.png
"""

import asyncio
import pathlib
import sys
import tempfile

from tests.support import browser

URL = "https://chat.localhost:8443/"
TALK = (
    ("Mina", "The page comes from one server and the chat from another. Which one am I talking to?"),
    ("Jonas", "Both, through one gate: https for the page, wss for the chat, one name."),
    ("Mina", "그럼 nginx 설정은 누가 썼어요?"),
    ("Jonas", "Nobody. Three lines of YAML did 👍"),
)


async def talk() -> bytes:
    """PNG of what Jonas sees at the end."""
    with tempfile.TemporaryDirectory() as profile:
        async with (
            browser.chromium(pathlib.Path(profile), "--ignore-certificate-errors", "--lang=en-GB") as chromium,
            chromium.open(URL) as mina,
            chromium.open(URL) as jonas,
        ):
            people = {"Mina": mina, "Jonas": jonas}
            for name, page in people.items():
                size = {"width": 900, "height": 640, "deviceScaleFactor": 1.5, "mobile": False}
                await page.call("Emulation.setDeviceMetricsOverride", **size)
                await page.until("document.querySelector('#status')?.dataset.state === 'open'")
                await page.fill("#name", name)
            for said, (name, text) in enumerate(TALK, start=1):
                await people[name].fill("#text", text)
                await people[name].press_enter()
                for page in people.values():
                    await page.until(f"document.querySelectorAll('.message').length === {said}")
            await jonas.until("document.getAnimations().length === 0")
            return await jonas.screenshot()


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_bytes(asyncio.run(talk()))
