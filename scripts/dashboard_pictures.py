"""Pictures of the dashboard, of a real daemon with made-up sites, for README.md and docs/dashboard.md.

.venv/bin/python -m scripts.dashboard_pictures docs/images
"""

import asyncio
import json
import pathlib
import sys
import tempfile
import time

from scripts import terminal_pictures
from tests.support import browser, daemon, page_looks

_WATCHED_S = 100.0
"""So long visitors come before the pictures are made, so that there is something on the graphs."""
_PAGES = (
    ("home", "/", 1280, "light"),
    ("sites", "/sites", 1280, "dark"),
    ("site", "/sites/photos.home.arpa", 1280, "light"),
    ("certificates", "/certificates", 1280, "light"),
    ("changes", "/changes/history", 1280, "light"),
    ("phone", "/", 360, "dark"),
)
"""Name, path, width, colours."""
_DEAD = "  cloud.home.arpa: http://127.0.0.1:3999\n"


def make(folder: pathlib.Path) -> None:
    with daemon.new_daemon() as gate, terminal_pictures.serving(), tempfile.TemporaryDirectory() as profile:
        gate.http, gate.https = 8080, 8443
        gate.write(terminal_pictures.SITES)
        gate.start()
        gate.wait_answer("https://wiki.home.arpa/start", lambda answer: answer.status_code == 200)
        gate.write(terminal_pictures.SITES + terminal_pictures.MORE + _DEAD)
        gate.wait_answer("https://notes.home.arpa/", lambda answer: answer.status_code == 200)
        gate.wait_settled()
        with terminal_pictures.visitors(gate):
            time.sleep(_WATCHED_S)
            link = json.loads(gate.cli_good("dashboard", "--json"))["url"]
            asyncio.run(_take(link, folder, pathlib.Path(profile)))


async def _take(link: str, folder: pathlib.Path, profile: pathlib.Path) -> None:
    async with browser.chromium(profile, "--ignore-certificate-errors") as chromium, chromium.open(link) as page:
        await page.until("document.readyState === 'complete' && document.querySelector('#enter button') !== null")
        await page.until("document.getElementById('link').value !== ''")
        await page.value("document.querySelector('#enter button').click()")
        await page.until("location.pathname === '/' && document.readyState === 'complete'")
        base = await page.value("location.origin")
        for name, path, width, scheme in _PAGES:
            await page_looks.visit(page, f"{base}{path}", width=width, scheme=scheme)
            await asyncio.sleep(3)  # graphs are drawn when they have their numbers
            (folder / f"dashboard-{name}.png").write_bytes(await page.screenshot())


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]))
